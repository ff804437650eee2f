//! What Swift knows and is not offered here: it is refused by name, and never ignored.
//!
//! A header or parameter that Swift itself gives no meaning to is no concern of this list.

use http::request::Parts;
use http::{HeaderMap, Method, header};

use super::answer;
use super::query::Query;
use super::refusal::Refusal;
use super::symlink;

/// Headers of requests for something to be done, by how they begin.
///
/// `X-Object-Sysmeta-…` and its like are not among them: Swift's parts talk by these to each other,
/// and what a client says there means nothing.
const DEMANDS: &[&str] = &["x-robots-tag"];

/// Headers of settings of accounts and containers, by how they begin.
///
/// None of these can be set, so none is: a request that unsets one (`X-Remove-…`, or an empty value) has what it wants.
const SETTINGS: &[&str] = &[
    "x-account-meta-web-",
    "x-container-meta-web-",
    "x-container-sharding",
    "x-container-sync-",
    "x-versions-mode",
];

const PARAMETERS: &[&str] = &["swiftinfo_expires", "swiftinfo_sig"];

/// Refuses a request that asks for something which isn't offered.
pub(super) fn refuse(head: &Parts, query: &Query<'_>) -> Result<(), Refusal> {
    refuse_headers(&head.headers)?;
    refuse_parameters(query)?;
    refuse_form(head)
}

fn refuse_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let begins = |name: &str, list: &[&str]| list.iter().any(|start| name.starts_with(start));
    for (name, value) in headers {
        let name = name.as_str();
        if begins(name, DEMANDS) || (begins(name, SETTINGS) && !value.is_empty()) {
            return Err(Refusal::NotOffered(answer::titled(name).into()));
        }
    }
    Ok(())
}

fn refuse_parameters(query: &Query<'_>) -> Result<(), Refusal> {
    match query.names().find(|name| PARAMETERS.contains(name)) {
        None => symlink::meant(query).map(drop),
        Some(name) => Err(Refusal::NotOffered(name.to_owned().into())),
    }
}

/// A form posted by a browser is an upload, not a change of metadata.
fn refuse_form(head: &Parts) -> Result<(), Refusal> {
    let content_type = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let is_form =
        content_type.get(..19).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data"));
    if head.method == Method::POST && is_form {
        return Err(Refusal::NotOffered("POST of multipart/form-data".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn find(method: &str, query: &str, header: Option<(&str, &str)>) -> Option<String> {
        let mut request = Request::builder().method(method).uri(format!("/v1/a/c/o?{query}"));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        match refuse(&head, &Query::parse(head.uri.query())) {
            Ok(()) => None,
            Err(Refusal::NotOffered(what)) => Some(what.into_owned()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check_header(name: &str, expected: Option<&str>) {
        assert_eq!(find("PUT", "", Some((name, "x"))).as_deref(), expected, "{name}");
    }

    #[track_caller]
    fn check_query(query: &str, expected: Option<&str>) {
        assert_eq!(find("GET", query, None).as_deref(), expected, "{query}");
    }

    #[test]
    fn headers_with_a_meaning_are_named() {
        check_header("X-Robots-Tag", Some("X-Robots-Tag"));
        check_header("X-Container-Sync-To", Some("X-Container-Sync-To"));
    }

    #[test]
    fn what_cannot_be_set_may_be_unset() {
        check_header("X-Remove-Container-Sync-To", None);
        assert_eq!(find("POST", "", Some(("X-Container-Sync-To", ""))), None);
    }

    #[test]
    fn everything_else_passes() {
        for name in
            ["X-Object-Meta-Mtime", "X-Object-Sysmeta-A", "X-Container-Meta-Color", "X-Newest", "User-Agent"]
        {
            check_header(name, None);
        }
    }

    #[test]
    fn parameters_with_a_meaning_are_named() {
        check_query("swiftinfo%5Fsig", Some("swiftinfo_sig"));
        check_query("swiftinfo_expires=1", Some("swiftinfo_expires"));
        check_query("format=json&limit=1&marker=a&cache=no", None);
    }

    #[test]
    fn a_link_is_followed_or_shown_and_nothing_else() {
        check_query("symlink=get", None);
        check_query("symlink=follow", Some("symlink"));
    }

    #[test]
    fn a_form_is_not_a_change_of_metadata() {
        let form = Some(("Content-Type", "Multipart/Form-Data; boundary=x"));
        assert_eq!(find("POST", "", form).as_deref(), Some("POST of multipart/form-data"));
        assert_eq!(find("PUT", "", form), None);
    }
}

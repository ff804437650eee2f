//! `TempURL`: links that carry the right to do one thing with an object.
//!
//! The crate `auth` says whether a link is good. Here is what a request with one may contain, and what its answer shows.

use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, EXPIRES};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use martlet_auth::temp_url::{LinkUse, TempUrl};
use martlet_auth::{Bearer, Target};
use martlet_model::{Store, Timestamp};
use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::dialect::About;

use super::answer;
use super::date;
use super::link_keys::link_keys;
use super::login::PATH_SEGMENT;
use super::path;
use super::query::Query;
use super::refusal::{Realm, Refusal};

/// Headers that would make an upload point to what the link gives no right to.
const POINTERS: [&str; 2] = ["x-object-manifest", "x-symlink-target"];

const IN_FILENAME: &AsciiSet = &PATH_SEGMENT.remove(b'/').remove(b' ');
const IN_EXTENDED_FILENAME: &AsciiSet = &PATH_SEGMENT.remove(b'/');

/// Whether a request comes by a link. Then nothing else that its query says counts.
pub(super) fn is_link(query: &Query<'_>) -> bool {
    query.contains("temp_url_sig") || query.contains("temp_url_expires")
}

/// What the bearer of the request's link may do; `None`: it comes by none.
pub(super) async fn bearer(
    about: &About,
    store: &dyn Store,
    now: Timestamp,
) -> Result<Option<Bearer>, Refusal> {
    let head = &about.head;
    if !comes_by_link(head) {
        return Ok(None);
    }
    let target = path::Target::parse(head.uri.path())?;
    let invalid = || Refusal::LinkInvalid {
        realm: target.account().map_or(Realm::Unknown, |account| Realm::Account(account.to_string())),
    };
    let path::Target::Object(object) = &target else { return Err(invalid()) };
    let parameters = Target::parse(&head.uri).map_err(|_| invalid())?;
    let link = TempUrl::read(&parameters).ok().flatten().ok_or_else(invalid)?;
    let keys = link_keys(store, &object.container).await?;
    let link_use = LinkUse { method: &head.method, object, client: Some(about.client), now };
    let bearer = link.prove(link_use, &keys.as_keys()).map_err(|_| invalid())?;
    refuse_pointers(head)?;
    Ok(Some(bearer))
}

/// Makes of an answer what the bearer of a link gets: without the metadata that isn't public,
/// with a name under which a browser saves the object, and good for as long as the link.
pub(super) fn dressed(mut response: Response, head: &Parts) -> Response {
    if !comes_by_link(head) {
        return response;
    }
    let is_read = matches!(head.method, Method::GET | Method::HEAD) && response.status().is_success();
    veil(response.headers_mut());
    if is_read
        && let Ok(parameters) = Target::parse(&head.uri)
        && let Ok(Some(link)) = TempUrl::read(&parameters)
    {
        show(&link, &parameters.path, response.headers_mut());
    }
    response
}

fn comes_by_link(head: &Parts) -> bool {
    head.method != Method::OPTIONS
        && head.uri.query().is_some_and(|query| is_link(&Query::parse(Some(query))))
}

fn refuse_pointers(head: &Parts) -> Result<(), Refusal> {
    if matches!(head.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    match POINTERS.iter().find(|name| head.headers.contains_key(**name)) {
        None => Ok(()),
        Some(name) => {
            let titled = answer::titled(name);
            Err(Refusal::Malformed(format!("The header '{titled}' is not allowed in this tempurl").into()))
        }
    }
}

fn veil(headers: &mut HeaderMap) {
    let is_veiled = |name: &&HeaderName| {
        let item = name.as_str().strip_prefix("x-object-meta-");
        item.is_some_and(|item| !item.starts_with("public-"))
    };
    let veiled: Vec<_> = headers.keys().filter(is_veiled).cloned().collect();
    for name in veiled {
        headers.remove(name);
    }
}

fn show(link: &TempUrl<'_>, path: &[u8], headers: &mut HeaderMap) {
    let disposition = match (link.inline, link.filename) {
        (true, Some(filename)) => Some(disposition("inline", filename)),
        (true, None) => Some("inline".to_owned()),
        (false, Some(filename)) => Some(disposition("attachment", filename)),
        (false, None) if headers.contains_key(CONTENT_DISPOSITION) => None,
        (false, None) => Some(disposition("attachment", last_name(&String::from_utf8_lossy(path)))),
    };
    if let Some(disposition) = disposition {
        headers.insert(CONTENT_DISPOSITION, answer::header_value(&disposition));
    }
    headers.insert(EXPIRES, answer::header_value(&date::last_modified(link.expires())));
}

/// RFC 6266, with the name in both forms: as old clients read it, and as RFC 8187 would have it.
fn disposition(kind: &str, filename: &str) -> String {
    let quoted = utf8_percent_encode(filename, IN_FILENAME);
    let extended = utf8_percent_encode(filename, IN_EXTENDED_FILENAME);
    format!("{kind}; filename=\"{quoted}\"; filename*=UTF-8''{extended}")
}

/// What stands after the last slash that isn't at the end.
fn last_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_the_end_of_the_objects_name() {
        for (path, name) in [("/v1/a/c/o", "o"), ("/v1/a/c/dir/o//", "o"), ("/v1/a/c/ü b", "ü b")] {
            assert_eq!(last_name(path), name);
        }
    }

    #[test]
    fn no_filename_breaks_out_of_its_quotes() {
        assert_eq!(
            disposition("attachment", "a\"; x=\"/ü\r\n"),
            "attachment; filename=\"a%22%3B x%3D%22/%C3%BC%0D%0A\"; filename*=UTF-8''a%22%3B%20x%3D%22/%C3%BC%0D%0A"
        );
    }
}

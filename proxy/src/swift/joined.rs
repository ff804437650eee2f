//! Objects that were joined from parts, as Swift's clients meet them: they take them for static large objects.
//!
//! `X-Static-Large-Object` keeps a client from comparing the ETag with the MD5 of the bytes,
//! and makes it delete the object with `?multipart-manifest=delete`, which removes parts along with the object.
//! Here the parts belong to the object and go with it in any case.

use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use martlet_auth::Guarded;
use martlet_model::{Conditions, Digest, ETagStyle, Error, Noun, ObjectId, ObjectInfo, ObjectStore as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer;
use super::query::Query;
use super::refusal::Refusal;

const PARAMETER: &str = "multipart-manifest";

/// DELETE of an object and its parts.
#[derive(Debug)]
pub struct DeleteJoined {
    pub id: ObjectId,
    /// Whether the report is wanted as JSON rather than text.
    pub as_json: bool,
}

/// How a deletion ended, in the words of Swift's bulk operations.
enum Outcome {
    Deleted,
    NotFound,
    NotJoined,
}

/// Whether the request deletes an object with its parts.
/// Every other use of the parameter asks for something that isn't offered.
pub(super) fn is_delete(method: &Method, query: &Query<'_>) -> Result<bool, Refusal> {
    match query.text(PARAMETER)? {
        None => Ok(false),
        Some("delete") if method == Method::DELETE => Ok(true),
        Some(_) => Err(Refusal::NotOffered(PARAMETER.into())),
    }
}

pub(super) fn parse_delete(id: ObjectId, head: &Parts) -> DeleteJoined {
    let accept = head.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    DeleteJoined { id, as_json: accept.is_some_and(|accept| accept.contains("json")) }
}

/// Answers 200 whatever happens; the outcome is in the body, where clients look for it.
pub(super) async fn delete(command: DeleteJoined, store: &Guarded) -> Result<Response, Refusal> {
    let none = Conditions::none(ETagStyle::Swift);
    let outcome = match store.head(&command.id, None, &none).await {
        Ok(info) if !is_joined(&info) => Outcome::NotJoined,
        Ok(_) => match store.delete(&command.id, None, &none).await {
            Ok(_) => Outcome::Deleted,
            Err(Error::NotFound(Noun::Object)) => Outcome::NotFound,
            Err(error) => return Err(error.into()),
        },
        Err(Error::NotFound(Noun::Object)) => Outcome::NotFound,
        Err(error) => return Err(error.into()),
    };
    let (content_type, body) = if command.as_json {
        ("application/json", report_json(&outcome, &command.id))
    } else {
        (answer::PLAIN, report_text(&outcome, &command.id))
    };
    Ok(answer::whole(StatusCode::OK, HeaderMap::new(), content_type, body))
}

pub(super) fn is_joined(info: &ObjectInfo) -> bool {
    matches!(info.content.digest, Digest::Parts { .. })
}

/// Status, objects deleted, objects not found, and the object's name where it couldn't be done.
fn figures(outcome: &Outcome, id: &ObjectId) -> (&'static str, u8, u8, Option<String>) {
    match outcome {
        Outcome::Deleted => ("200 OK", 1, 0, None),
        Outcome::NotFound => ("200 OK", 0, 1, None),
        Outcome::NotJoined => {
            let name = format!("/{}/{}", id.container.name, id.key.as_str());
            ("400 Bad Request", 0, 0, Some(utf8_percent_encode(&name, NON_ALPHANUMERIC).to_string()))
        }
    }
}

fn report_json(outcome: &Outcome, id: &ObjectId) -> String {
    let (status, deleted, not_found, failed) = figures(outcome, id);
    let errors = failed.map_or(String::new(), |name| format!(r#"["{name}", "Not an SLO manifest"]"#));
    format!(
        r#"{{"Response Status": "{status}", "Response Body": "", "Number Deleted": {deleted}, "Number Not Found": {not_found}, "Errors": [{errors}]}}"#
    )
}

fn report_text(outcome: &Outcome, id: &ObjectId) -> String {
    let (status, deleted, not_found, failed) = figures(outcome, id);
    let errors = failed.map_or(String::new(), |name| format!("{name}, Not an SLO manifest\n"));
    format!(
        "Number Deleted: {deleted}\nNumber Not Found: {not_found}\nResponse Body: \nResponse Status: {status}\nErrors:\n{errors}"
    )
}

#[cfg(test)]
mod tests {
    use martlet_model::{AccountName, ContainerId, ContainerName, ObjectKey};

    use super::*;

    fn id() -> ObjectId {
        let container = ContainerId {
            account: AccountName::parse(b"a").unwrap(),
            name: ContainerName::parse(b"c").unwrap(),
        };
        ObjectId { container, key: ObjectKey::parse("o\"x").unwrap() }
    }

    #[test]
    fn only_a_deletion_is_offered() {
        let is_delete = |method: Method, query| is_delete(&method, &Query::parse(Some(query)));
        assert!(matches!(is_delete(Method::DELETE, "multipart-manifest=delete"), Ok(true)));
        assert!(matches!(is_delete(Method::DELETE, "x=y"), Ok(false)));
        assert!(is_delete(Method::GET, "multipart-manifest=delete").is_err());
        assert!(is_delete(Method::GET, "multipart-manifest=get").is_err());
        assert!(is_delete(Method::PUT, "multipart-manifest=put").is_err());
    }

    #[test]
    fn a_report_is_json_whatever_the_name() {
        for outcome in [Outcome::Deleted, Outcome::NotFound, Outcome::NotJoined] {
            let report: serde_json::Value = serde_json::from_str(&report_json(&outcome, &id())).unwrap();
            let failed = matches!(outcome, Outcome::NotJoined);
            assert_eq!(report["Errors"].as_array().unwrap().len(), usize::from(failed));
            assert_eq!(report["Response Status"], if failed { "400 Bad Request" } else { "200 OK" });
        }
    }
}

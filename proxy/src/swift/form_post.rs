//! `FormPost`: a form with which a browser stores files below a prefix.
//!
//! Every file is one PUT of an object, which walks the same way as any other; the form says no more than its head would.
//! What follows a file in the form counts for the files after it alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use martlet_auth::form_post::{FormError as Unproven, FormFields, FormPlace};
use martlet_auth::{Guarded, Identity};
use martlet_model::{BodyError, ContainerId, Error};
use percent_encoding::{percent_decode_str, utf8_percent_encode};

use crate::body::RequestBody;
use crate::dialect::About;
use crate::form::{Form, FormError, Part};

use super::Swift;
use super::answer;
use super::command::Command;
use super::link_keys::{LinkKeys, link_keys};
use super::login::PATH_SEGMENT;
use super::path::Target;
use super::refusal::{Realm, Refusal, Words};

/// The longest value of a field.
const FIELD_BYTES_MAX: usize = 4096;

/// The fields that mean something; others are passed over, as in Swift.
const FIELDS: [&str; 9] = [
    "redirect",
    "max_file_size",
    "max_file_count",
    "expires",
    "signature",
    "x_delete_at",
    "x_delete_after",
    "content-type",
    "content-encoding",
];

/// POST of a form.
#[derive(Debug)]
pub struct PostForm {
    pub container: ContainerId,
    /// What the path has after the container's name and a slash; `None`: it ends with the name.
    pub prefix: Option<Bytes>,
}

/// How the form's files fared: the answer to the last that was stored or tried.
struct Outcome {
    status: StatusCode,
    message: &'static str,
    /// What the answer to the file said, where it was an error.
    text: Option<String>,
}

/// `None`: the request is no form, or is posted to no container.
pub(super) fn parse(head: &Parts, target: &Target) -> Option<PostForm> {
    if head.method != Method::POST || !is_form(&head.headers) {
        return None;
    }
    let container = match target {
        Target::Container(id) => id.clone(),
        Target::Object(id) => id.container.clone(),
        Target::Capabilities | Target::Health | Target::Login | Target::Account(_) => return None,
    };
    let path: Vec<u8> = percent_decode_str(head.uri.path()).collect();
    let prefix = path.splitn(5, |byte| *byte == b'/').nth(4).map(Bytes::copy_from_slice);
    Some(PostForm { container, prefix })
}

fn is_form(request: &HeaderMap) -> bool {
    let content_type = request.get(CONTENT_TYPE).map_or(&b""[..], http::HeaderValue::as_bytes);
    let content_type = String::from_utf8_lossy(content_type).to_ascii_lowercase();
    content_type.starts_with("multipart/form-data") && content_type.contains("boundary=")
}

impl Swift {
    pub(super) async fn post_form(
        &self,
        command: PostForm,
        body: RequestBody,
        store: &Guarded,
        about: &About,
    ) -> Result<Response, Refusal> {
        let keys = link_keys(&**store.unguarded(), &command.container).await?;
        let posting = Posting { swift: self, command: &command, keys, store, about };
        let mut fields = BTreeMap::new();
        let outcome = posting.receive(body, &mut fields).await?;
        Ok(answered(&outcome, fields.get("redirect").map(String::as_str).unwrap_or_default()))
    }
}

/// What receiving a form works with.
struct Posting<'a> {
    swift: &'a Swift,
    command: &'a PostForm,
    keys: LinkKeys,
    store: &'a Guarded,
    about: &'a About,
}

impl Posting<'_> {
    /// Reads the form to its end, or to the first file that can't be stored.
    async fn receive(
        &self,
        body: RequestBody,
        fields: &mut BTreeMap<String, String>,
    ) -> Result<Outcome, Refusal> {
        let mut form =
            Form::open(&self.about.head.headers, body.into_stream(u64::MAX)).map_err(unreadable)?;
        let mut outcome = Outcome::refused("no files to process");
        let mut files_count = 0;
        while let Some(part) = form.next().await.map_err(unreadable)? {
            let Some(filename) = part.head.filename.clone().filter(|name| !name.is_empty()) else {
                let name = part.head.name.to_ascii_lowercase();
                let value = part.content.collect(FIELD_BYTES_MAX).await.map_err(unreadable)?;
                if FIELDS.contains(&name.as_str()) {
                    let value = String::from_utf8(value.to_vec());
                    fields.insert(name, value.map_err(|_| complaint("a field is not valid UTF-8"))?);
                }
                continue;
            };
            files_count += 1;
            if files_count > files_count_max(fields)? {
                return Ok(Outcome::refused("max file count exceeded"));
            }
            outcome = self.store_file(part, &filename, fields).await?;
            if !outcome.status.is_success() {
                break;
            }
        }
        Ok(outcome)
    }

    async fn store_file(
        &self,
        part: Part,
        filename: &str,
        fields: &BTreeMap<String, String>,
    ) -> Result<Outcome, Refusal> {
        let PostForm { container, prefix } = self.command;
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let signed = FormFields {
            redirect: field("redirect"),
            max_file_size: field("max_file_size"),
            max_file_count: field("max_file_count"),
            expires: field("expires"),
            signature: field("signature"),
        };
        let place = FormPlace { container, prefix: prefix.as_deref() };
        let proven = signed
            .prove(place, &self.keys.as_keys(), self.store.context().now)
            .map_err(|error| self.unproven(error))?;
        let head = head_of_put(container, &[&proven.prefix, filename.as_bytes()].concat(), &part, fields)?;
        let command = Command::parse(&head, self.swift.scheme)?;
        let bytes_max = proven.file_bytes_max;
        let body = RequestBody::new(None, part.content.into()).into_stream(bytes_max);
        let bearer = Identity::Bearer(Arc::new(proven.bearer));
        let store = Guarded::new(self.store.unguarded().clone(), bearer, self.store.context().clone());
        let body = RequestBody::new(None, body);
        // Boxed, since the way of a PUT is part of the way of a form.
        let stored = Box::pin(self.swift.carry_out(command, body, &store, self.about)).await;
        match stored {
            Ok(response) => Ok(Outcome { status: response.status(), message: "", text: None }),
            Err(Refusal::Store(Error::Body(BodyError::TooLarge { bytes_max: passed })))
                if passed == bytes_max =>
            {
                Err(complaint("max_file_size exceeded"))
            }
            Err(Refusal::Store(Error::Body(error @ BodyError::BadFraming(_)))) => {
                Err(complaint(&error.to_string()))
            }
            Err(refusal) => Ok(Outcome::of(&refusal)),
        }
    }

    fn unproven(&self, error: Unproven) -> Refusal {
        match error {
            Unproven::BadFileSize | Unproven::BadFileCount | Unproven::BadExpires => {
                complaint(&error.to_string())
            }
            Unproven::Expired | Unproven::InvalidSignature => Refusal::FormInvalid {
                realm: Realm::Account(self.command.container.account.to_string()),
                text: format!("FormPost: {}", titled(&error.to_string())),
            },
        }
    }
}

/// How many files the form says that it may have; the signature that vouches for it is looked at with the first.
fn files_count_max(fields: &BTreeMap<String, String>) -> Result<u64, Refusal> {
    let text = fields.get("max_file_count").map_or("", |text| text.trim());
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| complaint(&Unproven::BadFileCount.to_string()))
}

/// The head of a PUT that says of the object what the form says of the file.
fn head_of_put(
    container: &ContainerId,
    key: &[u8],
    part: &Part,
    fields: &BTreeMap<String, String>,
) -> Result<Parts, Refusal> {
    let encoded = |name: &str| utf8_percent_encode(name, PATH_SEGMENT).to_string();
    let key = percent_encoding::percent_encode(key, PATH_SEGMENT);
    let path =
        format!("/v1/{}/{}/{key}", encoded(container.account.as_str()), encoded(container.name.as_str()));
    let mut request = Request::put(path).header("transfer-encoding", "chunked");
    let content_type = fields.get("content-type").cloned().or_else(|| part.head.content_type.clone());
    if let Some(content_type) = content_type {
        let content_type = if content_type.is_empty() { "application/octet-stream" } else { &content_type };
        request = request.header(CONTENT_TYPE, answer::header_value(content_type));
    }
    for (field, header) in [
        ("content-encoding", "content-encoding"),
        ("x_delete_at", "x-delete-at"),
        ("x_delete_after", "x-delete-after"),
    ] {
        if let Some(value) = fields.get(field) {
            request = request.header(header, answer::header_value(value.trim()));
        }
    }
    let request = request.body(()).map_err(|_| complaint("the name of a file is too long"))?;
    Ok(request.into_parts().0)
}

fn unreadable(error: FormError) -> Refusal {
    match error {
        FormError::Body(error) => Error::Body(error).into(),
        FormError::NotAForm => complaint("invalid starting boundary"),
        FormError::Malformed(_) | FormError::FieldTooLarge { .. } => complaint(&error.to_string()),
    }
}

fn complaint(text: &str) -> Refusal {
    Refusal::Malformed(format!("FormPost: {text}").into())
}

impl Outcome {
    fn refused(message: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message, text: None }
    }

    fn of(refusal: &Refusal) -> Self {
        let (status, words) = refusal.answer();
        let text = match words {
            Words::Plain(text) | Words::Html(text) => Some(text.into_owned()),
            Words::Page => Some(super::refusal::page(status)),
            Words::Nothing => None,
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, message: "", text }
    }
}

/// A form that names a page gets the browser sent there, with the outcome in the query.
fn answered(outcome: &Outcome, redirect: &str) -> Response {
    let Outcome { status, message, text } = outcome;
    let mut headers = HeaderMap::new();
    if redirect.is_empty() {
        let said = text.clone().unwrap_or_else(|| match *message {
            "" => status.to_string(),
            message => format!("{status}\r\nFormPost: {}", titled(message)),
        });
        return answer::whole(*status, headers, answer::PLAIN, said);
    }
    let joint = if redirect.contains('?') { '&' } else { '?' };
    let message = utf8_percent_encode(message, PATH_SEGMENT);
    let location = format!("{redirect}{joint}status={}&message={message}", status.as_u16());
    headers.insert(LOCATION, answer::header_value(&location));
    let link = location.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let page = format!("<html><body><p><a href=\"{link}\">Click to continue...</a></p></body></html>");
    answer::whole(StatusCode::SEE_OTHER, headers, answer::HTML, page)
}

/// Every word with a capital letter.
fn titled(text: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    text.split(' ').map(capital).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, content_type: &str, expected: &str) {
        let request = Request::post(path).header(CONTENT_TYPE, content_type).body(()).unwrap();
        let head = request.into_parts().0;
        let found = parse(&head, &Target::parse(path).unwrap());
        let shown = found.map_or("no form".to_owned(), |form| format!("{:?}", form.prefix));
        assert_eq!(shown, expected, "{path}");
    }

    #[test]
    fn a_form_is_posted_below_a_container() {
        const FORM: &str = "Multipart/Form-Data; boundary=x";
        check("/v1/a/c", FORM, "None");
        check("/v1/a/c/", FORM, "Some(b\"\")");
        check("/v1/a/c/pre%20fix/", FORM, "Some(b\"pre fix/\")");
        check("/v1/a", FORM, "no form");
        check("/v1/a/c", "multipart/form-data", "no form");
        check("/v1/a/c", "text/plain; boundary=x", "no form");
    }
}

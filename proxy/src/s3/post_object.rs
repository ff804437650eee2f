//! Uploads by form: what a browser sends when a page has its user choose a file.
//!
//! Source: "Browser-based uploads using POST" of the Amazon S3 API reference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderName, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use martlet_auth::post_policy::{FormField, LengthRange, PostFields, SignedPolicy};
use martlet_auth::request::Transport;
use martlet_auth::sigv4::Payload;
use martlet_auth::{Identity, RequestContext};
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    BodyError, ByteStream, Conditions, ContainerName, ETagStyle, ObjectInfo, ObjectKey, Tags,
};

use super::chunked::refuse_announcements;
use super::command::{Command, Operation, PutObject};
use super::headers::Headers;
use super::query::Query;
use super::refusal::{FormRefusal, Refusal};
use super::xml::Writer;
use super::{S3, Scene, answer, tagging};
use crate::body::RequestBody;
use crate::dialect::{About, Identified};
use crate::form::{Form, Part};

/// The field that is the file, whatever other fields have a file's name.
const FILE: &str = "file";
/// The longest field that isn't the file; that all together aren't longer is seen to by `auth`.
const FIELD_BYTES_MAX: usize = 20 * 1024;
/// The largest form: a file, and what is around it.
const FORM_BYTES_MAX: u64 = PUT_BYTES_MAX + 1024 * 1024;
/// Fields that are only about who sends the form.
const SIGNATURE_FIELDS: [&str; 4] = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];

/// What a form stores, and what its browser is told then.
#[derive(Debug)]
pub(super) struct PostObject {
    pub(super) key: ObjectKey,
    new: PutObject,
    success: Success,
    /// Set when the file turns out to have fewer bytes than the form's policy wants.
    is_too_small: Arc<AtomicBool>,
}

/// What a browser is told when the file is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Success {
    /// Where it is to go, with what was stored in the query.
    Redirect(Uri),
    /// 200 or 204: nothing in the body.
    Status(StatusCode),
    /// 201: what was stored.
    Document,
}

/// Whether a request's body says that it is a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data")
}

/// Passes over what a form's redirect has told, where a page has its users come back to the bucket itself.
pub(super) fn pass_redirect(query: &mut Query<'_>) -> Result<(), Refusal> {
    const TOLD: [&str; 3] = ["bucket", "key", "etag"];
    if TOLD.iter().all(|name| query.has(name)) {
        for name in TOLD {
            query.take(name)?;
        }
    }
    Ok(())
}

impl S3 {
    /// The sender of a form, which stands in the form, and the command that is complete with it.
    pub(super) async fn form_identified(
        &self,
        about: &About,
        (command, bucket): (Command, ContainerName),
        body: RequestBody,
    ) -> Result<Identified<Command>, Refusal> {
        let head = &about.head;
        if head.headers.contains_key(AUTHORIZATION) {
            return Err(Refusal::Request(
                "a form is signed in its fields, and not in the header Authorization",
            ));
        }
        match Payload::of_head(&head.headers)? {
            Payload::Unsigned => refuse_announcements(head)?,
            Payload::Sha256(_) | Payload::NoSha256 | Payload::Streaming(_) => {
                return Err(Refusal::Request("a form has no x-amz-content-sha256"));
            }
        }
        let mut form = Form::open(&head.headers, body.into_stream(FORM_BYTES_MAX))?;
        let (mut fields, file) = read_fields(&mut form).await?;
        fields.name_file(file.head.filename.as_deref().unwrap_or_default());
        let (identity, length) = self.sender_of_form(&fields, &bucket).await?;
        let is_too_small = Arc::new(AtomicBool::new(false));
        let body = within(file.content.into(), length, is_too_small.clone());
        let said = as_headers(&fields)?;
        let post = PostObject::read((&fields, &said), &bucket, is_too_small)?;
        let context =
            RequestContext { head: Some(Arc::new(with_fields(head, &said))), ..about.context.clone() };
        let command = Command { operation: Operation::PostObject(Box::new(post)), ..command };
        Ok(Identified { identity, command, body: RequestBody::new(None, body), context })
    }

    /// Who signed the form, and how many bytes its file may have.
    async fn sender_of_form(
        &self,
        fields: &PostFields,
        bucket: &ContainerName,
    ) -> Result<(Identity, LengthRange), Refusal> {
        if fields.get("x-amz-security-token").is_some() {
            return Err(Refusal::InvalidToken);
        }
        let Some(policy) = SignedPolicy::read(fields, &self.region)? else {
            return Ok((Identity::Anonymous, LengthRange { bytes_min: 0, bytes_max: PUT_BYTES_MAX }));
        };
        let credentials = self.credentials(policy.access_key()).await?;
        let length = policy.prove(&credentials.secret)?.judge(fields, bucket, self.clock.now())?;
        Ok((credentials.identity, length))
    }
}

/// The fields before the file, and the file. What comes after it has no meaning, as in S3.
async fn read_fields(form: &mut Form) -> Result<(PostFields, Part), Refusal> {
    let mut fields = PostFields::default();
    while let Some(part) = form.next().await? {
        if part.head.name.eq_ignore_ascii_case(FILE) {
            return Ok((fields, part));
        }
        let Part { head, content } = part;
        let value = content.collect(FIELD_BYTES_MAX).await?;
        let value = String::from_utf8(value.into())
            .map_err(|_| Refusal::Request("a field of the form is not valid UTF-8"))?;
        fields.add(&head.name, value)?;
    }
    Err(FormRefusal::NoFile.into())
}

/// The file, held to the number of bytes that it may have.
fn within(file: ByteStream, length: LengthRange, is_too_small: Arc<AtomicBool>) -> ByteStream {
    let received = Arc::new(AtomicU64::new(0));
    let counter = received.clone();
    let file = RequestBody::new(None, file).into_stream(length.bytes_max);
    let file = file.inspect_ok(move |bytes| {
        counter.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    });
    let end = stream::once(async move {
        if received.load(Ordering::Relaxed) < length.bytes_min {
            is_too_small.store(true, Ordering::Relaxed);
            return Err(BodyError::Disconnected);
        }
        Ok(Bytes::new())
    });
    Box::pin(file.chain(end).try_filter(|bytes| future::ready(!bytes.is_empty())))
}

impl PostObject {
    fn read(
        (fields, said): (&PostFields, &HeaderMap),
        bucket: &ContainerName,
        is_too_small: Arc<AtomicBool>,
    ) -> Result<Self, Refusal> {
        if fields.get("bucket").is_some_and(|named| named != bucket.as_str()) {
            return Err(Refusal::argument("bucket", "it is not the bucket that the form is posted to"));
        }
        let mut headers = Headers::new(said);
        let new = PutObject {
            acl: headers.take_acl()?,
            tags: fields.get("tagging").map(tags).transpose()?.unwrap_or_default(),
            metadata: headers.take_metadata()?,
            conditions: Conditions::none(ETagStyle::S3),
            integrity: headers.take_integrity()?,
        };
        headers.check_nothing_left()?;
        let key = ObjectKey::parse(Bytes::copy_from_slice(fields.key()?.as_bytes()))?;
        Ok(Self { key, new, success: Success::read(fields), is_too_small })
    }
}

fn tags(document: &str) -> Result<Tags, Refusal> {
    tagging::read(document.as_bytes(), tagging::OBJECT_TAGS_COUNT_MAX)
}

/// What fields say of an object they say as headers do.
fn as_headers(fields: &PostFields) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    for FormField { name, value } in fields.iter() {
        let name = match name.as_str() {
            "acl" => "x-amz-acl",
            "content-type"
            | "content-encoding"
            | "content-disposition"
            | "content-language"
            | "cache-control"
            | "expires"
            | "content-md5" => name,
            signature if SIGNATURE_FIELDS.contains(&signature) => continue,
            amz if amz.starts_with("x-amz-") => amz,
            _ => continue,
        };
        let name = HeaderName::from_bytes(name.as_bytes());
        match (name, HeaderValue::from_bytes(value.as_bytes())) {
            (Ok(name), Ok(value)) => headers.insert(name, value),
            _ => return Err(Refusal::Request("a field of the form has characters that it can't have")),
        };
    }
    Ok(headers)
}

/// The head of a request that says in headers what the form says in fields: what policies ask for is found there.
fn with_fields(head: &Parts, said: &HeaderMap) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    request.headers_mut().clone_from(&head.headers);
    for (name, value) in said.iter().filter(|(name, _)| name.as_str().starts_with("x-amz-")) {
        request.headers_mut().insert(name, value.clone());
    }
    request.into_parts().0
}

impl Success {
    /// What can't be understood is taken as not said, as in S3.
    fn read(fields: &PostFields) -> Self {
        let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
        let redirect = redirect.and_then(|text| text.parse::<Uri>().ok());
        if let Some(uri) = redirect.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))) {
            return Self::Redirect(uri);
        }
        match fields.get("success_action_status") {
            Some("200") => Self::Status(StatusCode::OK),
            Some("201") => Self::Document,
            _ => Self::Status(StatusCode::NO_CONTENT),
        }
    }
}

impl Scene<'_> {
    pub(super) async fn post_object(&self, post: PostObject, body: RequestBody) -> Result<Response, Refusal> {
        let PostObject { key, new, success, is_too_small } = post;
        let object = self.object(key);
        let stored = self.store_object(&object, new, None, body).await;
        let info = match stored {
            Err(_) if is_too_small.load(Ordering::Relaxed) => return Err(FormRefusal::TooSmall.into()),
            outcome => outcome?,
        };
        Ok(self.posted(&object.key, &info, &success))
    }

    fn posted(&self, key: &ObjectKey, info: &ObjectInfo, success: &Success) -> Response {
        let bucket = self.container.name.as_str();
        let etag = answer::quoted_etag(&info.content);
        let place = self.place_of(key);
        let mut response = match success {
            Success::Status(status) => answer::empty(*status),
            Success::Document => {
                let mut xml = Writer::plain("PostResponse");
                xml.text("Location", &place)
                    .text("Bucket", bucket)
                    .text("Key", key.as_str())
                    .text("ETag", &etag);
                let mut response = answer::xml(xml);
                *response.status_mut() = StatusCode::CREATED;
                response
            }
            Success::Redirect(uri) => {
                let mut response = answer::empty(StatusCode::SEE_OTHER);
                let mark = if uri.query().is_some() { '&' } else { '?' };
                let encoded = answer::url_encoded;
                let (key, etag) = (encoded(key.as_bytes()), encoded(etag.as_bytes()));
                let to = format!("{uri}{mark}bucket={bucket}&key={key}&etag={etag}");
                answer::set(response.headers_mut(), LOCATION, &to);
                return response;
            }
        };
        let headers = response.headers_mut();
        answer::set(headers, LOCATION, &place);
        answer::set(headers, ETAG, &etag);
        if let Some(version) = info.version {
            answer::set_version(headers, version);
        }
        response
    }

    /// Where an object is, as its client has come here.
    fn place_of(&self, key: &ObjectKey) -> String {
        let scheme = match self.about.context.transport {
            Transport::Plain => "http",
            Transport::Tls => "https",
        };
        let host = self.about.head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let path = self.about.head.uri.path().trim_end_matches('/');
        format!("{scheme}://{host}{path}/{}", answer::url_encoded(key.as_bytes()))
    }
}

//! Objects: storing, reading and removing them.

use axum::response::Response;
use http::StatusCode;
use http::header::CONTENT_RANGE;
use martlet_auth::Identity;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    BodyError, ByteRange, ByteStream, Conditions, Download, ETagStyle, Error, Match, NewObject, Noun,
    ObjectId, ObjectInfo, ObjectKey, ObjectStore as _, Read, Span,
};

use super::checksum::Checksum;
use super::command::{PutObject, ReadObject};
use super::conditions::IfRange;
use super::query::Query;
use super::refusal::Refusal;
use super::{Scene, answer};
use crate::body::{RequestBody, download};

/// Headers of the answer that the reader chooses (`response-*`).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Overrides {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) expires: Option<String>,
}

impl Overrides {
    pub(super) fn take(query: &mut Query<'_>) -> Result<Self, Refusal> {
        let mut take = |name| match query.take(name)? {
            Some(value) if value.chars().any(char::is_control) => {
                Err(Refusal::argument(name, "it has control characters"))
            }
            value => Ok(value),
        };
        Ok(Self {
            content_type: take("response-content-type")?,
            content_encoding: take("response-content-encoding")?,
            content_disposition: take("response-content-disposition")?,
            content_language: take("response-content-language")?,
            cache_control: take("response-cache-control")?,
            expires: take("response-expires")?,
        })
    }
}

impl Scene<'_> {
    pub(super) async fn put_object(
        &self,
        key: ObjectKey,
        new: PutObject,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        let PutObject { metadata, conditions, integrity } = new;
        let bytes = declared(&body)?;
        let new = NewObject {
            md5: integrity.md5,
            bytes: Some(bytes),
            ..NewObject::new(metadata, conditions, checked(body, integrity.checksum))
        };
        let info = self.store.put(&self.object(key), new).await?;
        Ok(answer::stored(&info.content))
    }

    pub(super) async fn get_object(&self, key: ObjectKey, read: ReadObject) -> Result<Response, Refusal> {
        let ReadObject { conditions, range, if_range, overrides } = read;
        self.check_overrides(&overrides)?;
        let object = self.object(key);
        let (found, range) = match range {
            Some(range) if if_range != IfRange::Any => {
                self.get_if_range(&object, conditions, range, &if_range).await?
            }
            range => (self.store.get(&object, Read { version: None, conditions, range }).await?, range),
        };
        let mut response = Response::new(download(found.body, self.about.id));
        describe(&mut response, &found.info, range.map(|_| found.span), &overrides);
        Ok(response)
    }

    /// The range, if the object is the one that the reader has a part of already; otherwise all of it.
    async fn get_if_range(
        &self,
        object: &ObjectId,
        conditions: Conditions,
        range: ByteRange,
        if_range: &IfRange,
    ) -> Result<(Download, Option<ByteRange>), Error> {
        let info = self.store.head(object, None, &conditions).await?;
        if if_range.includes(&info) {
            let etag = info.content.etag(ETagStyle::S3);
            let same = Conditions { if_match: Match::OneOf(vec![etag]), ..conditions.clone() };
            match self.store.get(object, Read { version: None, conditions: same, range: Some(range) }).await {
                // It has been replaced in the meantime.
                Err(Error::PreconditionFailed) => {}
                outcome => return Ok((outcome?, Some(range))),
            }
        }
        Ok((self.store.get(object, Read { version: None, conditions, range: None }).await?, None))
    }

    pub(super) async fn head_object(&self, key: ObjectKey, read: ReadObject) -> Result<Response, Refusal> {
        let ReadObject { conditions, range, if_range, overrides } = read;
        self.check_overrides(&overrides)?;
        let info = self.store.head(&self.object(key), None, &conditions).await?;
        let span = match range.filter(|_| if_range.includes(&info)) {
            None => None,
            Some(range) => match range.of(info.content.bytes) {
                Some(span) => Some(span),
                None => return Err(Error::RangeUnsatisfiable(Box::new(info)).into()),
            },
        };
        let mut response = answer::empty(StatusCode::OK);
        describe(&mut response, &info, span, &overrides);
        Ok(response)
    }

    /// S3 doesn't tell whether there was anything to remove, unless a condition asks.
    pub(super) async fn delete_object(
        &self,
        key: ObjectKey,
        conditions: &Conditions,
    ) -> Result<Response, Refusal> {
        match self.store.delete(&self.object(key), None, conditions).await {
            Ok(_) | Err(Error::NotFound(Noun::Object)) => Ok(answer::empty(StatusCode::NO_CONTENT)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whoever can be sent a link mustn't be shown other headers than the owner chose: S3 wants a signature.
    fn check_overrides(&self, overrides: &Overrides) -> Result<(), Refusal> {
        match self.store.identity() {
            Identity::Anonymous if *overrides != Overrides::default() => {
                Err(Refusal::Request("response-* parameters need a signed request"))
            }
            Identity::Anonymous | Identity::User(_) | Identity::Bearer(_) => Ok(()),
        }
    }
}

fn describe(response: &mut Response, info: &ObjectInfo, span: Option<Span>, overrides: &Overrides) {
    let bytes = info.content.bytes;
    let Some(span) = span else {
        answer::describe(response.headers_mut(), info, bytes, overrides);
        return;
    };
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let headers = response.headers_mut();
    answer::describe(headers, info, span.bytes(), overrides);
    answer::set(headers, CONTENT_RANGE, &format!("bytes {}-{}/{bytes}", span.start, span.end - 1));
}

/// The length that a body has declared: S3 stores none that hasn't, and none that is too long.
pub(super) fn declared(body: &RequestBody) -> Result<u64, Refusal> {
    match body.declared() {
        None => Err(Refusal::NoContentLength),
        Some(bytes) if bytes > PUT_BYTES_MAX => Err(BodyError::TooLarge { bytes_max: PUT_BYTES_MAX }.into()),
        Some(bytes) => Ok(bytes),
    }
}

/// The body for the store, with a check of its checksum around.
pub(super) fn checked(body: RequestBody, checksum: Option<Checksum>) -> ByteStream {
    let body = body.into_stream(PUT_BYTES_MAX);
    match checksum {
        Some(checksum) => checksum.guard(body),
        None => body,
    }
}

//! Objects: storing, reading and removing them.

use axum::response::Response;
use http::StatusCode;
use http::header::CONTENT_RANGE;
use http::request::Parts;
use martlet_auth::Identity;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    Annotations, BodyError, Conditions, Download, ETagStyle, Error, Match, NewObject, ObjectId, ObjectInfo,
    ObjectStore as _, Read, Span, VersionId,
};

use super::command::{Piece, PutObject, ReadObject};
use super::conditions::IfRange;
use super::identify::is_length_missing;
use super::query::Query;
use super::refusal::Refusal;
use super::{Scene, answer};
use crate::body::{RequestBody, download};
use crate::large;
use crate::links::Way;

/// Headers of the answer that the reader chooses (`response-*`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
        object: &ObjectId,
        new: PutObject,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        let bytes = declared(&self.about.head, &body)?;
        Ok(answer::stored(&self.store_object(object, new, Some(bytes), body).await?))
    }

    /// Stores an object of so many bytes, where it is known how many.
    pub(super) async fn store_object(
        &self,
        object: &ObjectId,
        new: PutObject,
        bytes: Option<u64>,
        body: RequestBody,
    ) -> Result<ObjectInfo, Refusal> {
        let PutObject { metadata, acl, tags, conditions, integrity } = new;
        let acl = self.acl_of_new(acl.as_ref()).await?;
        let md5 = integrity.md5;
        let (body, checksum) = integrity.held(body);
        let new = NewObject {
            md5,
            bytes,
            annotations: Annotations { acl, tags },
            checksum,
            ..NewObject::new(metadata, conditions, body)
        };
        Ok(self.store.put(object, new).await?)
    }

    pub(super) async fn get_object(&self, object: &ObjectId, read: ReadObject) -> Result<Response, Refusal> {
        self.check_overrides(&read.overrides)?;
        let mut way = Way::to(object, read.version);
        loop {
            let there = ReadObject { version: way.version(), ..read.clone() };
            match self.get_object_at(way.id(), there).await {
                Err(Refusal::Store(Error::Link(link))) => way.follow(&link, self.store).await?,
                outcome => {
                    way.confirm(self.store).await?;
                    return outcome;
                }
            }
        }
    }

    async fn get_object_at(&self, object: &ObjectId, read: ReadObject) -> Result<Response, Refusal> {
        let ReadObject { version, conditions, piece, overrides, shows_checksum } = read;
        let (found, is_whole) = match piece {
            Piece::Part(number) => {
                let read = ReadObject { version, conditions, piece, overrides, shows_checksum };
                return self.get_part(object, read, number).await;
            }
            Piece::Whole => (self.get_whole(object, version, conditions).await?, true),
            Piece::Range(range, IfRange::Any) => (
                large::get(self.store, object, Read { version, conditions, range: Some(range) }).await?,
                false,
            ),
            Piece::Range(range, if_range) => {
                let read = Read { version, conditions, range: Some(range) };
                self.get_if_range(object, read, &if_range).await?
            }
        };
        let mut response = Response::new(download(found.body, self.about.id));
        describe(&mut response, &found.info, (!is_whole).then_some(found.span), &overrides);
        if is_whole && shows_checksum {
            answer::set_whole_checksum(response.headers_mut(), &found.info);
        }
        Ok(response)
    }

    async fn get_whole(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        conditions: Conditions,
    ) -> Result<Download, Error> {
        large::get(self.store, object, Read { version, conditions, range: None }).await
    }

    /// The range, if the object is the one that the reader has a part of already; otherwise all of it, which is told.
    async fn get_if_range(
        &self,
        object: &ObjectId,
        read: Read,
        if_range: &IfRange,
    ) -> Result<(Download, bool), Error> {
        let Read { version, conditions, range } = read;
        let info = large::head(self.store, object, version, &conditions).await?;
        if if_range.includes(&info) {
            let etag = info.content.etag(ETagStyle::S3);
            let same = Conditions { if_match: Match::OneOf(vec![etag]), ..conditions.clone() };
            match large::get(self.store, object, Read { version, conditions: same, range }).await {
                // It has been replaced in the meantime.
                Err(Error::PreconditionFailed) => {}
                outcome => return Ok((outcome?, false)),
            }
        }
        Ok((self.get_whole(object, version, conditions).await?, true))
    }

    pub(super) async fn head_object(&self, object: &ObjectId, read: ReadObject) -> Result<Response, Refusal> {
        self.check_overrides(&read.overrides)?;
        let mut way = Way::to(object, read.version);
        loop {
            let there = ReadObject { version: way.version(), ..read.clone() };
            match self.head_object_at(way.id(), there).await {
                Err(Refusal::Store(Error::Link(link))) => way.follow(&link, self.store).await?,
                outcome => {
                    way.confirm(self.store).await?;
                    return outcome;
                }
            }
        }
    }

    async fn head_object_at(&self, object: &ObjectId, read: ReadObject) -> Result<Response, Refusal> {
        if let Piece::Part(number) = read.piece {
            return self.head_part(object, read, number).await;
        }
        let info = large::head(self.store, object, read.version, &read.conditions).await?;
        let span = match read.piece {
            Piece::Range(range, if_range) if if_range.includes(&info) => match range.of(info.content.bytes) {
                Some(span) => Some(span),
                None => return Err(Error::RangeUnsatisfiable(Box::new(info)).into()),
            },
            Piece::Whole | Piece::Range(..) | Piece::Part(_) => None,
        };
        let mut response = answer::empty(StatusCode::OK);
        describe(&mut response, &info, span, &read.overrides);
        if span.is_none() && read.shows_checksum {
            answer::set_whole_checksum(response.headers_mut(), &info);
        }
        Ok(response)
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

pub(super) fn describe(
    response: &mut Response,
    info: &ObjectInfo,
    span: Option<Span>,
    overrides: &Overrides,
) {
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
pub(super) fn declared(head: &Parts, body: &RequestBody) -> Result<u64, Refusal> {
    match body.declared() {
        None => Err(Refusal::NoContentLength),
        Some(0) if is_length_missing(head) => Err(Refusal::NoContentLength),
        Some(bytes) if bytes > PUT_BYTES_MAX => Err(BodyError::TooLarge { bytes_max: PUT_BYTES_MAX }.into()),
        Some(bytes) => Ok(bytes),
    }
}

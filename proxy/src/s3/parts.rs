//! Reading what a part of an object was (`partNumber`).

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use martlet_model::{
    ByteRange, Conditions, Digest, Download, ETagStyle, Error, Match, ObjectId, ObjectInfo, PartLayout,
    PartNumber, Read, Span, StoredChecksum, VersionId,
};

use super::command::ReadObject;
use super::refusal::Refusal;
use super::{Scene, answer, object};
use crate::body::download;
use crate::large;

/// How often a part is looked for again when its object has been replaced in the meantime.
const ATTEMPTS_COUNT_MAX: usize = 3;

/// Where a part is in its object.
struct Place {
    span: Span,
    /// How many parts there are; `None`: the object wasn't joined, and is its own only part.
    count: Option<usize>,
    checksum: Option<StoredChecksum>,
}

impl Scene<'_> {
    pub(super) async fn get_part(
        &self,
        object: &ObjectId,
        read: ReadObject,
        number: PartNumber,
    ) -> Result<Response, Refusal> {
        for _ in 0..ATTEMPTS_COUNT_MAX {
            let (info, place) = self.find_part(object, read.version, &read.conditions, number).await?;
            let body = match self.open_part(object, &info, place.span).await {
                // It has been replaced in the meantime.
                Err(Error::PreconditionFailed) => continue,
                outcome => outcome?,
            };
            let body = body.map_or_else(Body::empty, |found| download(found.body, self.about.id));
            return Ok(answered(Response::new(body), &info, &place, &read));
        }
        Err(Error::Unavailable("the object is replaced faster than it can be read").into())
    }

    pub(super) async fn head_part(
        &self,
        object: &ObjectId,
        read: ReadObject,
        number: PartNumber,
    ) -> Result<Response, Refusal> {
        let (info, place) = self.find_part(object, read.version, &read.conditions, number).await?;
        Ok(answered(Response::new(Body::empty()), &info, &place, &read))
    }

    async fn find_part(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
        number: PartNumber,
    ) -> Result<(ObjectInfo, Place), Refusal> {
        let info = large::head(self.store, object, version, conditions).await?;
        let place = match info.content.digest {
            Digest::Parts { .. } => place_of(&large::layout(self.store, object, &info).await?, number),
            Digest::Whole(_) => place_of_whole(&info, number),
        };
        let place = place.ok_or(Refusal::PartNumber)?;
        Ok((info, place))
    }

    /// The bytes, if there are any, of the very object that was found.
    async fn open_part(
        &self,
        object: &ObjectId,
        info: &ObjectInfo,
        span: Span,
    ) -> Result<Option<Download>, Error> {
        if span.bytes() == 0 {
            return Ok(None);
        }
        let etag = Match::OneOf(vec![info.content.etag(ETagStyle::S3)]);
        let read = Read {
            version: info.version,
            conditions: Conditions { if_match: etag, ..Conditions::none(ETagStyle::S3) },
            range: Some(ByteRange::Between { first: span.start, last: span.end - 1 }),
        };
        large::get(self.store, object, read).await.map(Some)
    }
}

fn place_of_whole(info: &ObjectInfo, number: PartNumber) -> Option<Place> {
    let whole = Place { span: Span::whole(info.content.bytes), count: None, checksum: info.checksum.clone() };
    (number.get() == 1).then_some(whole)
}

/// The parts of an object count from 1, whatever the numbers were with which they were uploaded.
fn place_of(parts: &[PartLayout], number: PartNumber) -> Option<Place> {
    let at = usize::from(number.get()) - 1;
    parts.get(at)?;
    let start = parts[..at].iter().map(|part| part.bytes).sum();
    let span = Span { start, end: start + parts[at].bytes };
    Some(Place { span, count: Some(parts.len()), checksum: parts[at].checksum.clone() })
}

fn answered(mut response: Response, info: &ObjectInfo, place: &Place, read: &ReadObject) -> Response {
    let kind = info.checksum.as_ref().map(|sum| sum.kind);
    let span = (place.span.bytes() > 0).then_some(place.span);
    object::describe(&mut response, info, span, &read.overrides);
    let headers = response.headers_mut();
    if let Some(count) = place.count {
        headers.insert("x-amz-mp-parts-count", HeaderValue::from(count));
    }
    if span.is_none() {
        headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(0));
    }
    if let Some(checksum) = place.checksum.as_ref().filter(|_| read.shows_checksum) {
        answer::set_checksum(headers, checksum, kind);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_one_after_the_other() {
        let part = |number: u16, bytes| PartLayout {
            number: PartNumber::new(number).unwrap(),
            bytes,
            checksum: None,
        };
        let parts = [part(1, 5), part(3, 7), part(9, 0)];
        let span = |number| {
            place_of(&parts, PartNumber::new(number).unwrap()).map(|place| (place.span.start, place.span.end))
        };
        assert_eq!(span(1), Some((0, 5)));
        assert_eq!(span(2), Some((5, 12)));
        assert_eq!(span(3), Some((12, 12)));
        assert_eq!(span(4), None);
        assert_eq!(span(9), None);
    }
}

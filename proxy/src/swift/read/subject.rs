//! What a request means of an object: all of it, one of its parts, or the list of its segments.

use bytes::Bytes;
use martlet_auth::Guarded;
use martlet_model::{
    Conditions, Content, Digest, ETagStyle, Error, Match, Md5, Noun, ObjectId, ObjectInfo, ObjectStore as _,
    Shape, Span, Unmet,
};

use super::Reading;
use crate::large::{self, Large, LargeError};
use crate::swift::joined::{self, ManifestForm};
use crate::swift::object::check_dates;
use crate::swift::refusal::Refusal;

/// The list of segments as an object of its own. `None`: there is none, and the stored bytes are what is wanted.
///
/// The parts of an object that S3 joined are no objects, so its list of segments is empty.
pub(super) async fn manifest_of(
    id: &ObjectId,
    reading: &Reading,
    form: ManifestForm,
    store: &Guarded,
) -> Result<Option<Large>, Refusal> {
    let (info, list) = large::look_at_manifest(store, id, reading.version).await?;
    let subject = match list {
        Some(list) => {
            let shown = match form {
                ManifestForm::Stored => list,
                ManifestForm::Raw | ManifestForm::Copied => Bytes::from(large::manifest::raw(
                    large::manifest::decode(&list)
                        .ok_or(Error::Damaged("a list of segments that isn't one"))?,
                )),
            };
            of_list(info, shown)
        }
        None if joined::is_joined(&info) && form != ManifestForm::Copied => {
            of_list(info, Bytes::from_static(b"[]"))
        }
        None => return Ok(None),
    };
    check_conditions(&reading.conditions, &subject.info)?;
    Ok(Some(subject))
}

fn of_list(info: ObjectInfo, list: Bytes) -> Large {
    let list_md5 = Md5::of(&list);
    let content = Content { bytes: list.len() as u64, digest: Digest::Whole(list_md5) };
    let shape = Shape::SegmentList { list_bytes: content.bytes, list_md5: Some(list_md5) };
    Large::of_bytes(ObjectInfo { content, shape, ..info }, list)
}

pub(super) fn check_conditions(conditions: &Conditions, info: &ObjectInfo) -> Result<(), Refusal> {
    conditions.check_read(info).map_err(|unmet| match unmet {
        Unmet::NotModified => Error::NotModified(Box::new(info.clone())).into(),
        Unmet::PreconditionFailed | Unmet::NothingToMatch => Refusal::Unmatched(Box::new(info.clone())),
    })
}

/// One of an object's parts.
pub(super) struct PartOf {
    pub(super) subject: Large,
    pub(super) span: Span,
    /// How many there are.
    pub(super) count: usize,
}

pub(super) async fn part_of(
    id: &ObjectId,
    reading: &Reading,
    number: usize,
    store: &Guarded,
) -> Result<Option<PartOf>, Refusal> {
    if reading.manifest.is_some() {
        return Ok(None);
    }
    let look = large::look(store, id, reading.version, &reading.conditions).await;
    let subject = explained(look, id, reading, store).await?;
    if !joined::is_joined(&subject.info) {
        return Ok(None);
    }
    check_dates(reading.dates, &subject.info)?;
    let lengths: Vec<u64> = match subject.list_md5 {
        Some(_) => subject.segments.iter().map(large::Segment::bytes).collect(),
        None => store.layout(id, subject.info.version).await?.iter().map(|part| part.bytes).collect(),
    };
    let Some(length) = lengths.get(number - 1) else {
        return Err(Refusal::NoSuchPart {
            info: Box::new(subject.info),
            count: lengths.len(),
            is_head: false,
        });
    };
    let start = lengths[..number - 1].iter().sum();
    Ok(Some(PartOf { subject, span: Span { start, end: start + length }, count: lengths.len() }))
}

pub(super) async fn subject_of(
    id: &ObjectId,
    reading: &Reading,
    store: &Guarded,
) -> Result<(ObjectInfo, Option<Md5>), Refusal> {
    let Some(form) = reading.manifest else {
        let look = large::look(store, id, reading.version, &reading.conditions).await;
        let Large { info, list_md5, .. } = explained(look, id, reading, store).await?;
        return Ok((info, list_md5));
    };
    if let Some(manifest) = manifest_of(id, reading, form, store).await? {
        return Ok((manifest.info, None));
    }
    let found = store.head(id, reading.version, &reading.conditions).await.map_err(LargeError::from);
    Ok((explained(found, id, reading, store).await?, None))
}

/// Says of which object a reader's condition doesn't hold, where that can still be told.
/// Where there is none, Swift takes `If-Match: *` for the question whether there is.
pub(super) async fn explained<T>(
    found: Result<T, LargeError>,
    id: &ObjectId,
    reading: &Reading,
    store: &Guarded,
) -> Result<T, Refusal> {
    let error = match found {
        Ok(found) => return Ok(found),
        Err(LargeError::Store(error)) => error,
        Err(broken @ LargeError::Broken(_)) => return Err(broken.into()),
    };
    Err(match error {
        Error::PreconditionFailed => {
            let none = Conditions::none(ETagStyle::Swift);
            let present = large::head(store, id, reading.version, &none).await;
            present.map_or(error.into(), |info| Refusal::Unmatched(Box::new(info)))
        }
        Error::RangeUnsatisfiable(info) => match check_dates(reading.dates, &info) {
            Ok(()) => Error::RangeUnsatisfiable(info).into(),
            Err(refusal) => refusal,
        },
        Error::NotFound(Noun::Object) | Error::NothingToMatch => match reading.conditions.if_match {
            Match::Any => Error::NothingToMatch.into(),
            Match::Unset | Match::OneOf(_) => Error::NotFound(Noun::Object).into(),
        },
        error => error.into(),
    })
}

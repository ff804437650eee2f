//! Which operation on an object, or on an upload of one, a request asks for.

use http::Method;
use martlet_auth::s3_acl::AclRequest;
use martlet_model::{
    ByteRange, ChecksumPlan, Conditions, ObjectMetadata, PartNumber, Tags, UploadId, VersionId,
};

use super::unknown;
use crate::s3::acl::NewAcl;
use crate::s3::attributes::ReadAttributes;
use crate::s3::conditions::IfRange;
use crate::s3::copy::{CopyObject, SOURCE, Source};
use crate::s3::headers::Headers;
use crate::s3::integrity::{Integrity, JoinedChecksum, MODE};
use crate::s3::object::Overrides;
use crate::s3::query::Query;
use crate::s3::refusal::Refusal;

/// The most parts of one page.
pub(crate) const PARTS_PAGE_MAX: usize = 1000;

/// What is offered of an object.
#[derive(Debug)]
pub(in crate::s3) enum ObjectOperation {
    GetObject(ReadObject),
    HeadObject(ReadObject),
    GetObjectAttributes(ReadAttributes),
    PutObject(PutObject),
    CopyObject(Box<CopyObject>),
    DeleteObject { version: Option<VersionId>, conditions: Conditions },
    GetObjectAcl { version: Option<VersionId> },
    PutObjectAcl { version: Option<VersionId>, new: NewAcl },
    GetObjectTagging { version: Option<VersionId> },
    PutObjectTagging { version: Option<VersionId>, integrity: Integrity },
    DeleteObjectTagging { version: Option<VersionId> },
    CreateMultipartUpload(BeginUpload),
    UploadPart { upload: UploadId, number: PartNumber, integrity: Integrity },
    UploadPartCopy { upload: UploadId, number: PartNumber, source: Source },
    CompleteMultipartUpload { upload: UploadId, completion: CompleteUpload },
    AbortMultipartUpload { upload: UploadId },
    ListParts { upload: UploadId, after: Option<PartNumber>, limit: usize },
}

#[derive(Clone, Debug)]
pub(in crate::s3) struct ReadObject {
    pub(in crate::s3) version: Option<VersionId>,
    pub(in crate::s3) conditions: Conditions,
    pub(in crate::s3) piece: Piece,
    pub(in crate::s3) overrides: Overrides,
    /// Whether the checksum is wanted (`x-amz-checksum-mode`).
    pub(in crate::s3) shows_checksum: bool,
}

/// How much of an object is read.
#[derive(Clone, Debug)]
pub(in crate::s3) enum Piece {
    Whole,
    Range(ByteRange, IfRange),
    /// What one part of it was.
    Part(PartNumber),
}

#[derive(Debug)]
pub(in crate::s3) struct PutObject {
    pub(in crate::s3) metadata: ObjectMetadata,
    pub(in crate::s3) acl: Option<AclRequest>,
    pub(in crate::s3) tags: Tags,
    pub(in crate::s3) conditions: Conditions,
    pub(in crate::s3) integrity: Integrity,
}

#[derive(Debug)]
pub(in crate::s3) struct BeginUpload {
    pub(in crate::s3) metadata: ObjectMetadata,
    pub(in crate::s3) acl: Option<AclRequest>,
    pub(in crate::s3) tags: Tags,
    pub(in crate::s3) plan: Option<ChecksumPlan>,
}

#[derive(Debug)]
pub(in crate::s3) struct CompleteUpload {
    pub(in crate::s3) conditions: Conditions,
    /// Of the document that names the parts.
    pub(in crate::s3) integrity: Integrity,
    pub(in crate::s3) checksum: JoinedChecksum,
    /// `x-amz-mp-object-size`
    pub(in crate::s3) bytes: Option<u64>,
}

impl ObjectOperation {
    pub(super) fn parse(
        method: &Method,
        query: &mut Query<'_>,
        headers: &mut Headers<'_>,
    ) -> Result<Self, Refusal> {
        match take_upload(query)? {
            Some(upload) => on_upload(method, upload, query, headers),
            None if query.take_flag("acl")? => on_acl(method, query, headers),
            None if query.take_flag("tagging")? => on_tagging(method, query, headers),
            None => on_object(method, query, headers),
        }
    }
}

fn on_object(
    method: &Method,
    query: &mut Query<'_>,
    headers: &mut Headers<'_>,
) -> Result<ObjectOperation, Refusal> {
    match *method {
        Method::GET if query.take_flag("attributes")? => {
            headers.refuse_conditions()?;
            let version = take_version(query)?;
            ReadAttributes::take(version, headers).map(ObjectOperation::GetObjectAttributes)
        }
        Method::GET => take_read(query, headers).map(ObjectOperation::GetObject),
        Method::HEAD => take_read(query, headers).map(ObjectOperation::HeadObject),
        Method::PUT if headers.has(SOURCE) => {
            Ok(ObjectOperation::CopyObject(Box::new(CopyObject::take(headers)?)))
        }
        Method::PUT => Ok(ObjectOperation::PutObject(PutObject {
            acl: headers.take_acl()?,
            tags: headers.take_tags()?.unwrap_or_default(),
            metadata: headers.take_metadata()?,
            conditions: headers.write_conditions()?,
            integrity: take_integrity(headers)?,
        })),
        Method::DELETE => {
            headers.take_bypass()?;
            Ok(ObjectOperation::DeleteObject {
                version: take_version(query)?,
                conditions: headers.take_delete_conditions()?,
            })
        }
        Method::POST if query.take_flag("uploads")? => {
            headers.refuse_conditions()?;
            Ok(ObjectOperation::CreateMultipartUpload(BeginUpload {
                acl: headers.take_acl()?,
                tags: headers.take_tags()?.unwrap_or_default(),
                metadata: headers.take_metadata()?,
                plan: headers.take_plan()?,
            }))
        }
        _ => Err(unknown(query)),
    }
}

fn on_acl(
    method: &Method,
    query: &mut Query<'_>,
    headers: &mut Headers<'_>,
) -> Result<ObjectOperation, Refusal> {
    headers.refuse_conditions()?;
    let version = take_version(query)?;
    match *method {
        Method::GET => Ok(ObjectOperation::GetObjectAcl { version }),
        Method::PUT => Ok(ObjectOperation::PutObjectAcl { version, new: NewAcl::take(headers)? }),
        _ => Err(Refusal::NotOffered(format!("{method} of an ACL"))),
    }
}

fn on_tagging(
    method: &Method,
    query: &mut Query<'_>,
    headers: &mut Headers<'_>,
) -> Result<ObjectOperation, Refusal> {
    headers.refuse_conditions()?;
    let version = take_version(query)?;
    match *method {
        Method::GET => Ok(ObjectOperation::GetObjectTagging { version }),
        Method::PUT => {
            Ok(ObjectOperation::PutObjectTagging { version, integrity: headers.take_integrity()? })
        }
        Method::DELETE => Ok(ObjectOperation::DeleteObjectTagging { version }),
        _ => Err(Refusal::NotOffered(format!("{method} of tags"))),
    }
}

fn on_upload(
    method: &Method,
    upload: UploadId,
    query: &mut Query<'_>,
    headers: &mut Headers<'_>,
) -> Result<ObjectOperation, Refusal> {
    match *method {
        Method::GET => Ok(ObjectOperation::ListParts {
            upload,
            after: take_part_marker(query)?,
            limit: query.take_count("max-parts", PARTS_PAGE_MAX)?,
        }),
        Method::PUT => {
            headers.refuse_conditions()?;
            let number = take_part_number(query)?.ok_or_else(|| bad_part_number(""))?;
            if headers.has(SOURCE) {
                let source = Source::take_part(headers)?;
                return Ok(ObjectOperation::UploadPartCopy { upload, number, source });
            }
            Ok(ObjectOperation::UploadPart { upload, number, integrity: take_integrity(headers)? })
        }
        Method::DELETE => {
            headers.refuse_conditions()?;
            Ok(ObjectOperation::AbortMultipartUpload { upload })
        }
        Method::POST => {
            let completion = CompleteUpload {
                conditions: headers.write_conditions()?,
                // The checksum is one of the joined object, and not of the body.
                integrity: Integrity { md5: headers.content_md5()?, ..Integrity::default() },
                checksum: headers.take_joined_checksum()?,
                bytes: headers.take_number("x-amz-mp-object-size")?,
            };
            Ok(ObjectOperation::CompleteMultipartUpload { upload, completion })
        }
        _ => Err(unknown(query)),
    }
}

fn take_read(query: &mut Query<'_>, headers: &mut Headers<'_>) -> Result<ReadObject, Refusal> {
    if query.has(PART_NUMBER) && headers.has("range") {
        return Err(Refusal::Request("Cannot specify both Range header and partNumber query parameter"));
    }
    let shows_checksum = match headers.take(MODE)? {
        None => false,
        Some(mode) if mode.eq_ignore_ascii_case("ENABLED") => true,
        Some(_) => return Err(Refusal::argument(MODE, "it is not ENABLED")),
    };
    let piece = match (take_part_number(query)?, headers.range()) {
        (Some(number), _) => Piece::Part(number),
        (None, Some(range)) => Piece::Range(range, headers.if_range()),
        (None, None) => Piece::Whole,
    };
    Ok(ReadObject {
        version: take_version(query)?,
        conditions: headers.read_conditions()?,
        piece,
        overrides: Overrides::take(query)?,
        shows_checksum,
    })
}

fn take_integrity(headers: &mut Headers<'_>) -> Result<Integrity, Refusal> {
    let integrity = headers.take_integrity()?;
    headers.pass_plan()?;
    Ok(integrity)
}

/// Which version is meant; `None`: the current one.
pub(in crate::s3) fn take_version(query: &mut Query<'_>) -> Result<Option<VersionId>, Refusal> {
    const VERSION: &str = "versionId";
    let Some(text) = query.take(VERSION)? else { return Ok(None) };
    parse_version(VERSION, &text).map(Some)
}

pub(in crate::s3) fn parse_version(name: &'static str, text: &str) -> Result<VersionId, Refusal> {
    VersionId::parse(text).ok_or_else(|| Refusal::invalid(name, "Invalid version id specified", text))
}

/// An id that can't be one of ours is of an upload that doesn't exist.
fn take_upload(query: &mut Query<'_>) -> Result<Option<UploadId>, Refusal> {
    let Some(text) = query.take("uploadId")? else { return Ok(None) };
    match UploadId::from_hex(&text) {
        Some(upload) => Ok(Some(upload)),
        None => Err(martlet_model::Error::NotFound(martlet_model::Noun::Upload).into()),
    }
}

const PART_NUMBER: &str = "partNumber";

fn bad_part_number(given: &str) -> Refusal {
    const PROBLEM: &str = "Part number must be an integer between 1 and 10000, inclusive";
    Refusal::invalid(PART_NUMBER, PROBLEM, given)
}

fn take_part_number(query: &mut Query<'_>) -> Result<Option<PartNumber>, Refusal> {
    let Some(text) = query.take(PART_NUMBER)? else { return Ok(None) };
    text.parse().ok().and_then(PartNumber::new).map(Some).ok_or_else(|| bad_part_number(&text))
}

fn take_part_marker(query: &mut Query<'_>) -> Result<Option<PartNumber>, Refusal> {
    const MARKER: &str = "part-number-marker";
    query.take(MARKER)?.map_or(Ok(None), |text| parse_part_marker(MARKER, &text))
}

/// Zero is before the first part.
pub(in crate::s3) fn parse_part_marker(
    name: &'static str,
    text: &str,
) -> Result<Option<PartNumber>, Refusal> {
    let number: Option<u16> = text.parse().ok();
    match (number, number.and_then(PartNumber::new)) {
        (Some(0), _) => Ok(None),
        (_, Some(number)) => Ok(Some(number)),
        (_, None) => Err(Refusal::argument(name, "it is not a number from 0 to 10000")),
    }
}

//! Which operation a request asks for.
//!
//! Sub-resources, parameters and `x-amz-*` headers are taken one by one by the operation that knows them.
//! Whatever is left makes the request another one than we could carry out, and is refused with 501.

use http::request::Parts;
use http::{HeaderMap, Method};
use martlet_auth::Target;
use martlet_model::{ByteRange, Conditions, ContainerName, ObjectKey, ObjectMetadata, PartNumber, UploadId};

use super::checksum::Algorithm;
use super::conditions::IfRange;
use super::configuration::Configuration;
use super::copy::{CopyObject, SOURCE, Source};
use super::cors::{CorsRefusal, Preflight};
use super::headers::{Headers, Integrity};
use super::listing::{ListObjects, ListUploads};
use super::object::Overrides;
use super::query::Query;
use super::refusal::Refusal;
use super::resource::Resource;

/// The most parts of one page.
pub(super) const PARTS_PAGE_MAX: usize = 1000;
/// The most buckets of one page.
pub(super) const BUCKETS_PAGE_MAX: usize = 10_000;

/// An operation, and the bucket that it is in.
#[derive(Debug)]
pub struct Command {
    /// `None`: it is about the caller's account.
    pub(super) bucket: Option<ContainerName>,
    pub(super) operation: Operation,
}

/// What is offered.
#[derive(Debug)]
pub(super) enum Operation {
    ListBuckets { prefix: String, token: Option<String>, limit: usize },
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    Configure(Configuration),
    Preflight(Preflight),
    ListObjects(ListObjects),
    ListMultipartUploads(ListUploads),
    DeleteObjects(Integrity),
    GetObject { key: ObjectKey, read: ReadObject },
    HeadObject { key: ObjectKey, read: ReadObject },
    PutObject { key: ObjectKey, new: PutObject },
    CopyObject { key: ObjectKey, copy: CopyObject },
    DeleteObject { key: ObjectKey, conditions: Conditions },
    CreateMultipartUpload { key: ObjectKey, metadata: ObjectMetadata },
    UploadPart { key: ObjectKey, upload: UploadId, number: PartNumber, integrity: Integrity },
    UploadPartCopy { key: ObjectKey, upload: UploadId, number: PartNumber, source: Source },
    CompleteMultipartUpload { key: ObjectKey, upload: UploadId, conditions: Conditions, integrity: Integrity },
    AbortMultipartUpload { key: ObjectKey, upload: UploadId },
    ListParts { key: ObjectKey, upload: UploadId, after: Option<PartNumber>, limit: usize },
}

#[derive(Debug)]
pub(super) struct ReadObject {
    pub(super) conditions: Conditions,
    pub(super) range: Option<ByteRange>,
    pub(super) if_range: IfRange,
    pub(super) overrides: Overrides,
}

#[derive(Debug)]
pub(super) struct PutObject {
    pub(super) metadata: ObjectMetadata,
    pub(super) conditions: Conditions,
    pub(super) integrity: Integrity,
}

impl Command {
    /// `host_bucket` is the bucket that the host names, if it does.
    pub(super) fn parse(head: &Parts, host_bucket: Option<&str>) -> Result<Self, Refusal> {
        let target = Target::parse(&head.uri)?;
        let mut query = Query::new(target.query);
        let mut headers = Headers::new(&head.headers);
        let resource = Resource::parse(&target.path, host_bucket)?;
        if head.method == Method::OPTIONS {
            return Self::preflight(resource, &head.headers);
        }
        let (bucket, operation) = match resource {
            Resource::Account => (None, on_account(&head.method, &mut query)?),
            Resource::Bucket(bucket) => (Some(bucket), on_bucket(&head.method, &mut query, &mut headers)?),
            Resource::Object(bucket, key) => {
                (Some(bucket), on_object(&head.method, key, &mut query, &mut headers)?)
            }
        };
        query.check_nothing_left()?;
        headers.check_nothing_left()?;
        Ok(Self { bucket, operation })
    }

    /// Whatever the query says is about the request that is asked for, and may well be signed for that one.
    fn preflight(resource: Resource, headers: &HeaderMap) -> Result<Self, Refusal> {
        let operation = Operation::Preflight(Preflight::parse(headers)?);
        match resource {
            Resource::Account => Err(CorsRefusal::Disabled.into()),
            Resource::Bucket(bucket) | Resource::Object(bucket, _) => {
                Ok(Self { bucket: Some(bucket), operation })
            }
        }
    }
}

fn on_account(method: &Method, query: &mut Query<'_>) -> Result<Operation, Refusal> {
    match *method {
        Method::GET => Ok(Operation::ListBuckets {
            prefix: query.take_text("prefix")?,
            token: query.take("continuation-token")?,
            limit: match query.take_count("max-buckets", BUCKETS_PAGE_MAX)? {
                0 => return Err(Refusal::argument("max-buckets", "it is not a number from 1 to 10000")),
                limit => limit,
            },
        }),
        _ => Err(unknown(method, query)),
    }
}

fn on_bucket(
    method: &Method,
    query: &mut Query<'_>,
    headers: &mut Headers<'_>,
) -> Result<Operation, Refusal> {
    if let Some(configuration) = Configuration::parse(method, query, headers)? {
        return Ok(Operation::Configure(configuration));
    }
    match *method {
        Method::GET if query.take_flag("location")? => Ok(Operation::GetBucketLocation),
        Method::GET if query.take_flag("uploads")? => {
            ListUploads::parse(query).map(Operation::ListMultipartUploads)
        }
        Method::GET => ListObjects::parse(query).map(Operation::ListObjects),
        Method::HEAD => Ok(Operation::HeadBucket),
        Method::PUT => {
            headers.take_only("x-amz-acl", "private")?;
            headers.take_only("x-amz-bucket-object-lock-enabled", "false")?;
            Ok(Operation::CreateBucket)
        }
        Method::DELETE => Ok(Operation::DeleteBucket),
        Method::POST if query.take_flag("delete")? => headers.take_integrity().map(Operation::DeleteObjects),
        Method::POST => Err(Refusal::NotOffered("an upload by form".to_owned())),
        _ => Err(unknown(method, query)),
    }
}

fn on_object(
    method: &Method,
    key: ObjectKey,
    query: &mut Query<'_>,
    headers: &mut Headers<'_>,
) -> Result<Operation, Refusal> {
    let upload = take_upload(query)?;
    match (method, upload) {
        (&Method::GET, None) => Ok(Operation::GetObject { key, read: take_read(query, headers)? }),
        (&Method::HEAD, None) => Ok(Operation::HeadObject { key, read: take_read(query, headers)? }),
        (&Method::GET, Some(upload)) => Ok(Operation::ListParts {
            key,
            upload,
            after: take_part_marker(query)?,
            limit: query.take_count("max-parts", PARTS_PAGE_MAX)?,
        }),
        (&Method::PUT, None) if headers.has(SOURCE) => {
            Ok(Operation::CopyObject { key, copy: CopyObject::take(headers)? })
        }
        (&Method::PUT, None) => {
            let metadata = headers.take_metadata()?;
            let new = PutObject {
                metadata,
                conditions: headers.write_conditions()?,
                integrity: headers.take_integrity()?,
            };
            Ok(Operation::PutObject { key, new })
        }
        (&Method::PUT, Some(upload)) => {
            headers.refuse_conditions()?;
            let number = take_part_number(query)?;
            if headers.has(SOURCE) {
                let source = Source::take_part(headers)?;
                return Ok(Operation::UploadPartCopy { key, upload, number, source });
            }
            Ok(Operation::UploadPart { key, upload, number, integrity: headers.take_integrity()? })
        }
        (&Method::DELETE, None) => {
            Ok(Operation::DeleteObject { key, conditions: headers.write_conditions()? })
        }
        (&Method::DELETE, Some(upload)) => {
            headers.refuse_conditions()?;
            Ok(Operation::AbortMultipartUpload { key, upload })
        }
        (&Method::POST, None) if query.take_flag("uploads")? => {
            headers.refuse_conditions()?;
            take_part_algorithm(headers)?;
            Ok(Operation::CreateMultipartUpload { key, metadata: headers.take_metadata()? })
        }
        (&Method::POST, Some(upload)) => {
            // A checksum here would be one of the joined object, and not of the body: it stays untaken.
            let integrity = Integrity { md5: headers.content_md5()?, checksum: None };
            let conditions = headers.write_conditions()?;
            Ok(Operation::CompleteMultipartUpload { key, upload, conditions, integrity })
        }
        _ => Err(unknown(method, query)),
    }
}

fn take_read(query: &mut Query<'_>, headers: &mut Headers<'_>) -> Result<ReadObject, Refusal> {
    // Objects have no stored checksums yet, so that there is none to return; S3 does the same for such objects.
    headers.take_only("x-amz-checksum-mode", "ENABLED")?;
    Ok(ReadObject {
        conditions: headers.read_conditions()?,
        range: headers.range(),
        if_range: headers.if_range(),
        overrides: Overrides::take(query)?,
    })
}

/// An id that can't be one of ours is of an upload that doesn't exist.
fn take_upload(query: &mut Query<'_>) -> Result<Option<UploadId>, Refusal> {
    let Some(text) = query.take("uploadId")? else { return Ok(None) };
    match UploadId::from_hex(&text) {
        Some(upload) => Ok(Some(upload)),
        None => Err(martlet_model::Error::NotFound(martlet_model::Noun::Upload).into()),
    }
}

fn take_part_number(query: &mut Query<'_>) -> Result<PartNumber, Refusal> {
    let number = query.take("partNumber")?.and_then(|text| text.parse().ok()).and_then(PartNumber::new);
    number.ok_or(Refusal::argument("partNumber", "it is not a number from 1 to 10000"))
}

/// Which checksums the parts will carry; each is verified with its part.
fn take_part_algorithm(headers: &mut Headers<'_>) -> Result<(), Refusal> {
    match headers.take("x-amz-checksum-algorithm")? {
        Some(name) if Algorithm::parse(name).is_none() => {
            Err(Refusal::NotOffered(format!("the checksum algorithm {name}")))
        }
        _ => Ok(()),
    }
}

/// Zero is before the first part.
fn take_part_marker(query: &mut Query<'_>) -> Result<Option<PartNumber>, Refusal> {
    let Some(text) = query.take("part-number-marker")? else { return Ok(None) };
    match text.parse::<u16>() {
        Ok(0) => Ok(None),
        Ok(number) => match PartNumber::new(number) {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::argument("part-number-marker", "it is not a number from 0 to 10000")),
        },
        Err(_) => Err(Refusal::argument("part-number-marker", "it is not a number from 0 to 10000")),
    }
}

/// Neither method nor sub-resource chose an operation.
fn unknown(method: &Method, query: &Query<'_>) -> Refusal {
    if let Err(refusal) = query.check_nothing_left() {
        return refusal;
    }
    match *method {
        Method::GET | Method::HEAD | Method::PUT | Method::POST | Method::DELETE => Refusal::MethodNotAllowed,
        _ => Refusal::NotOffered(format!("the method {method}")),
    }
}

#[cfg(test)]
mod tests;

//! Which operation a request asks for.
//!
//! Sub-resources, parameters and `x-amz-*` headers are taken one by one by the operation that knows them.
//! Whatever is left makes the request another one than we could carry out, and is refused with 501.

mod name;
mod object;

use http::request::Parts;
use http::{HeaderMap, Method};
use martlet_auth::Target;
use martlet_model::{ContainerName, ObjectKey};

use super::acl::NewAcl;
use super::bucket::{ListBuckets, NewBucket};
use super::configuration::Configuration;
use super::cors::{CorsRefusal, Preflight};
use super::headers::Headers;
use super::integrity::Integrity;
use super::listing::ListObjects;
use super::post_object::{self, PostObject};
use super::query::Query;
use super::refusal::{FormRefusal, Refusal};
use super::resource::Resource;
use super::upload_listing::ListUploads;
use super::versions::ListVersions;

pub(crate) use object::PARTS_PAGE_MAX;
pub(super) use object::{
    BeginUpload, CompleteUpload, ObjectOperation, Piece, PutObject, ReadObject, parse_part_marker,
    parse_version,
};

const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";

/// An operation, and the bucket that it is in.
#[derive(Debug)]
pub struct Command {
    /// `None`: it is about the caller's account.
    pub(super) bucket: Option<ContainerName>,
    /// The account that the bucket must belong to, where the caller insists (`x-amz-expected-bucket-owner`).
    pub(super) expected_owner: Option<String>,
    pub(super) operation: Operation,
}

/// What is offered.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a request, and most are on objects")]
pub(super) enum Operation {
    ListBuckets(ListBuckets),
    CreateBucket(NewBucket),
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    Configure(Configuration),
    Preflight(Preflight),
    /// A form that hasn't been opened: who sends it, and what it asks for, stands in it.
    PostForm,
    PostObject(Box<PostObject>),
    GetBucketAcl,
    PutBucketAcl(NewAcl),
    ListObjects(ListObjects),
    ListMultipartUploads(ListUploads),
    DeleteObjects(Integrity),
    GetBucketVersioning,
    PutBucketVersioning(Integrity),
    ListObjectVersions(ListVersions),
    Object {
        key: ObjectKey,
        operation: ObjectOperation,
    },
    /// Nothing: what is asked for can't be done. It is told to those who prove who they are, as S3 does it.
    Refused(Box<Refusal>),
}

impl Command {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { bucket: None, expected_owner: None, operation: Operation::Refused(Box::new(refusal)) }
    }

    /// The command, unless it can't be carried out whoever asks.
    pub(super) fn accepted(self) -> Result<Self, Refusal> {
        match self.operation {
            Operation::Refused(refusal) => Err(*refusal),
            _ => Ok(self),
        }
    }

    /// `host_bucket` is the bucket that the host names, if it does.
    pub(super) fn parse(head: &Parts, host_bucket: Option<&str>) -> Result<Self, Refusal> {
        let target = Target::parse(&head.uri)?;
        let mut query = Query::new(target.query);
        let mut headers = Headers::new(&head.headers);
        let resource = Resource::parse(&target.path, host_bucket)?;
        if head.method == Method::OPTIONS {
            return Self::preflight(resource, &head.headers);
        }
        let expected_owner = match &resource {
            Resource::Account => None,
            Resource::Bucket(_) | Resource::Object(..) => headers.take(EXPECTED_OWNER)?.map(str::to_owned),
        };
        let (bucket, operation) = match resource {
            Resource::Account => (None, on_account(&head.method, &mut query)?),
            Resource::Bucket(bucket) => (Some(bucket), on_bucket(&head.method, &mut query, &mut headers)?),
            Resource::Object(bucket, key) => {
                let operation = ObjectOperation::parse(&head.method, &mut query, &mut headers)?;
                (Some(bucket), Operation::Object { key, operation })
            }
        };
        query.check_nothing_left()?;
        headers.check_nothing_left()?;
        Ok(Self { bucket, expected_owner, operation })
    }

    /// Whatever the query says is about the request that is asked for, and may well be signed for that one.
    fn preflight(resource: Resource, headers: &HeaderMap) -> Result<Self, Refusal> {
        let operation = Operation::Preflight(Preflight::parse(headers)?);
        match resource {
            Resource::Account => Err(CorsRefusal::Disabled.into()),
            Resource::Bucket(bucket) | Resource::Object(bucket, _) => {
                Ok(Self { bucket: Some(bucket), expected_owner: None, operation })
            }
        }
    }
}

fn on_account(method: &Method, query: &mut Query<'_>) -> Result<Operation, Refusal> {
    match *method {
        Method::GET => ListBuckets::parse(query).map(Operation::ListBuckets),
        _ => Err(unknown(query)),
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
        Method::GET if query.take_flag("acl")? => Ok(Operation::GetBucketAcl),
        Method::PUT if query.take_flag("acl")? => NewAcl::take(headers).map(Operation::PutBucketAcl),
        Method::GET if query.take_flag("location")? => Ok(Operation::GetBucketLocation),
        Method::GET if query.take_flag("uploads")? => {
            ListUploads::parse(query).map(Operation::ListMultipartUploads)
        }
        Method::GET if query.take_flag("versioning")? => Ok(Operation::GetBucketVersioning),
        Method::GET if query.take_flag("versions")? => {
            ListVersions::parse(query).map(Operation::ListObjectVersions)
        }
        Method::GET => {
            post_object::pass_redirect(query)?;
            ListObjects::parse(query).map(Operation::ListObjects)
        }
        Method::HEAD => Ok(Operation::HeadBucket),
        Method::PUT if query.take_flag("versioning")? => {
            headers.take_integrity().map(Operation::PutBucketVersioning)
        }
        Method::PUT => {
            headers.take_only("x-amz-bucket-object-lock-enabled", "false")?;
            NewBucket::take(headers).map(Operation::CreateBucket)
        }
        Method::DELETE => Ok(Operation::DeleteBucket),
        Method::POST if query.take_flag("delete")? => {
            headers.take_bypass()?;
            headers.take_integrity()?.required().map(Operation::DeleteObjects)
        }
        Method::POST if post_object::is_form(headers.all) => Ok(Operation::PostForm),
        Method::POST => query.check_nothing_left().and(Err(FormRefusal::NotAForm.into())),
        _ => Err(unknown(query)),
    }
}

/// Neither method nor sub-resource chose an operation.
fn unknown(query: &Query<'_>) -> Refusal {
    if let Err(refusal) = query.check_nothing_left() {
        return refusal;
    }
    Refusal::MethodNotAllowed
}

#[cfg(test)]
mod tests;

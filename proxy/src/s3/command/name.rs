//! What operations are called: as AWS calls them.

use super::super::configuration::{Configuration, Document};
use super::{Command, ObjectOperation, Operation};
use crate::traffic::UNKNOWN;

impl Command {
    /// The name of its operation.
    pub(in crate::s3) fn name(&self) -> &'static str {
        match &self.operation {
            Operation::ListBuckets(_) => "ListBuckets",
            Operation::CreateBucket(_) => "CreateBucket",
            Operation::HeadBucket => "HeadBucket",
            Operation::DeleteBucket => "DeleteBucket",
            Operation::GetBucketLocation => "GetBucketLocation",
            Operation::Configure(configuration) => name_of_configuration(configuration),
            Operation::Preflight(_) => "Preflight",
            Operation::PostForm | Operation::PostObject(_) => "PostObject",
            Operation::GetBucketAcl => "GetBucketAcl",
            Operation::PutBucketAcl(_) => "PutBucketAcl",
            Operation::ListObjects(_) => "ListObjects",
            Operation::ListMultipartUploads(_) => "ListMultipartUploads",
            Operation::DeleteObjects(_) => "DeleteObjects",
            Operation::GetBucketVersioning => "GetBucketVersioning",
            Operation::PutBucketVersioning(_) => "PutBucketVersioning",
            Operation::ListObjectVersions(_) => "ListObjectVersions",
            Operation::Object { operation, .. } => name_of_object_operation(operation),
            Operation::Refused(_) => UNKNOWN,
        }
    }
}

fn name_of_object_operation(operation: &ObjectOperation) -> &'static str {
    match operation {
        ObjectOperation::GetObject(_) => "GetObject",
        ObjectOperation::HeadObject(_) => "HeadObject",
        ObjectOperation::GetObjectAttributes(_) => "GetObjectAttributes",
        ObjectOperation::PutObject(_) => "PutObject",
        ObjectOperation::CopyObject(_) => "CopyObject",
        ObjectOperation::DeleteObject { .. } => "DeleteObject",
        ObjectOperation::GetObjectAcl { .. } => "GetObjectAcl",
        ObjectOperation::PutObjectAcl { .. } => "PutObjectAcl",
        ObjectOperation::GetObjectTagging { .. } => "GetObjectTagging",
        ObjectOperation::PutObjectTagging { .. } => "PutObjectTagging",
        ObjectOperation::DeleteObjectTagging { .. } => "DeleteObjectTagging",
        ObjectOperation::CreateMultipartUpload(_) => "CreateMultipartUpload",
        ObjectOperation::UploadPart { .. } => "UploadPart",
        ObjectOperation::UploadPartCopy { .. } => "UploadPartCopy",
        ObjectOperation::CompleteMultipartUpload { .. } => "CompleteMultipartUpload",
        ObjectOperation::AbortMultipartUpload { .. } => "AbortMultipartUpload",
        ObjectOperation::ListParts { .. } => "ListParts",
    }
}

fn name_of_configuration(configuration: &Configuration) -> &'static str {
    use Configuration::{PolicyStatus, Read, Remove, SetPayer, Unset, Write};
    match configuration {
        Read(Document::Cors) => "GetBucketCors",
        Write(Document::Cors, _) => "PutBucketCors",
        Remove(Document::Cors) => "DeleteBucketCors",
        Read(Document::Policy) => "GetBucketPolicy",
        Write(Document::Policy, _) => "PutBucketPolicy",
        Remove(Document::Policy) => "DeleteBucketPolicy",
        Read(Document::Tagging) => "GetBucketTagging",
        Write(Document::Tagging, _) => "PutBucketTagging",
        Remove(Document::Tagging) => "DeleteBucketTagging",
        Read(Document::PublicAccessBlock) => "GetPublicAccessBlock",
        Write(Document::PublicAccessBlock, _) => "PutPublicAccessBlock",
        Remove(Document::PublicAccessBlock) => "DeletePublicAccessBlock",
        Read(Document::OwnershipControls) => "GetBucketOwnershipControls",
        Write(Document::OwnershipControls, _) => "PutBucketOwnershipControls",
        Remove(Document::OwnershipControls) => "DeleteBucketOwnershipControls",
        PolicyStatus => "GetBucketPolicyStatus",
        SetPayer(_) => "PutBucketRequestPayment",
        Unset(_) => "GetBucketConfiguration",
    }
}

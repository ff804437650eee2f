//! What a caller may want to do, and what of a container's grants opens it.
//!
//! Source: "Actions, resources, and condition keys for Amazon S3" of the AWS service authorization reference,
//! and "Access control list (ACL) overview" of the Amazon S3 user guide.

use crate::s3_acl::Permission;

/// Which of Swift's container ACLs opens an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SwiftRight {
    /// Neither: only who owns the account may.
    Neither,
    Read,
    /// As [`SwiftRight::Read`], but whom a referrer lets in needs `.rlistings`.
    List,
    Write,
}

/// Which permission of which of S3's ACLs opens an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AclRight {
    None,
    Bucket(Permission),
    Object(Permission),
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident, $name:literal, $swift:ident, $acl:expr;)*) => {
        /// What a caller wants to do with a resource.
        ///
        /// The names are those of S3's policies wherever there is one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $action,)*
        }

        impl Action {
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            /// The action's name in a policy.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)* }
            }

            pub(crate) fn swift_right(self) -> SwiftRight {
                match self { $(Self::$action => SwiftRight::$swift,)* }
            }

            pub(crate) fn acl_right(self) -> AclRight {
                use AclRight::{Bucket, None, Object};
                use Permission::{Read, ReadAcp, Write, WriteAcp};
                match self { $(Self::$action => $acl,)* }
            }
        }
    };
}

actions! {
    /// See how much an account holds, and its metadata.
    InspectAccount, "s3:ListAllMyBuckets", Neither, None;
    /// Change an account's metadata.
    ConfigureAccount, "s3:ListAllMyBuckets", Neither, None;
    ListAllMyBuckets, "s3:ListAllMyBuckets", Neither, None;

    CreateBucket, "s3:CreateBucket", Neither, None;
    DeleteBucket, "s3:DeleteBucket", Neither, None;
    /// See what is known of a container, without what is in it: HEAD of both dialects.
    InspectBucket, "s3:ListBucket", List, Bucket(Read);
    /// Change the metadata that Swift gives a container.
    ConfigureBucket, "s3:PutBucketTagging", Neither, None;
    /// Change the ACLs that Swift gives a container.
    ConfigureAccess, "s3:PutBucketAcl", Neither, None;
    ListBucket, "s3:ListBucket", List, Bucket(Read);
    ListBucketVersions, "s3:ListBucketVersions", List, Bucket(Read);
    ListBucketMultipartUploads, "s3:ListBucketMultipartUploads", Neither, Bucket(Read);
    GetBucketLocation, "s3:GetBucketLocation", Neither, None;
    GetBucketVersioning, "s3:GetBucketVersioning", Neither, None;
    PutBucketVersioning, "s3:PutBucketVersioning", Neither, None;
    GetBucketAcl, "s3:GetBucketAcl", Neither, Bucket(ReadAcp);
    PutBucketAcl, "s3:PutBucketAcl", Neither, Bucket(WriteAcp);
    GetBucketPolicy, "s3:GetBucketPolicy", Neither, None;
    PutBucketPolicy, "s3:PutBucketPolicy", Neither, None;
    DeleteBucketPolicy, "s3:DeleteBucketPolicy", Neither, None;
    GetBucketPolicyStatus, "s3:GetBucketPolicyStatus", Neither, None;
    GetBucketPublicAccessBlock, "s3:GetBucketPublicAccessBlock", Neither, None;
    PutBucketPublicAccessBlock, "s3:PutBucketPublicAccessBlock", Neither, None;
    GetBucketOwnershipControls, "s3:GetBucketOwnershipControls", Neither, None;
    PutBucketOwnershipControls, "s3:PutBucketOwnershipControls", Neither, None;
    GetBucketCors, "s3:GetBucketCORS", Neither, None;
    PutBucketCors, "s3:PutBucketCORS", Neither, None;
    GetBucketTagging, "s3:GetBucketTagging", Neither, None;
    PutBucketTagging, "s3:PutBucketTagging", Neither, None;
    GetBucketLogging, "s3:GetBucketLogging", Neither, None;
    GetBucketWebsite, "s3:GetBucketWebsite", Neither, None;
    GetBucketNotification, "s3:GetBucketNotification", Neither, None;
    GetBucketRequestPayment, "s3:GetBucketRequestPayment", Neither, None;
    GetAccelerateConfiguration, "s3:GetAccelerateConfiguration", Neither, None;
    GetReplicationConfiguration, "s3:GetReplicationConfiguration", Neither, None;
    GetBucketObjectLockConfiguration, "s3:GetBucketObjectLockConfiguration", Neither, None;
    GetEncryptionConfiguration, "s3:GetEncryptionConfiguration", Neither, None;
    GetLifecycleConfiguration, "s3:GetLifecycleConfiguration", Neither, None;
    PutLifecycleConfiguration, "s3:PutLifecycleConfiguration", Neither, None;
    GetAnalyticsConfiguration, "s3:GetAnalyticsConfiguration", Neither, None;
    GetInventoryConfiguration, "s3:GetInventoryConfiguration", Neither, None;
    GetMetricsConfiguration, "s3:GetMetricsConfiguration", Neither, None;
    GetIntelligentTieringConfiguration, "s3:GetIntelligentTieringConfiguration", Neither, None;

    GetObject, "s3:GetObject", Read, Object(Read);
    GetObjectVersion, "s3:GetObjectVersion", Read, Object(Read);
    GetObjectAttributes, "s3:GetObjectAttributes", Read, Object(Read);
    GetObjectVersionAttributes, "s3:GetObjectVersionAttributes", Read, Object(Read);
    /// Store an object, or a piece of one.
    PutObject, "s3:PutObject", Write, Bucket(Write);
    /// Change an object's metadata and leave its bytes: Swift's POST.
    UpdateObject, "s3:PutObject", Write, Bucket(Write);
    DeleteObject, "s3:DeleteObject", Write, Bucket(Write);
    DeleteObjectVersion, "s3:DeleteObjectVersion", Write, Bucket(Write);
    AbortMultipartUpload, "s3:AbortMultipartUpload", Neither, Bucket(Write);
    ListMultipartUploadParts, "s3:ListMultipartUploadParts", Neither, Bucket(Write);
    GetObjectAcl, "s3:GetObjectAcl", Neither, Object(ReadAcp);
    GetObjectVersionAcl, "s3:GetObjectVersionAcl", Neither, Object(ReadAcp);
    PutObjectAcl, "s3:PutObjectAcl", Neither, Object(WriteAcp);
    PutObjectVersionAcl, "s3:PutObjectVersionAcl", Neither, Object(WriteAcp);
    GetObjectTagging, "s3:GetObjectTagging", Neither, None;
    GetObjectVersionTagging, "s3:GetObjectVersionTagging", Neither, None;
    PutObjectTagging, "s3:PutObjectTagging", Neither, None;
    PutObjectVersionTagging, "s3:PutObjectVersionTagging", Neither, None;
    DeleteObjectTagging, "s3:DeleteObjectTagging", Neither, None;
    DeleteObjectVersionTagging, "s3:DeleteObjectVersionTagging", Neither, None;
}

/// Further actions that AWS has for buckets and objects: policies may name them, and nobody can do them here.
pub(crate) const NAMES_ELSEWHERE: [&str; 40] = [
    "s3:BypassGovernanceRetention",
    "s3:DeleteBucketOwnershipControls",
    "s3:DeleteBucketWebsite",
    "s3:GetObjectLegalHold",
    "s3:GetObjectRetention",
    "s3:GetObjectTorrent",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionTorrent",
    "s3:InitiateReplication",
    "s3:ListTagsForResource",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PauseReplication",
    "s3:PutAccelerateConfiguration",
    "s3:PutAnalyticsConfiguration",
    "s3:PutBucketLogging",
    "s3:PutBucketNotification",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketRequestPayment",
    "s3:PutBucketWebsite",
    "s3:PutEncryptionConfiguration",
    "s3:PutIntelligentTieringConfiguration",
    "s3:PutInventoryConfiguration",
    "s3:PutMetricsConfiguration",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutReplicationConfiguration",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
    "s3:RestoreObject",
    "s3:TagResource",
    "s3:UntagResource",
    "s3:UpdateObjectEncryption",
    "s3:PostBucketLogging",
    "s3:CreateBucketMetadataTableConfiguration",
    "s3:DeleteBucketMetadataTableConfiguration",
    "s3:GetBucketMetadataTableConfiguration",
    "s3:GetBucketAbac",
    "s3:PutBucketAbac",
    "s3:RenameObject",
];

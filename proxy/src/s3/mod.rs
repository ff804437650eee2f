//! The S3 dialect.
//!
//! Reading order: [`command`] says what is offered and how it is told apart, `identify` who is asking;
//! then one file for each kind of operation (`bucket`, `listing`, `object`, `copy`, `delete_many`, `upload`);
//! `refusal` and `answer` speak.

mod acl;
mod answer;
mod attributes;
mod bucket;
mod checksum;
mod chunked;
pub mod command;
mod conditions;
mod configuration;
mod controls;
mod copy;
mod cors;
mod delete;
mod delete_many;
mod headers;
pub mod host;
mod identify;
mod integrity;
mod listing;
mod object;
mod parts;
mod post_object;
mod query;
pub mod refusal;
mod resource;
mod tagging;
mod unset;
mod upload;
mod upload_listing;
mod versions;
mod xml;

pub(crate) use command::PARTS_PAGE_MAX;
pub(crate) use delete_many::KEYS_COUNT_MAX as DELETED_KEYS_COUNT_MAX;
pub(crate) use listing::PAGE_MAX;

use std::sync::Arc;

use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use martlet_auth::sigv4::SigningKeys;
use martlet_auth::{Guarded, Identity, Users};
use martlet_model::{
    AccountName, Clock, ContainerId, ContainerName, ContainerStore as _, Error, Noun, ObjectId, ObjectKey,
    Store,
};

use crate::body::RequestBody;
use crate::dialect::{About, Dialect, Identified};
use crate::request_id::RequestId;
use command::{Command, ObjectOperation, Operation};
use host::VirtualHosts;
use refusal::{FormRefusal, Refusal};
use upload::PartsPage;

/// The S3 dialect, with what it needs to know who is asking and where it is.
#[derive(Debug)]
pub struct S3 {
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
    region: String,
    virtual_hosts: VirtualHosts,
    signing_keys: SigningKeys,
}

impl S3 {
    pub fn new(
        users: Arc<dyn Users>,
        clock: Arc<dyn Clock>,
        region: String,
        virtual_hosts: VirtualHosts,
    ) -> Self {
        Self { users, clock, region, virtual_hosts, signing_keys: SigningKeys::default() }
    }
}

impl Dialect for S3 {
    type Command = Command;
    type Refusal = Refusal;

    const NAME: &'static str = "s3";

    fn operation(command: &Command) -> &'static str {
        command.name()
    }

    fn parse(&self, head: &Parts) -> Result<Command, Refusal> {
        // Whoever can't prove who they are is told that, and nothing of what else is wrong.
        let parsed = Command::parse(head, self.virtual_hosts.bucket_of(head));
        Ok(parsed.unwrap_or_else(Command::refused))
    }

    async fn identify(
        &self,
        about: &About,
        command: Command,
        body: RequestBody,
    ) -> Result<Identified<Command>, Refusal> {
        let context = about.context.clone();
        if about.head.method == Method::OPTIONS {
            // A browser asks before it sends anything that proves who its user is.
            let command = command.accepted()?;
            return Ok(Identified { identity: Identity::Anonymous, command, body, context });
        }
        if let Command { bucket: Some(bucket), operation: Operation::PostForm, .. } = &command {
            let bucket = bucket.clone();
            return self.form_identified(about, (command, bucket), body).await;
        }
        let (sender, body) = self.sender(&about.head, body).await?;
        let command = command.accepted()?;
        let identity = sender.identity.clone();
        let body = sender.guarded(&about.head, body)?;
        Ok(Identified { identity, command, body, context })
    }

    async fn perform(
        &self,
        command: Command,
        body: RequestBody,
        store: &Guarded,
        about: &About,
    ) -> Result<Response, Refusal> {
        let Command { bucket, expected_owner, operation } = command;
        let Some(bucket) = bucket else { return self.on_account(operation, store).await };
        let container = match (&operation, store.identity().account()) {
            (Operation::CreateBucket(_), Some(own)) => in_account(own, &bucket),
            (Operation::CreateBucket(_), None) => return Err(Error::Denied.into()),
            _ => container_of(&bucket, store).await?,
        };
        check_owner(&container, expected_owner.as_deref(), store).await?;
        let scene = Scene { store, users: &*self.users, container: &container, region: &self.region, about };
        scene.act(operation, body).await
    }

    fn refuse(&self, refusal: Refusal, about: &About) -> Response {
        refusal.into_response(about, self.virtual_hosts.bucket_of(&about.head))
    }

    async fn finish(&self, mut response: Response, store: &Arc<dyn Store>, about: &About) -> Response {
        // Where a bucket is, is told also to those who may not look into it: clients find its region so.
        if about.head.method == Method::HEAD && response.status() == StatusCode::FORBIDDEN {
            bucket::set_region(&mut response, &self.region);
        }
        answer::set(response.headers_mut(), HeaderName::from_static("x-amz-id-2"), &about.id.to_string());
        cors::told(response, store, &about.head, self.virtual_hosts.bucket_of(&about.head)).await
    }

    fn id_header(&self, id: RequestId) -> (HeaderName, HeaderValue) {
        let id = HeaderValue::from_str(&id.to_string());
        (HeaderName::from_static("x-amz-request-id"), id.unwrap_or(HeaderValue::from_static("")))
    }
}

/// What an operation in a bucket works with.
struct Scene<'a> {
    store: &'a Guarded,
    users: &'a dyn Users,
    container: &'a ContainerId,
    region: &'a str,
    about: &'a About,
}

impl Scene<'_> {
    async fn act(&self, operation: Operation, body: RequestBody) -> Result<Response, Refusal> {
        match operation {
            Operation::ListBuckets(_) => Err(Refusal::MethodNotAllowed),
            Operation::CreateBucket(new) => self.create_bucket(new, body).await,
            Operation::HeadBucket => self.head_bucket().await,
            Operation::DeleteBucket => self.delete_bucket().await,
            Operation::GetBucketLocation => self.bucket_location().await,
            Operation::Configure(configuration) => self.configure(configuration, body).await,
            Operation::Preflight(asked) => self.preflight(&asked).await,
            // Whoever identifies the sender of a form has opened it.
            Operation::PostForm => Err(FormRefusal::NotAForm.into()),
            Operation::Refused(refusal) => Err(*refusal),
            Operation::PostObject(post) => self.post_object(*post, body).await,
            Operation::GetBucketAcl => self.bucket_acl().await,
            Operation::PutBucketAcl(new) => self.set_bucket_acl(new, body).await,
            Operation::ListObjects(list) => self.list_objects(&list).await,
            Operation::ListMultipartUploads(list) => self.list_uploads(&list).await,
            Operation::DeleteObjects(integrity) => self.delete_objects(integrity, body).await,
            Operation::GetBucketVersioning => self.versioning().await,
            Operation::PutBucketVersioning(integrity) => self.set_versioning(integrity, body).await,
            Operation::ListObjectVersions(list) => self.list_versions(&list).await,
            Operation::Object { key, operation } => self.act_on_object(key, operation, body).await,
        }
    }

    async fn act_on_object(
        &self,
        key: ObjectKey,
        operation: ObjectOperation,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        let object = self.object(key);
        match operation {
            ObjectOperation::GetObject(read) => self.get_object(&object, read).await,
            ObjectOperation::HeadObject(read) => self.head_object(&object, read).await,
            ObjectOperation::GetObjectAttributes(read) => self.attributes(&object, read).await,
            ObjectOperation::PutObject(new) => self.put_object(&object, new, body).await,
            ObjectOperation::CopyObject(copy) => self.copy_object(&object, *copy).await,
            ObjectOperation::DeleteObject { version, conditions } => {
                self.delete_object(&object, version, &conditions).await
            }
            ObjectOperation::GetObjectAcl { version } => self.object_acl(&object, version).await,
            ObjectOperation::PutObjectAcl { version, new } => {
                self.set_object_acl(&object, version, (new, body)).await
            }
            ObjectOperation::GetObjectTagging { version } => self.tags(&object, version).await,
            ObjectOperation::PutObjectTagging { version, integrity } => {
                self.set_tags(&object, version, (integrity, body)).await
            }
            ObjectOperation::DeleteObjectTagging { version } => self.remove_tags(&object, version).await,
            ObjectOperation::CreateMultipartUpload(begin) => self.create_upload(&object, begin).await,
            ObjectOperation::UploadPart { upload, number, integrity } => {
                self.upload_part(&object, upload, number, (integrity, body)).await
            }
            ObjectOperation::UploadPartCopy { upload, number, source } => {
                self.copy_part(&object, upload, number, source).await
            }
            ObjectOperation::CompleteMultipartUpload { upload, completion } => {
                self.complete_upload(&object, upload, completion, body).await
            }
            ObjectOperation::AbortMultipartUpload { upload } => self.abort_upload(&object, upload).await,
            ObjectOperation::ListParts { upload, after, limit } => {
                self.list_parts(&object, upload, PartsPage { after, limit }).await
            }
        }
    }

    fn object(&self, key: ObjectKey) -> ObjectId {
        ObjectId { container: self.container.clone(), key }
    }
}

/// Where a bucket is looked for: in the caller's own account, and then in the directory of all.
async fn container_of(bucket: &ContainerName, store: &Guarded) -> Result<ContainerId, Refusal> {
    let own = store.identity().account().map(|account| in_account(account, bucket));
    if let Some(own) = &own {
        match store.unguarded().recent_container(own).await {
            Ok(_) => return Ok(own.clone()),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    match store.bucket_owner(bucket).await? {
        Some(account) => Ok(in_account(&account, bucket)),
        None if !bucket::is_bucket_name(bucket.as_str()) => Err(Refusal::BucketName),
        None => own.ok_or(Error::NotFound(Noun::Container).into()),
    }
}

fn in_account(account: &AccountName, bucket: &ContainerName) -> ContainerId {
    ContainerId { account: account.clone(), name: bucket.clone() }
}

/// Whether a bucket belongs to whom the caller expects: an account, by its name with or without what all of them
/// begin with, or the user who owns the bucket, by the id that ACLs have.
async fn check_owner(
    container: &ContainerId,
    expected: Option<&str>,
    store: &Guarded,
) -> Result<(), Refusal> {
    let Some(expected) = expected else { return Ok(()) };
    let account = container.account.as_str();
    if expected == account || account.split_once('_').is_some_and(|(_, short)| short == expected) {
        return Ok(());
    }
    let info = store.unguarded().recent_container(container).await?;
    let is_owner = acl::of_bucket(&info, container)?.owner.as_str() == expected;
    if is_owner { Ok(()) } else { Err(Error::Denied.into()) }
}

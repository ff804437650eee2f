//! A store that fails: what a client is told, and what it is never told.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use martlet_model::{
    AccountInfo, AccountName, ChosenPart, Conditions, ContainerChange, ContainerEntry, ContainerId,
    ContainerInfo, ContainerName, ContainerStore, Created, Download, Error, ListQuery, NewContainer,
    NewObject, NewPart, ObjectEntry, ObjectId, ObjectInfo, ObjectMetadata, ObjectStore, Page, PartInfo,
    PartNumber, Read, Result, Store, UploadEntry, UploadId, UploadQuery, UploadStore, Usage, UserMetadata,
};

use crate::harness::Server;

/// Fails as the key of an object says.
#[derive(Debug)]
struct Faulty(Arc<dyn Store>);

fn fault(id: &ObjectId) -> Result<()> {
    match id.key.as_str() {
        "unavailable" => Err(Error::Unavailable("two of three replicas are down")),
        "unknown" => Err(Error::OutcomeUnknown),
        "full" => Err(Error::OutOfSpace),
        "damaged" => Err(Error::Damaged("block 7 of /srv/d1")),
        "internal" => Err(Error::Internal("a secret of the house".into())),
        "panic" => panic!("a bug of the house"),
        _ => Ok(()),
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn list(&self, id: &ContainerId, query: &ListQuery) -> Result<Page<ObjectEntry>> {
        self.0.list(id, query).await
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        fault(id)?;
        self.0.put(id, new).await
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        fault(id)?;
        let mut found = self.0.get(id, read).await?;
        if id.key.as_str() == "half" {
            let half = Ok(Bytes::from("01234"));
            let later = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(Error::Damaged("block 1"))
            };
            found.body = Box::pin(stream::iter([half]).chain(stream::once(later)));
        }
        Ok(found)
    }

    async fn head(&self, id: &ObjectId, conditions: &Conditions) -> Result<ObjectInfo> {
        fault(id)?;
        self.0.head(id, conditions).await
    }

    async fn set_metadata(&self, id: &ObjectId, metadata: ObjectMetadata) -> Result<ObjectInfo> {
        self.0.set_metadata(id, metadata).await
    }

    async fn delete(&self, id: &ObjectId, conditions: &Conditions) -> Result<()> {
        fault(id)?;
        self.0.delete(id, conditions).await
    }
}

#[async_trait]
impl ContainerStore for Faulty {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo> {
        self.0.account(account).await
    }
    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        self.0.update_account(account, changes).await
    }
    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        self.0.containers(account, query).await
    }
    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        self.0.create_container(id, new).await
    }
    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        self.0.container(id).await
    }
    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        self.0.usage(id).await
    }
    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        self.0.update_container(id, change).await
    }
    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        self.0.delete_container(id).await
    }
    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>> {
        self.0.bucket_owner(name).await
    }
}

#[async_trait]
impl UploadStore for Faulty {
    async fn begin_upload(&self, id: &ObjectId, metadata: ObjectMetadata) -> Result<UploadId> {
        self.0.begin_upload(id, metadata).await
    }
    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        self.0.put_part(id, upload, part).await
    }
    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        self.0.parts(id, upload, after, limit).await
    }
    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        self.0.uploads(id, query).await
    }
    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        parts: &[ChosenPart],
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.0.complete_upload(id, upload, parts, conditions).await
    }
    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        self.0.abort_upload(id, upload).await
    }
}

async fn faulty() -> Server {
    let server = Server::over(|store| Arc::new(Faulty(store))).await;
    server.put("/box", "").await.expect(200);
    server
}

#[tokio::test]
async fn a_client_is_told_when_to_try_again() {
    let server = faulty().await;
    for method in ["GET", "PUT", "DELETE"] {
        server.call(method, "/box/unavailable").send().await.refused(503, "ServiceUnavailable");
        server.call(method, "/box/unknown").send().await.refused(503, "ServiceUnavailable");
        server.call(method, "/box/full").send().await.refused(507, "InsufficientStorage");
    }
}

#[tokio::test]
async fn a_client_is_not_told_what_is_not_its_business() {
    let server = faulty().await;
    for key in ["damaged", "internal", "panic"] {
        let refused = server.get(&format!("/box/{key}")).await.refused(500, "InternalError");
        let text = refused.text();
        assert!(!text.contains("house") && !text.contains("srv"), "{text}");
    }
    server.get("/box").await.expect(200);
}

#[tokio::test]
async fn a_deletion_of_many_reports_each_failure() {
    let server = faulty().await;
    server.put("/box/a", "x").await.expect(200);
    let document = "<Delete><Object><Key>unavailable</Key></Object><Object><Key>a</Key></Object></Delete>";
    let answer = server.call("POST", "/box?delete").body(document).send().await.expect(200);
    assert_eq!(answer.elements("Code"), ["ServiceUnavailable"]);
    assert_eq!(answer.elements("Deleted"), ["<Key>a</Key>"]);
}

#[tokio::test]
async fn a_download_that_fails_in_the_middle_is_broken_off() {
    let server = faulty().await;
    server.put("/box/half", "0123456789").await.expect(200);
    let found = server.get("/box/half").await;
    assert_eq!(found.status, 200);
    assert_eq!(found.header("content-length"), Some("10"));
    assert_eq!(found.body, b"01234");
    assert_eq!(server.get("/box/whole").await.status, 404, "the server lives");
}

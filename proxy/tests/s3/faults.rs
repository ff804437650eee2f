//! A store that fails: what a client is told, and what it is never told.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use martlet_model::store::whole_body;
use martlet_model::{
    AccountInfo, AccountName, AnnotationsChange, Completion, Conditions, ContainerChange, ContainerEntry,
    ContainerId, ContainerInfo, ContainerName, ContainerStore, Created, Deleted, DocumentKind, DocumentStore,
    Download, Error, Expect, ListQuery, NewContainer, NewObject, NewPart, NewUpload, ObjectEntry, ObjectId,
    ObjectInfo, ObjectMetadata, ObjectStore, Page, PartInfo, PartLayout, PartNumber, Read, Result, Store,
    UploadEntry, UploadId, UploadInfo, UploadQuery, UploadStore, Usage, UserMetadata, VersionId, VersionPage,
    VersionQuery,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::harness::Server;

/// Fails as the key of an object says; `slow` waits for the gate between body and commit.
#[derive(Debug)]
struct Faulty {
    store: Arc<dyn Store>,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    reached: Notify,
    opened: Notify,
}

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
        self.store.list(id, query).await
    }

    async fn put(&self, id: &ObjectId, new: NewObject) -> Result<ObjectInfo> {
        fault(id)?;
        if id.key.as_str() == "slow" {
            let mut new = new;
            let body: Vec<Bytes> = new.body.try_collect().await?;
            self.gate.reached.notify_one();
            self.gate.opened.notified().await;
            new.body = whole_body(body.concat());
            return self.store.put(id, new).await;
        }
        self.store.put(id, new).await
    }

    async fn get(&self, id: &ObjectId, read: Read) -> Result<Download> {
        fault(id)?;
        let mut found = self.store.get(id, read).await?;
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

    async fn head(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        fault(id)?;
        self.store.head(id, version, conditions).await
    }

    async fn set_metadata(
        &self,
        id: &ObjectId,
        metadata: ObjectMetadata,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        self.store.set_metadata(id, metadata, conditions).await
    }

    async fn delete(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        fault(id)?;
        self.store.delete(id, version, conditions).await
    }

    async fn withdraw(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted> {
        self.store.withdraw(id, version, conditions).await
    }

    async fn annotate(
        &self,
        id: &ObjectId,
        version: Option<VersionId>,
        change: AnnotationsChange,
    ) -> Result<ObjectInfo> {
        self.store.annotate(id, version, change).await
    }

    async fn versions(&self, id: &ContainerId, query: &VersionQuery) -> Result<VersionPage> {
        self.store.versions(id, query).await
    }

    async fn layout(&self, id: &ObjectId, version: Option<VersionId>) -> Result<Vec<PartLayout>> {
        self.store.layout(id, version).await
    }
}

#[async_trait]
impl ContainerStore for Faulty {
    async fn account(&self, _: &AccountName) -> Result<AccountInfo> {
        Err(Error::Internal("no request here asks what an account holds".into()))
    }
    async fn account_metadata(&self, account: &AccountName) -> Result<UserMetadata> {
        self.store.account_metadata(account).await
    }
    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        self.store.update_account(account, changes).await
    }
    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        self.store.containers(account, query).await
    }
    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        self.store.create_container(id, new).await
    }
    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        self.store.container(id).await
    }
    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        self.store.recent_container(id).await
    }
    async fn usage(&self, _: &ContainerId) -> Result<Usage> {
        Err(Error::Internal("no request here asks what a container holds".into()))
    }
    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        self.store.update_container(id, change).await
    }
    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        self.store.delete_container(id).await
    }
    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>> {
        self.store.bucket_owner(name).await
    }
}

#[async_trait]
impl DocumentStore for Faulty {
    async fn document(&self, kind: DocumentKind, key: &[u8]) -> Result<Option<Bytes>> {
        self.store.document(kind, key).await
    }

    async fn put_document(
        &self,
        kind: DocumentKind,
        key: &[u8],
        document: Bytes,
        expect: Expect,
    ) -> Result<()> {
        self.store.put_document(kind, key, document, expect).await
    }

    async fn remove_document(&self, kind: DocumentKind, key: &[u8], expect: Expect) -> Result<()> {
        self.store.remove_document(kind, key, expect).await
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
        self.store.documents(kind, after, limit).await
    }
}

#[async_trait]
impl UploadStore for Faulty {
    async fn begin_upload(&self, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
        self.store.begin_upload(id, new).await
    }
    async fn upload(&self, id: &ObjectId, upload: UploadId) -> Result<UploadInfo> {
        self.store.upload(id, upload).await
    }

    async fn put_part(&self, id: &ObjectId, upload: UploadId, part: NewPart) -> Result<PartInfo> {
        self.store.put_part(id, upload, part).await
    }
    async fn parts(
        &self,
        id: &ObjectId,
        upload: UploadId,
        after: Option<PartNumber>,
        limit: usize,
    ) -> Result<(Vec<PartInfo>, bool)> {
        self.store.parts(id, upload, after, limit).await
    }
    async fn uploads(&self, id: &ContainerId, query: &UploadQuery) -> Result<(Vec<UploadEntry>, bool)> {
        self.store.uploads(id, query).await
    }
    async fn complete_upload(
        &self,
        id: &ObjectId,
        upload: UploadId,
        completion: Completion,
    ) -> Result<ObjectInfo> {
        self.store.complete_upload(id, upload, completion).await
    }
    async fn abort_upload(&self, id: &ObjectId, upload: UploadId) -> Result<()> {
        self.store.abort_upload(id, upload).await
    }
}

async fn faulty() -> Server {
    gated().await.0
}

async fn gated() -> (Server, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let server = Server::over(|store| Arc::new(Faulty { store, gate: gate.clone() })).await;
    server.put("/box", "").await.expect(200);
    (server, gate)
}

/// Sends a PUT of `slow`, and hangs up when the store has all of the body.
async fn hang_up_before_the_commit(server: &Server, gate: &Gate) {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    let call = server.call("PUT", "/box/slow").body("new");
    stream.write_all(&call.bytes()).await.expect("the server reads");
    gate.reached.notified().await;
    drop(stream);
    // Long enough for the server to notice.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_commit_goes_on_when_the_client_has_hung_up() {
    let (server, gate) = gated().await;
    hang_up_before_the_commit(&server, &gate).await;
    gate.opened.notify_one();
    for _ in 0..100 {
        if server.get("/box/slow").await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the commit was dropped with the connection");
}

#[tokio::test]
async fn a_shutdown_waits_for_the_commits_of_clients_that_have_hung_up() {
    let (server, gate) = gated().await;
    hang_up_before_the_commit(&server, &gate).await;
    let stopped = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!stopped.is_finished());
    gate.opened.notify_one();
    timeout(Duration::from_secs(5), stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn nothing_is_counted_to_write_where_there_is_no_quota() {
    // This store fails whenever it is asked what an account or a container holds.
    let server = faulty().await;
    server.put("/box/new", "x").await.expect(200);
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

#[tokio::test]
async fn a_copy_of_a_source_that_fails_in_the_middle_stores_nothing() {
    let server = faulty().await;
    server.put("/box/half", "0123456789").await.expect(200);
    server.put("/box/copy", "old").await.expect(200);
    let copy = server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/half");
    copy.send().await.refused(500, "InternalError");
    assert_eq!(server.get("/box/copy").await.expect(200).body, b"old");
}

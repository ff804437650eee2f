//! The guard: all of the contract for owners, nothing for anybody else but what is granted.

mod grants;
mod owners;

use std::sync::Arc;

use martlet_auth::{Guarded, Identity, RequestContext, Role};
use martlet_model::store::whole_body;
use martlet_model::{
    AccountName, ChecksumCell, Claim, Conditions, ContainerChange, ContainerId, ContainerName,
    ContainerStore as _, ETagStyle, Error, ListQuery, NewObject, NewPart, NewUpload, ObjectId, ObjectKey,
    ObjectMetadata, ObjectStore as _, PartNumber, Read, Store, Timestamp, UploadId, UploadQuery,
    UploadStore as _, UserMetadata,
};
use martlet_testkit::conformance::steps::{completion, new_container};
use martlet_testkit::{MemoryStore, SimulatedClock, conformance};

fn account(name: &str) -> AccountName {
    AccountName::parse(name.as_bytes()).expect("a name of letters")
}

fn object() -> ObjectId {
    let name = ContainerName::parse(b"box").expect("a name of letters");
    let container = ContainerId { account: account("AUTH_own"), name };
    ObjectId { container, key: ObjectKey::parse("key").expect("a key of letters") }
}

fn new_object(body: &'static str) -> NewObject {
    NewObject::new(ObjectMetadata::default(), none(), whole_body(body))
}

fn none() -> Conditions {
    Conditions::none(ETagStyle::S3)
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Arc::new(SimulatedClock::default())))
}

fn guarded(store: &Arc<dyn Store>, identity: Identity) -> Guarded {
    Guarded::new(store.clone(), identity, RequestContext::bare(Timestamp::from_micros(0)))
}

#[tokio::test]
async fn an_owner_has_the_whole_contract() {
    conformance::all(&owners::Owners::over(memory())).await;
}

#[track_caller]
fn denied<T>(outcome: &Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::Denied)));
}

async fn every_access_is_denied(store: &Guarded, upload: UploadId) {
    let object = object();
    let container = &object.container;
    let list = ListQuery::all(1);
    let new = new_container(Claim::IfFree);
    let change = ContainerChange::default();
    denied(&store.account(&container.account).await);
    denied(&store.update_account(&container.account, &UserMetadata::default()).await);
    denied(&store.containers(&container.account, &list).await);
    denied(&store.create_container(container, new).await);
    denied(&store.container(container).await);
    denied(&store.usage(container).await);
    denied(&store.update_container(container, change).await);
    denied(&store.delete_container(container).await);

    denied(&store.list(container, &list).await);
    denied(&store.put(&object, new_object("new")).await);
    denied(&store.get(&object, Read { version: None, conditions: none(), range: None }).await);
    denied(&store.head(&object, None, &none()).await);
    denied(&store.set_metadata(&object, ObjectMetadata::default(), &none()).await);
    denied(&store.delete(&object, None, &none()).await);

    let part = NewPart {
        number: PartNumber::new(1).expect("1 is a number"),
        md5: None,
        bytes: None,
        body: whole_body("new"),
        checksum: ChecksumCell::default(),
    };
    denied(&store.begin_upload(&object, NewUpload::default()).await);
    denied(&store.put_part(&object, upload, part).await);
    denied(&store.parts(&object, upload, None, 1).await);
    let uploads = UploadQuery { prefix: "".into(), after: None, limit: 1 };
    denied(&store.uploads(container, &uploads).await);
    denied(&store.complete_upload(&object, upload, completion(&[], &none())).await);
    denied(&store.abort_upload(&object, upload).await);
}

#[tokio::test]
async fn nobody_else_has_any_of_it() {
    let store = memory();
    let object = object();
    let owner = guarded(&store, Identity::user(account("AUTH_own"), "tester", Role::Owner));
    let new = new_container(Claim::Required);
    owner.create_container(&object.container, new).await.unwrap();
    owner.put(&object, new_object("old")).await.unwrap();
    let upload = owner.begin_upload(&object, NewUpload::default()).await.unwrap();
    let before = owner.head(&object, None, &none()).await.unwrap();

    let stranger = Identity::user(account("AUTH_other"), "tester", Role::Owner);
    for identity in [stranger, Identity::Anonymous] {
        every_access_is_denied(&guarded(&store, identity), upload).await;
    }

    assert_eq!(owner.head(&object, None, &none()).await.unwrap(), before);
    assert_eq!(owner.parts(&object, upload, None, 1).await.unwrap(), (Vec::new(), false));
}

#[tokio::test]
async fn whose_bucket_it_is_may_be_known() {
    let store = memory();
    let object = object();
    let owner = guarded(&store, Identity::user(account("AUTH_own"), "tester", Role::Owner));
    let new = new_container(Claim::Required);
    owner.create_container(&object.container, new).await.unwrap();
    let nobody = guarded(&store, Identity::Anonymous);
    let found = nobody.bucket_owner(&object.container.name).await.unwrap();
    assert_eq!(found, Some(object.container.account));
}

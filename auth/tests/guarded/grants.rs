//! The guard with grants: what others than owners get of a store.

use std::sync::Arc;

use bytes::Bytes;
use martlet_auth::request::Absence;
use martlet_auth::s3_acl::{Acl, CannedAcl};
use martlet_auth::{Action, CanonicalId, Guarded, Identity, PublicAccessBlock, RequestContext, Role};
use martlet_model::{
    Annotations, AnnotationsChange, Claim, ContainerChange, ContainerStore as _, Error, ListQuery, NewObject,
    Noun, ObjectId, ObjectKey, ObjectStore as _, Read, Result, Setting, SettingsChange, Store, Tags,
    Timestamp, UploadStore as _,
};
use martlet_testkit::conformance::steps::new_container;

use super::{account, guarded, memory, new_object, none, object};

/// A container `box` of the account `AUTH_own`, with the objects `key` and `other`.
struct Stage {
    store: Arc<dyn Store>,
    owner: Guarded,
}

async fn stage() -> Stage {
    let store = memory();
    let owner = guarded(&store, Identity::user(account("AUTH_own"), "tester", Role::Owner));
    owner.create_container(&object().container, new_container(Claim::Required)).await.expect("the owner may");
    for id in [object(), other()] {
        owner.put(&id, new_object("old")).await.expect("the owner may");
    }
    Stage { store, owner }
}

fn other() -> ObjectId {
    ObjectId { key: ObjectKey::parse("other").expect("letters"), ..object() }
}

fn missing() -> ObjectId {
    ObjectId { key: ObjectKey::parse("missing").expect("letters"), ..object() }
}

fn anybody(statements: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)
}

fn statement(effect: &str, action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect": "{effect}", "Principal": "*", "Action": "{action}", "Resource": "arn:aws:s3:::{resource}", "Condition": {condition}}}"#
    )
}

fn canned(name: &str) -> Bytes {
    let owner = CanonicalId::new("own:tester");
    CannedAcl::parse(name).expect("a canned ACL").acl(&owner, &owner).encode()
}

fn tags(list: &[(&str, &str)]) -> Tags {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Stage {
    async fn set(&self, setting: Setting, document: impl Into<Bytes>) -> Result<()> {
        let settings = SettingsChange::default().set(setting, document);
        let change = ContainerChange { settings, ..ContainerChange::default() };
        self.owner.update_container(&object().container, change).await
    }

    async fn annotate(&self, acl: Option<Bytes>, tags: Option<Tags>) -> Result<()> {
        self.owner.annotate(&object(), None, AnnotationsChange { acl, tags }).await.map(drop)
    }

    fn by(&self, identity: Identity, absence: Absence) -> Guarded {
        let context = RequestContext { absence, ..RequestContext::bare(Timestamp::from_micros(0)) };
        Guarded::new(self.store.clone(), identity, context)
    }

    /// Nobody in particular, by way of S3.
    fn nobody(&self) -> Guarded {
        self.by(Identity::Anonymous, Absence::S3)
    }

    fn stranger(&self) -> Guarded {
        self.by(Identity::user(account("AUTH_other"), "stranger", Role::Owner), Absence::S3)
    }
}

async fn read(store: &Guarded, id: &ObjectId) -> Result<()> {
    let whole = Read { version: None, conditions: none(), range: None };
    let read = store.get(id, whole).await.map(drop);
    let looked = store.head(id, None, &none()).await.map(drop);
    assert_eq!(format!("{read:?}"), format!("{looked:?}"));
    read
}

#[track_caller]
fn denied<T: std::fmt::Debug>(outcome: &Result<T>) {
    assert!(matches!(outcome, Err(Error::Denied)), "{outcome:?}");
}

#[track_caller]
fn absent(outcome: &Result<()>) {
    assert!(matches!(outcome, Err(Error::NotFound(Noun::Object))), "{outcome:?}");
}

#[tokio::test]
async fn an_acl_of_swift_lets_others_read_and_write() {
    let stage = stage().await;
    stage.set(Setting::SwiftRead, ".r:*").await.unwrap();
    stage.set(Setting::SwiftWrite, "other:stranger").await.unwrap();
    let nobody = stage.by(Identity::Anonymous, Absence::Swift);
    read(&nobody, &object()).await.unwrap();
    absent(&read(&nobody, &missing()).await);
    denied(&nobody.list(&object().container, &ListQuery::all(1)).await);
    denied(&nobody.container(&object().container).await);
    denied(&nobody.put(&object(), new_object("new")).await);
    stage.stranger().put(&object(), new_object("new")).await.unwrap();
    stage.stranger().delete(&object(), None, &none()).await.unwrap();
    denied(&stage.stranger().update_container(&object().container, ContainerChange::default()).await);

    stage.set(Setting::SwiftRead, ".r:*,.rlistings").await.unwrap();
    assert_eq!(nobody.list(&object().container, &ListQuery::all(9)).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn an_acl_of_an_object_opens_that_object_alone() {
    let stage = stage().await;
    stage.annotate(Some(canned("public-read")), None).await.unwrap();
    read(&stage.nobody(), &object()).await.unwrap();
    denied(&read(&stage.nobody(), &other()).await);
    denied(&read(&stage.nobody(), &missing()).await);
    denied(&stage.nobody().head_for(Action::GetObjectAcl, &object(), None, &none()).await);
    stage.annotate(Some(canned("private")), None).await.unwrap();
    denied(&read(&stage.nobody(), &object()).await);
}

#[tokio::test]
async fn only_who_may_list_learns_that_an_object_is_not_there() {
    let stage = stage().await;
    denied(&read(&stage.nobody(), &missing()).await);
    stage.set(Setting::Policy, anybody(&statement("Allow", "s3:GetObject", "box/*", "{}"))).await.unwrap();
    read(&stage.nobody(), &object()).await.unwrap();
    denied(&read(&stage.nobody(), &missing()).await);

    let listed = |prefix: &str| {
        let condition = format!(r#"{{"StringLike": {{"s3:prefix": "{prefix}"}}}}"#);
        anybody(&statement("Allow", "s3:ListBucket", "box", &condition))
    };
    stage.set(Setting::Policy, listed("other*")).await.unwrap();
    denied(&read(&stage.nobody(), &missing()).await);
    stage.set(Setting::Policy, listed("miss*")).await.unwrap();
    absent(&read(&stage.nobody(), &missing()).await);
    denied(&read(&stage.nobody(), &object()).await);
    absent(&read(&stage.owner, &missing()).await);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_of_in_s3_and_not_in_swift() {
    let store = memory();
    for (absence, told) in [(Absence::S3, true), (Absence::Swift, false)] {
        let context = RequestContext { absence, ..RequestContext::bare(Timestamp::from_micros(0)) };
        let nobody = Guarded::new(store.clone(), Identity::Anonymous, context);
        let outcome = nobody.head(&object(), None, &none()).await;
        assert_eq!(matches!(outcome, Err(Error::NotFound(Noun::Container))), told, "{outcome:?}");
        assert_eq!(matches!(outcome, Err(Error::Denied)), !told, "{outcome:?}");
    }
    let owner = guarded(&store, Identity::user(account("AUTH_own"), "tester", Role::Owner));
    let outcome = owner.head(&object(), None, &none()).await;
    assert!(matches!(outcome, Err(Error::NotFound(Noun::Container))), "{outcome:?}");
}

#[tokio::test]
async fn a_policy_can_hang_on_the_tags_that_an_object_has() {
    let stage = stage().await;
    let public = r#"{"StringEquals": {"s3:ExistingObjectTag/security": "public"}}"#;
    stage.set(Setting::Policy, anybody(&statement("Allow", "s3:*Object*", "box/*", public))).await.unwrap();
    denied(&read(&stage.nobody(), &object()).await);
    stage.annotate(None, Some(tags(&[("security", "public")]))).await.unwrap();
    read(&stage.nobody(), &object()).await.unwrap();
    denied(&read(&stage.nobody(), &other()).await);

    let to_private = AnnotationsChange { acl: None, tags: Some(tags(&[("security", "private")])) };
    stage.nobody().annotate(&object(), None, to_private.clone()).await.unwrap();
    denied(&stage.nobody().annotate(&object(), None, to_private).await);
    denied(&read(&stage.nobody(), &object()).await);
}

#[tokio::test]
async fn a_policy_can_hang_on_the_tags_that_an_object_is_to_get() {
    let stage = stage().await;
    let public = r#"{"StringEquals": {"s3:RequestObjectTag/security": "public"}}"#;
    stage.set(Setting::Policy, anybody(&statement("Allow", "s3:PutObject", "box/*", public))).await.unwrap();
    let with = |list: &[(&str, &str)]| {
        let annotations = Annotations { acl: None, tags: tags(list) };
        NewObject { annotations, ..new_object("new") }
    };
    denied(&stage.nobody().put(&object(), with(&[])).await);
    denied(&stage.nobody().put(&object(), with(&[("security", "private")])).await);
    stage.nobody().put(&object(), with(&[("security", "public")])).await.unwrap();
}

#[tokio::test]
async fn owners_are_bound_by_what_their_policy_denies_and_can_take_it_back() {
    let stage = stage().await;
    let deny = ["box", "box/*"].map(|resource| statement("Deny", "s3:*", resource, "{}")).join(", ");
    stage.set(Setting::Policy, anybody(&deny)).await.unwrap();
    denied(&read(&stage.owner, &object()).await);
    denied(&stage.owner.put(&object(), new_object("new")).await);
    denied(&stage.owner.container(&object().container).await);
    denied(&stage.set(Setting::Acl, canned("private")).await);
    denied(&stage.owner.begin_upload(&object(), martlet_model::NewUpload::default()).await);
    let mut sneaky = new_container(Claim::IfFree);
    sneaky.settings = SettingsChange::default().set(Setting::SwiftRead, ".r:*");
    denied(&stage.owner.create_container(&object().container, sneaky).await);

    let shown = stage.owner.setting(Action::GetBucketPolicy, &object().container, Setting::Policy).await;
    assert_eq!(shown.unwrap(), Some(Bytes::from(anybody(&deny))));
    let settings = SettingsChange::default().remove(Setting::Policy);
    let change = ContainerChange { settings, ..ContainerChange::default() };
    stage.owner.update_container(&object().container, change).await.unwrap();
    read(&stage.owner, &object()).await.unwrap();
}

#[tokio::test]
async fn nothing_public_is_set_where_that_is_blocked() {
    let stage = stage().await;
    let block =
        PublicAccessBlock { block_public_acls: true, block_public_policy: true, ..Default::default() };
    stage.set(Setting::PublicAccessBlock, block.encode()).await.unwrap();
    denied(&stage.set(Setting::Acl, canned("public-read")).await);
    denied(&stage.set(Setting::Acl, canned("authenticated-read")).await);
    denied(&stage.set(Setting::SwiftRead, ".r:*").await);
    denied(&stage.set(Setting::Policy, anybody(&statement("Allow", "s3:GetObject", "box/*", "{}"))).await);
    denied(&stage.annotate(Some(canned("public-read")), None).await);
    let annotations = Annotations { acl: Some(canned("public-read")), tags: Tags::default() };
    denied(&stage.owner.put(&object(), NewObject { annotations, ..new_object("new") }).await);

    stage.set(Setting::Acl, canned("private")).await.unwrap();
    stage.set(Setting::SwiftRead, "other").await.unwrap();
    stage.annotate(Some(canned("bucket-owner-full-control")), None).await.unwrap();
    stage.set(Setting::Policy, anybody(&statement("Deny", "s3:GetObject", "box/*", "{}"))).await.unwrap();
}

#[tokio::test]
async fn who_may_write_the_acl_of_a_bucket_may_not_write_its_policy() {
    let stage = stage().await;
    let stranger = CanonicalId::new("other:stranger");
    let mut acl = Acl::private(CanonicalId::new("own:tester"));
    acl.grants.extend(Acl::private(stranger).grants);
    stage.set(Setting::Acl, acl.encode()).await.unwrap();
    let set = |setting, document: Bytes| {
        let settings = SettingsChange::default().set(setting, document);
        let (store, id) = (stage.stranger(), object().container);
        let change = ContainerChange { settings, ..ContainerChange::default() };
        async move { store.update_container(&id, change).await }
    };
    denied(&set(Setting::Policy, anybody(&statement("Allow", "s3:*", "box/*", "{}")).into()).await);
    denied(&set(Setting::SwiftRead, ".r:*".into()).await);
    set(Setting::Acl, canned("public-read")).await.unwrap();
}

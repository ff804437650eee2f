//! Older versions against the reference, operation by operation, and while replicas fail.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_cluster::ClusterStore;
use martlet_model::{
    AnnotationsChange, Conditions, ContainerChange, ContainerId, ContainerStore, Deleted, Error, ListEntry,
    ListQuery, Match, NewUpload, ObjectId, ObjectInfo, ObjectMetadata, ObjectStore, Page, Result, Store,
    VersionEntry, VersionId, VersionPage, VersionQuery, Versioning,
};
use martlet_testkit::conformance::steps::{
    chosen, completion, create, if_absent, new_object, object, put_part, read_version, unconditional,
};
use martlet_testkit::{MemoryStore, Seeded};

use crate::conformance::seeds;
use crate::harness::{Cluster, SMALL, Shape};

const OPERATIONS: usize = 400;
const KEYS: [&str; 5] = ["a", "a!", "b/1", "b/2", "c"];

/// The two stores, and which version of one is which of the other.
struct Twins {
    reference: MemoryStore,
    cluster: ClusterStore,
    id: ContainerId,
    /// Every version that was ever made: the reference's id, and the cluster's.
    ids: Vec<(VersionId, VersionId)>,
    random: Seeded,
}

#[tokio::test]
async fn every_answer_is_the_references() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        let shape = if seed % 2 == 0 { SMALL } else { Shape { devices: 6, partition_bits: 5 } };
        let cluster = Cluster::new(shape);
        let reference = MemoryStore::new(Arc::clone(&cluster.clock) as _);
        let id = create(&reference, "twins").await;
        create(&cluster.store, "twins").await;
        let (store, random) = (cluster.store.clone(), Seeded::new(seed));
        let mut twins = Twins { reference, cluster: store, id, ids: vec![NULLS], random };
        for _ in 0..OPERATIONS {
            if twins.random.one_in(3) {
                cluster.clock.advance(Duration::from_micros(twins.random.below(3) as u64));
            }
            twins.step().await;
        }
        twins.compare_all().await;
    }
}

const NULLS: (VersionId, VersionId) = (VersionId::Null, VersionId::Null);

impl Twins {
    async fn step(&mut self) {
        let key = object(&self.id, self.random.pick(&KEYS).unwrap());
        match self.random.below(14) {
            0..4 => self.put(&key).await,
            4 | 5 => self.delete(&key).await,
            6 | 7 => self.delete_version(&key).await,
            8 => self.set_versioning().await,
            9 => self.annotate(&key).await,
            10 => self.set_metadata(&key).await,
            11 => self.upload(&key).await,
            12 => self.read(&key).await,
            _ => self.list().await,
        }
    }

    async fn put(&mut self, key: &ObjectId) {
        let body = Bytes::from(self.random.next_u64().to_string());
        let conditions = self.conditions();
        let put = |store| put_in(store, key, body.clone(), conditions.clone());
        let (one, other) = (put(&self.reference as &dyn Store).await, put(&self.cluster).await);
        self.learn(version_of(&one), version_of(&other));
        self.same_info(one, other);
    }

    async fn delete(&mut self, key: &ObjectId) {
        let conditions = self.conditions();
        if self.random.one_in(3) {
            let one = self.reference.withdraw(key, None, &conditions).await;
            let other = self.cluster.withdraw(key, None, &conditions).await;
            return self.same_deleted(one, other);
        }
        let one = self.reference.delete(key, None, &conditions).await;
        let other = self.cluster.delete(key, None, &conditions).await;
        self.same_deleted(one, other);
    }

    async fn delete_version(&mut self, key: &ObjectId) {
        let (theirs, ours) = self.pick();
        let conditions = self.conditions();
        if self.random.one_in(3) {
            let one = self.reference.withdraw(key, Some(theirs), &conditions).await;
            let other = self.cluster.withdraw(key, Some(ours), &conditions).await;
            self.same_deleted(one, other);
            return self.learn_latest(key).await;
        }
        let one = self.reference.delete(key, Some(theirs), &conditions).await;
        let other = self.cluster.delete(key, Some(ours), &conditions).await;
        self.same_deleted(one, other);
    }

    async fn set_versioning(&mut self) {
        let versioning = [Versioning::Enabled, Versioning::Enabled, Versioning::Suspended, Versioning::Off];
        let versioning = self.random.pick(&versioning).copied();
        let change = ContainerChange { versioning, ..ContainerChange::default() };
        let one = self.reference.update_container(&self.id, change.clone()).await;
        let other = self.cluster.update_container(&self.id, change).await;
        same(&one, &other);
    }

    async fn annotate(&mut self, key: &ObjectId) {
        let version = (!self.random.one_in(3)).then(|| self.pick());
        let acl = Some(Bytes::from(self.random.next_u64().to_string()));
        let change = AnnotationsChange { acl, tags: None };
        let one = self.reference.annotate(key, version.map(|(theirs, _)| theirs), change.clone()).await;
        let other = self.cluster.annotate(key, version.map(|(_, ours)| ours), change).await;
        self.same_info(one, other);
    }

    async fn set_metadata(&mut self, key: &ObjectId) {
        let expires = Some(self.random.next_u64().to_string());
        let metadata = ObjectMetadata { expires, ..ObjectMetadata::default() };
        let conditions = self.conditions();
        let one = self.reference.set_metadata(key, metadata.clone(), &conditions).await;
        let other = self.cluster.set_metadata(key, metadata, &conditions).await;
        self.same_info(one, other);
    }

    async fn upload(&mut self, key: &ObjectId) {
        let body = Bytes::from(self.random.next_u64().to_string());
        let (one, other) =
            (upload_in(&self.reference, key, body.clone()).await, upload_in(&self.cluster, key, body).await);
        self.learn(version_of(&one), version_of(&other));
        self.same_info(one, other);
    }

    async fn read(&mut self, key: &ObjectId) {
        let version = (!self.random.one_in(3)).then(|| self.pick());
        let (theirs, ours) = (version.map(|(theirs, _)| theirs), version.map(|(_, ours)| ours));
        let one = read_version(&self.reference, key, theirs).await;
        let other = read_version(&self.cluster, key, ours).await;
        assert_eq!(one.as_ref().ok(), other.as_ref().ok());
        self.same_info(
            self.reference.head(key, theirs, &unconditional()).await,
            self.cluster.head(key, ours, &unconditional()).await,
        );
    }

    async fn list(&mut self) {
        let delimiter = self.random.one_in(3).then(|| Bytes::from("/"));
        let prefix = Bytes::from(*self.random.pick(&["", "a", "b", "b/"]).unwrap());
        let limit = 1 + self.random.below(8);
        let query =
            ListQuery { prefix: prefix.clone(), delimiter: delimiter.clone(), ..ListQuery::all(limit) };
        let one = self.reference.list(&self.id, &query).await.unwrap();
        let other = self.cluster.list(&self.id, &query).await.unwrap();
        let names = |page: &Page<_>| martlet_testkit::conformance::steps::shown(page);
        assert_eq!((names(&one), one.next), (names(&other), other.next));
        let key = Bytes::from(*self.random.pick(&KEYS).unwrap());
        let version = self.random.one_in(2).then(|| self.pick());
        let query = |version| VersionQuery {
            prefix: prefix.clone(),
            delimiter: delimiter.clone(),
            after: version,
            limit,
        };
        let (theirs, ours) = match self.random.below(3) {
            0 => (None, None),
            _ => (
                Some((key.clone(), version.map(|(theirs, _)| theirs))),
                Some((key.clone(), version.map(|(_, ours)| ours))),
            ),
        };
        // Where a page begins after a version that isn't there, each goes on in its own way.
        let one = self.reference.versions(&self.id, &query(theirs.clone())).await.unwrap();
        if let Some((_, Some(version))) = theirs {
            let id = object(&self.id, &key);
            let is_there = !matches!(
                self.reference.head(&id, Some(version), &unconditional()).await,
                Err(Error::NotFound(_))
            );
            if !is_there {
                return;
            }
        }
        let other = self.cluster.versions(&self.id, &query(ours)).await.unwrap();
        self.same_versions(&one, &other);
    }

    async fn compare_all(&mut self) {
        let query = VersionQuery { prefix: Bytes::new(), delimiter: None, after: None, limit: 10_000 };
        let one = self.reference.versions(&self.id, &query).await.unwrap();
        let other = self.cluster.versions(&self.id, &query).await.unwrap();
        self.same_versions(&one, &other);
        self.cluster.idle().await;
        assert_eq!(
            self.reference.usage(&self.id).await.unwrap(),
            self.cluster.usage(&self.id).await.unwrap()
        );
        for key in KEYS {
            let key = object(&self.id, key);
            for (theirs, ours) in self.ids.clone() {
                let one = self.reference.head(&key, Some(theirs), &unconditional()).await;
                let other = self.cluster.head(&key, Some(ours), &unconditional()).await;
                self.same_info(one, other);
            }
        }
    }

    fn conditions(&mut self) -> Conditions {
        match self.random.below(6) {
            0 => if_absent(),
            1 => Conditions { if_match: Match::Any, ..unconditional() },
            _ => unconditional(),
        }
    }

    fn pick(&mut self) -> (VersionId, VersionId) {
        self.random.pick(&self.ids).copied().unwrap()
    }

    fn learn(&mut self, theirs: Option<VersionId>, ours: Option<VersionId>) {
        if let (Some(theirs @ VersionId::Id(_)), Some(ours)) = (theirs, ours) {
            self.ids.push((theirs, ours));
        }
    }

    /// A marker may have come on top that nobody was told of.
    async fn learn_latest(&mut self, key: &ObjectId) {
        let prefix = key.key.as_bytes().clone();
        let query = VersionQuery { prefix, delimiter: None, after: None, limit: 1 };
        let latest = |page: VersionPage| match page.entries.into_iter().next() {
            Some(ListEntry::Item(item)) if item.key == key.key => Some(item.version),
            _ => None,
        };
        let theirs = latest(self.reference.versions(&self.id, &query).await.unwrap());
        let ours = latest(self.cluster.versions(&self.id, &query).await.unwrap());
        if self.ids.iter().all(|(_, known)| Some(*known) != ours) {
            self.learn(theirs, ours);
        }
    }

    /// The reference's name of one of the cluster's versions.
    fn translated(&self, ours: Option<VersionId>) -> Option<VersionId> {
        let ours = ours?;
        let known = self.ids.iter().find(|(_, known)| *known == ours);
        Some(known.unwrap_or_else(|| panic!("{ours} was never made")).0)
    }

    #[track_caller]
    fn same_info(&self, one: Result<ObjectInfo>, other: Result<ObjectInfo>) {
        match (one, other) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one, ObjectInfo { version: self.translated(other.version), ..other });
            }
            (one, other) => same(&one.map(drop), &other.map(drop)),
        }
    }

    #[track_caller]
    fn same_deleted(&mut self, one: Result<Deleted>, other: Result<Deleted>) {
        match (one, other) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one.is_delete_marker, other.is_delete_marker);
                let is_new = self.ids.iter().all(|(_, known)| Some(*known) != other.version);
                if is_new {
                    self.learn(one.version, other.version);
                }
                assert_eq!(one.version, self.translated(other.version));
            }
            (one, other) => same(&one.map(drop), &other.map(drop)),
        }
    }

    #[track_caller]
    fn same_versions(&self, one: &VersionPage, other: &VersionPage) {
        let translated = |entry: &ListEntry<VersionEntry>| match entry {
            ListEntry::Prefix(prefix) => ListEntry::Prefix(prefix.clone()),
            ListEntry::Item(item) => ListEntry::Item(VersionEntry {
                version: self.translated(Some(item.version)).unwrap(),
                ..item.clone()
            }),
        };
        let entries: Vec<_> = other.entries.iter().map(translated).collect();
        assert_eq!((&one.entries, one.is_truncated), (&entries, other.is_truncated));
    }
}

async fn put_in(
    store: &dyn Store,
    key: &ObjectId,
    body: Bytes,
    conditions: Conditions,
) -> Result<ObjectInfo> {
    store.put(key, new_object(body, conditions)).await
}

async fn upload_in(store: &dyn Store, key: &ObjectId, body: Bytes) -> Result<ObjectInfo> {
    let upload = store.begin_upload(key, NewUpload::default()).await?;
    let part = chosen(&put_part(store, key, upload, 1, body).await);
    store.complete_upload(key, upload, completion(&[part], &unconditional())).await
}

fn version_of(outcome: &Result<ObjectInfo>) -> Option<VersionId> {
    outcome.as_ref().ok().and_then(|info| info.version)
}

/// The same success, or the same kind of failure.
#[track_caller]
fn same(one: &Result<()>, other: &Result<()>) {
    let kind = |outcome: &Result<()>| match outcome {
        Ok(()) => "done".to_owned(),
        // Its version is compared where it was made.
        Err(Error::DeleteMarker { is_current, modified, .. }) => format!("marker {is_current} {modified}"),
        Err(error) => format!("{error:?}"),
    };
    assert_eq!(kind(one), kind(other));
}

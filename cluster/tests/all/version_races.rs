//! Proxies that race over one key and die in the middle of it: no version gets lost, none comes back,
//! and what is listed is what is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use martlet_cluster::ClusterStore;
use martlet_cluster::workers::{clear_dropped, collect_garbage, remove_tombstones, repair};
use martlet_model::{
    ContainerId, ContainerStore, Error, ListEntry, ObjectId, ObjectStore, Usage, VersionEntry, VersionId,
    VersionKind, VersionQuery, Versioning,
};
use martlet_testkit::conformance::steps::{
    create, new_object, noise, object, read_version, set_versioning, unconditional, versioned,
};
use martlet_testkit::{Faults, Reach, Seeded};
use tokio::time::{Instant, sleep};

use crate::conformance::{IMPATIENT, seeds};
use crate::harness::{Cluster, SMALL};
use crate::mortal::Life;

const ACTORS: u64 = 4;
const LIVES: usize = 12;
const OPERATIONS: usize = 6;

/// How long a busy machine may keep replicas from answering before that is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the actors know of it, in the end. A null version says nothing: one takes the place of another.
#[derive(Default)]
struct Log {
    /// Bodies that were acknowledged, with their version.
    stored: BTreeMap<VersionId, Bytes>,
    /// Bodies of which it isn't known whether they were stored.
    maybe_stored: BTreeSet<Bytes>,
    /// Delete markers that were acknowledged.
    marked: BTreeSet<VersionId>,
    removed: BTreeSet<VersionId>,
    maybe_removed: BTreeSet<VersionId>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_version_is_lost_and_none_comes_back() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        let cluster = Arc::new(Cluster::with_options(SMALL, IMPATIENT));
        let id = versioned(&cluster.store, "races").await;
        let key = object(&id, "key");
        let log = Arc::new(Mutex::new(Log::default()));
        let actors: Vec<_> = (0..ACTORS)
            .map(|actor| {
                let actor = Actor {
                    cluster: cluster.clone(),
                    key: key.clone(),
                    log: log.clone(),
                    random: Seeded::new(seed * 1000 + actor),
                    number: seed * 1000 + actor,
                };
                tokio::spawn(actor.run())
            })
            .collect();
        let sweeper = tokio::spawn(sweep(cluster.clone()));
        for actor in actors {
            actor.await.unwrap();
        }
        sweeper.abort();
        let log = std::mem::take(&mut *log.lock().unwrap());
        check(&cluster, &id, &log, seed).await;
    }
}

struct Actor {
    cluster: Arc<Cluster>,
    key: ObjectId,
    log: Arc<Mutex<Log>>,
    random: Seeded,
    number: u64,
}

impl Actor {
    async fn run(mut self) {
        for life in 0..LIVES {
            let messages = 20 + i64::try_from(self.random.below(150)).unwrap();
            let life = (Life::of(messages), life as u64);
            let proxy = self.cluster.mortal_proxy(self.number * 100 + life.1, &life.0);
            for number in 0..OPERATIONS {
                sleep(Duration::from_micros(self.random.below(2000) as u64)).await;
                self.act(&proxy, life.1 * 100 + number as u64).await;
                if life.0.is_over() {
                    break;
                }
            }
            // What a dead proxy has begun fails here, and sends nothing any more.
            proxy.idle().await;
        }
    }

    async fn act(&mut self, proxy: &ClusterStore, number: u64) {
        match self.random.below(6) {
            0 | 1 => self.put(proxy, number).await,
            2 => self.mark(proxy).await,
            3 => self.withdraw(proxy).await,
            _ => self.remove(proxy).await,
        }
    }

    async fn put(&mut self, proxy: &ClusterStore, number: u64) {
        let body = Bytes::from(format!("{} {number}", self.number));
        let outcome = proxy.put(&self.key, new_object(body.clone(), unconditional())).await;
        let mut log = self.log.lock().unwrap();
        match outcome {
            Ok(info) => {
                log.stored.insert(info.version.unwrap(), body);
            }
            Err(Error::OutcomeUnknown) => {
                log.maybe_stored.insert(body);
            }
            Err(Error::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn mark(&mut self, proxy: &ClusterStore) {
        match proxy.delete(&self.key, None, &unconditional()).await {
            Ok(deleted) => {
                self.log.lock().unwrap().marked.insert(deleted.version.unwrap());
            }
            Err(Error::OutcomeUnknown | Error::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Leaves a marker as well, which mostly is the null version.
    async fn withdraw(&mut self, proxy: &ClusterStore) {
        match proxy.withdraw(&self.key, None, &unconditional()).await {
            Ok(deleted) => {
                let marker = deleted.version.filter(|version| *version != VersionId::Null);
                self.log.lock().unwrap().marked.extend(marker);
            }
            Err(Error::NotFound(_) | Error::OutcomeUnknown | Error::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Removes one of those that are there, more often than not the current one.
    async fn remove(&mut self, proxy: &ClusterStore) {
        let id = self.key.container.clone();
        let Ok(entries) = listed(proxy, &id).await else { return };
        let Some(entry) = (if self.random.one_in(3) { self.random.pick(&entries) } else { entries.first() })
        else {
            return;
        };
        let version = entry.version;
        let outcome = if self.random.one_in(3) {
            proxy.withdraw(&self.key, Some(version), &unconditional()).await
        } else {
            proxy.delete(&self.key, Some(version), &unconditional()).await
        };
        let mut log = self.log.lock().unwrap();
        match outcome {
            Ok(_) if version == VersionId::Null => {}
            Ok(_) => assert!(log.removed.insert(version), "{version} was removed twice"),
            Err(Error::OutcomeUnknown) => {
                log.maybe_removed.insert(version);
            }
            // Somebody else was faster, and may not know it yet.
            Err(Error::NotFound(_) | Error::Unavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// Asks again while the machine is too busy for an answer.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> martlet_model::Result<T>) -> martlet_model::Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(Error::Unavailable(_) | Error::OutcomeUnknown) if Instant::now() < until => {}
            outcome => return outcome,
        }
    }
}

/// Writes that died half way stay with a minority, and may take place at any later time: after this it is settled
/// which of them have.
async fn settle(cluster: &Cluster) {
    loop {
        let mut leveled = 0;
        for device in cluster.device_ids() {
            let round = patiently(async || repair(&cluster.store, device).await).await.unwrap();
            leveled += round.rows_leveled + round.rows_undecided + round.partitions_unknown;
        }
        if leveled == 0 {
            return;
        }
    }
}

async fn listed(store: &ClusterStore, id: &ContainerId) -> martlet_model::Result<Vec<VersionEntry>> {
    let query = VersionQuery { prefix: Bytes::new(), delimiter: None, after: None, limit: 10_000 };
    let page = store.versions(id, &query).await?;
    Ok(page
        .entries
        .into_iter()
        .filter_map(|entry| match entry {
            ListEntry::Item(item) => Some(item),
            ListEntry::Prefix(_) => None,
        })
        .collect())
}

/// What is done when nobody waits for it goes on meanwhile: tombstones are forgotten, too.
async fn sweep(cluster: Arc<Cluster>) {
    loop {
        for device in cluster.device_ids() {
            drop(collect_garbage(&cluster.store, device, 100).await);
            drop(remove_tombstones(&cluster.store, device, 100).await);
        }
        drop(clear_dropped(&cluster.store, 10).await);
        sleep(Duration::from_millis(1)).await;
    }
}

async fn check(cluster: &Cluster, id: &ContainerId, log: &Log, seed: u64) {
    let key = object(id, "key");
    let proxy = cluster.another_proxy(seed + 7);
    cluster.store.idle().await;
    settle(cluster).await;
    let there = patiently(async || listed(&proxy, id).await).await.unwrap();
    let ids: Vec<VersionId> = there.iter().map(|entry| entry.version).collect();
    let distinct: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "seed {seed}: a version is listed twice");
    for version in log.stored.keys().chain(&log.marked) {
        let may_be_gone = log.removed.contains(version) || log.maybe_removed.contains(version);
        assert!(may_be_gone || distinct.contains(version), "seed {seed}: {version} is lost");
    }
    for version in &log.removed {
        assert!(!distinct.contains(version), "seed {seed}: {version} is back");
    }
    let mut bodies = BTreeSet::new();
    for entry in there.iter().filter(|entry| entry.kind != VersionKind::DeleteMarker) {
        let body = patiently(async || read_version(&proxy, &key, Some(entry.version)).await).await.unwrap();
        let is_known = log.stored.get(&entry.version) == Some(&body) || log.maybe_stored.contains(&body);
        assert!(is_known, "seed {seed}: {} has a body that was never stored: {body:?}", entry.version);
        assert!(bodies.insert(body.clone()), "seed {seed}: one write made two versions: {body:?}");
    }
    let current = patiently(async || proxy.head(&key, None, &unconditional()).await).await;
    match (there.first(), current) {
        (None, Err(Error::NotFound(_))) => {}
        (Some(latest), Ok(info)) => assert_eq!(Some(latest.version), info.version),
        (Some(latest), Err(Error::DeleteMarker { version, .. })) => assert_eq!(latest.version, version),
        other => panic!("seed {seed}: {other:?}"),
    }
    // Everything can be removed, whatever was left half done, and then nothing is left.
    for version in ids {
        match patiently(async || proxy.delete(&key, Some(version), &unconditional()).await).await {
            Ok(_) => {}
            // A marker that is the null version isn't left alone; and an answer that was late is asked for again.
            Err(Error::NotFound(_)) => {
                let there = patiently(async || listed(&proxy, id).await).await.unwrap();
                assert!(there.iter().all(|entry| entry.version != version), "seed {seed}: {version} stays");
            }
            Err(other) => panic!("seed {seed}: {other:?}"),
        }
    }
    assert_eq!(patiently(async || listed(&proxy, id).await).await.unwrap(), []);
    patiently(async || proxy.put(&key, new_object("afterwards", unconditional())).await).await.unwrap();
    let last = patiently(async || listed(&proxy, id).await).await.unwrap();
    assert!(!last.is_empty(), "seed {seed}");
    for version in last {
        let version = Some(version.version);
        patiently(async || proxy.delete(&key, version, &unconditional()).await).await.unwrap();
    }
    patiently(async || proxy.delete_container(id).await).await.unwrap();
}

#[tokio::test]
async fn a_write_that_died_between_its_two_steps_leaves_nothing_that_is_seen() {
    for messages in 0..80 {
        let cluster = Cluster::new(SMALL);
        let id = versioned(&cluster.store, "half-done").await;
        let key = object(&id, "key");
        let one = cluster.store.put(&key, new_object("one", unconditional())).await.unwrap();
        cluster.store.idle().await;
        let life = Life::of(messages);
        let mortal = cluster.mortal_proxy(3, &life);
        let outcome = mortal.put(&key, new_object("two", unconditional())).await;
        mortal.idle().await;
        let there = listed(&cluster.store, &id).await.unwrap();
        let current = cluster.store.head(&key, None, &unconditional()).await.unwrap();
        assert_eq!(there[0].version, current.version.unwrap(), "after {messages} messages");
        assert_eq!(there.last().unwrap().version, one.version.unwrap());
        match &outcome {
            Ok(_) => assert_eq!(there.len(), 2),
            Err(Error::OutcomeUnknown) => assert!((1..=2).contains(&there.len())),
            Err(_) => assert_eq!(there.len(), 1, "after {messages} messages"),
        }
        // The one before is removed while it may have been stored as an older version, too: it doesn't come back.
        cluster.store.delete(&key, one.version, &unconditional()).await.unwrap();
        let three = cluster.store.put(&key, new_object("three", unconditional())).await.unwrap();
        let left: Vec<_> = listed(&cluster.store, &id).await.unwrap();
        assert!(left.iter().all(|entry| Some(entry.version) != one.version), "after {messages} messages");
        assert_eq!(Some(left[0].version), three.version);
        for entry in left {
            cluster.store.delete(&key, Some(entry.version), &unconditional()).await.unwrap();
        }
        clean(&cluster).await;
        let usage = cluster.store.usage(&id).await.unwrap();
        assert_eq!(usage, Usage::default(), "after {messages} messages");
        assert!(
            cluster.replicas.iter().all(|replica| replica.blob_ids().is_empty()),
            "after {messages} messages"
        );
    }
}

#[tokio::test]
async fn a_removal_that_died_half_way_is_finished() {
    for messages in 0..60 {
        let cluster = Cluster::new(SMALL);
        let id = versioned(&cluster.store, "half-removed").await;
        let key = object(&id, "key");
        let mut made = Vec::new();
        for body in ["one", "two", "three"] {
            made.push(cluster.store.put(&key, new_object(body, unconditional())).await.unwrap().version);
        }
        cluster.store.idle().await;
        // An older one in every second round, the current one in the others.
        let victim = made[if messages % 2 == 0 { 1 } else { 2 }];
        let mortal = cluster.mortal_proxy(3, &Life::of(messages));
        let outcome = mortal.delete(&key, victim, &unconditional()).await;
        mortal.idle().await;
        let is_there = async || {
            let there = listed(&cluster.store, &id).await.unwrap();
            let is_listed = there.iter().any(|entry| Some(entry.version) == victim);
            let is_read = read_version(&cluster.store, &key, victim).await.is_ok();
            assert_eq!(is_listed, is_read, "after {messages} messages");
            let others = made.iter().filter(|version| **version != victim).count();
            assert_eq!(there.len(), others + usize::from(is_listed), "after {messages} messages");
            is_listed
        };
        let mut was_there = is_there().await;
        assert!(outcome.is_err() || !was_there, "after {messages} messages");
        for round in 0..2 {
            let on_top = cluster.store.put(&key, new_object("on top", unconditional())).await.unwrap();
            cluster.store.delete(&key, on_top.version, &unconditional()).await.unwrap();
            let is_there = is_there().await;
            // As long as the outcome is open, the removal may still happen; once it is seen, it has.
            let may_happen = was_there && round == 0 && matches!(outcome, Err(Error::OutcomeUnknown));
            assert!(is_there == was_there || may_happen, "after {messages} messages, round {round}");
            was_there = is_there;
        }
        for entry in listed(&cluster.store, &id).await.unwrap() {
            cluster.store.delete(&key, Some(entry.version), &unconditional()).await.unwrap();
        }
        clean(&cluster).await;
        assert_eq!(cluster.store.usage(&id).await.unwrap(), Usage::default(), "after {messages} messages");
        cluster.store.delete_container(&id).await.unwrap();
    }
}

#[tokio::test]
async fn the_bytes_of_older_versions_are_no_garbage() {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "kept-bytes").await;
    let key = object(&id, "key");
    cluster.store.put(&key, new_object("null", unconditional())).await.unwrap();
    set_versioning(&cluster.store, &id, Versioning::Enabled).await;
    let large = noise(1, 2_000_000);
    let big = cluster.store.put(&key, new_object(large.clone(), unconditional())).await.unwrap();
    // One replica misses everything from here on, and catches up by what comes later.
    cluster.replicas[2].set_faults(Faults::reaching(Reach::Down));
    let top = cluster.store.put(&key, new_object("top", unconditional())).await.unwrap();
    cluster.replicas[2].set_faults(Faults::NONE);
    cluster.store.delete(&key, None, &unconditional()).await.unwrap();
    clean(&cluster).await;
    assert_eq!(read_version(&cluster.store, &key, Some(VersionId::Null)).await.unwrap(), "null");
    assert_eq!(read_version(&cluster.store, &key, big.version).await.unwrap(), large);
    assert_eq!(read_version(&cluster.store, &key, top.version).await.unwrap(), "top");
    cluster.store.delete(&key, big.version, &unconditional()).await.unwrap();
    for entry in listed(&cluster.store, &id).await.unwrap() {
        cluster.store.delete(&key, Some(entry.version), &unconditional()).await.unwrap();
    }
    clean(&cluster).await;
    assert!(cluster.replicas.iter().all(|replica| replica.blob_ids().is_empty()));
}

async fn clean(cluster: &Cluster) {
    for _ in 0..4 {
        cluster.store.idle().await;
        for device in cluster.device_ids() {
            collect_garbage(&cluster.store, device, 1000).await.unwrap();
            remove_tombstones(&cluster.store, device, 1000).await.unwrap();
        }
    }
}

//! What readers and writers saw, in the order in which it can have happened.
//!
//! Several writers put numbered bodies to one key through two proxies, while replicas fail one after the other,
//! and readers note what they see. A read is wrong if it gives something that had been overwritten, by a write that
//! was acknowledged, before the read began; or something that was never written; or if of two reads, one after
//! the other, the later gives what the earlier had already seen replaced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use martlet_cluster::ClusterStore;
use martlet_model::{Error, ObjectId, ObjectStore};
use martlet_testkit::Seeded;
use martlet_testkit::conformance::steps::{
    create, new_object, object, put, read as read_body, unconditional,
};
use tokio::time::{Instant, sleep};

use crate::conformance::{IMPATIENT, seeds, trouble};
use crate::harness::{Cluster, SMALL};

const WRITERS: u64 = 4;
const READERS: u64 = 4;
const OPERATIONS: u64 = 40;

#[derive(Clone, Copy, Debug)]
struct Write {
    value: u64,
    began: Instant,
    /// `None`: it isn't known whether it was stored.
    acknowledged: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    value: u64,
    began: Instant,
    ended: Instant,
}

#[derive(Default)]
struct History {
    writes: Vec<Write>,
    reads: Vec<Seen>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_is_of_a_moment_within_it() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        let cluster = Cluster::with_options(SMALL, IMPATIENT);
        let proxies = [cluster.store.clone(), cluster.another_proxy(seed + 100)];
        let key = object(&create(&cluster.store, "history").await, "key");
        let began = Instant::now();
        put(&cluster.store, &key, "0").await;
        let first = Write { value: 0, began, acknowledged: Some(Instant::now()) };
        let history = Arc::new(Mutex::new(History { writes: vec![first], reads: Vec::new() }));
        let troubles = tokio::spawn(trouble(cluster.replicas.clone(), seed));
        let tasks: Vec<_> = (0..WRITERS + READERS)
            .map(|actor| {
                let proxy = proxies[usize::from(actor % 2 == 0)].clone();
                let (key, history) = (key.clone(), history.clone());
                let random = Seeded::new(seed * 1000 + actor);
                if actor < WRITERS {
                    tokio::spawn(write(proxy, key, history, (actor, random)))
                } else {
                    tokio::spawn(read(proxy, key, history, random))
                }
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        troubles.abort();
        let history = history.lock().unwrap();
        check(&history, seed);
        let done = history.writes.iter().filter(|write| write.acknowledged.is_some()).count() as u64;
        assert!(WRITERS * OPERATIONS / 2 < done, "seed {seed}: only {done} writes came through");
        assert!(READERS * OPERATIONS < history.reads.len() as u64, "seed {seed}: too few reads came through");
    }
}

async fn write(
    proxy: ClusterStore,
    key: ObjectId,
    history: Arc<Mutex<History>>,
    (actor, mut random): (u64, Seeded),
) {
    for number in 0..OPERATIONS {
        sleep(Duration::from_millis(random.below(8) as u64)).await;
        let (value, began) = (1 + number * WRITERS + actor, Instant::now());
        let outcome = proxy.put(&key, new_object(value.to_string(), unconditional())).await;
        let acknowledged = match outcome {
            Ok(_) => Some(Instant::now()),
            Err(Error::OutcomeUnknown) => None,
            // Nothing was changed: as if it had never been tried.
            Err(Error::Unavailable(_)) => continue,
            Err(other) => panic!("{other:?}"),
        };
        history.lock().unwrap().writes.push(Write { value, began, acknowledged });
    }
}

async fn read(proxy: ClusterStore, key: ObjectId, history: Arc<Mutex<History>>, mut random: Seeded) {
    for _ in 0..2 * OPERATIONS {
        sleep(Duration::from_millis(random.below(5) as u64)).await;
        let began = Instant::now();
        let body = match read_body(&proxy, &key, None).await {
            Ok(body) => body,
            Err(Error::Unavailable(_)) => continue,
            Err(other) => panic!("{other:?}"),
        };
        let value = String::from_utf8_lossy(&body).parse().unwrap();
        history.lock().unwrap().reads.push(Seen { value, began, ended: Instant::now() });
    }
}

fn check(history: &History, seed: u64) {
    let write_of = |value: u64| history.writes.iter().find(|write| write.value == value);
    for read in &history.reads {
        let Some(own) = write_of(read.value) else { panic!("seed {seed}: {read:?} was never written") };
        assert!(own.began < read.ended, "seed {seed}: {read:?} is from the future");
        // Another write that began after this one was acknowledged, and was itself acknowledged before the read began.
        let overwritten = history.writes.iter().find(|other| {
            own.acknowledged.is_some_and(|done| done < other.began)
                && other.acknowledged.is_some_and(|done| done < read.began)
        });
        assert!(overwritten.is_none(), "seed {seed}: {read:?} of {own:?} after {overwritten:?}");
        for earlier in history.reads.iter().filter(|earlier| earlier.ended < read.began) {
            let other = write_of(earlier.value);
            let went_back =
                other.is_some_and(|other| own.acknowledged.is_some_and(|done| done < other.began));
            assert!(!went_back, "seed {seed}: {read:?} after {earlier:?}");
        }
    }
}

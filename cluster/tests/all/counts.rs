//! How much a container holds, while replicas differ.

use std::time::Duration;

use martlet_model::{ContainerStore, Usage};
use martlet_testkit::conformance::steps::{create, delete, object, put};
use martlet_testkit::{Faults, Reach};
use tokio::time::Instant;

use crate::harness::{Cluster, SMALL};

/// How long a figure may take on which replicas can't agree.
const ESTIMATED_AFTER: Duration = Duration::from_millis(1200);
/// Who asks later waits for what is left of that.
const LEFT: Duration = Duration::from_millis(300);
const AT_ONCE: Duration = Duration::from_millis(10);
/// After this it is tried again to bring rows level.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(20);

/// The first replica has missed what was done last, and the third is away: nobody agrees with anybody.
async fn disagreeing() -> (Cluster, martlet_model::ContainerId, Usage) {
    let cluster = Cluster::new(SMALL);
    let id = create(&cluster.store, "counted").await;
    for number in 0..60 {
        put(&cluster.store, &object(&id, format!("key-{number}")), "12345").await;
    }
    cluster.store.idle().await;
    cluster.replicas[0].set_faults(Faults::reaching(Reach::Down));
    for number in 0..20 {
        put(&cluster.store, &object(&id, format!("new-{number}")), "123").await;
        put(&cluster.store, &object(&id, format!("key-{number}")), "1234567").await;
        delete(&cluster.store, &object(&id, format!("key-{}", 20 + number))).await;
    }
    cluster.store.idle().await;
    cluster.replicas[0].set_faults(Faults::NONE);
    cluster.replicas[2].set_faults(Faults::reaching(Reach::Down));
    (cluster, id, Usage { objects: 60, bytes: 20 * 3 + 20 * 7 + 20 * 5 })
}

#[tokio::test(start_paused = true)]
async fn a_count_is_exact_though_no_two_replicas_agreed() {
    let (cluster, id, expected) = disagreeing().await;
    let started = Instant::now();
    assert_eq!(cluster.store.usage(&id).await.unwrap(), expected);
    assert!(started.elapsed() < ESTIMATED_AFTER, "{:?}", started.elapsed());
    assert_eq!(cluster.store.figures().counts_estimated.get(), 0);
    // They are level now, so that nobody has to wait again.
    let started = Instant::now();
    assert_eq!(cluster.another_proxy(3).usage(&id).await.unwrap(), expected);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_count_waits_a_second_for_replicas_that_cannot_be_brought_level() {
    let (cluster, id, expected) = disagreeing().await;
    cluster.replicas[0].set_faults(Faults { is_full: true, ..Faults::NONE });
    for patience in [ESTIMATED_AFTER, LEFT, AT_ONCE] {
        let started = Instant::now();
        cluster.store.usage(&id).await.unwrap();
        assert!(started.elapsed() < patience, "{:?}", started.elapsed());
    }
    assert_eq!(cluster.store.figures().counts_estimated.get(), 3);
    cluster.replicas[0].set_faults(Faults::NONE);
    tokio::time::sleep(TRIED_AGAIN_AFTER).await;
    assert_eq!(cluster.store.usage(&id).await.unwrap(), expected);
    assert_eq!(cluster.store.figures().counts_estimated.get(), 3);
}

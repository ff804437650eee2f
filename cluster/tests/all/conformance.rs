//! The cluster keeps the store contract, whatever its shape, and whatever befalls a minority of its replicas.

use std::time::Duration;

use martlet_cluster::Options;
use martlet_testkit::{Faults, MemoryReplica, Reach, Seeded, conformance};
use tokio::time::sleep;

use crate::harness::{Cluster, SMALL, Shape};

#[tokio::test]
async fn three_replicas_keep_the_contract() {
    conformance::all(&Cluster::new(SMALL).store).await;
}

#[tokio::test]
async fn six_devices_keep_the_contract() {
    conformance::all(&Cluster::new(Shape { devices: 6, partition_bits: 5 }).store).await;
}

#[tokio::test]
async fn many_partitions_keep_the_contract() {
    conformance::all(&Cluster::new(Shape { devices: 7, partition_bits: 10 }).store).await;
}

#[tokio::test]
async fn a_dead_replica_is_done_without() {
    let cluster = Cluster::new(SMALL);
    cluster.replicas[0].set_faults(Faults::reaching(Reach::Down));
    conformance::all(&cluster.store).await;
}

#[tokio::test]
async fn a_silent_replica_is_done_without() {
    let cluster = Cluster::new(SMALL);
    cluster.replicas[1].set_faults(Faults::reaching(Reach::Silent));
    conformance::all(&cluster.store).await;
}

#[tokio::test]
async fn a_full_replica_is_done_without() {
    let cluster = Cluster::new(SMALL);
    cluster.replicas[2].set_faults(Faults { is_full: true, ..Faults::NONE });
    conformance::all(&cluster.store).await;
}

#[tokio::test]
async fn a_replica_that_loses_answers_is_done_without() {
    let cluster = Cluster::new(SMALL);
    cluster.replicas[0].set_faults(Faults { answers_lost_one_in: Some(3), ..Faults::NONE });
    conformance::all(&cluster.store).await;
}

#[tokio::test]
async fn whatever_befalls_one_replica_is_survived() {
    for seed in seeds() {
        let cluster = Cluster::with_options(SMALL, IMPATIENT);
        // The same one throughout: an upload that two replicas drop out of one after the other rightly fails.
        let victim = cluster.replicas[usize::try_from(seed % 3).unwrap()].clone();
        let troubles = tokio::spawn(trouble(vec![victim], seed));
        // The seed of a failure is in its output.
        eprintln!("seed {seed}");
        conformance::all(&cluster.store).await;
        troubles.abort();
    }
}

/// A silent replica costs milliseconds here, not seconds.
pub(crate) const IMPATIENT: Options = Options {
    hedge_delay: Duration::from_millis(10),
    answer_deadline: Duration::from_millis(200),
    ..Options::STANDARD
};

/// `MARTLET_SEED=7` repeats one run.
pub(crate) fn seeds() -> Vec<u64> {
    match std::env::var("MARTLET_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => vec![1, 2, 3],
    }
}

/// One replica after another is in trouble for a moment.
pub(crate) async fn trouble(replicas: Vec<MemoryReplica>, seed: u64) {
    let mut random = Seeded::new(seed);
    loop {
        let Some(victim) = random.pick(&replicas).cloned() else { return };
        let faults = match random.below(6) {
            0 => Faults::reaching(Reach::Down),
            1 => Faults::reaching(Reach::Silent),
            2 => Faults::reaching(Reach::Slow(Duration::from_millis(random.below(80) as u64))),
            3 => Faults { answers_lost_one_in: Some(2), ..Faults::NONE },
            4 => Faults { is_full: true, ..Faults::NONE },
            _ => Faults::NONE,
        };
        if random.one_in(2) {
            victim.restart();
        }
        victim.set_faults(faults);
        sleep(Duration::from_millis(random.below(60) as u64)).await;
        victim.set_faults(Faults::NONE);
    }
}

//! Everything fails, in any order, and nobody is ever told anything wrong.
//!
//! - `MARTLET_CHAOS_SEED` decides what is done to the cluster and what clients ask; a failure names its seed.
//!   The same seed gives the same decisions, not the same history: the machine has its say as well.
//! - `MARTLET_CHAOS_SECONDS` is how long things go on failing.
//! - `MARTLET_CHAOS_CLIENTS` is how many clients there are.

use std::time::{Duration, Instant};

use martlet_testkit::Seeded;
use martlet_tests::cluster::{Cluster, Shape};

use crate::aftermath;
use crate::clients::{Ask, Reply};
use crate::faults::Breaker;
use crate::faulty::FaultyCluster;
use crate::field::CONTAINERS;
use crate::history::History;
use crate::load::{Load, clients};
use crate::verdict::violations;

pub(crate) const SEED: u64 = 1;
const SECONDS: u64 = 30;
const CLIENTS: u64 = 10;
const SHAPES: [Shape; 3] = [
    Shape { nodes: 3, proxies: 2, devices: 1 },
    Shape { nodes: 4, proxies: 2, devices: 1 },
    Shape { nodes: 3, proxies: 3, devices: 2 },
];

#[test]
fn whatever_fails_nobody_is_told_anything_wrong() {
    let seed = variable("MARTLET_CHAOS_SEED").unwrap_or(SEED);
    let duration = Duration::from_secs(variable("MARTLET_CHAOS_SECONDS").unwrap_or(SECONDS));
    eprintln!("MARTLET_CHAOS_SEED={seed}");
    let mut folder = tempfile::tempdir().unwrap();
    let mut random = Seeded::new(seed);
    let shape = *random.pick(&SHAPES).unwrap();
    let faulty = FaultyCluster::start(folder.path(), shape);
    make_containers(&faulty.cluster);
    let load = Load::start(&faulty.cluster, seed, variable("MARTLET_CHAOS_CLIENTS").unwrap_or(CLIENTS));
    let mut breaker = Breaker::new(faulty, load.shared.watch);
    let until = Instant::now() + duration;
    while Instant::now() < until {
        breaker.episode(&mut random);
    }
    breaker.note("all is mended".to_owned());
    let (shared, mut history) = load.stop();
    aftermath::read_everything(&breaker.faulty.cluster, &shared, &mut history);
    history.incidents.append(&mut breaker.incidents);
    eprintln!(
        "seed {seed}: {} calls and {} pages, {} acknowledged changes, {} unknown outcomes, {} incidents, {} kills",
        history.records.len(),
        history.pages.len(),
        history.acknowledged_count(),
        history.unknown_count(),
        history.incidents.len(),
        breaker.kills,
    );
    check(&history, seed, &mut folder);
    let took = aftermath::await_level(&breaker.faulty.cluster, history.acknowledged_count());
    eprintln!("seed {seed}: level after {:.0} s", took.as_secs_f64());
}

pub(crate) fn make_containers(cluster: &Cluster) {
    let session = cluster.session(0);
    let client = &clients(cluster)[0];
    assert_eq!(session.put(CONTAINERS[0], b"").status(), 201);
    let kept = Ask::new(http::Method::PUT, CONTAINERS[1], b"").with("x-versions-enabled", "true");
    let Reply::Answer(answer) = client.swift(kept) else { panic!("no answer") };
    assert_eq!(answer.status, 201);
}

/// Fails the test if no order explains the history, which is then kept, and what the processes have logged.
pub(crate) fn check(history: &History, seed: u64, folder: &mut tempfile::TempDir) {
    let violations = violations(history);
    if !violations.is_empty() {
        folder.disable_cleanup(true);
        let kept = history.keep(&format!("chaos-{seed}.history"));
        panic!(
            "MARTLET_CHAOS_SEED={seed}: the history is in {}, the cluster in {}:\n{}",
            kept.display(),
            folder.path().display(),
            violations.join("\n")
        );
    }
}

pub(crate) fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

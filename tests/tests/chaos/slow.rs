//! A node that is slow, but not gone: requests go as fast as the others do.

use std::time::{Duration, Instant};

use martlet_tests::cluster::Shape;
use martlet_tests::files;
use martlet_tests::relay::{Condition, Way};
use martlet_tests::swift::Session;

use crate::faulty::FaultyCluster;

/// There and back it is twice as much.
const DELAY: Duration = Duration::from_millis(300);
const REQUESTS: u64 = 200;
const BODY_BYTES: usize = 4096;

#[test]
fn nobody_waits_for_a_slow_node() {
    let folder = tempfile::tempdir().unwrap();
    let faulty = FaultyCluster::start(folder.path(), Shape::STANDARD);
    let session = faulty.cluster.session(0);
    assert_eq!(session.put("box", b"").status(), 201);
    let before = [put_all(&session, 0), get_all(&session, 0)];
    for node in 1..=3 {
        faulty.set_link(node, Condition::both(Way::Slow(DELAY)));
        let slow = [put_all(&session, u64::from(node)), get_all(&session, u64::from(node))];
        faulty.set_link(node, Condition::OPEN);
        eprintln!("node {node} slow: p99 of PUT and GET {slow:.1?}, before {before:.1?}");
        assert!(slow.iter().all(|slow| *slow < 2 * DELAY), "{slow:?}");
    }
}

fn put_all(session: &Session, round: u64) -> Duration {
    let body = files::bytes(round, BODY_BYTES);
    percentile_99(|number| assert_eq!(session.put(&format!("box/{round}-{number}"), &body).status(), 201))
}

fn get_all(session: &Session, round: u64) -> Duration {
    percentile_99(|number| assert_eq!(session.get(&format!("box/{round}-{number}")).status(), 200))
}

fn percentile_99(request: impl Fn(u64)) -> Duration {
    let timed = |number| {
        let started = Instant::now();
        request(number);
        started.elapsed()
    };
    let mut durations: Vec<_> = (0..REQUESTS).map(timed).collect();
    durations.sort_unstable();
    durations[durations.len() * 99 / 100]
}

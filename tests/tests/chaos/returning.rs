//! A node that was away gets what it missed.
//!
//! `MARTLET_CHAOS_OBJECTS` is how many objects it misses.

use std::sync::atomic::{AtomicU64, Ordering};

use martlet_tests::cluster::{Cluster, Shape};
use martlet_tests::files;

use crate::aftermath::await_level;
use crate::mixed::variable;

const OBJECTS: u64 = 500;
const WRITERS: usize = 8;
const BODY_BYTES: usize = 1000;

#[test]
fn a_node_that_was_away_is_level_in_time() {
    let objects = variable("MARTLET_CHAOS_OBJECTS").unwrap_or(OBJECTS);
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape::STANDARD);
    cluster.launch_all();
    let session = cluster.session(0);
    assert_eq!(session.put("box", b"").status(), 201);
    // Some of them it has, and misses that they are deleted or overwritten.
    write_all(&cluster, objects / 5, |number| {
        assert_eq!(session.put(&format!("box/{number}"), b"old").status(), 201);
    });
    cluster.kill("node-2");
    write_all(&cluster, objects, |number| {
        let key = format!("box/{number}");
        let status = if number < objects / 10 {
            session.delete(&key).status()
        } else {
            session.put(&key, &files::bytes(number, BODY_BYTES)).status()
        };
        assert!([201, 204].contains(&status), "{key}: {status}");
    });
    cluster.launch("node-2");
    let took = await_level(&cluster, usize::try_from(objects).unwrap());
    eprintln!("{objects} objects missed, level after {:.1} s", took.as_secs_f64());
}

fn write_all(cluster: &Cluster, count: u64, write: impl Fn(u64) + Sync) {
    assert!(!cluster.endpoints().is_empty());
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if count <= number {
                        return;
                    }
                    write(number);
                }
            });
        }
    });
}

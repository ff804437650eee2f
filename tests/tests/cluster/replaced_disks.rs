//! A disk is lost for good, and an empty one takes its place while clients go on.

use std::fs;
use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, Shape, martlet};
use martlet_tests::files;
use martlet_tests::swift::Session;

use crate::operating::ask;
use crate::work::Work;

/// How long it may take until the new device has everything.
const FILLED_MAX: Duration = Duration::from_mins(2);

fn body(number: u64) -> Vec<u8> {
    // Beside their rows, and in blobs of their own.
    files::bytes(number, if number.is_multiple_of(10) { 1_300_000 } else { 3_000 })
}

fn put(session: &Session, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(session.put(&format!("kept/{number}"), &body(number)).status(), 201, "{number}");
    }
}

fn check(session: &Session, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let (status, read) = session.get(&format!("kept/{number}")).parts();
        assert_eq!(status, 200, "{number}");
        assert!(read == body(number), "{number} has other bytes");
    }
}

fn fsck(cluster: &Cluster) -> std::process::Output {
    martlet(&["fsck", "--deep", "--config", &cluster.config("proxy-1").to_string_lossy()])
}

#[test]
fn a_lost_disk_is_replaced_by_an_empty_one_and_filled_while_clients_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { proxies: 1, ..Shape::STANDARD });
    cluster.launch_all();
    let session = cluster.session(0);
    assert_eq!(session.put("kept", b"").status(), 201);
    put(&session, 0..60);
    assert_eq!(session.delete("kept/59").status(), 204);

    cluster.kill("node-2");
    let disk = cluster.folder.join("node-2/devices/2");
    fs::remove_dir_all(&disk).unwrap();
    put(&session, 60..80);
    let config = cluster.config("node-2");
    let config = config.to_string_lossy();
    let refused = martlet(&["node", "--config", &config]);
    assert!(!refused.status.success(), "an empty folder is no device");
    let replaced = martlet(&["node", "--config", &config, "--replace-device", "2"]);
    assert!(replaced.status.success(), "{}", String::from_utf8_lossy(&replaced.stderr));
    let again = martlet(&["node", "--config", &config, "--replace-device", "2"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("isn't empty"), "what is there is left alone");

    cluster.launch("node-2");
    let answer = ask(&cluster, "node-2", "/ready");
    assert!(answer.status == 503 && answer.body.contains("refilled"), "{answer:?}");
    // An empty device that counted would make the others' rows vanish.
    cluster.kill("node-1");
    assert_eq!(session.get("kept/1").status(), 503);
    assert_eq!(session.put("kept/1", b"other").status(), 503);
    cluster.launch("node-1");
    let since = Instant::now();
    while session.get("kept/1").status() != 200 {
        assert!(since.elapsed() < Duration::from_secs(5), "node 1 isn't used again");
    }

    let mut work = Work::begin(&cluster);
    let since = Instant::now();
    while ask(&cluster, "node-2", "/ready").status != 200 {
        assert!(since.elapsed() < FILLED_MAX, "{}", cluster.log("node-2"));
        work.round();
    }
    let since = Instant::now();
    let mut found = fsck(&cluster);
    while !found.status.success() && since.elapsed() < FILLED_MAX {
        std::thread::sleep(Duration::from_secs(1));
        found = fsck(&cluster);
    }
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
    assert!(!disk.join("refilling").exists());

    // From now on it counts like any other, also after a restart.
    assert!(cluster.terminate("node-2").success());
    cluster.launch("node-2");
    cluster.kill("node-1");
    std::thread::sleep(Duration::from_secs(3));
    check(&session, 0..59);
    check(&session, 60..80);
    assert_eq!(session.get("kept/59").status(), 404, "what was deleted stays so");
    put(&session, 80..90);
    work.round();
}

#[test]
fn a_replacement_that_was_interrupted_never_counts_as_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { nodes: 3, proxies: 1, devices: 2 });
    let disk = cluster.folder.join("node-1/devices/2");
    fs::remove_dir_all(&disk).unwrap();
    let config = cluster.config("node-1");
    let replaced = martlet(&["node", "--config", &config.to_string_lossy(), "--replace-device", "2"]);
    assert!(replaced.status.success(), "{}", String::from_utf8_lossy(&replaced.stderr));
    // As a power cut leaves it before its floor is known to be durable.
    fs::write(disk.join("refilling"), "unfinished").unwrap();
    cluster.launch("node-1");
    let answer = ask(&cluster, "node-1", "/ready");
    assert!(answer.status == 503 && answer.body.contains("wasn't made to its end"), "{answer:?}");
}

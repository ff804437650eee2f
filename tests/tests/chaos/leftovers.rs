//! A proxy that dies in the middle of an upload leaves the old object or the new one, and after the sweep nothing else.
//!
//! The sweep takes a blob for lost after a day: so a day passes on all clocks of the nodes.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, Shape};
use martlet_tests::files;
use martlet_tests::swift::Reply;

use crate::aftermath::fsck;
use crate::faulty::{Clocks, FaultyCluster};

const OLD_BYTES: usize = 300_000;
/// What is uploaded, and how much of it has been sent when the proxy dies: half of a blob, and one blob and a half.
const NEW_BYTES: usize = 150_000_000;
const SENT_BYTES: [usize; 2] = [30_000_000, 100_000_000];
const DAY_SECONDS: i64 = 25 * 3600;
const HOUR_SECONDS: i64 = 3600;
/// How long the sweep may take once it is time.
const SWEEP_MAX: Duration = Duration::from_secs(60);

#[test]
fn nothing_is_left_of_uploads_whose_proxy_died() {
    let folder = tempfile::tempdir().unwrap();
    let mut faulty = FaultyCluster::start(folder.path(), Shape::STANDARD, Clocks::All);
    let other = faulty.cluster.session(1);
    assert_eq!(other.put("box", b"").status(), 201);
    let old = files::bytes(0, OLD_BYTES);
    assert_eq!(other.put("box/object", &old).status(), 201);
    for sent_bytes in SENT_BYTES {
        let token = faulty.cluster.session(0).token().to_owned();
        let mut stream = begin_put(&faulty.cluster, &token);
        stream.write_all(&files::bytes(1, sent_bytes)).unwrap();
        await_blob_files(folder.path());
        faulty.cluster.kill("proxy-1");
        assert!(other.get("box/object") == Reply::Answer { status: 200, body: old.clone() }, "a mixture");
        faulty.cluster.launch("proxy-1");
    }
    // The nodes have seen to what was under way. Blobs that were whole wait for the sweep.
    sleep(Duration::from_secs(2));
    assert!(!blob_files(folder.path()).is_empty(), "no upload has left a blob");
    assert_eq!(other.delete("box/object").status(), 204);
    // The grace for what was deleted, and for what nobody ever referred to.
    for seconds in [DAY_SECONDS, DAY_SECONDS + 2 * HOUR_SECONDS] {
        for name in ["node-1", "node-2", "node-3"] {
            faulty.set_clock(name, seconds);
        }
        sleep(Duration::from_secs(10));
    }
    let until = Instant::now() + SWEEP_MAX;
    while let Some(left) = blob_files(folder.path()).pop() {
        assert!(Instant::now() < until, "{left} is left over");
        sleep(Duration::from_millis(500));
    }
    let (is_level, said) = fsck(&faulty.cluster);
    assert!(is_level, "{said}");
    assert_eq!(other.get("box/object").status(), 404);
}

fn begin_put(cluster: &Cluster, token: &str) -> TcpStream {
    let address = cluster.endpoints()[0].trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "PUT /v1/AUTH_main/box/object HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: {NEW_BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn await_blob_files(folder: &Path) {
    let until = Instant::now() + SWEEP_MAX;
    while blob_files(folder).is_empty() {
        assert!(Instant::now() < until, "no upload has reached the devices");
        sleep(Duration::from_millis(50));
    }
}

/// Large blobs, and what uploads have staged, on all devices.
fn blob_files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // It may be removed meanwhile.
        for entry in fs::read_dir(folder).into_iter().flatten().map_while(Result::ok) {
            let path = entry.path();
            let is_blob =
                path.components().any(|part| part.as_os_str() == "blobs" || part.as_os_str() == "staging");
            if path.is_dir() {
                folders.push(path);
            } else if is_blob {
                files.push(path.display().to_string());
            }
        }
    }
    files
}

//! Memory has a bound, however many bodies are under way. `cargo bench -p martlet-tests --bench store -- memory` loads
//! the same with whole bodies.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use martlet_tests::cluster::{Cluster, Shape};
use martlet_tests::connection::Connection;
use martlet_tests::{files, process};

/// Uploads at once, and as many downloads.
const BODIES: usize = 200;
const BODY_BYTES: usize = 64 << 20;
/// What of an upload is sent: several blocks, and a part of one.
const SENT_BYTES: usize = (512 + 32) << 10;
/// What is downloaded, and isn't read.
const STORED_BYTES: usize = 8 << 20;
const SENDERS: usize = 16;
/// Of all processes together, in MiB.
const RESIDENT_MIB_MAX: f64 = 256.0;
const SAMPLING: Duration = Duration::from_millis(20);
const STANDSTILL: Duration = Duration::from_secs(2);

#[test]
fn hundreds_of_bodies_that_are_under_way_are_held_within_the_memory_bound() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(&folder.path().join("cluster"), Shape { proxies: 1, ..Shape::STANDARD });
    cluster.launch_all();
    let session = cluster.session(0);
    assert_eq!(session.put("box", b"").status(), 201);
    assert_eq!(session.put("box/stored", &files::bytes(1, STORED_BYTES)).status(), 201);
    let address = cluster.endpoints()[0].trim_start_matches("http://").to_owned();
    let head = |method: &str, name: &str, bytes: usize| {
        let token = session.token();
        let path = format!("/v1/AUTH_main/box/{name}");
        format!(
            "{method} {path} HTTP/1.1\r\nHost: box\r\nX-Auth-Token: {token}\r\nContent-Length: {bytes}\r\n\r\n"
        )
    };
    let sent = files::bytes(2, SENT_BYTES);
    let begin = |number: usize| -> io::Result<[Connection; 2]> {
        let mut upload = Connection::open(&address)?;
        upload.send(head("PUT", &format!("upload-{number}"), BODY_BYTES).as_bytes())?;
        upload.send(&sent)?;
        let mut download = Connection::open(&address)?;
        download.send(head("GET", "stored", 0).as_bytes())?;
        assert_eq!(download.head()?.status, 200);
        Ok([upload, download])
    };
    let peak = peak_mib(&cluster, || {
        let under_way: Vec<_> = scope(|scope| {
            let begin = &begin;
            let share = |sender| scope.spawn(move || (sender..BODIES).step_by(SENDERS).map(begin).collect());
            let senders: Vec<_> = (0..SENDERS).map(share).collect();
            senders.into_iter().map(|sender| sender.join().unwrap()).collect::<Vec<io::Result<Vec<_>>>>()
        });
        sleep(STANDSTILL);
        assert_eq!(under_way.into_iter().map(|begun| begun.unwrap().len()).sum::<usize>(), BODIES);
    });
    assert!(peak <= RESIDENT_MIB_MAX, "{peak:.1} MiB were resident, and {RESIDENT_MIB_MAX} are the bound");
}

/// The most that all processes had resident at one moment meanwhile.
fn peak_mib(cluster: &Cluster, act: impl FnOnce()) -> f64 {
    let is_over = AtomicBool::new(false);
    scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peak = 0.0_f64;
            while !is_over.load(Ordering::Relaxed) {
                peak = peak.max(cluster.ids().map(|(_, id)| process::resident_mib(id)).sum());
                sleep(SAMPLING);
            }
            peak
        });
        act();
        is_over.store(true, Ordering::Relaxed);
        sampler.join().unwrap()
    })
}

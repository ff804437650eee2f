//! One of the three devices of a server is lost, and an empty one takes its place.

use std::fs;
use std::time::{Duration, Instant};

use martlet_tests::files;
use martlet_tests::server::{Server, martlet};
use martlet_tests::swift::Session;

use crate::work::Work;

/// How long it may take until the new device has everything.
const FILLED_MAX: Duration = Duration::from_mins(2);

fn body(number: u64) -> Vec<u8> {
    // Beside their rows, and in blobs of their own.
    files::bytes(number, if number.is_multiple_of(10) { 1_300_000 } else { 3_000 })
}

#[test]
fn a_lost_device_of_a_server_is_replaced_by_an_empty_one_and_filled() {
    let work = Work::new();
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    assert_eq!(session.put("kept", b"").status(), 201);
    for number in 0..30 {
        assert_eq!(session.put(&format!("kept/{number}"), &body(number)).status(), 201);
    }
    server.kill();
    let (data, device) = (work.data().display().to_string(), work.data().join("devices/1"));
    fs::remove_dir_all(&device).unwrap();
    martlet(&format!("serve --data {data} --replace-device 1"));

    // What is empty doesn't count: everything is still there, and so it is after a further restart.
    for _ in 0..2 {
        let server = Server::start(&work.data());
        let session = Session::open(&server);
        assert_eq!(session.get("kept/7").parts(), (200, body(7)));
        assert!(device.join("refilling").exists());
        server.kill();
    }
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    let since = Instant::now();
    while device.join("refilling").exists() {
        assert!(since.elapsed() < FILLED_MAX, "{}", work.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    let found = martlet(&format!("fsck --deep --data {data}"));
    assert!(found.contains("not fully redundant: 0, every byte was read"), "{found}");

    // From now on it counts like any other: one of the others may be lost.
    server.terminate();
    fs::remove_dir_all(work.data().join("devices/0")).unwrap();
    let server = Server::start(&work.data());
    let session_after = Session::open(&server);
    for number in 0..30 {
        let (status, read) = session_after.get(&format!("kept/{number}")).parts();
        assert!(status == 200 && read == body(number), "{number}: {status}");
    }
    drop((session, server));
}

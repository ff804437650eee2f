//! kill -9 in a loop under load: nothing acknowledged is ever lost, nothing half is ever seen.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martlet_tests::files;
use martlet_tests::server::Server;
use martlet_tests::swift::{Reply, Session};

use crate::blob_files;
use crate::work::Work;

/// How often the server is killed: `MARTLET_KILLS`, or else this.
const KILLS_COUNT: u64 = 8;
const WRITERS_COUNT: u64 = 8;
const KEYS_PER_WRITER: u64 = 12;
/// Small, carried and staged bodies.
const SIZES: [usize; 5] = [0, 100, 5_000, 300_000, 2_500_000];

/// What one key may hold: every write since the last that was acknowledged may have happened, and that one did.
#[derive(Clone, Default)]
struct Possible {
    acknowledged: Option<u64>,
    uncertain: Vec<u64>,
}

type Ledger = Arc<Mutex<HashMap<String, Possible>>>;

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let kills: u64 =
        std::env::var("MARTLET_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS_COUNT);
    let work = Work::new();
    let ledger = Ledger::default();
    let mut acknowledged = 0;
    for round in 0..kills {
        let server = Server::start(&work.data());
        let session = Session::open(&server);
        assert!([201, 202].contains(&session.put("box", b"").status()));
        check(&session, &ledger);
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS_COUNT)
            .map(|writer| {
                let (session, ledger, stop) = (session.clone(), ledger.clone(), stop.clone());
                std::thread::spawn(move || write(&session, &ledger, &stop, round, writer))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(400 + round * 97 % 700));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        acknowledged += writers.into_iter().map(|writer| writer.join().unwrap()).sum::<u64>();
    }
    let server = Server::start(&work.data());
    check(&Session::open(&server), &ledger);
    assert!(acknowledged > kills, "only {acknowledged} writes were acknowledged: the test saw too little");
    eprintln!("{acknowledged} acknowledged writes over {kills} kills");
}

#[test]
fn an_upload_that_a_kill_cut_off_leaves_nothing_behind() {
    const SENT_BYTES: usize = 100 << 20;
    let work = Work::new();
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    assert_eq!(session.put("box", b"").status(), 201);
    let token = session.token();
    let head = format!(
        "PUT /v1/AUTH_main/box/large HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: {}\r\n\r\n",
        2 * SENT_BYTES
    );
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&files::bytes(1, SENT_BYTES)).unwrap();
    assert!(!blob_files::list(&work.data()).is_empty(), "the upload hasn't reached the devices");
    server.kill();

    let server = Server::start(&work.data());
    assert_eq!(Session::open(&server).get("box/large").status(), 404);
    blob_files::check_all_gone(&work.data());
}

/// Writes and deletes until told to stop or the server is gone; returns how many were acknowledged.
fn write(session: &Session, ledger: &Ledger, stop: &AtomicBool, round: u64, writer: u64) -> u64 {
    let mut acknowledged = 0;
    for step in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("box/{writer}-{}", step % KEYS_PER_WRITER);
        // 0 stands for "there is none".
        let deletes = step % 7 == 6;
        let version = if deletes { 0 } else { 1 + (round << 40 | writer << 32 | step) };
        ledger.lock().unwrap().entry(key.clone()).or_default().uncertain.push(version);
        let reply = if deletes { session.delete(&key) } else { session.put(&key, &body(version)) };
        match reply.status() {
            201 | 204 | 404 => {
                acknowledged += 1;
                let settled = Possible { acknowledged: Some(version), uncertain: Vec::new() };
                ledger.lock().unwrap().insert(key, settled);
            }
            0 | 503 => {}
            other => panic!("{key}: {other}"),
        }
        if reply == Reply::Lost {
            break;
        }
    }
    acknowledged
}

/// The version's own bytes, which name it.
fn body(version: u64) -> Vec<u8> {
    let size = SIZES[usize::try_from(version % SIZES.len() as u64).unwrap()];
    let mut body = version.to_be_bytes().to_vec();
    body.extend(files::bytes(version, size));
    body
}

/// Every key holds something that it may hold, and the listing agrees.
fn check(session: &Session, ledger: &Ledger) {
    let mut ledger = ledger.lock().unwrap();
    let mut present = Vec::new();
    for (key, possible) in ledger.iter_mut() {
        let version = match session.get(key) {
            Reply::Answer { status: 404, .. } => 0,
            Reply::Answer { status: 200, body: found } => {
                let version = u64::from_be_bytes(found[..8].try_into().unwrap());
                assert!(found == body(version), "{key} holds bytes that nobody wrote");
                present.push(key.trim_start_matches("box/").to_owned());
                version
            }
            other => panic!("{key}: status {}", other.status()),
        };
        let allowed = possible.acknowledged == Some(version)
            || possible.uncertain.contains(&version)
            || (possible.acknowledged.is_none() && version == 0);
        assert!(allowed, "{key} holds {version}, acknowledged {:?}", possible.acknowledged);
        *possible = Possible { acknowledged: Some(version), uncertain: Vec::new() };
    }
    present.sort_unstable();
    let listing = match session.get("box") {
        Reply::Answer { status: 200, body } => String::from_utf8(body).unwrap(),
        Reply::Answer { status: 204, .. } => String::new(),
        other => panic!("the listing: {}", other.status()),
    };
    assert_eq!(listing.lines().collect::<Vec<_>>(), present);
}

//! Nodes are killed, and stand still: the cluster goes on, and what comes back isn't believed before it knows.

use std::thread::sleep;
use std::time::{Duration, Instant};

use martlet_tests::cluster::Cluster;
use martlet_tests::raw;
use martlet_tests::swift::Reply;

use crate::work::{CAUGHT_MAX, Work, check_durations};

/// After this everybody knows that a node is lost.
const KNOWN_AFTER: Duration = Duration::from_millis(2500);
/// Far below any deadline, and above what a loaded machine takes for a round of requests.
const UNDELAYED_MAX: Duration = Duration::from_millis(900);
/// How long a node that is back may take until it is used again.
const USED_AFTER: Duration = Duration::from_secs(2);
/// How long an answer may take that says that too many nodes are down.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(5);

#[test]
fn with_a_node_killed_everything_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let mut work = Work::begin(&cluster);
    work.round();
    cluster.kill("node-2");
    check_durations(&work.rounds_for(KNOWN_AFTER), CAUGHT_MAX);
    check_durations(&work.rounds_for(Duration::from_secs(3)), UNDELAYED_MAX);
    cluster.launch("node-2");
    check_durations(&work.rounds_for(USED_AFTER), CAUGHT_MAX);
    // Now it is needed.
    cluster.kill("node-3");
    check_durations(&work.rounds_for(KNOWN_AFTER), CAUGHT_MAX);
}

#[test]
fn with_a_node_standing_still_everything_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(folder.path());
    let mut work = Work::begin(&cluster);
    work.round();
    cluster.freeze("node-1");
    check_durations(&work.rounds_for(KNOWN_AFTER), CAUGHT_MAX);
    check_durations(&work.rounds_for(Duration::from_secs(3)), UNDELAYED_MAX);
    cluster.thaw("node-1");
    check_durations(&work.rounds_for(USED_AFTER), CAUGHT_MAX);
    cluster.freeze("node-2");
    check_durations(&work.rounds_for(KNOWN_AFTER), CAUGHT_MAX);
}

#[test]
fn a_node_that_returns_never_shows_what_is_stale() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let sessions = [cluster.session(0), cluster.session(1)];
    assert_eq!(sessions[0].put("box", b"").status(), 201);
    for key in ["changed", "deleted"] {
        assert_eq!(sessions[0].put(&format!("box/{key}"), b"old").status(), 201);
    }
    cluster.kill("node-1");
    assert_eq!(sessions[0].put("box/changed", b"new").status(), 201);
    assert_eq!(sessions[0].put("box/made", b"new").status(), 201);
    assert_eq!(sessions[0].delete("box/deleted").status(), 204);
    cluster.launch("node-1");
    sleep(USED_AFTER);
    // Every majority has the returned node in it.
    cluster.kill("node-2");
    let new = Reply::Answer { status: 200, body: b"new".to_vec() };
    for session in &sessions {
        assert_eq!(session.get("box/changed"), new);
        assert_eq!(session.get("box/made"), new);
        assert_eq!(session.get("box/deleted").status(), 404);
        let listing = Reply::Answer { status: 200, body: b"changed\nmade\n".to_vec() };
        assert_eq!(session.get("box"), listing);
    }
}

#[test]
fn with_two_nodes_killed_clients_are_told_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let session = prepared(&cluster);
    cluster.kill("node-1");
    cluster.kill("node-2");
    check_given_up(&cluster, &session);
    cluster.launch("node-1");
    check_recovery(&cluster);
}

#[test]
fn with_two_nodes_standing_still_clients_are_told_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(folder.path());
    let session = prepared(&cluster);
    cluster.freeze("node-1");
    cluster.freeze("node-3");
    check_given_up(&cluster, &session);
    cluster.thaw("node-1");
    check_recovery(&cluster);
}

/// A token, and an object to ask for.
fn prepared(cluster: &Cluster) -> String {
    let session = cluster.session(0);
    assert_eq!(session.put("box", b"").status(), 201);
    assert_eq!(session.put("box/there", b"content").status(), 201);
    session.token().to_owned()
}

fn check_given_up(cluster: &Cluster, token: &str) {
    for endpoint in cluster.endpoints() {
        for (method, path) in [
            ("PUT", "box/new"),
            ("GET", "box/there"),
            ("HEAD", "box/there"),
            ("GET", "box"),
            ("DELETE", "box/there"),
            ("PUT", "other"),
        ] {
            let request = format!(
                "{method} /v1/AUTH_main/{path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let started = Instant::now();
            let answer = raw::send_to(endpoint.trim_start_matches("http://"), request.as_bytes());
            let took = started.elapsed();
            assert_eq!(answer.status, 503, "{method} {path} after {took:?}: {}", answer.head);
            let head = answer.head.to_ascii_lowercase();
            assert!(head.contains("\r\nretry-after: "), "{method} {path}: {head}");
            assert!(took < GIVEN_UP_AFTER, "{method} {path} took {took:?}");
        }
    }
}

/// With a majority back, everything works again, and nothing that was answered 503 has done harm.
fn check_recovery(cluster: &Cluster) {
    sleep(USED_AFTER);
    for proxy in 0..cluster.endpoints().len() {
        let session = cluster.session(proxy);
        assert_eq!(session.put("box/after", b"content").status(), 201);
        // A deletion without a majority may have taken place or not, but what it left is one or the other for all.
        let status = session.get("box/there").status();
        assert!([200, 404].contains(&status), "{status}");
        assert_eq!(cluster.session(0).get("box/there").status(), status);
    }
}

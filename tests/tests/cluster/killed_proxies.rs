//! A proxy that is killed in the middle of a write leaves the old object or the new one.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use martlet_tests::cluster::Cluster;
use martlet_tests::files;
use martlet_tests::swift::Reply;

const OLD_BYTES: usize = 300_000;
const NEW_BYTES: usize = 6_000_000;

#[test]
fn half_a_body_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let (session, other) = (cluster.session(0), cluster.session(1));
    assert_eq!(session.put("box", b"").status(), 201);
    let old = files::bytes(1, OLD_BYTES);
    assert_eq!(session.put("box/object", &old).status(), 201);
    let mut stream = begin_put(&cluster, session.token());
    stream.write_all(&files::bytes(2, NEW_BYTES / 2)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    cluster.kill("proxy-1");
    assert_eq!(other.get("box/object"), Reply::Answer { status: 200, body: old });
}

#[test]
fn whenever_the_proxy_dies_the_object_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let other = cluster.session(1);
    assert_eq!(other.put("box", b"").status(), 201);
    let (mut present, mut kept_old) = (files::bytes(0, OLD_BYTES), 0);
    assert_eq!(other.put("box/object", &present).status(), 201);
    for round in 1..=8 {
        let token = cluster.session(0).token().to_owned();
        let new = files::bytes(round, NEW_BYTES);
        let mut stream = begin_put(&cluster, &token);
        let sent = new.clone();
        let sending = std::thread::spawn(move || {
            // The proxy is killed under it.
            let _ = stream.write_all(&sent);
            stream
        });
        std::thread::sleep(Duration::from_millis(round * 12));
        cluster.kill("proxy-1");
        drop(sending.join().unwrap());
        match other.get("box/object") {
            Reply::Answer { status: 200, body } if body == new => present = new,
            Reply::Answer { status: 200, body } => {
                assert!(body == present, "round {round}: neither the old object nor the new one");
                kept_old += 1;
            }
            other => panic!("round {round}: {}", other.status()),
        }
        cluster.launch("proxy-1");
    }
    assert!(kept_old > 0, "no kill was early enough to interrupt anything");
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

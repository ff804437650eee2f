//! The first start, the second, and the end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use martlet_tests::client;
use martlet_tests::server::Server;
use martlet_tests::swift::Session;

use crate::work::Work;

#[test]
fn the_first_start_says_how_to_get_in() {
    let work = Work::new();
    let server = Server::start(&work.data());
    for name in
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "ST_AUTH", "ST_USER", "ST_KEY"]
    {
        assert!(server.greeting.contains(server.variable(name)), "{name} isn't in:\n{}", server.greeting);
    }
    for name in ["aws s3", "s3cmd --host", "swift upload"] {
        assert!(server.greeting.contains(name), "no line for {name} in:\n{}", server.greeting);
    }
    assert_eq!(server.variable("AWS_DEFAULT_REGION"), "us-east-1");
}

#[test]
fn secrets_are_for_their_owner_alone_and_never_logged() {
    let work = Work::new();
    let server = Server::start(&work.data());
    for name in ["cluster.toml", "credentials.env"] {
        let mode = fs::metadata(work.data().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    client::run(&server, "aws s3 mb s3://bucket");
    Session::open(&server);
    let secrets = [server.variable("AWS_SECRET_ACCESS_KEY").to_owned(), server.variable("ST_KEY").to_owned()];
    assert!(server.terminate().success());
    for secret in secrets {
        assert!(!work.log().contains(&secret));
    }
}

#[test]
fn two_clusters_have_different_credentials() {
    let (one, other) = (Work::new(), Work::new());
    let (one, other) = (Server::start(&one.data()), Server::start(&other.data()));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ST_KEY"] {
        assert_ne!(one.variable(name), other.variable(name));
    }
}

#[test]
fn a_second_start_finds_everything_again() {
    let work = Work::new();
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    assert_eq!(session.put("box", b"").status(), 201);
    assert_eq!(session.put("box/thing", b"kept").status(), 201);
    let key = server.variable("AWS_SECRET_ACCESS_KEY").to_owned();
    assert!(server.terminate().success());

    let server = Server::start(&work.data());
    assert_eq!(server.variable("AWS_SECRET_ACCESS_KEY"), key);
    assert_eq!(client::run(&server, "aws s3 cp s3://box/thing -"), "kept");
}

#[test]
fn a_second_server_over_the_same_data_is_refused() {
    let work = Work::new();
    let server = Server::start(&work.data());
    let mut second = std::process::Command::new(
        std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("martlet"),
    );
    let output =
        second.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(work.data()).output().unwrap();
    assert!(!output.status.success());
    assert!(!output.stderr.is_empty());
    assert_eq!(Session::open(&server).put("box", b"").status(), 201);
}

#[test]
fn sigterm_finishes_what_is_in_flight() {
    let work = Work::new();
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    assert_eq!(session.put("box", b"").status(), 201);
    let token = session.token().to_owned();

    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "PUT /v1/AUTH_main/box/slow HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: 10\r\nConnection: close\r\n\r\n01234"
    );
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let stopping = std::thread::spawn(move || server.terminate());
    std::thread::sleep(std::time::Duration::from_millis(200));
    stream.write_all(b"56789").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(stopping.join().unwrap().success());

    let server = Server::start(&work.data());
    assert_eq!(client::run(&server, "aws s3 cp s3://box/slow -"), "0123456789");
}

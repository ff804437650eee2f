//! Clients that are connected and say nothing.

use std::net::TcpStream;

use martlet_tests::client;
use martlet_tests::server::Server;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::work::Work;

const IDLE_COUNT: u64 = 10_000;
/// What this process has open besides.
const OTHERS_COUNT: u64 = 200;

/// As many open files as this process may have.
fn raise_own_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("a process may raise its own limit to the maximum");
    limit.maximum.unwrap_or(u64::MAX)
}

#[test]
fn ten_thousand_idle_connections_are_held_while_others_are_served() {
    let available = raise_own_limit().saturating_sub(OTHERS_COUNT);
    assert!(available >= IDLE_COUNT, "a process may have only {available} files open here");
    let work = Work::new();
    let server = Server::start(&work.data());
    let connect = |_| TcpStream::connect(server.address()).expect("the server takes one more connection");
    let idle: Vec<TcpStream> = (0..IDLE_COUNT).map(connect).collect();
    client::run(&server, "aws s3 mb s3://box");
    std::fs::write(work.path("file"), "still served").expect("a file can be written");
    client::run(&server, "aws s3 cp file s3://box/file");
    assert_eq!(client::run(&server, "aws s3 cp s3://box/file -"), "still served");
    // The server has closed none of them.
    let first = idle.first().expect("there are some");
    first.set_nonblocking(true).expect("a socket can be asked");
    let mut byte = [0];
    let outcome = first.peek(&mut byte);
    assert!(outcome.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "it was closed");
}

//! What those who run a proxy see of it: figures, and how it stops.

use std::time::Duration;

use martlet_proxy::Habits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::{Answer, Server};

/// Requests answered with a status of this class, for an operation.
fn counted(server: &Server, operation: &str, class: &str) -> u64 {
    let operations = server.traffic.operations();
    let of_name = operations.iter().find(|(name, _)| name.operation == operation);
    let by_class =
        of_name.and_then(|(_, figures)| figures.by_status_class().find(|(known, _)| *known == class));
    by_class.map_or(0, |(_, count)| count)
}

#[tokio::test]
async fn requests_and_bytes_are_counted_by_operation_and_status() {
    let server = Server::with_box().await;
    server.put("/box/key", "martlet").await.expect(200);
    server.get("/box/key").await.expect(200);
    server.get("/box/key").await.expect(200);
    server.get("/box/none").await.refused(404, "NoSuchKey");
    assert_eq!(counted(&server, "CreateBucket", "2xx"), 1);
    assert_eq!(counted(&server, "PutObject", "2xx"), 1);
    assert_eq!((counted(&server, "GetObject", "2xx"), counted(&server, "GetObject", "4xx")), (2, 1));
    let operations = server.traffic.operations();
    let bytes = |operation: &str| {
        let of_name = operations.iter().find(|(name, _)| name.operation == operation);
        let (name, figures) = of_name.expect("it was asked for");
        assert_eq!(name.dialect, "s3");
        (figures.received_bytes.get(), figures.sent_bytes.get())
    };
    assert_eq!(bytes("PutObject"), (7, 0));
    assert!(bytes("GetObject").1 >= 14, "twice the object, and what was said of the one that isn't there");
}

#[tokio::test]
async fn names_that_clients_make_up_make_no_figures() {
    let server = Server::with_box().await;
    for name in ["one", "two", "three"] {
        server.call("GET", &format!("/box?{name}")).send().await.expect(501);
        server.put(&format!("/box/{name}"), "x").await.expect(200);
    }
    let operations = server.traffic.operations();
    let names: Vec<_> = operations.iter().map(|(name, _)| name.operation).collect();
    assert_eq!(names, ["CreateBucket", "PutObject", "Unknown"]);
    assert_eq!(counted(&server, "Unknown", "5xx"), 3);
}

#[tokio::test]
async fn requests_and_connections_that_are_over_are_no_longer_counted_as_present() {
    let server = Server::with_box().await;
    let idle = TcpStream::connect(server.address).await.expect("the server accepts");
    server.get("/box").await.expect(200);
    for _ in 0..100 {
        if (server.traffic.requests.get(), server.traffic.connections.get()) == (0, 1) {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((server.traffic.requests.get(), server.traffic.connections.get()), (0, 1));
    drop(idle);
}

const HEALTH: &str = "GET /healthcheck HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_server_that_stops_says_so_before_it_closes_the_door() {
    let habits = Habits { drain: Duration::from_secs(2), ..Habits::default() };
    let server = Server::with(|store| store, habits).await;
    let address = server.address;
    let mut kept = TcpStream::connect(address).await.expect("the server accepts");
    assert_eq!(Server::plain(address, HEALTH).await.status, 200);
    let stopped = server.stop();
    let mut answer = Server::plain(address, HEALTH).await;
    for _ in 0..100 {
        if answer.status == 503 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
        answer = Server::plain(address, HEALTH).await;
    }
    assert_eq!((answer.status, &answer.body[..]), (503, &b"STOPPING"[..]));
    kept.write_all(b"GET /info HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut received = Vec::new();
    kept.read_to_end(&mut received).await.expect("the server answers and ends the connection");
    let answer = Answer::read(&received);
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close")),
        "requests are still answered"
    );
    stopped.await;
    assert!(TcpStream::connect(address).await.is_err(), "the door is closed");
}

#[tokio::test]
async fn connections_above_the_limit_wait_until_another_ends() {
    let server = Server::with(|store| store, Habits { connections_max: 1, ..Habits::default() }).await;
    let first = TcpStream::connect(server.address).await.expect("the server accepts");
    sleep(Duration::from_millis(50)).await;
    let mut waiting = Box::pin(Server::plain(server.address, HEALTH));
    assert!(timeout(Duration::from_millis(200), &mut waiting).await.is_err(), "nobody accepts it");
    drop(first);
    let answer = timeout(Duration::from_secs(10), waiting).await.expect("there is room now");
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_large_body_waits_for_its_turn_and_small_ones_do_not() {
    let server = Server::with(|store| store, Habits { large_bodies_max: 1, ..Habits::default() }).await;
    server.put("/box", "").await.expect(200);
    let large = vec![b'x'; 100_000];
    let mut first = TcpStream::connect(server.address).await.expect("the server accepts");
    let call = server.call("PUT", "/box/first").body(&large);
    let bytes = call.bytes();
    let (begin, rest) = bytes.split_at(bytes.len() - 50_000);
    first.write_all(begin).await.unwrap();
    while server.traffic.requests.get() < 1 {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(100)).await;
    server.put("/box/small", "x").await.expect(200);
    server.put("/box/second", &large).await.refused(503, "ServiceUnavailable");
    first.write_all(rest).await.unwrap();
    let mut received = Vec::new();
    first.read_to_end(&mut received).await.unwrap();
    Answer::read(&received).expect(200);
    server.put("/box/second", &large).await.expect(200);
    assert_eq!(server.get("/box/second").await.expect(200).body, large);
}

//! Connections: heads that are too large, bodies that stop, clients that go, servers that stop.

use std::time::Duration;

use martlet_auth::sigv4::Payload;
use martlet_proxy::limits::{BODY_PAUSE_MAX, HEAD_DURATION_MAX, WRITE_PAUSE_MAX};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::harness::{Answer, Server};

async fn connect(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(bytes).await.expect("the server reads");
    stream
}

async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let reading = timeout(Duration::from_secs(10), stream.read_to_end(&mut received)).await;
    reading.expect("in time").expect("the server answers");
    received
}

#[tokio::test]
async fn oversized_heads_are_refused_and_the_server_lives() {
    let server = Server::with_box().await;
    let head = |filler: String| format!("GET /box HTTP/1.1\r\nhost: x\r\n{filler}\r\n\r\n");
    let cases = [
        head(format!("x-long: {}", "v".repeat(64 * 1024))),
        head(format!("x-long: {}", "v".repeat(2 * 1024 * 1024))),
        head("x-one-of-many: v\r\n".repeat(300)),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "k".repeat(70_000)),
    ];
    for case in cases {
        let answer = server.raw(case).await;
        assert!([400, 414, 431].contains(&answer.status), "{answer:?}");
    }
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n"] {
        assert_eq!(server.raw(garbage).await.status, 400, "{garbage:?}");
    }
    server.get("/box").await.expect(200);
}

#[tokio::test]
async fn a_truncated_body_is_not_stored() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    for payload in [Payload::Unsigned, Payload::Sha256([0; 32])] {
        let call = server.call("PUT", "/box/key").header("content-length", "10").payload(payload);
        let mut stream = connect(&server, format!("{}12345", call.head()).as_bytes()).await;
        stream.shutdown().await.unwrap();
        let answer = rest(stream).await;
        if !answer.is_empty() {
            Answer::read(&answer).refused(400, "IncompleteBody");
        }
        assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_stores_nothing() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    for sent in [0, 1, 5 * 1024 * 1024] {
        let call = server.call("PUT", "/box/key").header("content-length", "104857600");
        let head = call.payload(Payload::Unsigned).head();
        let stream = connect(&server, &[head.as_bytes(), &vec![b'x'; sent]].concat()).await;
        drop(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
}

#[tokio::test]
async fn two_lengths_are_none() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    let head = |first: &str, second: &str| {
        let call = server.call("PUT", "/box/key").header("content-length", first).payload(Payload::Unsigned);
        call.head().replace("\r\n\r\n", &format!("\r\n{second}\r\n\r\n"))
    };
    for head in [
        head("3", "content-length: 4"),
        head("3", "transfer-encoding: chunked"),
        head("3", "transfer-encoding: gzip, identity"),
        head("-3", "x: y"),
        head("0x3", "x: y"),
    ] {
        let answer = server.raw(format!("{head}new")).await;
        assert!((400..=501).contains(&answer.status), "{head}: {answer:?}");
    }
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
}

#[tokio::test]
async fn folded_and_broken_headers_are_refused() {
    let server = Server::with_box().await;
    for line in
        ["x-amz-meta-a: 1\r\n 2", "x-amz-meta-a\0: 1", "x amz: 1", "x-amz-meta-a: a\rb", ": v", "novalue"]
    {
        let head = server.call("GET", "/box").head().replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"));
        assert_eq!(server.raw(head).await.status, 400, "{line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_finishes_its_head_is_dropped() {
    let server = Server::with_box().await;
    let stream = connect(&server, b"GET /box HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    let begun = Instant::now();
    until_closed(stream).await;
    assert!(begun.elapsed() >= HEAD_DURATION_MAX && begun.elapsed() < 2 * HEAD_DURATION_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_is_told_so() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    let call = server.call("PUT", "/box/key").header("content-length", "10").payload(Payload::Unsigned);
    let mut stream = connect(&server, format!("{}12345", call.head()).as_bytes()).await;
    let begun = Instant::now();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    let answer = Answer::read(&received).refused(400, "RequestTimeout");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(begun.elapsed() >= BODY_PAUSE_MAX && begun.elapsed() < 2 * BODY_PAUSE_MAX);
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_reading_is_dropped() {
    let server = Server::with_box().await;
    server.put("/box/key", vec![b'x'; 32 * 1024 * 1024]).await.expect(200);
    let stream = connect(&server, server.call("GET", "/box/key").head().as_bytes()).await;
    tokio::time::sleep(2 * WRITE_PAUSE_MAX).await;
    assert!(until_closed(stream).await < 32 * 1024 * 1024);
}

/// Reads until the server has closed or reset the connection; how many bytes came before.
async fn until_closed(mut stream: TcpStream) -> usize {
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        bytes += count;
    }
    bytes
}

#[tokio::test]
async fn broken_chunks_are_refused() {
    let server = Server::with_box().await;
    let call = server.call("POST", "/box?delete").header("transfer-encoding", "chunked");
    let head = call.payload(Payload::Unsigned).head();
    server.raw(format!("{head}zz\r\nnope")).await.refused(400, "IncompleteBody");
}

#[tokio::test]
async fn a_refused_upload_is_refused_before_its_body_is_sent() {
    let server = Server::with_box().await;
    let call = server.call("PUT", "/box/key").header("expect", "100-continue").header("content-length", "5");
    let head = call.payload(Payload::Unsigned).secret("wrong").head();
    let answer = rest(connect(&server, head.as_bytes()).await).await;
    Answer::read(&answer).refused(403, "SignatureDoesNotMatch");
    for (target, status, code) in [("/nobox/key", 404, "NoSuchBucket"), ("/box/key", 403, "AccessDenied")] {
        let call = server.call("PUT", target).header("expect", "100-continue").header("content-length", "5");
        let head = call.anonymous().head().replace("connection: close\r\n", "");
        // The client keeps its side open, and learns that the connection is over.
        let refused = Answer::read(&rest(connect(&server, head.as_bytes()).await).await);
        assert_eq!(refused.refused(status, code).header("connection"), Some("close"));
    }

    let call = server.call("PUT", "/box/key").header("expect", "100-continue").header("content-length", "5");
    let head = call.payload(Payload::Unsigned).head();
    let mut stream = connect(&server, head.as_bytes()).await;
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"bytes").await.unwrap();
    Answer::read(&rest(stream).await).expect(200);
    assert_eq!(server.get("/box/key").await.body, b"bytes");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = Server::with_box().await;
    let body = vec![b'x'; 8 * 1024 * 1024];
    let answer = server.call("PUT", "/box/key").secret("wrong").body(&body).send().await;
    answer.refused(403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let server = Server::with_box().await;
    let head = |method, target| server.call(method, target).head().replace("connection: close\r\n", "");
    let mut stream = connect(&server, head("PUT", "/box/key").as_bytes()).await;
    let mut buffer = vec![0; 4096];
    for _ in 0..3 {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..count].starts_with(b"HTTP/1.1 200 OK\r\n"));
        stream.write_all(head("GET", "/box/key").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_stopping_server_finishes_what_is_in_flight() {
    let server = Server::with_box().await;
    let call = server.call("PUT", "/box/key").body("0123456789").payload(Payload::Unsigned);
    let bytes = call.bytes();
    let (first, last) = bytes.split_at(bytes.len() - 5);
    let mut stream = connect(&server, first).await;
    let idle = connect(&server, b"").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let address = server.address;
    let stopped = tokio::spawn(server.stop());
    assert_eq!(rest(idle).await, b"", "an idle connection is closed");
    assert!(!stopped.is_finished());
    assert!(TcpStream::connect(address).await.is_err(), "nobody new is let in");
    stream.write_all(last).await.unwrap();
    Answer::read(&rest(stream).await).expect(200);
    timeout(Duration::from_secs(5), stopped).await.unwrap().unwrap();
}

/// Whoever sends another request into a connection that is about to end gets no answer to it.
#[tokio::test]
async fn a_client_whose_body_was_not_read_is_told_that_the_connection_ends() {
    let server = Server::with_box().await;
    for framing in ["content-length: 5", "transfer-encoding: chunked"] {
        let head = format!("PUT /v1/AUTH_x/box/key HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
        let mut stream = connect(&server, head.as_bytes()).await;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.expect("the server answers and closes");
        let answer = Answer::read(&received);
        assert_eq!((answer.status, answer.header("connection")), (401, Some("close")), "{framing}");
    }
    let kept = server.raw("HEAD /healthcheck HTTP/1.1\r\nhost: x\r\n\r\nGET /healthcheck HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!((kept.status, kept.header("connection")), (200, None));
}

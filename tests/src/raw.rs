//! Bytes over a socket, for requests that no client would send.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::server::Server;

/// How long an answer may take before the test fails.
const ANSWER_SECONDS_MAX: u64 = 90;

/// An answer, as far as tests look at it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Sends the bytes and reads until the server closes. The request should say `Connection: close`.
pub fn send(server: &Server, request: &[u8]) -> Answer {
    let mut stream = connect(server);
    // The server may refuse and close before it has read everything.
    let _ = stream.write_all(request);
    read(&mut stream)
}

/// As [`send`], to an address.
pub fn send_to(address: &str, request: &[u8]) -> Answer {
    let mut stream = connect_to(address);
    let _ = stream.write_all(request);
    read(&mut stream)
}

/// Sends the bytes and hangs up without reading an answer.
pub fn hang_up(server: &Server, request: &[u8]) {
    let mut stream = connect(server);
    stream.write_all(request).expect("the server reads");
    stream.shutdown(Shutdown::Both).expect("the connection closes");
}

/// Sends the bytes, closes the sending side, and reads the answer.
pub fn send_and_end(server: &Server, request: &[u8]) -> Answer {
    let mut stream = connect(server);
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    read(&mut stream)
}

fn connect(server: &Server) -> TcpStream {
    connect_to(server.address())
}

fn connect_to(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX))).expect("a timeout can be set");
    stream
}

fn read(stream: &mut TcpStream) -> Answer {
    let mut answer = Vec::new();
    // A reset after the answer was sent still leaves the answer.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

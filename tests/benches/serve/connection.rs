//! A connection that sends prepared requests and throws the answers away: as little work as a client can do,
//! since it runs on the machine that is measured.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Enough for a head and for reading bodies in large steps.
const BUFFER_BYTES: usize = 256 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("the option can be set");
        Self { stream, buffer: vec![0; BUFFER_BYTES] }
    }

    /// Sends a request and reads its answer whole; returns the status.
    pub(crate) fn exchange(&mut self, head: &[u8], body: &[u8], has_body: bool) -> u16 {
        if body.len() < BUFFER_BYTES {
            let request = [head, body].concat();
            self.stream.write_all(&request).expect("the server reads");
        } else {
            self.stream.write_all(head).expect("the server reads");
            self.stream.write_all(body).expect("the server reads");
        }
        let mut filled = 0;
        let head_bytes = loop {
            let count = self.stream.read(&mut self.buffer[filled..]).expect("the server answers");
            assert!(count > 0, "the server closed the connection");
            filled += count;
            if let Some(end) = self.buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let answer = String::from_utf8_lossy(&self.buffer[..head_bytes]).to_ascii_lowercase();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = answer
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let mut left = if has_body { length.unwrap_or(0) } else { 0 }.saturating_sub(filled - head_bytes);
        while left > 0 {
            let step = left.min(BUFFER_BYTES);
            let count = self.stream.read(&mut self.buffer[..step]).expect("the server sends the body");
            assert!(count > 0, "the server closed the connection");
            left -= count;
        }
        status
    }
}

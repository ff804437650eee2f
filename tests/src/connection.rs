//! A connection that sends prepared requests and throws the answers away: as little work as a client can do,
//! since it runs on the machine that is measured.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Enough for a head and for reading bodies in large steps.
const BUFFER_BYTES: usize = 128 * 1024;
/// How long the server may be silent.
const SILENCE_MAX: Duration = Duration::from_mins(2);

/// A kept-alive connection to one address.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The beginning of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    /// In lower case.
    pub text: String,
    came_along: usize,
    filled: usize,
}

impl Connection {
    pub fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Sends a request and reads its answer whole; returns the status. The answer to HEAD has no body.
    pub fn exchange(&mut self, head: &[u8], body: &[u8]) -> io::Result<u16> {
        let answer = self.ask(head, body)?;
        if !head.starts_with(b"HEAD ") {
            self.read_body(&answer, |_| ())?;
        }
        Ok(answer.status)
    }

    /// The same, and returns the body.
    pub fn fetch(&mut self, head: &[u8], body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let answer = self.ask(head, body)?;
        let mut received = Vec::new();
        self.read_body(&answer, |bytes| received.extend_from_slice(bytes))?;
        Ok((answer.status, received))
    }

    fn ask(&mut self, head: &[u8], body: &[u8]) -> io::Result<Head> {
        if body.len() < BUFFER_BYTES {
            self.send(&[head, body].concat())?;
        } else {
            self.send(head)?;
            self.send(body)?;
        }
        self.head()
    }

    /// Sends a part of a request.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads the head of an answer, and nothing beyond the first buffer.
    pub fn head(&mut self) -> io::Result<Head> {
        let mut filled = 0;
        let head_bytes = loop {
            filled += self.read_some(filled, BUFFER_BYTES)?;
            if let Some(end) = self.buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&self.buffer[..head_bytes]).to_ascii_lowercase();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(io::Error::from(ErrorKind::InvalidData))?;
        Ok(Head { status, text, came_along: filled - head_bytes, filled })
    }

    /// Reads on in a body; says how many bytes there were.
    pub fn skip(&mut self) -> io::Result<usize> {
        self.read_some(0, BUFFER_BYTES)
    }

    fn read_body(&mut self, head: &Head, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        take(&self.buffer[head.filled - head.came_along..head.filled]);
        let mut left = head.length().saturating_sub(head.came_along);
        while left > 0 {
            let count = self.read_some(0, left.min(BUFFER_BYTES))?;
            take(&self.buffer[..count]);
            left -= count;
        }
        Ok(())
    }

    fn read_some(&mut self, from: usize, to: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.buffer[from..to])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

impl Head {
    /// The length of the body, in bytes; chunks are for other clients.
    pub fn length(&self) -> usize {
        self.header("content-length:").and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// Bytes of the body that came along with the head.
    pub fn came_along(&self) -> usize {
        self.came_along
    }

    /// The value of a header; `name` ends with a colon.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim()))
    }
}

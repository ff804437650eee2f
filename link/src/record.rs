//! Records: what is written and checked at once.
//!
//! ```text
//! record   length of the frames (4 bytes)  frames  tag (16)
//! ```
//!
//! Whatever waits when the connection is free is one record: one tag and one write for many frames.
//! The tag covers length and frames, and under which number; nothing of a record is looked at before its tag is right,
//! except its length, which has a limit.

use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::frame::{Frame, Kind};
use crate::limits::RECORD_BYTES_MAX;
use crate::mac::{RecordMac, TAG_BYTES};
use crate::message::Message;

const LENGTH_BYTES: usize = 4;

/// What is asked of the connection at once while nothing long is on its way.
const READ_BYTES: usize = 32 * 1024;

/// Why no further record comes.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the other side closed the connection")]
    Closed,
    #[error("a record of {0} bytes")]
    Oversized(usize),
    #[error("a record was changed, repeated or lost on its way")]
    Forged,
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
}

/// A record that is being gathered. Bodies stay where they are.
#[derive(Debug, Default)]
pub struct Record {
    gathered: Vec<u8>,
    /// Each belongs before the gathered byte at its position.
    bodies: Vec<(usize, Bytes)>,
    body_bytes: usize,
}

impl Record {
    /// Makes room for the next.
    pub fn clear(&mut self) {
        self.gathered.clear();
        self.gathered.extend_from_slice(&[0; LENGTH_BYTES]);
        self.bodies.clear();
        self.body_bytes = 0;
    }

    pub fn add(&mut self, kind: Kind, id: u64, message: &Message) {
        self.gathered.extend_from_slice(&Frame::head(kind, id, message.len()));
        self.gathered.extend_from_slice(&message.head);
        if !message.tail.is_empty() {
            self.bodies.push((self.gathered.len(), message.tail.clone()));
            self.body_bytes += message.tail.len();
        }
    }

    /// What the frames take so far, in bytes.
    pub fn frame_bytes(&self) -> usize {
        self.gathered.len() - LENGTH_BYTES + self.body_bytes
    }

    /// Writes length, frames and tag.
    ///
    /// # Panics
    /// If the record is above its limit.
    pub async fn write_to<W>(&mut self, mac: &mut RecordMac, stream: &mut W) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        assert!(self.frame_bytes() <= RECORD_BYTES_MAX, "a record keeps its limit");
        let length = u32::try_from(self.frame_bytes()).expect("a record is shorter than 4 GiB");
        self.gathered[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        let tag = mac.next_tag(self.pieces());
        self.gathered.extend_from_slice(&tag);
        if self.bodies.is_empty() {
            return stream.write_all(&self.gathered).await;
        }
        let mut slices: Vec<IoSlice<'_>> = self.pieces().map(IoSlice::new).collect();
        let mut unwritten = &mut slices[..];
        while !unwritten.is_empty() {
            match stream.write_vectored(unwritten).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => IoSlice::advance_slices(&mut unwritten, count),
            }
        }
        Ok(())
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.bodies.iter().map(|(position, _)| *position));
        let ends = self.bodies.iter().map(|(position, _)| *position).chain([self.gathered.len()]);
        let bodies = self.bodies.iter().map(|(_, body)| Some(&body[..])).chain([None]);
        starts
            .zip(ends)
            .zip(bodies)
            .flat_map(|((start, end), body)| std::iter::once(&self.gathered[start..end]).chain(body))
    }
}

/// Reads records and checks them.
#[derive(Debug)]
pub struct RecordReader<R> {
    stream: R,
    mac: RecordMac,
    buffer: BytesMut,
    /// How long the last record was: the next is likely like it, and then begins a buffer of its own.
    bytes_last: usize,
}

impl<R: AsyncRead + Unpin> RecordReader<R> {
    pub fn new(stream: R, mac: RecordMac) -> Self {
        Self { stream, mac, buffer: BytesMut::new(), bytes_last: 0 }
    }

    /// The frames of the next record. Dropped before its end, it loses nothing.
    pub async fn next(&mut self) -> Result<Bytes, RecordError> {
        loop {
            let wanted = match self.buffer.first_chunk::<LENGTH_BYTES>() {
                None => None,
                Some(length) => {
                    let length = u32::from_le_bytes(*length) as usize;
                    if length > RECORD_BYTES_MAX {
                        return Err(RecordError::Oversized(length));
                    }
                    Some(LENGTH_BYTES + length + TAG_BYTES)
                }
            };
            if let Some(bytes) = wanted.filter(|bytes| *bytes <= self.buffer.len()) {
                return self.take(bytes);
            }
            self.read(wanted).await?;
        }
    }

    fn take(&mut self, bytes: usize) -> Result<Bytes, RecordError> {
        let (covered, tag) = self.buffer[..bytes].split_at(bytes - TAG_BYTES);
        if !self.mac.check_next(covered, tag) {
            return Err(RecordError::Forged);
        }
        self.bytes_last = bytes;
        let record = self.buffer.split_to(bytes).freeze();
        Ok(record.slice(LENGTH_BYTES..bytes - TAG_BYTES))
    }

    async fn read(&mut self, wanted: Option<usize>) -> Result<(), RecordError> {
        let missing = wanted.map_or(0, |bytes| bytes - self.buffer.len());
        if self.buffer.is_empty() && READ_BYTES < self.bytes_last {
            // As long as what it shall hold: a block that is kept keeps nothing else in memory.
            self.buffer = BytesMut::with_capacity(self.bytes_last);
        } else if self.buffer.is_empty() {
            self.buffer.reserve(READ_BYTES);
        } else {
            self.buffer.reserve(missing.max(LENGTH_BYTES));
        }
        let count = if READ_BYTES < missing {
            // No further than this record, so that the next begins in a buffer of its own and isn't moved.
            (&mut self.stream).take(missing as u64).read_buf(&mut self.buffer).await?
        } else {
            self.stream.read_buf(&mut self.buffer).await?
        };
        if count == 0 { Err(RecordError::Closed) } else { Ok(()) }
    }
}

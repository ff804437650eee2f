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
use std::mem;

use bytes::{Bytes, BytesMut};
use martlet_protocol::BlockBuffer;
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
    input: Input,
    /// How long the last record was: the next is likely like it, and then begins a buffer of its own.
    bytes_last: usize,
}

/// What has arrived of records that aren't complete.
#[derive(Debug)]
enum Input {
    /// Of any length.
    Any(BytesMut),
    /// Of one record that is about as long as a block.
    Block { buffer: BlockBuffer, start: usize, end: usize },
}

impl<R: AsyncRead + Unpin> RecordReader<R> {
    pub fn new(stream: R, mac: RecordMac) -> Self {
        Self { stream, mac, input: Input::Any(BytesMut::new()), bytes_last: 0 }
    }

    /// The frames of the next record. Dropped before its end, it loses nothing.
    pub async fn next(&mut self) -> Result<Bytes, RecordError> {
        loop {
            let arrived = self.input.bytes();
            let wanted = match arrived.first_chunk::<LENGTH_BYTES>() {
                None => None,
                Some(length) => {
                    let length = u32::from_le_bytes(*length) as usize;
                    if length > RECORD_BYTES_MAX {
                        return Err(RecordError::Oversized(length));
                    }
                    Some(LENGTH_BYTES + length + TAG_BYTES)
                }
            };
            if let Some(bytes) = wanted.filter(|bytes| *bytes <= arrived.len()) {
                return self.take(bytes);
            }
            self.read(wanted).await?;
        }
    }

    fn take(&mut self, bytes: usize) -> Result<Bytes, RecordError> {
        let (covered, tag) = self.input.bytes()[..bytes].split_at(bytes - TAG_BYTES);
        if !self.mac.check_next(covered, tag) {
            return Err(RecordError::Forged);
        }
        self.bytes_last = bytes;
        let record = self.input.split_to(bytes);
        Ok(record.slice(LENGTH_BYTES..bytes - TAG_BYTES))
    }

    async fn read(&mut self, wanted: Option<usize>) -> Result<(), RecordError> {
        self.input.make_room(wanted, self.bytes_last);
        let missing = wanted.map_or(0, |bytes| bytes - self.input.bytes().len());
        let count = match &mut self.input {
            Input::Block { buffer, start, end } => {
                let limit = *start + wanted.unwrap_or(self.bytes_last);
                let count = self.stream.read(&mut buffer.as_mut()[*end..limit]).await?;
                *end += count;
                count
            }
            // No further than this record, so that the next begins in a buffer of its own and isn't moved.
            Input::Any(buffer) if READ_BYTES < missing => {
                (&mut self.stream).take(missing as u64).read_buf(buffer).await?
            }
            Input::Any(buffer) => self.stream.read_buf(buffer).await?,
        };
        if count == 0 { Err(RecordError::Closed) } else { Ok(()) }
    }
}

impl Input {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Any(buffer) => buffer,
            Self::Block { buffer, start, end } => &buffer.as_ref()[*start..*end],
        }
    }

    /// Takes a record off the front.
    fn split_to(&mut self, bytes: usize) -> Bytes {
        if let Self::Any(buffer) = self {
            return buffer.split_to(bytes).freeze();
        }
        let behind = Self::Any(BytesMut::from(&self.bytes()[bytes..]));
        match mem::replace(self, behind) {
            Self::Block { buffer, start, .. } => buffer.freeze(start..start + bytes),
            Self::Any(buffer) => buffer.freeze(),
        }
    }

    /// Room for what is read next: of a record of this length, or of one like the last.
    fn make_room(&mut self, wanted: Option<usize>, bytes_last: usize) {
        let arrived = self.bytes().len();
        let missing = wanted.map_or(0, |bytes| bytes - arrived);
        match self {
            Self::Block { start, .. } if *start + wanted.unwrap_or(0) <= BlockBuffer::LENGTH => {}
            Self::Block { .. } => {
                let mut longer = BytesMut::with_capacity(arrived + missing);
                longer.extend_from_slice(self.bytes());
                *self = Self::Any(longer);
            }
            Self::Any(buffer) if buffer.is_empty() && READ_BYTES < bytes_last => {
                *self = Self::block(bytes_last)
                    // As long as what it shall hold: a body that is kept keeps nothing else in memory.
                    .unwrap_or_else(|| Self::Any(BytesMut::with_capacity(bytes_last)));
            }
            Self::Any(buffer) if READ_BYTES < missing => match Self::block(arrived + missing) {
                Some(Self::Block { buffer: mut block, start, .. }) => {
                    let end = start + arrived;
                    block.as_mut()[start..end].copy_from_slice(buffer);
                    *self = Self::Block { buffer: block, start, end };
                }
                _ => buffer.reserve(missing),
            },
            Self::Any(buffer) if buffer.is_empty() => buffer.reserve(READ_BYTES),
            Self::Any(buffer) => buffer.reserve(missing.max(LENGTH_BYTES)),
        }
    }

    /// A buffer for a record of this length, if it isn't too long.
    /// A block is a record's end, but for the tag: it comes to lie where devices can write it from.
    fn block(record_bytes: usize) -> Option<Self> {
        let start = BlockBuffer::BLOCK_END.checked_sub(record_bytes - TAG_BYTES)?;
        Some(Self::Block { buffer: BlockBuffer::take(), start, end: start })
    }
}

#[cfg(test)]
mod tests {
    use martlet_protocol::{BLOCK_ALIGNMENT_BYTES, BLOCK_BYTES, Block};
    use tokio::io::duplex;

    use super::*;
    use crate::frame::Frame;
    use crate::mac::MacKey;
    use crate::message::{decode_block, encode_block};

    const KEY: MacKey = [7; 16];

    fn message(bytes: usize) -> Message {
        Message { head: vec![u8::try_from(bytes % 251).unwrap(); bytes].into(), tail: Bytes::new() }
    }

    /// Sends records of one frame each, and says what arrives.
    async fn sent(lengths: &[usize], pipe_bytes: usize) -> Vec<usize> {
        let (mut near, far) = duplex(pipe_bytes);
        let sending = async {
            let (mut record, mut mac) = (Record::default(), RecordMac::new(KEY));
            for bytes in lengths {
                record.clear();
                record.add(Kind::Block, 1, &message(*bytes));
                record.write_to(&mut mac, &mut near).await.unwrap();
            }
        };
        let receiving = async {
            let mut reader = RecordReader::new(far, RecordMac::new(KEY));
            let mut arrived = Vec::new();
            while arrived.len() < lengths.len() {
                let mut record = reader.next().await.unwrap();
                let frame = Frame::cut(&mut record).unwrap();
                assert_eq!(frame.payload, message(frame.payload.len()).head);
                assert!(record.is_empty());
                arrived.push(frame.payload.len());
            }
            arrived
        };
        tokio::join!(sending, receiving).1
    }

    #[tokio::test]
    async fn records_of_any_length_arrive_as_they_were_sent_whatever_came_before() {
        let lengths = [
            1, 65_544, 65_544, 65_544, 3, 40_000, 66_000, 66_000, 5, 5, 65_544, 33_000, 1, 66_560, 40_000, 2,
        ];
        for pipe_bytes in [1, 3, 100, 5000, 65_544 + 33, 70_000, 1 << 20] {
            assert_eq!(sent(&lengths, pipe_bytes).await, lengths, "{pipe_bytes} bytes at once");
        }
    }

    #[tokio::test]
    async fn blocks_arrive_where_devices_can_write_them_from() {
        let (mut near, far) = duplex(1 << 20);
        let block = Block::new(vec![3; BLOCK_BYTES].into());
        let (mut record, mut mac) = (Record::default(), RecordMac::new(KEY));
        for _ in 0..3 {
            record.clear();
            record.add(Kind::Block, 1, &encode_block(&block));
            record.write_to(&mut mac, &mut near).await.unwrap();
        }
        let mut reader = RecordReader::new(far, RecordMac::new(KEY));
        for _ in 0..3 {
            let frame = Frame::cut(&mut reader.next().await.unwrap()).unwrap();
            let arrived = decode_block(&frame.payload).unwrap();
            assert_eq!(arrived, block);
            assert!(arrived.bytes.as_ptr().addr().is_multiple_of(BLOCK_ALIGNMENT_BYTES));
        }
    }
}

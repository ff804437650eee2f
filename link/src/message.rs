//! What is asked and what is answered, as messages.

mod answer;
mod request;

use bytes::Bytes;
use martlet_protocol::{Block, Checksum};

pub use self::answer::{Answer, Reply, decode_reply, encode_reply};
pub use self::request::{Addressee, NODE, Request};
use crate::limits::COPIED_BYTES_MAX;
use crate::wire::{Malformed, Source, Wire};

/// A message as bytes. A long body stays apart, so that it needn't be copied; it is the message's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub head: Bytes,
    pub tail: Bytes,
}

impl Message {
    /// The two ends joined; a short tail is copied, for it is cheaper to send it in one piece.
    fn of(mut head: Vec<u8>, tail: Bytes) -> Self {
        if tail.len() <= COPIED_BYTES_MAX {
            head.extend_from_slice(&tail);
            return Self { head: head.into(), tail: Bytes::new() };
        }
        Self { head: head.into(), tail }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next bytes of the message, at most `bytes_max`, and the message without them.
    pub(crate) fn cut(&mut self, bytes_max: usize) -> Self {
        let head = self.head.split_to(self.head.len().min(bytes_max));
        let tail = self.tail.split_to(self.tail.len().min(bytes_max - head.len()));
        Self { head, tail }
    }

    /// The message in one piece, as it arrives.
    pub fn joined(&self) -> Bytes {
        if self.tail.is_empty() {
            return self.head.clone();
        }
        [&self.head[..], &self.tail[..]].concat().into()
    }
}

/// A block as it is sent: its checksum, then its bytes.
pub fn encode_block(block: &Block) -> Message {
    let mut head = Vec::with_capacity(Checksum::BYTES_MIN);
    block.checksum.put(&mut head);
    Message::of(head, block.bytes.clone())
}

/// Reads a block.
pub fn decode_block(message: &Bytes) -> Result<Block, Malformed> {
    let from = &mut Source::new(message);
    Ok(Block { checksum: Checksum::take(from)?, bytes: from.rest() })
}

/// A value of which only the writing side is needed.
trait Put {
    fn put_to(&self, out: &mut Vec<u8>);
}

impl<T: Wire> Put for T {
    fn put_to(&self, out: &mut Vec<u8>) {
        self.put(out);
    }
}

fn put(out: &mut Vec<u8>, kind: u8, fields: &[&dyn Put]) {
    out.push(kind);
    for field in fields {
        field.put_to(out);
    }
}

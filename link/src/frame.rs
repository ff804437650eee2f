//! Frames: what a record is made of.
//!
//! ```text
//! frame   kind (1 byte)  id (8)  length (4)  payload
//! ```

use bytes::{Bytes, BytesMut};

use crate::limits::{FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, SMALL_BYTES_MAX};

/// Length of a frame without its payload, in bytes.
pub const FRAME_HEAD_BYTES: usize = 13;

/// What a frame is. All of a call's frames bear the call's number; the client counts calls upwards and never repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call begins. From the client.
    Request,
    /// A call's outcome; of a stream, first that it is open, at last how it ended. From the server.
    Reply,
    /// A block of a stream.
    Block,
    /// A staged blob has no more blocks. From the client.
    Finish,
    /// So many more blocks may be sent.
    Credit,
    /// Nobody waits for the call any more. From the client.
    Cancel,
    /// Is the other side there?
    Ping,
    /// It is.
    Pong,
    /// The server stops once what it has been asked is answered.
    Leaving,
    /// A message that is longer than a frame begins: its kind, and its length in 32 bits.
    Begin,
    /// The next bytes of the message that has begun.
    Part,
    /// Which version of the ring the server has, in 64 bits. From the server.
    RingVersion,
}

/// A frame, or a whole message that came in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    pub id: u64,
    pub payload: Bytes,
}

/// A record that is wrong although it comes from one who knows the secret. The connection can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side broke the protocol: {0}")]
pub struct Violation(pub &'static str);

/// Puts the parts of long messages together. At most one is incomplete at any time.
#[derive(Debug, Default)]
pub struct Assembler {
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    kind: Kind,
    id: u64,
    bytes: usize,
    payload: BytesMut,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Request,
        Self::Reply,
        Self::Block,
        Self::Finish,
        Self::Credit,
        Self::Cancel,
        Self::Ping,
        Self::Pong,
        Self::Leaving,
        Self::Begin,
        Self::Part,
        Self::RingVersion,
    ];

    /// 1 for the first.
    pub const fn byte(self) -> u8 {
        self as u8 + 1
    }

    pub fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }
}

impl Frame {
    /// The head of a frame with so long a payload.
    ///
    /// # Panics
    /// If the payload is too long for a frame.
    pub fn head(kind: Kind, id: u64, payload_bytes: usize) -> [u8; FRAME_HEAD_BYTES] {
        assert!(payload_bytes <= FRAME_BYTES_MAX, "a payload fits in its frame");
        let length = u32::try_from(payload_bytes).expect("a frame is shorter than 4 GiB");
        let mut head = [0; FRAME_HEAD_BYTES];
        head[0] = kind.byte();
        head[1..9].copy_from_slice(&id.to_le_bytes());
        head[9..].copy_from_slice(&length.to_le_bytes());
        head
    }

    /// Cuts the next frame off a record.
    pub fn cut(record: &mut Bytes) -> Result<Self, Violation> {
        let short = Violation("a frame that doesn't end within its record");
        let head = record.first_chunk::<FRAME_HEAD_BYTES>().ok_or(short)?;
        let kind = Kind::of_byte(head[0]).ok_or(Violation("a frame of an unknown kind"))?;
        let (_, numbers) = head.split_at(1);
        let (id, length) = numbers.split_at(8);
        let id = u64::from_le_bytes(id.try_into().map_err(|_| short)?);
        let length = u32::from_le_bytes(length.try_into().map_err(|_| short)?) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(Violation("a frame above the limit"));
        }
        if record.len() - FRAME_HEAD_BYTES < length {
            return Err(short);
        }
        let payload = record.slice(FRAME_HEAD_BYTES..FRAME_HEAD_BYTES + length);
        let _ = record.split_to(FRAME_HEAD_BYTES + length);
        Ok(Self { kind, id, payload })
    }

    /// The beginning of a message in parts.
    pub(crate) fn begin(kind: Kind, message_bytes: usize) -> [u8; 5] {
        let length = u32::try_from(message_bytes).expect("a message is shorter than 4 GiB");
        let mut begin = [kind.byte(); 5];
        begin[1..].copy_from_slice(&length.to_le_bytes());
        begin
    }
}

impl Assembler {
    /// Takes a frame; gives what is complete with it.
    pub fn take(&mut self, frame: Frame) -> Result<Option<Frame>, Violation> {
        match frame.kind {
            Kind::Begin => self.begin(&frame).map(|()| None),
            Kind::Part => self.part(&frame),
            Kind::Cancel => {
                self.partial.take_if(|partial| partial.id == frame.id);
                Ok(Some(frame))
            }
            _ => Ok(Some(frame)),
        }
    }

    fn begin(&mut self, frame: &Frame) -> Result<(), Violation> {
        let begin: [u8; 5] =
            frame.payload[..].try_into().map_err(|_| Violation("a beginning of another length"))?;
        let [kind, length @ ..] = begin;
        let bytes = u32::from_le_bytes(length) as usize;
        let kind = Kind::of_byte(kind).filter(|kind| matches!(kind, Kind::Request | Kind::Reply));
        let kind = kind.ok_or(Violation("a long message of another kind"))?;
        if self.partial.is_some() {
            return Err(Violation("two long messages at once"));
        }
        if !(SMALL_BYTES_MAX..=MESSAGE_BYTES_MAX).contains(&bytes) {
            return Err(Violation("a message outside the limits"));
        }
        self.partial = Some(Partial { kind, id: frame.id, bytes, payload: BytesMut::with_capacity(bytes) });
        Ok(())
    }

    fn part(&mut self, frame: &Frame) -> Result<Option<Frame>, Violation> {
        let of_another = Violation("a part of no message");
        let partial = self.partial.as_mut().filter(|partial| partial.id == frame.id).ok_or(of_another)?;
        if partial.bytes - partial.payload.len() < frame.payload.len() {
            return Err(Violation("more parts than the message has"));
        }
        partial.payload.extend_from_slice(&frame.payload);
        let whole = self.partial.take_if(|partial| partial.payload.len() == partial.bytes);
        Ok(whole.map(|whole| Frame { kind: whole.kind, id: whole.id, payload: whole.payload.freeze() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_what_its_byte_says() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_byte(kind.byte()), Some(kind));
        }
        assert_eq!((Kind::of_byte(0), Kind::of_byte(13)), (None, None));
    }
}

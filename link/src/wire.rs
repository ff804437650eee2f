//! Messages as bytes.
//!
//! Integers are little-endian and of fixed length; lists and byte strings begin with their length in 32 bits;
//! an option is a byte that is 0 or 1, then what is there; an enum is a byte, then its fields.
//! `docs/formats.md` lists the fields of every message.
//!
//! **Invariant:** decoding never panics, whatever the bytes, and never reserves more memory than the bytes justify.

mod blob;
mod error;
mod list;
mod row;
mod survey;
mod upkeep;

use bytes::Bytes;

use crate::limits::COPIED_BYTES_MAX;

/// A value that crosses the link.
pub trait Wire: Sized {
    /// The fewest bytes that a value takes.
    const BYTES_MIN: usize;

    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Source<'_>) -> Result<Self, Malformed>;
}

/// Bytes that no sender of this version sends. Says what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct Malformed(pub &'static str);

/// A message that is being read.
#[derive(Debug)]
pub struct Source<'a> {
    message: &'a Bytes,
    position: usize,
}

impl<'a> Source<'a> {
    pub fn new(message: &'a Bytes) -> Self {
        Self { message, position: 0 }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let rest = &self.message[self.position..];
        let bytes = rest.get(..count).ok_or(Malformed("more bytes"))?;
        self.position += count;
        Ok(bytes)
    }

    /// Everything that is left; shared with the message where it is long.
    pub fn rest(&mut self) -> Bytes {
        let rest = self.share(self.message.len());
        self.position = self.message.len();
        rest
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.left() == 0 { Ok(()) } else { Err(Malformed("the end of the message")) }
    }

    fn left(&self) -> usize {
        self.message.len() - self.position
    }

    fn share(&self, end: usize) -> Bytes {
        if end - self.position <= COPIED_BYTES_MAX {
            Bytes::copy_from_slice(&self.message[self.position..end])
        } else {
            self.message.slice(self.position..end)
        }
    }
}

/// The length of something within a message, which has fewer than 2^32 bytes.
///
/// # Panics
/// If it is longer. Messages are measured before they are encoded, and nothing of that size is in memory.
fn put_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).expect("parts of messages are shorter than 4 GiB").put(out);
}

impl<const BYTES: usize> Wire for [u8; BYTES] {
    const BYTES_MIN: usize = BYTES;

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(from.bytes(BYTES)?);
        Ok(bytes)
    }
}

impl Wire for u8 {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        <[u8; 1]>::take(from).map(|[byte]| byte)
    }
}

impl Wire for bool {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a yes or no")),
        }
    }
}

impl Wire for u32 {
    const BYTES_MIN: usize = 4;

    fn put(&self, out: &mut Vec<u8>) {
        self.to_le_bytes().put(out);
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        <[u8; 4]>::take(from).map(Self::from_le_bytes)
    }
}

impl Wire for u64 {
    const BYTES_MIN: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        self.to_le_bytes().put(out);
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        <[u8; 8]>::take(from).map(Self::from_le_bytes)
    }
}

/// 64 bits on the wire; what a machine can't count to is its highest number.
impl Wire for usize {
    const BYTES_MIN: usize = 8;

    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).put(out);
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        u64::take(from).map(|number| Self::try_from(number).unwrap_or(Self::MAX))
    }
}

impl Wire for Bytes {
    const BYTES_MIN: usize = 4;

    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        out.extend_from_slice(self);
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        let length = u32::take(from)? as usize;
        if from.left() < length {
            return Err(Malformed("a byte string within the message"));
        }
        let bytes = from.share(from.position + length);
        from.position += length;
        Ok(bytes)
    }
}

impl Wire for String {
    const BYTES_MIN: usize = 4;

    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        let length = u32::take(from)? as usize;
        let text = std::str::from_utf8(from.bytes(length)?);
        text.map(str::to_owned).map_err(|_| Malformed("text in UTF-8"))
    }
}

impl<T: Wire> Wire for Option<T> {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.put(out);
            }
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(None),
            1 => T::take(from).map(Some),
            _ => Err(Malformed("0 or 1 before an option")),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    const BYTES_MIN: usize = 4;

    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        for item in self {
            item.put(out);
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        let count = u32::take(from)? as usize;
        if from.left() / T::BYTES_MIN < count {
            return Err(Malformed("a list within the message"));
        }
        (0..count).map(|_| T::take(from)).collect()
    }
}

/// A struct whose fields cross the link one after the other.
macro_rules! wire_struct {
    ($name:ty { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Wire for $name {
            const BYTES_MIN: usize = 0 $(+ <$type as Wire>::BYTES_MIN)+;

            fn put(&self, out: &mut Vec<u8>) {
                // Without `..`: a new field forces a decision.
                let Self { $($field),+ } = self;
                $($field.put(out);)+
            }

            fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
                $(let $field = <$type as Wire>::take(from)?;)+
                Ok(Self { $($field),+ })
            }
        }
    };
}

/// A value that crosses the link as its only field.
macro_rules! wire_newtype {
    ($name:ident($type:ty)) => {
        impl Wire for $name {
            const BYTES_MIN: usize = <$type as Wire>::BYTES_MIN;

            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
                <$type as Wire>::take(from).map(Self)
            }
        }
    };
}

use {wire_newtype, wire_struct};

//! Bodies on their way in.

use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

/// A request's body, already unwrapped and guarded.
///
/// It ends with an error unless every chunk, trailer, length and hash that the caller sent has been found right.
/// A store commits nothing before it has seen the end without one.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// A signature of a chunk or of a trailer that doesn't fit, and what it should have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkSignature {
    pub claimed: String,
    pub string_to_sign: String,
}

/// Why a body is not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body ended after {received} of {declared} bytes")]
    Truncated { received: u64, declared: u64 },
    #[error("the connection broke while the body was read")]
    Disconnected,
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    /// The chunks in which the body came say another length than its head, which `declared` it.
    #[error("the body has {received} bytes in its chunks, not {declared}")]
    WrongLength { received: u64, declared: u64 },
    #[error("the body's SHA-256 is not the one that was signed")]
    Sha256Mismatch { computed: [u8; 32] },
    #[error("the signature of a chunk or a trailer doesn't match it")]
    ChunkSignatureMismatch(Box<ChunkSignature>),
    /// A chunk that isn't the last, and is smaller than chunks may be; `next` is the number of the one after it.
    #[error("a chunk has {bytes} bytes and isn't the last")]
    ChunkTooSmall { next: u64, bytes: u64 },
    /// A checksum that the client sent along, in a header or in a trailer.
    #[error("the body doesn't have the {algorithm} that was declared")]
    ChecksumMismatch { algorithm: &'static str },
    /// What follows the body as its checksum is none of that kind.
    #[error("the trailer {name} is not a checksum of its kind")]
    BadChecksum { name: &'static str },
    #[error("the body was sent too slowly")]
    TooSlow,
    #[error("the body's framing is broken: {0}")]
    BadFraming(&'static str),
    #[error("what follows the body is not what was announced: {0}")]
    BadTrailer(&'static str),
}

//! Bodies on their way in.

use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

/// A request's body, already unwrapped and guarded.
///
/// It ends with an error unless every chunk, trailer, length and hash that the caller sent has been found right.
/// A store commits nothing before it has seen the end without one.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Why a body is not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body ended after {received} of {declared} bytes")]
    Truncated { received: u64, declared: u64 },
    #[error("the connection broke while the body was read")]
    Disconnected,
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    #[error("the body's SHA-256 is not the one that was signed")]
    Sha256Mismatch,
    #[error("the signature of a chunk or a trailer doesn't match it")]
    ChunkSignatureMismatch,
    /// A checksum that the client sent along, in a header or in a trailer.
    #[error("the body doesn't have the {algorithm} that was declared")]
    ChecksumMismatch { algorithm: &'static str },
    #[error("the body was sent too slowly")]
    TooSlow,
    #[error("the body's framing is broken: {0}")]
    BadFraming(&'static str),
    #[error("what follows the body is not what was announced: {0}")]
    BadTrailer(&'static str),
}

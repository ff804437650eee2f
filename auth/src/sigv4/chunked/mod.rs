//! Bodies in chunks of their own (`aws-chunked`): taken apart, and verified while they pass.
//!
//! Source: "Authenticating Requests: Transferring Payload in Multiple Chunks" and
//! "Using Trailing Headers with Chunked Uploads" of the Amazon S3 API reference.
//!
//! **Invariant:** the plain body ends without an error only when every chunk and every trailer was there,
//! signed where it had to be, and the lengths and the trailing checksum were right.

mod chain;
mod decoder;
mod encode;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use martlet_model::{BodyError, ByteStream};

pub use chain::Chain;
pub use encode::encode;

use decoder::Decoder;

/// What a head says about the chunks of its body.
#[derive(Debug)]
pub struct Framing {
    pub signed: ChunksSigned,
    /// Of the plain body: `x-amz-decoded-content-length`.
    pub decoded_bytes: u64,
    /// The least that a signed chunk has that isn't the last.
    pub chunk_bytes_min: u64,
    /// The checksum that `x-amz-trailer` announces.
    pub trailing: Option<Box<dyn Trailing>>,
}

/// What of a body is signed.
#[derive(Debug)]
pub enum ChunksSigned {
    Nothing,
    /// Every chunk; there is no trailer.
    Chunks(Chain),
    /// Every chunk and, if there is one, the trailer.
    ChunksAndTrailer(Chain),
}

/// A checksum that follows the body.
pub trait Trailing: fmt::Debug + Send {
    /// The trailer's name, in lower case.
    fn name(&self) -> &str;
    /// Takes the next bytes of the plain body.
    fn update(&mut self, bytes: &[u8]);
    /// Compares the whole body's checksum with what the trailer says.
    fn check(&mut self, value: &str) -> Result<(), BodyError>;
}

impl Framing {
    /// The plain body; it ends in an error as soon as something about the chunks is wrong.
    pub fn unwrap(self, body: ByteStream) -> ByteStream {
        Box::pin(Unwrapped { body, decoder: Some(Decoder::new(self)), input: Bytes::new() })
    }
}

struct Unwrapped {
    body: ByteStream,
    /// `None` once the end has been seen.
    decoder: Option<Decoder>,
    /// What has been received and not yet taken apart.
    input: Bytes,
}

impl Unwrapped {
    fn poll_bytes(
        &mut self,
        decoder: &mut Decoder,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            if let Some(bytes) = decoder.take(&mut self.input)? {
                return Poll::Ready(Ok(Some(bytes)));
            }
            match ready!(self.body.as_mut().poll_next(context)) {
                Some(received) => self.input = received?,
                None => return Poll::Ready(decoder.finish().map(|()| None)),
            }
        }
    }
}

impl Stream for Unwrapped {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(mut decoder) = self.decoder.take() else { return Poll::Ready(None) };
        let polled = self.poll_bytes(&mut decoder, context);
        if !matches!(polled, Poll::Ready(Ok(None) | Err(_))) {
            self.decoder = Some(decoder);
        }
        polled.map(Result::transpose)
    }
}

#[cfg(test)]
mod tests;

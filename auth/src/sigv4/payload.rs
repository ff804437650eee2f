//! What the signature says about the body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use martlet_model::{BodyError, ByteStream};
use sha2::{Digest as _, Sha256};

use super::authorization::digest_from_hex;
use super::{CONTENT_SHA256, SigV4Error};

/// SHA-256 of nothing.
pub(super) const EMPTY_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// How a request vouches for its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Not at all.
    Unsigned,
    /// The body has this SHA-256.
    Sha256([u8; 32]),
    /// The body has a SHA-256 that is none: whatever it is, it isn't that.
    NoSha256,
    /// It comes in chunks that are to be taken apart by a [`super::Framing`].
    Streaming(Streaming),
}

/// The forms of bodies that come in chunks of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// Every chunk is signed.
    Signed,
    /// Every chunk and the trailer are signed.
    SignedWithTrailer,
    /// Nothing is signed.
    UnsignedWithTrailer,
}

impl Streaming {
    const ALL: [Self; 3] = [Self::Signed, Self::SignedWithTrailer, Self::UnsignedWithTrailer];

    /// What `x-amz-content-sha256` says.
    pub fn text(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedWithTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedWithTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
}

impl Payload {
    /// What `x-amz-content-sha256` says; `None`: it isn't there.
    pub(super) fn text(headers: &HeaderMap) -> Result<Option<&str>, SigV4Error> {
        let mut values = headers.get_all(CONTENT_SHA256).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(SigV4Error::BadPayloadHash);
        }
        value.to_str().map(Some).map_err(|_| SigV4Error::BadPayloadHash)
    }

    /// What a header that is part of a Version 4 signature says: it must make sense.
    pub(super) fn parse(text: &str) -> Result<Self, SigV4Error> {
        match Self::lenient(text)? {
            Self::NoSha256 => Err(SigV4Error::BadPayloadHash),
            payload => Ok(payload),
        }
    }

    /// What a header says that vouches for the body alone: it may be nonsense as long as there is no body.
    pub(super) fn lenient(text: &str) -> Result<Self, SigV4Error> {
        if text == UNSIGNED {
            return Ok(Self::Unsigned);
        }
        if let Some(form) = Streaming::ALL.into_iter().find(|form| form.text() == text) {
            return Ok(Self::Streaming(form));
        }
        if text.starts_with("STREAMING-AWS4-ECDSA") {
            return Err(SigV4Error::NotOffered("Signature Version 4A"));
        }
        let digest = digest_from_hex(text.to_ascii_lowercase().as_bytes());
        Ok(digest.map_or(Self::NoSha256, Self::Sha256))
    }

    /// What a request says of its body that has no Version 4 signature in its head;
    /// nothing is the same as [`Payload::Unsigned`].
    pub fn of_head(headers: &HeaderMap) -> Result<Self, SigV4Error> {
        Self::text(headers)?.map_or(Ok(Self::Unsigned), Self::lenient)
    }

    /// Whether an empty body is what was signed. One in chunks is never empty: it has a last chunk.
    pub fn allows_empty(self) -> bool {
        match self {
            Self::Unsigned => true,
            Self::Sha256(expected) => expected == EMPTY_SHA256,
            Self::NoSha256 | Self::Streaming(_) => false,
        }
    }
}

/// The error of a body that is empty and shouldn't be.
pub fn unexpectedly_empty() -> BodyError {
    BodyError::Sha256Mismatch { computed: EMPTY_SHA256 }
}

/// The body, ending in [`BodyError::Sha256Mismatch`] unless it has that SHA-256; `None`: there is none that it may have.
pub fn hashed(body: ByteStream, expected: Option<[u8; 32]>) -> ByteStream {
    Box::pin(Hashed { body, expected, sha256: Some(Sha256::new()) })
}

struct Hashed {
    body: ByteStream,
    expected: Option<[u8; 32]>,
    /// `None` once the end has been seen.
    sha256: Option<Sha256>,
}

impl Stream for Hashed {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(sha256) = &mut this.sha256 else { return Poll::Ready(None) };
        match ready!(this.body.as_mut().poll_next(context)) {
            Some(Ok(bytes)) => {
                sha256.update(&bytes);
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error)) => {
                this.sha256 = None;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                let Some(sha256) = this.sha256.take() else { return Poll::Ready(None) };
                let computed = sha256.finalize().into();
                let right = this.expected == Some(computed);
                Poll::Ready((!right).then_some(Err(BodyError::Sha256Mismatch { computed })))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use martlet_model::store::whole_body;

    use super::*;

    async fn read(expected: Option<[u8; 32]>, body: &'static str) -> Vec<Result<Bytes, BodyError>> {
        hashed(whole_body(body), expected).collect().await
    }

    #[tokio::test]
    async fn the_signed_body_passes() {
        let digest = Sha256::digest("martlet").into();
        assert_eq!(read(Some(digest), "martlet").await, [Ok(Bytes::from("martlet"))]);
        assert!(Payload::Sha256(Sha256::digest("").into()).allows_empty());
    }

    #[tokio::test]
    async fn another_body_ends_in_an_error() {
        let digest = Sha256::digest("martlet").into();
        for (expected, body) in [(Some(digest), "martlex"), (Some(digest), ""), (None, "martlet"), (None, "")]
        {
            let mismatch = BodyError::Sha256Mismatch { computed: Sha256::digest(body).into() };
            assert_eq!(read(expected, body).await.last(), Some(&Err(mismatch)));
        }
        assert!(!Payload::Sha256(digest).allows_empty());
    }
}

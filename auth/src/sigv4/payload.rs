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
const EMPTY_SHA256: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// How a signed request vouches for its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Not at all.
    Unsigned,
    /// The body has this SHA-256.
    Sha256([u8; 32]),
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

    pub(super) fn parse(text: &str) -> Result<Self, SigV4Error> {
        if text == UNSIGNED {
            return Ok(Self::Unsigned);
        }
        if text.starts_with("STREAMING-") {
            return Err(SigV4Error::NotOffered("a body signed in chunks"));
        }
        let digest = digest_from_hex(text.as_bytes()).ok_or(SigV4Error::BadPayloadHash)?;
        Ok(Self::Sha256(digest))
    }

    /// The body, ending in [`BodyError::Sha256Mismatch`] unless it is the one that was signed.
    pub fn guard(self, body: ByteStream) -> ByteStream {
        match self {
            Self::Unsigned => body,
            Self::Sha256(expected) => Box::pin(Hashed { body, expected, sha256: Some(Sha256::new()) }),
        }
    }

    /// Whether an empty body is what was signed.
    pub fn allows_empty(self) -> bool {
        match self {
            Self::Unsigned => true,
            Self::Sha256(expected) => expected == EMPTY_SHA256,
        }
    }
}

struct Hashed {
    body: ByteStream,
    expected: [u8; 32],
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
                let computed: Option<[u8; 32]> = this.sha256.take().map(|sha256| sha256.finalize().into());
                let right = computed == Some(this.expected);
                Poll::Ready((!right).then_some(Err(BodyError::Sha256Mismatch)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use martlet_model::store::whole_body;

    use super::*;

    async fn read(payload: Payload, body: &'static str) -> Vec<Result<Bytes, BodyError>> {
        payload.guard(whole_body(body)).collect().await
    }

    #[tokio::test]
    async fn the_signed_body_passes() {
        let digest = Sha256::digest("martlet").into();
        assert_eq!(read(Payload::Sha256(digest), "martlet").await, [Ok(Bytes::from("martlet"))]);
        assert!(Payload::Sha256(Sha256::digest("").into()).allows_empty());
    }

    #[tokio::test]
    async fn another_body_ends_in_an_error() {
        let payload = Payload::Sha256(Sha256::digest("martlet").into());
        assert_eq!(read(payload, "martlex").await.last(), Some(&Err(BodyError::Sha256Mismatch)));
        assert_eq!(read(payload, "").await.last(), Some(&Err(BodyError::Sha256Mismatch)));
        assert!(!payload.allows_empty());
    }
}

//! The checksums that clients send along: verified here, before anything is stored.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use futures_core::Stream;
use martlet_model::{BodyError, ByteStream};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A checksum algorithm of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// A checksum that a body must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    expected: Vec<u8>,
}

/// Where a body leaves word that its checksum was wrong: an error of a body can't say so.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict(Arc<OnceLock<Algorithm>>);

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The header that carries a checksum of this kind.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Reads the name that `x-amz-sdk-checksum-algorithm` and `x-amz-checksum-algorithm` use.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl Checksum {
    /// Reads the base64 of a header; `None`: it isn't a checksum of that kind.
    pub(super) fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        let expected = STANDARD.decode(text).ok()?;
        (expected.len() == algorithm.bytes()).then_some(Self { algorithm, expected })
    }

    /// The body, ending in an error unless it has this checksum; which one failed is then in `verdict`.
    pub(super) fn guard(self, body: ByteStream, verdict: &Verdict) -> ByteStream {
        let hasher = Some(Hasher::new(self.algorithm));
        Box::pin(Checked { body, checksum: self, hasher, verdict: verdict.clone() })
    }

    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::new(self.algorithm);
        hasher.update(bytes);
        hasher.finish() == self.expected
    }
}

impl Verdict {
    /// The checksum that was wrong, if one was.
    pub(super) fn wrong(&self) -> Option<Algorithm> {
        self.0.get().copied()
    }
}

enum Hasher {
    /// The low `bytes` of the state count.
    Crc {
        state: Crc,
        bytes: usize,
    },
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        let crc = |kind| Self::Crc { state: Crc::new(kind), bytes: algorithm.bytes() };
        match algorithm {
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc { state, .. } => state.update(bytes),
            Self::Sha1(state) => state.update(bytes),
            Self::Sha256(state) => state.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc { state, bytes } => state.finalize().to_be_bytes()[8 - bytes..].to_vec(),
            Self::Sha1(state) => state.finalize().to_vec(),
            Self::Sha256(state) => state.finalize().to_vec(),
        }
    }
}

struct Checked {
    body: ByteStream,
    checksum: Checksum,
    /// `None` once the end has been seen.
    hasher: Option<Hasher>,
    verdict: Verdict,
}

impl Stream for Checked {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(hasher) = &mut this.hasher else { return Poll::Ready(None) };
        match ready!(this.body.as_mut().poll_next(context)) {
            Some(Ok(bytes)) => {
                hasher.update(&bytes);
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error)) => {
                this.hasher = None;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                if this.hasher.take().is_some_and(|hasher| hasher.finish() == this.checksum.expected) {
                    return Poll::Ready(None);
                }
                // Set once: a body ends once.
                let _ = this.verdict.0.set(this.checksum.algorithm);
                Poll::Ready(Some(Err(BodyError::BadFraming("its checksum is wrong"))))
            }
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use martlet_model::store::whole_body;

    use super::*;

    /// The checksums of `123456789`: of the CRCs the catalogued check values, of the others by coreutils.
    const CHECKS: [(Algorithm, &str); 5] = [
        (Algorithm::Crc32, "y/Q5Jg=="),
        (Algorithm::Crc32c, "4waSgw=="),
        (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
        (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];

    #[tokio::test]
    async fn every_algorithm_is_verified() {
        for (algorithm, text) in CHECKS {
            let checksum = Checksum::parse(algorithm, text).unwrap();
            let verdict = Verdict::default();
            assert!(checksum.fits(b"123456789") && !checksum.fits(b"12345678"), "{algorithm}");
            let right = checksum.clone().guard(whole_body("123456789"), &verdict);
            assert_eq!(right.collect::<Vec<_>>().await, [Ok(Bytes::from("123456789"))]);
            assert_eq!(verdict.wrong(), None);
            let wrong = checksum.guard(whole_body("123456788"), &verdict);
            assert!(wrong.collect::<Vec<_>>().await.last().unwrap().is_err());
            assert_eq!(verdict.wrong(), Some(algorithm));
        }
    }

    #[test]
    fn what_is_not_a_checksum_is_refused() {
        for text in ["", "y/Q5", "y/Q5Jg", "y/Q5Jg==x", "4waSg4waSg=="] {
            assert_eq!(Checksum::parse(Algorithm::Crc32, text), None, "{text}");
        }
    }
}

//! The checksums that clients send along: verified here, before anything is stored.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use futures_core::Stream;
use martlet_auth::sigv4::Trailing;
use martlet_model::{BodyError, ByteStream};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A checksum algorithm of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
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

/// A checksum that comes after the body.
pub(super) struct TrailingChecksum {
    algorithm: Algorithm,
    /// `None` once the checksum has been compared.
    hasher: Option<Hasher>,
}

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

    /// The algorithm whose checksums that header or trailer carries.
    pub(super) fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// Reads the name that `x-amz-sdk-checksum-algorithm` and `x-amz-checksum-algorithm` use.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The error of a body that has another checksum of this kind.
    pub(super) fn mismatch(self) -> BodyError {
        BodyError::ChecksumMismatch { algorithm: self.name() }
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

    /// The body, ending in [`BodyError::ChecksumMismatch`] unless it has this checksum.
    pub(super) fn guard(self, body: ByteStream) -> ByteStream {
        let hasher = Some(Hasher::new(self.algorithm));
        Box::pin(Checked { body, checksum: self, hasher })
    }

    pub(super) fn fits(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::new(self.algorithm);
        hasher.update(bytes);
        hasher.finish() == self.expected
    }
}

impl TrailingChecksum {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, hasher: Some(Hasher::new(algorithm)) }
    }
}

impl Trailing for TrailingChecksum {
    fn name(&self) -> &str {
        self.algorithm.header()
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    fn check(&mut self, value: &str) -> Result<(), BodyError> {
        let checksum = Checksum::parse(self.algorithm, value)
            .ok_or(BodyError::BadTrailer("the value is not a checksum of that kind"))?;
        match self.hasher.take().map(Hasher::finish) {
            Some(computed) if computed == checksum.expected => Ok(()),
            _ => Err(self.algorithm.mismatch()),
        }
    }
}

impl fmt::Debug for TrailingChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrailingChecksum").field(&self.algorithm).finish()
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
                Poll::Ready(Some(Err(this.checksum.algorithm.mismatch())))
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
            assert!(checksum.fits(b"123456789") && !checksum.fits(b"12345678"), "{algorithm}");
            let right = checksum.clone().guard(whole_body("123456789"));
            assert_eq!(right.collect::<Vec<_>>().await, [Ok(Bytes::from("123456789"))]);
            let wrong = checksum.guard(whole_body("123456788"));
            assert_eq!(wrong.collect::<Vec<_>>().await.last(), Some(&Err(algorithm.mismatch())));
            let mut trailing = TrailingChecksum::new(algorithm);
            trailing.update(b"1234");
            trailing.update(b"56789");
            assert_eq!(trailing.check(text), Ok(()));
            assert!(matches!(
                TrailingChecksum::new(algorithm).check(text),
                Err(BodyError::ChecksumMismatch { .. })
            ));
            assert!(matches!(TrailingChecksum::new(algorithm).check("x"), Err(BodyError::BadTrailer(_))));
        }
    }

    #[test]
    fn what_is_not_a_checksum_is_refused() {
        for text in ["", "y/Q5", "y/Q5Jg", "y/Q5Jg==x", "4waSg4waSg=="] {
            assert_eq!(Checksum::parse(Algorithm::Crc32, text), None, "{text}");
        }
    }
}

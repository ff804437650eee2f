//! The checksums that clients choose: how S3 spells them, and bodies that must have them.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_core::Stream;
use martlet_auth::sigv4::Trailing;
use martlet_model::checksum::ChecksumHasher;
use martlet_model::{
    BodyError, ByteStream, ChecksumAlgorithm, ChecksumCell, ChecksumKind, Content, Digest, StoredChecksum,
};

/// The header or trailer that carries a checksum of this kind.
pub(super) fn header(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// The element that carries one in documents.
pub(super) fn element(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    }
}

/// Whether S3 has an algorithm of that name that isn't offered here.
pub(super) fn is_elsewhere(name: &str) -> bool {
    const ELSEWHERE: [&str; 5] = ["SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"];
    ELSEWHERE.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// As `x-amz-sdk-checksum-algorithm` and `x-amz-checksum-algorithm` call it.
pub(super) fn name(algorithm: ChecksumAlgorithm) -> &'static str {
    element(algorithm).trim_start_matches("Checksum")
}

pub(super) fn kind_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    }
}

pub(super) fn of_header(text: &str) -> Option<ChecksumAlgorithm> {
    ChecksumAlgorithm::ALL.into_iter().find(|algorithm| header(*algorithm).eq_ignore_ascii_case(text))
}

pub(super) fn of_element(text: &str) -> Option<ChecksumAlgorithm> {
    ChecksumAlgorithm::ALL.into_iter().find(|algorithm| element(*algorithm) == text)
}

pub(super) fn of_name(text: &str) -> Option<ChecksumAlgorithm> {
    ChecksumAlgorithm::ALL.into_iter().find(|algorithm| name(*algorithm).eq_ignore_ascii_case(text))
}

pub(super) fn kind_of_name(text: &str) -> Option<ChecksumKind> {
    [ChecksumKind::FullObject, ChecksumKind::Composite].into_iter().find(|kind| kind_name(*kind) == text)
}

/// Reads the base64 of a body's checksum; `None`: it isn't one of that kind.
pub(super) fn parse(algorithm: ChecksumAlgorithm, text: &str) -> Option<StoredChecksum> {
    let value = STANDARD.decode(text).ok()?;
    (value.len() == algorithm.bytes()).then(|| StoredChecksum {
        algorithm,
        kind: ChecksumKind::FullObject,
        value: value.into(),
    })
}

/// Reads the checksum of a joined object; a composite has the number of its parts behind a dash.
pub(super) fn parse_joined(algorithm: ChecksumAlgorithm, text: &str) -> Option<StoredChecksum> {
    match text.split_once('-') {
        None => parse(algorithm, text),
        Some((value, count)) => {
            count.parse::<u16>().ok()?;
            Some(StoredChecksum { kind: ChecksumKind::Composite, ..parse(algorithm, value)? })
        }
    }
}

/// The checksum of a part or of a body, as base64.
pub(super) fn show(checksum: &StoredChecksum) -> String {
    STANDARD.encode(&checksum.value)
}

/// The checksum of an object: a composite tells how many parts went into it.
pub(super) fn show_of(checksum: &StoredChecksum, content: &Content) -> String {
    match (checksum.kind, content.digest) {
        (ChecksumKind::Composite, Digest::Parts { count, .. }) => format!("{}-{count}", show(checksum)),
        (ChecksumKind::Composite | ChecksumKind::FullObject, _) => show(checksum),
    }
}

/// The error of a body that has another checksum of this kind.
pub(super) fn mismatch(algorithm: ChecksumAlgorithm) -> BodyError {
    BodyError::ChecksumMismatch { algorithm: name(algorithm) }
}

pub(super) fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> StoredChecksum {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// The body, ending in [`BodyError::ChecksumMismatch`] unless it has this checksum, which is in the cell at the end.
pub(super) fn verified(body: ByteStream, expected: StoredChecksum, cell: ChecksumCell) -> ByteStream {
    let hasher = Some(ChecksumHasher::new(expected.algorithm));
    Box::pin(Hashed { body, hasher, expected: Some(expected), cell })
}

/// The same body, and in the cell at its end the checksum that it has.
pub(super) fn measured(body: ByteStream, algorithm: ChecksumAlgorithm, cell: ChecksumCell) -> ByteStream {
    Box::pin(Hashed { body, hasher: Some(ChecksumHasher::new(algorithm)), expected: None, cell })
}

struct Hashed {
    body: ByteStream,
    /// `None` once the end has been seen.
    hasher: Option<ChecksumHasher>,
    expected: Option<StoredChecksum>,
    cell: ChecksumCell,
}

impl Stream for Hashed {
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
            None => Poll::Ready(this.finish().err().map(Err)),
        }
    }
}

impl Hashed {
    fn finish(&mut self) -> Result<(), BodyError> {
        let Some(computed) = self.hasher.take().map(ChecksumHasher::finish) else { return Ok(()) };
        if self.expected.as_ref().is_some_and(|expected| expected.value != computed.value) {
            return Err(mismatch(computed.algorithm));
        }
        self.cell.fill(computed);
        Ok(())
    }
}

/// A checksum that comes after the body; it is in the cell once it has been found right.
pub(super) struct TrailingChecksum {
    algorithm: ChecksumAlgorithm,
    /// `None` once the checksum has been compared.
    hasher: Option<ChecksumHasher>,
    cell: ChecksumCell,
}

impl TrailingChecksum {
    pub(super) fn new(algorithm: ChecksumAlgorithm, cell: ChecksumCell) -> Self {
        Self { algorithm, hasher: Some(ChecksumHasher::new(algorithm)), cell }
    }
}

impl Trailing for TrailingChecksum {
    fn name(&self) -> &str {
        header(self.algorithm)
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    fn check(&mut self, value: &str) -> Result<(), BodyError> {
        let expected =
            parse(self.algorithm, value).ok_or(BodyError::BadChecksum { name: header(self.algorithm) })?;
        match self.hasher.take().map(ChecksumHasher::finish) {
            Some(computed) if computed == expected => {
                self.cell.fill(computed);
                Ok(())
            }
            _ => Err(mismatch(self.algorithm)),
        }
    }
}

impl fmt::Debug for TrailingChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrailingChecksum").field(&self.algorithm).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use martlet_model::store::whole_body;

    use super::*;

    /// The checksums of `123456789`: of the CRCs the catalogued check values, of the others by coreutils.
    const CHECKS: [(ChecksumAlgorithm, &str); 5] = [
        (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
        (ChecksumAlgorithm::Crc32c, "4waSgw=="),
        (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
        (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (ChecksumAlgorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];

    #[tokio::test]
    async fn every_algorithm_is_verified_and_kept() {
        for (algorithm, text) in CHECKS {
            let checksum = parse(algorithm, text).unwrap();
            assert_eq!(of(algorithm, b"123456789"), checksum);
            let cell = ChecksumCell::default();
            let right = verified(whole_body("123456789"), checksum.clone(), cell.clone());
            assert_eq!(right.collect::<Vec<_>>().await, [Ok(Bytes::from("123456789"))]);
            assert_eq!(cell.get().as_ref(), Some(&checksum));
            let cell = ChecksumCell::default();
            let wrong = verified(whole_body("123456788"), checksum.clone(), cell.clone());
            assert_eq!(wrong.collect::<Vec<_>>().await.last(), Some(&Err(mismatch(algorithm))));
            assert_eq!(cell.get(), None);
            let measured = measured(whole_body("123456789"), algorithm, cell.clone());
            assert_eq!(measured.collect::<Vec<_>>().await.len(), 1);
            assert_eq!(cell.get(), Some(checksum));
        }
    }

    #[test]
    fn trailers_are_verified_and_kept() {
        for (algorithm, text) in CHECKS {
            let cell = ChecksumCell::default();
            let mut trailing = TrailingChecksum::new(algorithm, cell.clone());
            trailing.update(b"1234");
            trailing.update(b"56789");
            assert_eq!(trailing.check(text), Ok(()));
            assert_eq!(cell.get(), parse(algorithm, text));
            let cell = ChecksumCell::default();
            let mut other = TrailingChecksum::new(algorithm, cell.clone());
            assert_eq!(other.check(text), Err(mismatch(algorithm)));
            let mut other = TrailingChecksum::new(algorithm, cell.clone());
            assert!(matches!(other.check("x"), Err(BodyError::BadChecksum { .. })));
            assert_eq!(cell.get(), None);
        }
    }

    #[test]
    fn what_is_not_a_checksum_is_refused() {
        for text in ["", "y/Q5", "y/Q5Jg", "y/Q5Jg==x", "4waSg4waSg==", "y/Q5Jg==-1"] {
            assert_eq!(parse(ChecksumAlgorithm::Crc32, text), None, "{text}");
        }
    }

    #[test]
    fn a_composite_tells_the_number_of_its_parts() {
        let composite = parse_joined(ChecksumAlgorithm::Crc32, "y/Q5Jg==-2").unwrap();
        assert_eq!(composite.kind, ChecksumKind::Composite);
        let parts = [(1, martlet_model::Md5::of(b"a")), (1, martlet_model::Md5::of(b"b"))];
        assert_eq!(show_of(&composite, &Content::joined(&parts)), "y/Q5Jg==-2");
        let whole = parse_joined(ChecksumAlgorithm::Crc32, "y/Q5Jg==").unwrap();
        assert_eq!(show_of(&whole, &Content::joined(&parts)), "y/Q5Jg==");
        assert_eq!(parse_joined(ChecksumAlgorithm::Crc32, "y/Q5Jg==-x"), None);
    }

    #[test]
    fn every_algorithm_is_found_by_its_names() {
        for algorithm in ChecksumAlgorithm::ALL {
            assert_eq!(of_header(header(algorithm)), Some(algorithm));
            assert_eq!(of_element(element(algorithm)), Some(algorithm));
            assert_eq!(of_name(name(algorithm)), Some(algorithm));
        }
        assert_eq!(of_name("MD5"), None);
    }
}

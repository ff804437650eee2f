//! Signatures that follow from each other: no chunk can be left out, added, or moved.

use martlet_model::{BodyError, ChunkSignature};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::sigv4::SigningKey;
use crate::sigv4::key::hex;
use crate::sigv4::payload::EMPTY_SHA256;

/// Where the chain of a body's signatures has got to; it begins with the signature of the head.
#[derive(Clone, Debug)]
pub struct Chain {
    key: SigningKey,
    /// `YYYYMMDDTHHMMSSZ`
    date: String,
    /// `day/region/s3/aws4_request`
    scope: String,
    previous: [u8; 32],
}

impl Chain {
    pub(in crate::sigv4) fn new(key: SigningKey, date: &str, scope: &str, seed: [u8; 32]) -> Self {
        Self { key, date: date.to_owned(), scope: scope.to_owned(), previous: seed }
    }

    /// Goes on to the next chunk, whose data has that SHA-256, and gives its signature.
    pub(super) fn chunk(&mut self, data: &[u8; 32]) -> [u8; 32] {
        self.next("AWS4-HMAC-SHA256-PAYLOAD", &[&hex(&EMPTY_SHA256), &hex(data)])
    }

    /// Ends with the trailer: `lines` has `name:value` and a line feed for each, and a line feed where there are none.
    pub(super) fn trailer(&mut self, lines: &[u8]) -> [u8; 32] {
        let lines = if lines.is_empty() { b"\n" } else { lines };
        self.next("AWS4-HMAC-SHA256-TRAILER", &[&hex(&Sha256::digest(lines).into())])
    }

    /// Goes on to the next chunk, which must have the signature that it claims to have.
    pub(super) fn check_chunk(&mut self, data: &[u8; 32], claimed: &str) -> Result<(), BodyError> {
        let before = self.previous;
        if same(&self.chunk(data), claimed) {
            return Ok(());
        }
        let text = self.text("AWS4-HMAC-SHA256-PAYLOAD", &before, &[&hex(&EMPTY_SHA256), &hex(data)]);
        Err(mismatch(claimed, &text))
    }

    /// Ends with the trailer, which must have the signature that it claims to have.
    pub(super) fn check_trailer(&mut self, lines: &[u8], claimed: &str) -> Result<(), BodyError> {
        let before = self.previous;
        if same(&self.trailer(lines), claimed) {
            return Ok(());
        }
        let lines = hex(&Sha256::digest(lines).into());
        Err(mismatch(claimed, &self.text("AWS4-HMAC-SHA256-TRAILER", &before, &[&lines])))
    }

    fn next(&mut self, kind: &str, hashes: &[&[u8; 64]]) -> [u8; 32] {
        self.previous = self.key.sign(&[&self.text(kind, &self.previous, hashes)]);
        self.previous
    }

    /// What is signed, given the signature before.
    fn text(&self, kind: &str, before: &[u8; 32], hashes: &[&[u8; 64]]) -> Vec<u8> {
        let mut text =
            [kind.as_bytes(), self.date.as_bytes(), self.scope.as_bytes(), &hex(before)].join(&b'\n');
        for hash in hashes {
            text.push(b'\n');
            text.extend_from_slice(&hash[..]);
        }
        text
    }
}

/// Compares with 64 lower-case digits, in constant time.
fn same(computed: &[u8; 32], claimed: &str) -> bool {
    hex(computed).ct_eq(claimed.as_bytes()).into()
}

fn mismatch(claimed: &str, text: &[u8]) -> BodyError {
    BodyError::ChunkSignatureMismatch(Box::new(ChunkSignature {
        claimed: claimed.to_owned(),
        string_to_sign: String::from_utf8_lossy(text).into_owned(),
    }))
}

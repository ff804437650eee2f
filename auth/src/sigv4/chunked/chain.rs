//! Signatures that follow from each other: no chunk can be left out, added, or moved.

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
        self.previous = self.key.sign(&[
            b"AWS4-HMAC-SHA256-PAYLOAD",
            self.date.as_bytes(),
            self.scope.as_bytes(),
            &hex(&self.previous),
            &hex(&EMPTY_SHA256),
            &hex(data),
        ]);
        self.previous
    }

    /// Ends with the trailer: `lines` has `name:value` and a line feed for each.
    pub(super) fn trailer(&mut self, lines: &[u8]) -> [u8; 32] {
        self.previous = self.key.sign(&[
            b"AWS4-HMAC-SHA256-TRAILER",
            self.date.as_bytes(),
            self.scope.as_bytes(),
            &hex(&self.previous),
            &hex(&Sha256::digest(lines).into()),
        ]);
        self.previous
    }
}

/// Compares in constant time.
pub(super) fn same(computed: &[u8; 32], claimed: &[u8; 32]) -> bool {
    computed.ct_eq(claimed).into()
}

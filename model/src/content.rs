//! What an object is made of. Each dialect's ETag is a pure function of it.

use std::fmt;

use md5::{Digest as _, Md5 as Md5Hasher};

/// An MD5 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Md5(pub [u8; 16]);

/// The bytes of an object: how many, and what identifies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: u64,
    pub digest: Digest,
}

/// What identifies the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// One body, and its MD5.
    Whole(Md5),
    /// Joined from parts, each with an MD5 of its own.
    Parts {
        /// MD5 over the binary digests of the parts in order: the stem of S3's ETag.
        of_binary: Md5,
        /// MD5 over the hexadecimal digests of the parts in order: Swift's ETag of a static large object.
        of_hex: Md5,
        count: u16,
    },
}

/// Whose ETags are spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ETagStyle {
    S3,
    Swift,
}

impl Content {
    /// The content that joining `parts` (bytes and MD5 of each, in order) makes.
    pub fn joined(parts: &[(u64, Md5)]) -> Self {
        let mut of_binary = Md5Hasher::new();
        let mut of_hex = Md5Hasher::new();
        for (_, md5) in parts {
            of_binary.update(md5.0);
            of_hex.update(md5.to_string());
        }
        Self {
            bytes: parts.iter().map(|(bytes, _)| bytes).sum(),
            digest: Digest::Parts {
                of_binary: Md5(of_binary.finalize().into()),
                of_hex: Md5(of_hex.finalize().into()),
                count: u16::try_from(parts.len()).unwrap_or(u16::MAX),
            },
        }
    }

    /// The ETag without quotes.
    pub fn etag(&self, style: ETagStyle) -> String {
        match (self.digest, style) {
            (Digest::Whole(md5), _) => md5.to_string(),
            (Digest::Parts { of_binary, count, .. }, ETagStyle::S3) => format!("{of_binary}-{count}"),
            (Digest::Parts { of_hex, .. }, ETagStyle::Swift) => of_hex.to_string(),
        }
    }
}

impl Md5 {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Md5Hasher::digest(bytes).into())
    }

    /// Reads 32 hexadecimal digits of either case.
    pub fn from_hex(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 32 {
            return None;
        }
        let mut digest = [0; 16];
        for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_body_has_the_same_etag_in_both_dialects() {
        let content = Content { bytes: 0, digest: Digest::Whole(Md5::of(b"")) };
        assert_eq!(content.etag(ETagStyle::S3), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(content.etag(ETagStyle::Swift), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn joined_parts_have_the_etag_that_each_side_expects() {
        let content = Content::joined(&[(1, Md5::of(b"a")), (1, Md5::of(b"b"))]);
        assert_eq!(content.bytes, 2);
        // md5(binary md5 of a, binary md5 of b), and md5 of their hexadecimal forms, by Python's hashlib.
        assert_eq!(content.etag(ETagStyle::S3), "96e024ba2074fe77e8e965ba43a704be-2");
        assert_eq!(content.etag(ETagStyle::Swift), "3bc22fb7aaebe9c8c5d7de312b876bb8");
    }

    #[test]
    fn hexadecimal_round_trips() {
        let md5 = Md5::of(b"martlet");
        assert_eq!(Md5::from_hex(&md5.to_string()), Some(md5));
        assert_eq!(Md5::from_hex(&md5.to_string().to_uppercase()), Some(md5));
        for bad in [
            "",
            "d41d8cd98f00b204e9800998ecf8427",
            "x41d8cd98f00b204e9800998ecf8427e",
            "+41d8cd98f00b204e9800998ecf8427e",
        ] {
            assert_eq!(Md5::from_hex(bad), None);
        }
    }
}

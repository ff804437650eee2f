//! The signatures that stand in Swift's signed links and forms.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::bearer::{KeyOf, LinkKey};

/// The hash functions that links and forms may be signed with, as `/info` names them.
pub const DIGESTS: [&str; 3] = ["sha1", "sha256", "sha512"];

/// A signature: hexadecimal digits, or `name:` and base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkSignature {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl LinkSignature {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Some((digest, encoded)) = text.split_once(':') else {
            let bytes = from_hex(text.as_bytes())?;
            return Self::sha1(&bytes).or_else(|| Self::sha256(&bytes)).or_else(|| Self::sha512(&bytes));
        };
        let bytes = from_base64(encoded)?;
        match digest {
            "sha1" => Self::sha1(&bytes),
            "sha256" => Self::sha256(&bytes),
            "sha512" => Self::sha512(&bytes),
            _ => None,
        }
    }

    /// Which of the keys the message was signed with. Compares in constant time.
    pub(crate) fn key_of(&self, message: &[u8], keys: &[LinkKey<'_>]) -> Option<KeyOf> {
        keys.iter().find(|key| self.fits(message, key.key)).map(|key| key.of)
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    fn fits(&self, message: &[u8], key: &[u8]) -> bool {
        const ANY_LENGTH: &str = "HMAC takes keys of every length";
        match self {
            Self::Sha1(claimed) => {
                let mac = Hmac::<Sha1>::new_from_slice(key).expect(ANY_LENGTH);
                mac.chain_update(message).verify_slice(claimed).is_ok()
            }
            Self::Sha256(claimed) => {
                let mac = Hmac::<Sha256>::new_from_slice(key).expect(ANY_LENGTH);
                mac.chain_update(message).verify_slice(claimed).is_ok()
            }
            Self::Sha512(claimed) => {
                let mac = Hmac::<Sha512>::new_from_slice(key).expect(ANY_LENGTH);
                mac.chain_update(message).verify_slice(claimed).is_ok()
            }
        }
    }

    fn sha1(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::Sha1)
    }

    fn sha256(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::Sha256)
    }

    fn sha512(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::Sha512)
    }
}

/// Either alphabet, with and without padding.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let engine = if text.contains(['-', '_']) { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
    engine.decode(text).ok()
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signature_is_told_by_its_length_or_by_its_name() {
        assert!(matches!(LinkSignature::parse(&"aB".repeat(20)), Some(LinkSignature::Sha1(_))));
        assert!(matches!(LinkSignature::parse(&"00".repeat(32)), Some(LinkSignature::Sha256(_))));
        assert!(matches!(LinkSignature::parse(&"ff".repeat(64)), Some(LinkSignature::Sha512(_))));
        for (name, bytes) in [("sha1", 20), ("sha256", 32), ("sha512", 64)] {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let text = format!("{name}:{}", engine.encode(vec![0xfb; bytes]));
                assert!(LinkSignature::parse(&text).is_some(), "{text}");
                assert!(LinkSignature::parse(&format!("{text}==")).is_some(), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let short = "a".repeat(39);
        let md5 = format!("md5:{}", STANDARD_NO_PAD.encode([0; 16]));
        let wrong_length = format!("sha512:{}", STANDARD_NO_PAD.encode([0; 32]));
        for text in ["", ":", "sha1:", "g".repeat(40).as_str(), &short, &md5, &wrong_length, "sha1:!"] {
            assert_eq!(LinkSignature::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,150}|sha(1|256|512):[-_+/=a-zA-Z]{0,90}|[0-9a-f]{39,41}") {
            let _ = LinkSignature::parse(&text);
        }
    }
}

//! Signing keys, and a few kept ready.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{ALGORITHM, SERVICE, TERMINATOR};
use crate::identity::Secret;

/// How many signing keys are kept: one for each of so many access keys.
const KEPT_COUNT_MAX: usize = 1024;

/// The key with which an access key signs on one day in one region.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// `day` is `YYYYMMDD`.
    pub fn derive(secret: &Secret, day: &str, region: &str) -> Self {
        let first = [b"AWS4", secret.expose().as_bytes()].concat();
        let day_key = mac(keyed(&first), day);
        let region_key = mac(keyed(&day_key), region);
        let service_key = mac(keyed(&region_key), SERVICE);
        Self(keyed(&mac(keyed(&service_key), TERMINATOR)))
    }

    /// The signature of a canonical request with that hash; `date` is `YYYYMMDDTHHMMSSZ`.
    pub(super) fn signature(&self, date: &str, scope: &str, request_hash: &[u8; 32]) -> [u8; 32] {
        self.sign(&[ALGORITHM.as_bytes(), date.as_bytes(), scope.as_bytes(), &hex(request_hash)])
    }

    /// The signature of lines of text.
    pub(crate) fn sign(&self, lines: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                mac.update(b"\n");
            }
            mac.update(line);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Signing keys that have been derived lately. Deriving one takes eight times as long as signing with it.
#[derive(Debug, Default)]
pub struct SigningKeys(Mutex<HashMap<String, Kept>>);

#[derive(Debug)]
struct Kept {
    secret: Secret,
    day: String,
    region: String,
    key: SigningKey,
}

impl SigningKeys {
    /// The signing key; derived anew whenever secret, day or region isn't that of the kept one.
    pub fn get(&self, access_key: &str, secret: &Secret, day: &str, region: &str) -> SigningKey {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(access_key)
            && found.day == day
            && found.region == region
            && found.secret.matches(secret.expose())
        {
            return found.key.clone();
        }
        let key = SigningKey::derive(secret, day, region);
        if kept.len() >= KEPT_COUNT_MAX && !kept.contains_key(access_key) {
            kept.clear();
        }
        let entry =
            Kept { secret: secret.clone(), day: day.to_owned(), region: region.to_owned(), key: key.clone() };
        kept.insert(access_key.to_owned(), entry);
        key
    }
}

/// The 64 lower-case digits of a digest.
pub(super) fn hex(digest: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn mac(mut mac: Hmac<Sha256>, message: &str) -> [u8; 32] {
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(key: &SigningKey) -> [u8; 32] {
        key.signature("20130524T000000Z", "scope", &[0; 32])
    }

    #[test]
    fn a_kept_key_is_not_used_for_another_secret_day_or_region() {
        let keys = SigningKeys::default();
        let (old, new) = (Secret::new("old"), Secret::new("new"));
        let first = sign(&keys.get("K", &old, "20130524", "r"));
        assert_eq!(first, sign(&keys.get("K", &old, "20130524", "r")));
        for (secret, day, region) in
            [(&new, "20130524", "r"), (&old, "20130525", "r"), (&old, "20130524", "s")]
        {
            let other = sign(&keys.get("K", secret, day, region));
            assert_ne!(first, other);
            assert_eq!(other, sign(&SigningKey::derive(secret, day, region)));
        }
    }

    #[test]
    fn the_number_of_kept_keys_is_bounded() {
        let keys = SigningKeys::default();
        for number in 0..=KEPT_COUNT_MAX {
            keys.get(&number.to_string(), &Secret::new("s"), "20130524", "r");
        }
        assert!(keys.0.lock().unwrap().len() <= KEPT_COUNT_MAX);
    }
}

//! The canonical request, hashed as it is made.

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::{Digest as _, Sha256};

use super::presigned::SIGNATURE;
use super::{RequestHead, SigV4Error};
use crate::target::Target;

/// What AWS encodes: everything but `A-Z a-z 0-9 - . _ ~`.
pub(super) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same for paths, where `/` stays.
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// SHA-256 over the canonical request. `payload` is the text of `x-amz-content-sha256`.
/// A header that is said to be signed and isn't there makes a signature that nothing matches.
pub(super) fn request_hash(
    head: &RequestHead<'_>,
    signed_headers: &str,
    payload: &[u8],
) -> Result<[u8; 32], SigV4Error> {
    let mut hash = Sha256::new();
    hash.update(head.method.as_str());
    hash.update("\n");
    for piece in percent_encode(&head.target.path, ENCODED_IN_PATH) {
        hash.update(piece);
    }
    hash.update("\n");
    hash_query(&mut hash, head.target);
    hash.update("\n");
    for name in signed_headers.split(';') {
        hash_header(&mut hash, head.headers, name)?;
    }
    hash.update("\n");
    hash.update(signed_headers);
    hash.update("\n");
    hash.update(payload);
    Ok(hash.finalize().into())
}

/// Parameters sorted by their encoded names, then values; without the signature, which can't sign itself.
fn hash_query(hash: &mut Sha256, target: &Target<'_>) {
    let encode = |raw: &[u8]| percent_encode(raw, ENCODED).to_string();
    let signed = target.query.iter().filter(|pair| !pair.name.eq_ignore_ascii_case(SIGNATURE.as_bytes()));
    let mut pairs: Vec<(String, String)> =
        signed.map(|pair| (encode(&pair.name), encode(&pair.value))).collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            hash.update("&");
        }
        hash.update(name);
        hash.update("=");
        hash.update(value);
    }
}

/// `name:value,value` with each value trimmed and its runs of spaces made one.
fn hash_header(hash: &mut Sha256, headers: &HeaderMap, name: &str) -> Result<(), SigV4Error> {
    hash.update(name);
    let mut separator = ":";
    for value in headers.get_all(name) {
        hash.update(separator);
        separator = ",";
        let value = value.as_bytes().trim_ascii();
        if value.windows(2).any(|pair| pair == b"  ") {
            let words = value.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
            for (at, word) in words.enumerate() {
                if at > 0 {
                    hash.update(" ");
                }
                hash.update(word);
            }
        } else {
            hash.update(value);
        }
    }
    if separator == ":" {
        return Err(SigV4Error::SignatureMismatch);
    }
    hash.update("\n");
    Ok(())
}

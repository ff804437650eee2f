//! The canonical request: hashed as it is made, or written out for whoever has to find out why it doesn't fit.

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

/// What a canonical request is written to, piece by piece.
pub(super) trait Sink {
    fn put(&mut self, piece: &[u8]);
}

impl Sink for Sha256 {
    fn put(&mut self, piece: &[u8]) {
        self.update(piece);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, piece: &[u8]) {
        self.extend_from_slice(piece);
    }
}

/// SHA-256 over the canonical request. `payload` is the text of `x-amz-content-sha256`.
/// A header that is said to be signed and isn't there makes a signature that nothing matches.
pub(super) fn request_hash(
    head: &RequestHead<'_>,
    signed_headers: &str,
    payload: &[u8],
) -> Result<[u8; 32], SigV4Error> {
    let mut hash = Sha256::new();
    write(&mut hash, head, signed_headers, payload)?;
    Ok(hash.finalize().into())
}

/// Writes the canonical request.
pub(super) fn write(
    sink: &mut impl Sink,
    head: &RequestHead<'_>,
    signed_headers: &str,
    payload: &[u8],
) -> Result<(), SigV4Error> {
    sink.put(head.method.as_str().as_bytes());
    sink.put(b"\n");
    for piece in percent_encode(&head.target.path, ENCODED_IN_PATH) {
        sink.put(piece.as_bytes());
    }
    sink.put(b"\n");
    write_query(sink, head.target);
    sink.put(b"\n");
    for name in signed_headers.split(';') {
        write_header(sink, head.headers, name)?;
    }
    sink.put(b"\n");
    sink.put(signed_headers.as_bytes());
    sink.put(b"\n");
    sink.put(payload);
    Ok(())
}

/// Parameters sorted by their encoded names, then values; without the signature, which can't sign itself.
fn write_query(sink: &mut impl Sink, target: &Target<'_>) {
    let encode = |raw: &[u8]| percent_encode(raw, ENCODED).to_string();
    let signed = target.query.iter().filter(|pair| !pair.name.eq_ignore_ascii_case(SIGNATURE.as_bytes()));
    let mut pairs: Vec<(String, String)> =
        signed.map(|pair| (encode(&pair.name), encode(&pair.value))).collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            sink.put(b"&");
        }
        sink.put(name.as_bytes());
        sink.put(b"=");
        sink.put(value.as_bytes());
    }
}

/// `name:value,value` with each value trimmed and its runs of spaces made one.
fn write_header(sink: &mut impl Sink, headers: &HeaderMap, name: &str) -> Result<(), SigV4Error> {
    sink.put(name.as_bytes());
    let mut separator = b":";
    for value in headers.get_all(name) {
        sink.put(separator);
        separator = b",";
        let value = value.as_bytes().trim_ascii();
        if value.windows(2).any(|pair| pair == b"  ") {
            let words = value.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
            for (at, word) in words.enumerate() {
                if at > 0 {
                    sink.put(b" ");
                }
                sink.put(word);
            }
        } else {
            sink.put(value);
        }
    }
    if separator == b":" {
        return Err(SigV4Error::SignatureMismatch);
    }
    sink.put(b"\n");
    Ok(())
}

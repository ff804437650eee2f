//! Bodies in chunks of their own: from the head to what takes them apart.

use http::HeaderValue;
use http::request::Parts;
use martlet_auth::sigv4::{Chain, ChunksSigned, Framing, Streaming, Trailing};
use martlet_model::{BodyError, ChecksumCell};

use super::checksum::TrailingChecksum;
use super::headers::{DECODED_BYTES, Headers, TRAILER};
use super::refusal::Refusal;
use crate::body::RequestBody;

/// The plain body of one in chunks; its length is the one that the head declares for it.
/// `chain` is that of the head's signature; without one, chunks can't be signed.
pub(super) fn unwrapped(
    head: &Parts,
    body: RequestBody,
    form: Streaming,
    chain: Option<Chain>,
) -> Result<RequestBody, Refusal> {
    const NO_CHAIN: Refusal = Refusal::Request("signed chunks need a head that is signed with Version 4");
    let decoded_bytes = decoded_bytes(head)?;
    let signed = match form {
        Streaming::Signed => ChunksSigned::Chunks(chain.ok_or(NO_CHAIN)?),
        Streaming::SignedWithTrailer => ChunksSigned::ChunksAndTrailer(chain.ok_or(NO_CHAIN)?),
        Streaming::UnsignedWithTrailer => ChunksSigned::Nothing,
    };
    let cell = ChecksumCell::default();
    let trailing = match (Headers::new(&head.headers).trailing()?, form) {
        (None, _) => None,
        (Some(_), Streaming::Signed) => return Err(NO_TRAILER),
        (Some(algorithm), Streaming::SignedWithTrailer | Streaming::UnsignedWithTrailer) => {
            Some(Box::new(TrailingChecksum::new(algorithm, cell.clone())) as Box<dyn Trailing>)
        }
    };
    if body.declared() == Some(0) {
        return Err(BodyError::Truncated { received: 0, declared: decoded_bytes }.into());
    }
    let framing = Framing { signed, decoded_bytes, trailing };
    let plain = framing.unwrap(body.into_stream(u64::MAX));
    Ok(RequestBody::new(Some(decoded_bytes), plain).with_trailing(cell))
}

const NO_TRAILER: Refusal = Refusal::Request("x-amz-trailer needs a payload with a trailer");

/// A body that isn't in chunks has no trailer and no second length.
pub(super) fn refuse_announcements(head: &Parts) -> Result<(), Refusal> {
    if head.headers.contains_key(TRAILER) {
        return Err(NO_TRAILER);
    }
    if head.headers.contains_key(DECODED_BYTES) {
        return Err(Refusal::Request("x-amz-decoded-content-length needs a payload in chunks"));
    }
    Ok(())
}

fn decoded_bytes(head: &Parts) -> Result<u64, Refusal> {
    let mut values = head.headers.get_all(DECODED_BYTES).iter();
    let value = values.next().ok_or(Refusal::NoContentLength)?;
    let is_number = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit);
    let bytes = value.to_str().ok().and_then(|text| text.parse().ok());
    match bytes {
        Some(bytes) if is_number(value) && values.next().is_none() => Ok(bytes),
        _ => Err(Refusal::argument(DECODED_BYTES, "it is not a number of bytes")),
    }
}

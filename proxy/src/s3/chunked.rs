//! Bodies in chunks of their own: from the head to what takes them apart.

use http::HeaderValue;
use http::request::Parts;
use martlet_auth::sigv4::{Chain, ChunksSigned, Framing, Streaming, Trailing, hashed};
use martlet_model::{BodyError, ChecksumCell};

use super::checksum::TrailingChecksum;
use super::headers::{DECODED_BYTES, Headers, TRAILER};
use super::refusal::Refusal;
use crate::body::RequestBody;

/// The least that a signed chunk must have that isn't the last, in bytes.
const CHUNK_BYTES_MIN: u64 = 8192;

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
        (Some(_), Streaming::Signed) => return Err(no_trailer()),
        (Some(algorithm), Streaming::SignedWithTrailer | Streaming::UnsignedWithTrailer) => {
            Some(Box::new(TrailingChecksum::new(algorithm, cell.clone())) as Box<dyn Trailing>)
        }
    };
    if body.declared() == Some(0) {
        return Err(BodyError::BadFraming("there is none").into());
    }
    let framing = Framing { signed, decoded_bytes, chunk_bytes_min: CHUNK_BYTES_MIN, trailing };
    let plain = framing.unwrap(body.into_stream(u64::MAX));
    Ok(RequestBody::new(Some(decoded_bytes), plain).with_trailing(cell))
}

/// The body of a request that says that it comes in chunks and is signed in a way in which S3 takes none apart:
/// it is what it is, and that has no such hash.
pub(super) fn not_unwrapped(head: &Parts, body: RequestBody) -> Result<RequestBody, Refusal> {
    let declared = decoded_bytes(head)?;
    match body.declared() {
        Some(received) if received != declared => Err(BodyError::WrongLength { received, declared }.into()),
        _ => Ok(body.guarded(|body| hashed(body, None))),
    }
}

fn no_trailer() -> Refusal {
    BodyError::BadTrailer("x-amz-trailer needs a payload with a trailer").into()
}

/// A body that isn't in chunks has no trailer and no second length.
pub(super) fn refuse_announcements(head: &Parts) -> Result<(), Refusal> {
    if head.headers.contains_key(TRAILER) {
        return Err(no_trailer());
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
        _ => Err(Refusal::NoContentLength),
    }
}

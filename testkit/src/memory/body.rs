//! Bodies in and out.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{BodyError, ByteStream, Error, Md5, ObjectStream, Result, Span};
use md5::{Digest as _, Md5 as Md5Hasher};

/// A body that has been read to its end, and is what it should be.
pub(super) struct Received {
    pub(super) chunks: Vec<Bytes>,
    pub(super) bytes: u64,
    pub(super) md5: Md5,
}

/// Reads a whole body.
pub(super) async fn receive(
    mut body: ByteStream,
    declared: Option<u64>,
    expected: Option<Md5>,
) -> Result<Received> {
    let (mut chunks, mut bytes, mut hasher) = (Vec::new(), 0, Md5Hasher::new());
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        bytes += chunk.len() as u64;
        if bytes > PUT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        hasher.update(&chunk);
        chunks.push(chunk);
    }
    match declared {
        Some(declared) if bytes < declared => {
            return Err(BodyError::Truncated { received: bytes, declared }.into());
        }
        Some(declared) if bytes > declared => {
            return Err(BodyError::TooLarge { bytes_max: declared }.into());
        }
        _ => {}
    }
    let computed = Md5(hasher.finalize().into());
    match expected {
        Some(expected) if expected != computed => Err(Error::Md5Mismatch { expected, computed }),
        _ => Ok(Received { chunks, bytes, md5: computed }),
    }
}

/// The bytes of `span`, without copying them.
pub(super) fn send(chunks: &[Bytes], span: Span) -> ObjectStream {
    let mut cut = Vec::new();
    let mut offset = 0;
    for chunk in chunks {
        let end = offset + chunk.len() as u64;
        let (from, to) = (span.start.clamp(offset, end), span.end.clamp(offset, end));
        if from < to {
            let within = |position: u64| usize::try_from(position - offset).unwrap_or(chunk.len());
            cut.push(Ok(chunk.slice(within(from)..within(to))));
        }
        offset = end;
    }
    Box::pin(stream::iter(cut))
}

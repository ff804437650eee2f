//! The client's side, for tests.

use sha2::{Digest as _, Sha256};

use super::Chain;
use crate::sigv4::key::hex;

/// A body in chunks of `chunk_bytes`, signed where there is a chain, with a trailer `name: value` where there is one.
pub fn encode(
    body: &[u8],
    chunk_bytes: usize,
    mut chain: Option<Chain>,
    trailer: Option<(&str, &str)>,
) -> Vec<u8> {
    let mut encoded = Vec::new();
    for chunk in body.chunks(chunk_bytes).chain([&[][..]]) {
        encoded.extend_from_slice(format!("{:x}", chunk.len()).as_bytes());
        if let Some(chain) = &mut chain {
            encoded.extend_from_slice(b";chunk-signature=");
            encoded.extend_from_slice(&hex(&chain.chunk(&Sha256::digest(chunk).into())));
        }
        encoded.extend_from_slice(b"\r\n");
        encoded.extend_from_slice(chunk);
        if !chunk.is_empty() {
            encoded.extend_from_slice(b"\r\n");
        }
    }
    if let Some((name, value)) = trailer {
        encoded.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        if let Some(chain) = &mut chain {
            encoded.extend_from_slice(b"x-amz-trailer-signature:");
            encoded.extend_from_slice(&hex(&chain.trailer(format!("{name}:{value}\n").as_bytes())));
            encoded.extend_from_slice(b"\r\n");
        }
    }
    encoded.extend_from_slice(b"\r\n");
    encoded
}

//! What a signature should have signed, for whoever has to find out why it doesn't fit.

use sha2::{Digest as _, Sha256};

use super::authorization::Authorization;
use super::date::RequestDate;
use super::key::hex;
use super::payload::{Payload, UNSIGNED};
use super::presigned::Presigned;
use super::{ALGORITHM, RequestHead, canonical};
use crate::signed_text::SignedText;

/// What the signature of a request should have signed, as far as the head tells; `None`: it isn't signed so.
/// Nothing of it is secret: it is what the request says, in the order in which it is signed.
pub fn explain(head: RequestHead<'_>) -> Option<SignedText> {
    let (authorization, date, in_query) = match Presigned::read(head.target).ok()? {
        Some(Presigned { authorization, date, payload, .. }) => {
            (authorization, date, Some(payload.unwrap_or(UNSIGNED)))
        }
        None => (Authorization::read(head.headers).ok()??, RequestDate::read(head.headers).ok()?, None),
    };
    let payload = Payload::text(head.headers).ok()?.or(in_query).unwrap_or_default();
    let mut request = Vec::new();
    canonical::write(&mut request, &head, authorization.signed_headers, payload.as_bytes()).ok()?;
    let hash = hex(&Sha256::digest(&request).into());
    let string_to_sign =
        format!("{ALGORITHM}\n{}\n{}\n{}", date.text(), authorization.scope, String::from_utf8_lossy(&hash));
    Some(SignedText {
        access_key: authorization.access_key.to_owned(),
        signature: String::from_utf8_lossy(&hex(&authorization.signature)).into_owned(),
        string_to_sign,
        canonical_request: Some(String::from_utf8_lossy(&request).into_owned()),
    })
}

//! The client's side, for tests and for examples that can be pasted.

use http::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::request::Parts;
use martlet_model::Timestamp;

use super::key::hex;
use super::payload::UNSIGNED;
use super::{
    ALGORITHM, AMZ_DATE, CONTENT_SHA256, Payload, RequestHead, SERVICE, SigV4Error, SigningKey, TERMINATOR,
    canonical, date,
};
use crate::identity::Secret;
use crate::target::Target;

/// Who signs, and where to.
#[derive(Clone, Debug)]
pub struct Signer<'a> {
    pub access_key: &'a str,
    pub secret: &'a Secret,
    pub region: &'a str,
}

/// Signs a request: adds `x-amz-date`, `x-amz-content-sha256`, where it is missing `host`, and `authorization`.
/// Whatever header is there before is signed, except those that belong to the connection.
pub fn sign(
    head: &mut Parts,
    payload: Payload,
    signer: &Signer<'_>,
    now: Timestamp,
) -> Result<(), SigV4Error> {
    let date = date::basic(now).ok_or(SigV4Error::NoDate)?;
    let payload_text = match payload {
        Payload::Unsigned => UNSIGNED.to_owned(),
        Payload::Sha256(digest) => text(&hex(&digest)),
    };
    head.headers.insert(AMZ_DATE, header(&date)?);
    head.headers.insert(CONTENT_SHA256, header(&payload_text)?);
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(HOST)
    {
        let host = header(authority.as_str())?;
        head.headers.insert(HOST, host);
    }
    let mut names: Vec<&str> =
        head.headers.keys().filter(|name| is_signed(name)).map(HeaderName::as_str).collect();
    names.sort_unstable();
    let signed_headers = names.join(";");

    let target = Target::parse(&head.uri).map_err(|_| SigV4Error::SignatureMismatch)?;
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let request_hash = canonical::request_hash(&request, &signed_headers, &payload_text)?;
    let Signer { access_key, secret, region } = signer;
    let day = &date[..8];
    let scope = format!("{day}/{region}/{SERVICE}/{TERMINATOR}");
    let signature =
        text(&hex(&SigningKey::derive(secret, day, region).signature(&date, &scope, &request_hash)));
    let authorization = header(&format!(
        "{ALGORITHM} Credential={access_key}/{scope},SignedHeaders={signed_headers},Signature={signature}"
    ))?;
    head.headers.insert(AUTHORIZATION, authorization);
    Ok(())
}

fn is_signed(name: &HeaderName) -> bool {
    ![AUTHORIZATION, CONNECTION, EXPECT, USER_AGENT].contains(name)
}

fn text(digits: &[u8; 64]) -> String {
    digits.iter().map(|&digit| char::from(digit)).collect()
}

fn header(text: &str) -> Result<HeaderValue, SigV4Error> {
    HeaderValue::from_str(text).map_err(|_| SigV4Error::Malformed("a header can't carry the value"))
}

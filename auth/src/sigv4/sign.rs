//! The client's side, for tests and for examples that can be pasted.

use http::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Uri};
use martlet_model::Timestamp;
use percent_encoding::utf8_percent_encode;

use super::authorization::Authorization;
use super::key::hex;
use super::payload::UNSIGNED;
use super::{
    ALGORITHM, AMZ_DATE, CONTENT_SHA256, Chain, Payload, RequestHead, SERVICE, SigV4Error, SigningKey,
    TERMINATOR, canonical, date, presigned,
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
    let payload_text = match payload {
        Payload::Unsigned => UNSIGNED.to_owned(),
        Payload::Sha256(digest) => text(&hex(&digest)),
        Payload::NoSha256 => "nonsense".to_owned(),
        Payload::Streaming(form) => form.text().to_owned(),
    };
    head.headers.insert(CONTENT_SHA256, header(&payload_text)?);
    add_authorization(head, payload_text.as_bytes(), signer, now)
}

/// The same without telling the hash of the body that is signed, as curl up to 7.88 does it.
pub fn sign_silently(
    head: &mut Parts,
    sha256: &[u8; 32],
    signer: &Signer<'_>,
    now: Timestamp,
) -> Result<(), SigV4Error> {
    add_authorization(head, &hex(sha256), signer, now)
}

fn add_authorization(
    head: &mut Parts,
    payload_text: &[u8],
    signer: &Signer<'_>,
    now: Timestamp,
) -> Result<(), SigV4Error> {
    let date = date::basic(now).ok_or(SigV4Error::NoDate)?;
    head.headers.insert(AMZ_DATE, header(&date)?);
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(HOST)
    {
        let host = header(authority.as_str())?;
        head.headers.insert(HOST, host);
    }
    let signed_headers = signed_headers(&head.headers);
    let target = Target::parse(&head.uri).map_err(|_| SigV4Error::SignatureMismatch)?;
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let request_hash = canonical::request_hash(&request, &signed_headers, payload_text)?;
    let signature = signer.signature(&date, &request_hash);
    let credential = signer.credential(&date);
    let authorization = header(&format!(
        "{ALGORITHM} Credential={credential},SignedHeaders={signed_headers},Signature={signature}"
    ))?;
    head.headers.insert(AUTHORIZATION, authorization);
    Ok(())
}

/// Signs a request's query, so that it can be sent without a header `Authorization` for so many seconds.
/// Whatever header is there is signed as by [`sign`]; the body is not, unless a header tells its hash.
pub fn presign(
    head: &mut Parts,
    signer: &Signer<'_>,
    now: Timestamp,
    lifetime_seconds: u64,
) -> Result<(), SigV4Error> {
    let date = date::basic(now).ok_or(SigV4Error::NoDate)?;
    let signed_headers = signed_headers(&head.headers);
    let mut query = head.uri.query().map(|query| format!("{query}&")).unwrap_or_default();
    for (name, value) in [
        (presigned::ALGORITHM_NAME, ALGORITHM),
        (presigned::CREDENTIAL, &signer.credential(&date)),
        (presigned::DATE, &date),
        (presigned::EXPIRES, &lifetime_seconds.to_string()),
        (presigned::SIGNED_HEADERS, &signed_headers),
    ] {
        query.extend([name, "=", &utf8_percent_encode(value, canonical::ENCODED).to_string(), "&"]);
    }
    let unsigned = with_query(&head.uri, query.trim_end_matches('&'))?;
    let target = Target::parse(&unsigned).map_err(|_| SigV4Error::SignatureMismatch)?;
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let payload = request.headers.get(CONTENT_SHA256).map_or(UNSIGNED.as_bytes(), HeaderValue::as_bytes);
    let request_hash = canonical::request_hash(&request, &signed_headers, payload)?;
    query.extend([presigned::SIGNATURE, "=", &signer.signature(&date, &request_hash)]);
    head.uri = with_query(&head.uri, &query)?;
    Ok(())
}

/// The chain for the chunks of a body whose head has been signed with [`sign`].
pub fn chain(head: &Parts, signer: &Signer<'_>) -> Result<Chain, SigV4Error> {
    let authorization = Authorization::read(&head.headers)?.ok_or(SigV4Error::SignatureMismatch)?;
    let date = date::RequestDate::read(&head.headers)?;
    let key = SigningKey::derive(signer.secret, authorization.day, signer.region);
    Ok(Chain::new(key, date.text(), authorization.scope, authorization.signature))
}

impl Signer<'_> {
    /// `key/day/region/s3/aws4_request`
    fn credential(&self, date: &str) -> String {
        format!("{}/{}", self.access_key, self.scope(date))
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/{}/{SERVICE}/{TERMINATOR}", &date[..8], self.region)
    }

    fn signature(&self, date: &str, request_hash: &[u8; 32]) -> String {
        let key = SigningKey::derive(self.secret, &date[..8], self.region);
        text(&hex(&key.signature(date, &self.scope(date), request_hash)))
    }
}

fn with_query(uri: &Uri, query: &str) -> Result<Uri, SigV4Error> {
    let mut parts = uri.clone().into_parts();
    let path_and_query = format!("{}?{query}", uri.path()).parse();
    parts.path_and_query =
        Some(path_and_query.map_err(|_| SigV4Error::MalformedQuery("a URI can't carry it"))?);
    Uri::from_parts(parts).map_err(|_| SigV4Error::MalformedQuery("a URI can't carry it"))
}

fn signed_headers(headers: &HeaderMap) -> String {
    let mut names: Vec<&str> =
        headers.keys().filter(|name| is_signed(name)).map(HeaderName::as_str).collect();
    names.sort_unstable();
    names.join(";")
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

//! AWS Signature Version 2 in the `Authorization` header and in the query, as pure functions of a request's head.
//!
//! Source: "Signing and Authenticating REST Requests" of the Amazon S3 developer guide.
//!
//! Old clients sign so, and `aws s3 presign` where no region is configured.
//! It vouches for the path, for the sub-resources and for every `x-amz-*` header,
//! but neither for the other parameters of a query nor for the body.

use std::borrow::Cow;
use std::str;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName};
use jiff::fmt::rfc2822;
use martlet_model::Timestamp;
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use crate::identity::Secret;
use crate::signed_text::SignedText;
use crate::sigv4::{RequestHead, SKEW_SECONDS_MAX, is_of_signature as is_of_version_4};
use crate::target::Target;

const SCHEME: &str = "AWS ";
const ACCESS_KEY: &str = "AWSAccessKeyId";
const SIGNATURE: &str = "Signature";
const EXPIRES: &str = "Expires";
const AMZ_PREFIX: &str = "x-amz-";
const AMZ_DATE: &str = "x-amz-date";

/// The parameters that are signed.
const SIGNED_PARAMETERS: [&str; 41] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// What a request says about who sent it; everything that can be judged without the secret has been.
#[derive(Debug)]
pub struct Claim<'a> {
    access_key: &'a str,
    signature: [u8; 20],
    head: RequestHead<'a>,
    place: Place<'a>,
    /// What stands where the date does: in a query, when it expires.
    date: Cow<'a, str>,
}

/// Where a request goes, as it was written: Version 2 signs the path undecoded.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub path: &'a str,
    /// The bucket that the host names, if it does.
    pub host_bucket: Option<&'a str>,
}

/// Why a request isn't believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigV2Error {
    #[error("the authorization header is malformed: it is not AWS key:signature")]
    Malformed,
    #[error("a signed query needs Signature, Expires and AWSAccessKeyId, each once")]
    MalformedQuery,
    #[error("Expires is not a number of seconds since the epoch")]
    BadExpires,
    #[error("only one way to sign is allowed: the header Authorization or the query")]
    SignedTwice,
    #[error("a valid Date or x-amz-date header is required")]
    NoDate,
    #[error("the difference between the request's time and the server's is too large")]
    Skewed,
    #[error("the request has expired")]
    Expired,
    #[error("the signature doesn't match the request")]
    SignatureMismatch,
}

/// What the signature of a request should have signed, as far as the head tells; `None`: it isn't signed so.
/// Nothing of it is secret.
pub fn explain(head: RequestHead<'_>, place: Place<'_>, now: Timestamp) -> Option<SignedText> {
    let claim = Claim::read(head, place, now).ok()??;
    Some(SignedText {
        access_key: claim.access_key.to_owned(),
        signature: STANDARD.encode(claim.signature),
        string_to_sign: String::from_utf8_lossy(&claim.text("", "")).into_owned(),
        canonical_request: None,
    })
}

/// Whether a query parameter belongs to the signature and says nothing of the operation.
/// What it says has been judged by [`Claim::read`], also where it is no whole signature.
pub fn is_of_signature(name: &[u8]) -> bool {
    [ACCESS_KEY, SIGNATURE, EXPIRES].iter().any(|ours| name == ours.as_bytes())
}

impl<'a> Claim<'a> {
    /// Reads the claim of a request; `None`: it makes none of Version 2.
    pub fn read(head: RequestHead<'a>, place: Place<'a>, now: Timestamp) -> Result<Option<Self>, SigV2Error> {
        let mut authorizations = head.headers.get_all(AUTHORIZATION).iter();
        let authorization = authorizations.next();
        let in_header = authorization.is_some_and(|value| value.as_bytes().starts_with(SCHEME.as_bytes()));
        let has = |is: fn(&[u8]) -> bool| head.target.query.iter().any(|parameter| is(&parameter.name));
        let in_query = has(is_of_signature);
        if !in_header && !in_query {
            return Ok(None);
        }
        if (in_query && authorization.is_some()) || has(is_of_version_4) || authorizations.next().is_some() {
            return Err(SigV2Error::SignedTwice);
        }
        if in_query {
            return Self::of_query(head, place, now).map(Some);
        }
        let text = authorization.and_then(|value| value.to_str().ok()).ok_or(SigV2Error::Malformed)?;
        // An access key may have colons in it, a signature can't.
        let (access_key, signature) = text[SCHEME.len()..].rsplit_once(':').ok_or(SigV2Error::Malformed)?;
        let signature = decoded(signature).ok_or(SigV2Error::Malformed)?;
        let date = checked_date(head.headers, now)?;
        Ok(Some(Self { access_key, signature, head, place, date: date.into() }))
    }

    fn of_query(head: RequestHead<'a>, place: Place<'a>, now: Timestamp) -> Result<Self, SigV2Error> {
        let access_key = parameter(head.target, ACCESS_KEY)?;
        let signature = decoded(parameter(head.target, SIGNATURE)?).ok_or(SigV2Error::MalformedQuery)?;
        let expires = parameter(head.target, EXPIRES)?;
        let seconds = expires.parse().ok().filter(|_| expires.bytes().all(|byte| byte.is_ascii_digit()));
        let seconds: u64 = seconds.map(u32::into).ok_or(SigV2Error::BadExpires)?;
        if now.as_seconds() > seconds {
            return Err(SigV2Error::Expired);
        }
        Ok(Self { access_key, signature, head, place, date: expires.into() })
    }

    pub fn access_key(&self) -> &'a str {
        self.access_key
    }

    /// Whether whoever sent the request holds the secret. Compares in constant time.
    pub fn prove(&self, secret: &Secret) -> Result<(), SigV2Error> {
        // Clients differ on `?acl` and `?acl=`, and decoded they are the same.
        // Some sign a bucket's path with a slash at its end and send it without, which names the same bucket.
        let slashes: &[&str] = if self.is_bare_bucket() { &["", "/"] } else { &[""] };
        for slash in slashes {
            for empty in ["", "="] {
                let computed = signature(secret, &self.text(slash, empty));
                if computed.ct_eq(&self.signature).into() {
                    return Ok(());
                }
            }
        }
        Err(SigV2Error::SignatureMismatch)
    }

    /// Whether the path is that of a bucket, without a slash at its end.
    fn is_bare_bucket(&self) -> bool {
        let bucket = self.place.path.strip_prefix('/').unwrap_or_default();
        self.place.host_bucket.is_none() && !bucket.is_empty() && !bucket.contains('/')
    }

    /// What is signed; `slash` stands at the end of the path, `empty` after the name of a parameter without a value.
    fn text(&self, slash: &str, empty: &str) -> Vec<u8> {
        let headers = self.head.headers;
        let mut text = Vec::new();
        for line in [
            self.head.method.as_str().as_bytes(),
            &joined(headers, &HeaderName::from_static("content-md5")),
            &joined(headers, &CONTENT_TYPE),
            self.date.as_bytes(),
        ] {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        let mut names: Vec<&HeaderName> = headers.keys().collect();
        names.retain(|name| name.as_str().starts_with(AMZ_PREFIX));
        names.sort_unstable_by_key(|name| name.as_str());
        for name in names {
            text.extend_from_slice(name.as_str().as_bytes());
            text.push(b':');
            text.extend_from_slice(&joined(headers, name));
            text.push(b'\n');
        }
        if let Some(bucket) = self.place.host_bucket {
            text.push(b'/');
            text.extend_from_slice(bucket.to_ascii_lowercase().as_bytes());
        }
        text.extend_from_slice(self.place.path.as_bytes());
        text.extend_from_slice(slash.as_bytes());
        self.append_parameters(&mut text, empty);
        text
    }

    fn append_parameters(&self, text: &mut Vec<u8>, empty: &str) {
        let mut parameters: Vec<_> = self.head.target.query.iter().collect();
        parameters
            .retain(|parameter| SIGNED_PARAMETERS.iter().any(|name| *parameter.name == *name.as_bytes()));
        parameters.sort_unstable();
        for (at, parameter) in parameters.iter().enumerate() {
            text.push(if at == 0 { b'?' } else { b'&' });
            text.extend_from_slice(&parameter.name);
            if parameter.value.is_empty() {
                text.extend_from_slice(empty.as_bytes());
            } else {
                text.push(b'=');
                text.extend_from_slice(&parameter.value);
            }
        }
    }
}

/// The client's side, for tests: the value of an `Authorization` for a head that has a date.
pub fn authorization(access_key: &str, secret: &Secret, head: RequestHead<'_>, place: Place<'_>) -> String {
    let date = if head.headers.contains_key(AMZ_DATE) { Vec::new() } else { joined(head.headers, &DATE) };
    format!("{SCHEME}{access_key}:{}", signed(secret, head, place, &String::from_utf8_lossy(&date)))
}

/// The client's side, for tests: the parameters to add to a query that is valid until `expires_seconds`.
pub fn presigned(
    access_key: &str,
    secret: &Secret,
    head: RequestHead<'_>,
    place: Place<'_>,
    expires_seconds: u64,
) -> String {
    let signature = signed(secret, head, place, &expires_seconds.to_string());
    let signature = percent_encoding::utf8_percent_encode(&signature, percent_encoding::NON_ALPHANUMERIC);
    format!("{ACCESS_KEY}={access_key}&{SIGNATURE}={signature}&{EXPIRES}={expires_seconds}")
}

fn signed(secret: &Secret, head: RequestHead<'_>, place: Place<'_>, date: &str) -> String {
    let claim = Claim { access_key: "", signature: [0; 20], head, place, date: date.into() };
    STANDARD.encode(signature(secret, &claim.text("", "")))
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn signature(secret: &Secret, text: &[u8]) -> [u8; 20] {
    let mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes());
    let mut mac = mac.expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn decoded(signature: &str) -> Option<[u8; 20]> {
    STANDARD.decode(signature).ok()?.try_into().ok()
}

/// The date that is signed as such: none where `x-amz-date` is, which is signed as a header.
fn checked_date(headers: &HeaderMap, now: Timestamp) -> Result<&str, SigV2Error> {
    let amz_date = headers.contains_key(AMZ_DATE);
    let name = if amz_date { AMZ_DATE } else { DATE.as_str() };
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(SigV2Error::NoDate) };
    let text = value.to_str().map_err(|_| SigV2Error::NoDate)?;
    // Some clients don't care which day of the week it is.
    let parser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    let date = parser.parse_timestamp(text).map_err(|_| SigV2Error::NoDate)?;
    let seconds = u64::try_from(date.as_second()).map_err(|_| SigV2Error::NoDate)?;
    if seconds.abs_diff(now.as_seconds()) > SKEW_SECONDS_MAX {
        return Err(SigV2Error::Skewed);
    }
    Ok(if amz_date { "" } else { text })
}

fn parameter<'a>(target: &'a Target<'a>, name: &str) -> Result<&'a str, SigV2Error> {
    let mut found = target.query.iter().filter(|parameter| *parameter.name == *name.as_bytes());
    match (found.next(), found.next()) {
        (Some(parameter), None) => str::from_utf8(&parameter.value).map_err(|_| SigV2Error::MalformedQuery),
        _ => Err(SigV2Error::MalformedQuery),
    }
}

/// All values of a header, with commas between.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let values: Vec<&[u8]> =
        headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
    values.join(&b","[..])
}

#[cfg(test)]
mod tests;

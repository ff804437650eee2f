//! The signature in the query: a link that can be handed on.

use std::str;

use martlet_model::Timestamp;

use super::authorization::{Authorization, digest_from_hex};
use super::date::RequestDate;
use super::{ALGORITHM, SKEW_SECONDS_MAX, SigV4Error};
use crate::target::{Parameter, Target};

/// How long a link may live, in seconds: 7 days.
pub const LIFETIME_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

pub(super) const ALGORITHM_NAME: &str = "X-Amz-Algorithm";
pub(super) const CREDENTIAL: &str = "X-Amz-Credential";
pub(super) const DATE: &str = "X-Amz-Date";
pub(super) const EXPIRES: &str = "X-Amz-Expires";
pub(super) const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
pub(super) const SIGNATURE: &str = "X-Amz-Signature";
const CONTENT_SHA256: &str = "X-Amz-Content-Sha256";
const SECURITY_TOKEN: &str = "X-Amz-Security-Token";

/// The parameters that make a signed query.
const NAMES: [&str; 8] =
    [ALGORITHM_NAME, CREDENTIAL, DATE, EXPIRES, SIGNED_HEADERS, SIGNATURE, CONTENT_SHA256, SECURITY_TOKEN];

/// What a signed query says.
#[derive(Debug)]
pub(super) struct Presigned<'a> {
    pub(super) authorization: Authorization<'a>,
    pub(super) date: RequestDate<'a>,
    lifetime_seconds: u64,
    /// What the query says of the payload, if it does.
    pub(super) payload: Option<&'a str>,
}

/// Whether a parameter belongs to the signature and says nothing of the operation.
pub(super) fn is_of_signature(name: &[u8]) -> bool {
    NAMES.iter().any(|ours| name.eq_ignore_ascii_case(ours.as_bytes()))
}

impl<'a> Presigned<'a> {
    /// `None`: no parameter belongs to a signature.
    pub(super) fn read(target: &'a Target<'a>) -> Result<Option<Self>, SigV4Error> {
        if !target.query.iter().any(|parameter| is_of_signature(&parameter.name)) {
            return Ok(None);
        }
        if parameter(target, SECURITY_TOKEN)?.is_some() {
            return Err(SigV4Error::NotOffered("a temporary credential"));
        }
        match required(target, ALGORITHM_NAME)? {
            ALGORITHM => {}
            "AWS4-ECDSA-P256-SHA256" => return Err(SigV4Error::NotOffered("Signature Version 4A")),
            _ => return Err(SigV4Error::MalformedQuery("X-Amz-Algorithm is not AWS4-HMAC-SHA256")),
        }
        let signed_headers = required(target, SIGNED_HEADERS)?;
        let signature = digest_from_hex(required(target, SIGNATURE)?.as_bytes())
            .ok_or(SigV4Error::MalformedQuery("X-Amz-Signature is not 64 hexadecimal digits"))?;
        let credential = required(target, CREDENTIAL)?;
        let authorization = Authorization::of_fields(credential, signed_headers, signature).ok_or(
            SigV4Error::MalformedQuery("X-Amz-Credential is not key/day/region/service/aws4_request"),
        )?;
        let date = RequestDate::basic(required(target, DATE)?)
            .ok_or(SigV4Error::MalformedQuery("X-Amz-Date is not YYYYMMDDTHHMMSSZ"))?;
        let lifetime_seconds = lifetime(required(target, EXPIRES)?)?;
        let payload = parameter(target, CONTENT_SHA256)?;
        Ok(Some(Self { authorization, date, lifetime_seconds, payload }))
    }

    /// A link is valid from its date on, for as long as it says; what its maker's clock was ahead is forgiven.
    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), SigV4Error> {
        let now_seconds = now.as_seconds();
        if self.date.seconds() > now_seconds + SKEW_SECONDS_MAX {
            return Err(SigV4Error::NotYetValid);
        }
        if now_seconds > self.date.seconds() + self.lifetime_seconds {
            return Err(SigV4Error::Expired);
        }
        Ok(())
    }
}

fn lifetime(text: &str) -> Result<u64, SigV4Error> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match text.parse::<i64>().ok().filter(|_| is_number).map(u64::try_from) {
        Some(Ok(seconds)) if seconds <= LIFETIME_SECONDS_MAX => Ok(seconds),
        Some(Ok(_)) => Err(SigV4Error::MalformedQuery(
            "X-Amz-Expires must be less than a week (in seconds); \
             that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Some(Err(_)) => Err(SigV4Error::MalformedQuery("X-Amz-Expires must be non-negative")),
        None => Err(SigV4Error::MalformedQuery("X-Amz-Expires should be a number")),
    }
}

fn required<'a>(target: &'a Target<'a>, name: &str) -> Result<&'a str, SigV4Error> {
    parameter(target, name)?.ok_or(SigV4Error::MalformedQuery(
        "a signed query needs X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, X-Amz-Expires, \
         X-Amz-SignedHeaders and X-Amz-Signature",
    ))
}

fn parameter<'a>(target: &'a Target<'a>, name: &str) -> Result<Option<&'a str>, SigV4Error> {
    let has_name = |parameter: &&'a Parameter<'a>| parameter.name.eq_ignore_ascii_case(name.as_bytes());
    let mut found = target.query.iter().filter(has_name);
    let Some(first) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(SigV4Error::MalformedQuery("a parameter of the signature is there twice"));
    }
    let text = str::from_utf8(&first.value);
    text.map(Some).map_err(|_| SigV4Error::MalformedQuery("a parameter of the signature is not text"))
}

//! AWS Signature Version 4 in the `Authorization` header and in the query, as pure functions of a request's head.
//!
//! Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference.
//!
//! A server reads a [`Claim`], looks up the secret of its access key, and lets the claim prove itself:
//! only then is the [`Payload`], which guards the body, given out.
//! Whatever the signature covers is taken as the server will use it: the decoded target is encoded again,
//! so bytes that mean the same have the same signature, and bytes that don't, don't.

mod authorization;
mod canonical;
mod chunked;
mod date;
mod explain;
mod key;
mod payload;
mod presigned;
mod sign;

use http::{HeaderMap, Method};
use martlet_model::Timestamp;
use subtle::ConstantTimeEq as _;

pub use chunked::{Chain, ChunksSigned, Framing, Trailing, encode};
pub use explain::explain;
pub use key::{SigningKey, SigningKeys};
pub use payload::{Payload, Streaming, hashed, unexpectedly_empty};
pub use presigned::LIFETIME_SECONDS_MAX;
pub use sign::{Signer, chain, presign, sign, sign_silently};

use crate::target::Target;
pub(crate) use authorization::{Credential, digest_from_hex};

use authorization::Authorization;
use date::RequestDate;
use key::hex;
use payload::{EMPTY_SHA256, UNSIGNED};
use presigned::Presigned;

/// How far a request's date may be from the server's clock, in seconds: 15 minutes.
pub const SKEW_SECONDS_MAX: u64 = 15 * 60;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(crate) const SERVICE: &str = "s3";
pub(crate) const TERMINATOR: &str = "aws4_request";
pub(crate) const CONTENT_SHA256: &str = "x-amz-content-sha256";
pub(crate) const AMZ_DATE: &str = "x-amz-date";
const AMZ_PREFIX: &str = "x-amz-";

/// What of a request's head is signed.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    pub method: &'a Method,
    pub target: &'a Target<'a>,
    pub headers: &'a HeaderMap,
}

/// What a request says about who sent it; everything that can be judged without the secret has been.
#[derive(Debug)]
pub struct Claim<'a> {
    head: RequestHead<'a>,
    authorization: Authorization<'a>,
    date: RequestDate<'a>,
    /// `None`: the head doesn't say.
    payload: Option<(Payload, &'a str)>,
}

/// Why a request isn't believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// A way to sign that exists and isn't offered.
    #[error("{0} is not offered")]
    NotOffered(&'static str),
    #[error("the authorization header is malformed: {0}")]
    Malformed(&'static str),
    #[error("the signed query is malformed: {0}")]
    MalformedQuery(&'static str),
    /// A signature in the header and one in the query: nobody can tell which is meant.
    #[error("only one way to sign is allowed: the header Authorization or the query")]
    SignedTwice,
    /// A link from the future.
    #[error("the request is not valid yet")]
    NotYetValid,
    /// A link that was valid once.
    #[error("the request has expired")]
    Expired,
    #[error("the authorization header is malformed: the region is wrong; expecting '{expected}'")]
    WrongRegion { expected: String },
    #[error("a valid Date or x-amz-date header is required")]
    NoDate,
    #[error("the difference between the request's time and the server's is too large")]
    Skewed,
    #[error("the header {0} is present and not signed")]
    UnsignedHeader(String),
    #[error("the header x-amz-content-sha256 is missing")]
    NoPayloadHash,
    /// A hash of the body is signed that the head doesn't tell: only the body can show whether it is the right one.
    #[error("the hash of the body is not told")]
    UntoldPayloadHash,
    #[error("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, 64 hexadecimal digits, or a STREAMING- form")]
    BadPayloadHash,
    #[error("the signature doesn't match the request")]
    SignatureMismatch,
}

impl<'a> Claim<'a> {
    /// Reads the claim of a request; `None`: it claims nothing, and comes from nobody in particular.
    pub fn read(head: RequestHead<'a>, region: &str, now: Timestamp) -> Result<Option<Self>, SigV4Error> {
        match Presigned::read(head.target)? {
            Some(_) if Authorization::is_in(head.headers) => Err(SigV4Error::SignedTwice),
            Some(presigned) => Self::of_query(head, presigned, region, now).map(Some),
            None => Self::of_header(head, region, now),
        }
    }

    fn of_header(head: RequestHead<'a>, region: &str, now: Timestamp) -> Result<Option<Self>, SigV4Error> {
        refuse_version_2(head.target)?;
        let Some(authorization) = Authorization::read(head.headers)? else { return Ok(None) };
        authorization.check_scope(region)?;
        let date = RequestDate::read(head.headers)?;
        if date.seconds().abs_diff(now.as_seconds()) > SKEW_SECONDS_MAX {
            return Err(SigV4Error::Skewed);
        }
        if date.day() != authorization.day.as_bytes() {
            return Err(SigV4Error::Malformed("the credential's date is not the request's"));
        }
        check_signed_headers(&head, &authorization)?;
        let payload = match Payload::text(head.headers)? {
            Some(text) => Some((Payload::parse(text)?, text)),
            None => None,
        };
        Ok(Some(Self { head, authorization, date, payload }))
    }

    fn of_query(
        head: RequestHead<'a>,
        presigned: Presigned<'a>,
        region: &str,
        now: Timestamp,
    ) -> Result<Self, SigV4Error> {
        presigned.authorization.check_scope(region)?;
        presigned.check_time(now)?;
        let Presigned { authorization, date, payload: in_query, .. } = presigned;
        if date.day() != authorization.day.as_bytes() {
            return Err(SigV4Error::MalformedQuery("the credential's date is not X-Amz-Date"));
        }
        check_signed_headers(&head, &authorization)?;
        let payload_text = match (Payload::text(head.headers)?, in_query) {
            (Some(in_header), Some(in_query)) if in_header != in_query => {
                return Err(SigV4Error::BadPayloadHash);
            }
            // Whoever makes a link seldom knows what will be sent through it.
            (in_header, in_query) => in_header.or(in_query).unwrap_or(UNSIGNED),
        };
        let payload = Some((Payload::lenient(payload_text)?, payload_text));
        Ok(Self { head, authorization, date, payload })
    }

    pub fn access_key(&self) -> &'a str {
        self.authorization.access_key
    }

    /// The day that the signing key is for: `YYYYMMDD`.
    pub fn day(&self) -> &'a str {
        self.authorization.day
    }

    /// Whether whoever sent the request holds the key. Compares in constant time.
    ///
    /// A head may say nothing of its payload: curl up to 7.88 signs the hash of what it posts without telling it,
    /// and that of nothing for whatever it uploads from a file, so that the latter vouches for no body.
    /// Where it is the former, the answer is [`SigV4Error::UntoldPayloadHash`]:
    /// the body is needed for [`Claim::prove_with`]. Signing that the payload is unsigned without saying so
    /// is no way to sign, as in S3.
    pub fn prove(&self, key: &SigningKey) -> Result<Payload, SigV4Error> {
        let Some((payload, text)) = self.payload else {
            if self.fits(key, &hex(&EMPTY_SHA256))? {
                return Ok(Payload::Unsigned);
            }
            let is_unsigned = self.fits(key, UNSIGNED.as_bytes())?;
            return Err(if is_unsigned { SigV4Error::NoPayloadHash } else { SigV4Error::UntoldPayloadHash });
        };
        if self.fits(key, text.as_bytes())? { Ok(payload) } else { Err(SigV4Error::SignatureMismatch) }
    }

    /// The same where the head says nothing of its payload, which has that SHA-256.
    pub fn prove_with(&self, key: &SigningKey, sha256: &[u8; 32]) -> Result<(), SigV4Error> {
        if self.payload.is_none() && self.fits(key, &hex(sha256))? {
            Ok(())
        } else {
            Err(SigV4Error::SignatureMismatch)
        }
    }

    fn fits(&self, key: &SigningKey, payload_text: &[u8]) -> Result<bool, SigV4Error> {
        let signed_headers = self.authorization.signed_headers;
        let request = canonical::request_hash(&self.head, signed_headers, payload_text)?;
        let expected = key.signature(self.date.text(), self.authorization.scope, &request);
        Ok(expected.ct_eq(&self.authorization.signature).into())
    }

    /// The chain that the signatures of the body's chunks go on with. Of a claim that has been proved.
    pub fn chain(&self, key: SigningKey) -> Chain {
        let Authorization { scope, signature, .. } = self.authorization;
        Chain::new(key, self.date.text(), scope, signature)
    }
}

/// Whether a query parameter belongs to the signature and says nothing of the operation.
/// What it says has been judged by [`Claim::read`], also where it is no whole signature.
pub fn is_of_signature(name: &[u8]) -> bool {
    presigned::is_of_signature(name)
}

/// Never mistaken for an unsigned request.
fn refuse_version_2(target: &Target<'_>) -> Result<(), SigV4Error> {
    let signs =
        |name: &[u8]| name.eq_ignore_ascii_case(b"AWSAccessKeyId") || name.eq_ignore_ascii_case(b"Signature");
    if target.query.iter().any(|parameter| signs(&parameter.name)) {
        return Err(SigV4Error::NotOffered("Signature Version 2"));
    }
    Ok(())
}

/// `host` and every `x-amz-*` header that is there must be signed: nobody on the way can add a meaning.
fn check_signed_headers(head: &RequestHead<'_>, authorization: &Authorization<'_>) -> Result<(), SigV4Error> {
    if !authorization.signs("host") {
        return Err(SigV4Error::UnsignedHeader("host".to_owned()));
    }
    for name in head.headers.keys() {
        if name.as_str().starts_with(AMZ_PREFIX) && !authorization.signs(name.as_str()) {
            return Err(SigV4Error::UnsignedHeader(name.as_str().to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

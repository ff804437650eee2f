//! S3's POST forms: a policy that a key has signed says what a browser may store.
//!
//! Source: "Browser-based uploads using POST" of the Amazon S3 API reference.
//!
//! A server collects the [`PostFields`] that come before the file, reads from them a [`SignedPolicy`],
//! looks up the secret of its access key, and lets the policy prove itself: only then is it a [`PostPolicy`],
//! which judges the fields and says how many bytes the file may have.

mod document;
mod fields;

pub use document::PostPolicy;
pub use fields::{FormField, PostFields};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use crate::identity::Secret;
use crate::sigv4::{ALGORITHM, Credential, SigningKey, digest_from_hex};

pub(crate) const POLICY: &str = "policy";
const V2_ACCESS_KEY: &str = "awsaccesskeyid";
const V2_SIGNATURE: &str = "signature";
const V4_ALGORITHM: &str = "x-amz-algorithm";
const V4_CREDENTIAL: &str = "x-amz-credential";
const V4_DATE: &str = "x-amz-date";
const V4_SIGNATURE: &str = "x-amz-signature";

/// A policy whose signature hasn't been looked at yet.
#[derive(Clone, Copy, Debug)]
pub struct SignedPolicy<'a> {
    /// Base64, which is what is signed.
    text: &'a str,
    signature: Signature<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Signature<'a> {
    V2 { access_key: &'a str, signature: [u8; 20] },
    V4 { credential: Credential<'a>, signature: [u8; 32] },
}

/// How many bytes the file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthRange {
    /// S3: fewer are `EntityTooSmall`.
    pub bytes_min: u64,
    /// S3: more are `EntityTooLarge`.
    pub bytes_max: u64,
}

/// Why a form isn't accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// S3: `MalformedPOSTRequest`.
    #[error("The body of your POST request is not well-formed multipart/form-data: {0}")]
    Malformed(&'static str),
    /// S3: `InvalidArgument`.
    #[error(
        "Bucket POST must contain a field named '{0}'.  If it is specified, please check the order of the fields."
    )]
    MissingField(&'static str),
    /// S3: `InvalidArgument`.
    #[error("the field {0} is malformed")]
    BadField(&'static str),
    /// S3: `InvalidPolicyDocument`.
    #[error("Invalid Policy: {0}")]
    InvalidPolicy(String),
    /// S3: `SignatureDoesNotMatch`.
    #[error("the signature doesn't match the policy")]
    SignatureMismatch,
    /// S3: `AccessDenied`.
    #[error("Invalid according to Policy: Policy expired.")]
    Expired,
    /// S3: `AccessDenied`.
    #[error("Invalid according to Policy: Policy Condition failed: {0}")]
    ConditionFailed(String),
    /// S3: `AccessDenied`.
    #[error("Invalid according to Policy: Extra input fields: {0}")]
    ExtraField(String),
}

impl<'a> SignedPolicy<'a> {
    /// Reads the policy of a form; `None`: it has none, and comes from nobody in particular.
    pub fn read(fields: &'a PostFields, region: &str) -> Result<Option<Self>, PostError> {
        let is_signed = [V2_ACCESS_KEY, V2_SIGNATURE, V4_ALGORITHM, V4_CREDENTIAL, V4_SIGNATURE]
            .iter()
            .any(|name| fields.get(name).is_some());
        let text = match fields.get(POLICY) {
            Some(text) => text,
            None if is_signed => return Err(PostError::MissingField("policy")),
            None => return Ok(None),
        };
        let is_v4 = [V4_ALGORITHM, V4_CREDENTIAL, V4_SIGNATURE].iter().any(|name| fields.get(name).is_some());
        let signature = if is_v4 { Signature::v4(fields, region)? } else { Signature::v2(fields)? };
        Ok(Some(Self { text, signature }))
    }

    pub fn access_key(&self) -> &'a str {
        match self.signature {
            Signature::V2 { access_key, .. } => access_key,
            Signature::V4 { credential, .. } => credential.access_key,
        }
    }

    /// The policy, if whoever made the form holds the key's secret. Compares in constant time.
    pub fn prove(&self, secret: &Secret) -> Result<PostPolicy, PostError> {
        let fits: bool = match &self.signature {
            Signature::V2 { signature, .. } => v2_signature(secret, self.text).ct_eq(signature).into(),
            Signature::V4 { credential, signature } => {
                let key = SigningKey::derive(secret, credential.day, credential.region);
                key.sign(&[self.text.as_bytes()]).ct_eq(signature).into()
            }
        };
        if fits { PostPolicy::parse(self.text) } else { Err(PostError::SignatureMismatch) }
    }
}

impl<'a> Signature<'a> {
    fn v2(fields: &'a PostFields) -> Result<Self, PostError> {
        let access_key = fields.require(V2_ACCESS_KEY, "AWSAccessKeyId")?;
        let text = fields.require(V2_SIGNATURE, "signature")?;
        // What isn't even of the right form can't match.
        let signature = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self::V2 { access_key, signature: signature.ok_or(PostError::SignatureMismatch)? })
    }

    fn v4(fields: &'a PostFields, region: &str) -> Result<Self, PostError> {
        if fields.require(V4_ALGORITHM, "x-amz-algorithm")? != ALGORITHM {
            return Err(PostError::BadField("x-amz-algorithm"));
        }
        let credential = fields.require(V4_CREDENTIAL, "x-amz-credential")?;
        let credential = Credential::parse(credential).filter(|credential| credential.is_for(region));
        let credential = credential.ok_or(PostError::BadField("x-amz-credential"))?;
        let date = fields.require(V4_DATE, "x-amz-date")?;
        if !date.starts_with(credential.day) {
            return Err(PostError::BadField("x-amz-date"));
        }
        let signature = digest_from_hex(fields.require(V4_SIGNATURE, "x-amz-signature")?.as_bytes());
        Ok(Self::V4 { credential, signature: signature.ok_or(PostError::SignatureMismatch)? })
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn v2_signature(secret: &Secret, text: &str) -> [u8; 20] {
    let mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes());
    mac.expect("HMAC takes keys of every length").chain_update(text).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;

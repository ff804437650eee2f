//! Who is asking.

use http::request::Parts;
use martlet_auth::sigv4::{Chain, Claim, Payload, RequestHead, hashed};
use martlet_auth::{Identity, Target};
use martlet_model::BodyError;

use super::S3;
use super::chunked::{refuse_announcements, unwrapped};
use super::refusal::Refusal;
use crate::body::RequestBody;

impl S3 {
    /// The caller, and the body with the signature's word for it around.
    pub(super) async fn identified(
        &self,
        head: &Parts,
        body: RequestBody,
    ) -> Result<(Identity, RequestBody), Refusal> {
        let target = Target::parse(&head.uri)?;
        refuse_tokens(head, &target)?;
        let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
        let Some(claim) = Claim::read(request, &self.region, self.clock.now())? else {
            return anonymous(head, body);
        };
        let access_key = claim.access_key();
        let credentials = self.users.by_access_key(access_key).await?.ok_or(Refusal::NoSuchAccessKey)?;
        let key = self.signing_keys.get(access_key, &credentials.secret, claim.day(), &self.region);
        let payload = claim.prove(&key)?;
        let body = guarded(head, body, payload, Some(claim.chain(key)))?;
        Ok((credentials.identity, body))
    }
}

/// There are no temporary credentials, and so no tokens that would go with them.
fn refuse_tokens(head: &Parts, target: &Target<'_>) -> Result<(), Refusal> {
    const TOKEN: &str = "x-amz-security-token";
    let in_query = target.query.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(TOKEN.as_bytes()));
    if in_query || head.headers.contains_key(TOKEN) { Err(Refusal::InvalidToken) } else { Ok(()) }
}

/// An unsigned request; what it says of its body must be true all the same.
fn anonymous(head: &Parts, body: RequestBody) -> Result<(Identity, RequestBody), Refusal> {
    let payload = Payload::of_unsigned(&head.headers)?;
    Ok((Identity::Anonymous, guarded(head, body, payload, None)?))
}

/// The plain body, ending in an error unless it is what its head says.
fn guarded(
    head: &Parts,
    body: RequestBody,
    payload: Payload,
    chain: Option<Chain>,
) -> Result<RequestBody, Refusal> {
    match payload {
        Payload::Streaming(form) => return unwrapped(head, body, form, chain),
        Payload::Unsigned | Payload::Sha256(_) => refuse_announcements(head)?,
    }
    match payload {
        Payload::Sha256(_) if body.declared() == Some(0) => {
            if payload.allows_empty() {
                Ok(body)
            } else {
                Err(BodyError::Sha256Mismatch.into())
            }
        }
        Payload::Sha256(digest) => Ok(body.guarded(|body| hashed(body, digest))),
        Payload::Unsigned | Payload::Streaming(_) => Ok(body),
    }
}

//! Who is asking.

use bytes::Bytes;
use http::request::Parts;
use martlet_auth::sigv2::Place;
use martlet_auth::sigv4::{Chain, Claim, Payload, RequestHead, SigV4Error, hashed};
use martlet_auth::{Credentials, Identity, Target, sigv2};
use martlet_model::BodyError;
use martlet_model::store::whole_body;
use sha2::{Digest as _, Sha256};

use super::S3;
use super::chunked::{refuse_announcements, unwrapped};
use super::refusal::Refusal;
use crate::body::RequestBody;

/// The largest body whose hash needn't be told: it is kept in memory for somebody who isn't known yet.
const UNTOLD_BYTES_MAX: u64 = 1024 * 1024;

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
        let place = Place { path: head.uri.path(), host_bucket: self.virtual_hosts.bucket_of(head) };
        if let Some(claim) = sigv2::Claim::read(request, place, self.clock.now())? {
            let credentials = self.credentials(claim.access_key()).await?;
            claim.prove(&credentials.secret)?;
            let payload = Payload::of_unsigned(&head.headers)?;
            return Ok((credentials.identity, guarded(head, body, payload, None)?));
        }
        let Some(claim) = Claim::read(request, &self.region, self.clock.now())? else {
            return anonymous(head, body);
        };
        let access_key = claim.access_key();
        let credentials = self.credentials(access_key).await?;
        let key = self.signing_keys.get(access_key, &credentials.secret, claim.day(), &self.region);
        let payload = match claim.prove(&key) {
            Err(SigV4Error::NoPayloadHash) => {
                refuse_announcements(head)?;
                let whole = whole(body).await?;
                claim.prove_with(&key, &Sha256::digest(&whole).into())?;
                let body = RequestBody::new(Some(whole.len() as u64), whole_body(whole));
                return Ok((credentials.identity, body));
            }
            outcome => outcome?,
        };
        let body = guarded(head, body, payload, Some(claim.chain(key)))?;
        Ok((credentials.identity, body))
    }

    pub(super) async fn credentials(&self, access_key: &str) -> Result<Credentials, Refusal> {
        self.users.by_access_key(access_key).await?.ok_or(Refusal::NoSuchAccessKey)
    }
}

/// The body of a request that signs its hash without telling it: it must be read before anything is believed.
async fn whole(body: RequestBody) -> Result<Bytes, Refusal> {
    match body.collect(UNTOLD_BYTES_MAX).await {
        Err(BodyError::TooLarge { .. }) => Err(SigV4Error::NoPayloadHash.into()),
        outcome => Ok(outcome?),
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

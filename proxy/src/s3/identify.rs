//! Who is asking.

use http::request::Parts;
use martlet_auth::sigv4::{Claim, RequestHead, SigV4Error};
use martlet_auth::{Identity, Target};
use martlet_model::BodyError;

use super::S3;
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
        if body.declared() == Some(0) {
            if !payload.allows_empty() {
                return Err(BodyError::Sha256Mismatch.into());
            }
            return Ok((credentials.identity, body));
        }
        Ok((credentials.identity, body.guarded(|body| payload.guard(body))))
    }
}

/// There are no temporary credentials, and so no tokens that would go with them.
fn refuse_tokens(head: &Parts, target: &Target<'_>) -> Result<(), Refusal> {
    const TOKEN: &str = "x-amz-security-token";
    let in_query = target.query.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(TOKEN.as_bytes()));
    if in_query || head.headers.contains_key(TOKEN) { Err(Refusal::InvalidToken) } else { Ok(()) }
}

/// An unsigned request: whatever it says of its body nobody has vouched for, and framing isn't offered.
fn anonymous(head: &Parts, body: RequestBody) -> Result<(Identity, RequestBody), Refusal> {
    match head.headers.get("x-amz-content-sha256") {
        Some(value) if value.as_bytes().starts_with(b"STREAMING-") => {
            Err(SigV4Error::NotOffered("a body in chunks of its own").into())
        }
        _ => Ok((Identity::Anonymous, body)),
    }
}

//! Who is asking.

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use martlet_auth::sigv2::Place;
use martlet_auth::sigv4::{Chain, Claim, Payload, RequestHead, SigV4Error, hashed, unexpectedly_empty};
use martlet_auth::{Credentials, Identity, Target, sigv2};
use martlet_model::BodyError;
use martlet_model::store::whole_body;
use sha2::{Digest as _, Sha256};

use super::S3;
use super::chunked::{not_unwrapped, refuse_announcements, unwrapped};
use super::refusal::Refusal;
use crate::body::RequestBody;

/// The largest body whose hash needn't be told: it is kept in memory for somebody who isn't known yet.
const UNTOLD_BYTES_MAX: u64 = 1024 * 1024;

/// Who sent a request, and how its body is vouched for.
pub(super) struct Sender {
    pub(super) identity: Identity,
    payload: Payload,
    chunks: Chunks,
}

/// Which chunks of a body's own are taken apart.
#[expect(clippy::large_enum_variant, reason = "there is one a request, and most are signed")]
enum Chunks {
    /// None.
    Whole,
    /// Those that nobody signs.
    Unsigned,
    /// Those too that the key of the head's signature signs.
    Signed(Chain),
}

impl S3 {
    /// The caller. The body comes back as it is, unless it had to be read for that.
    pub(super) async fn sender(
        &self,
        head: &Parts,
        body: RequestBody,
    ) -> Result<(Sender, RequestBody), Refusal> {
        let target = Target::parse(&head.uri)?;
        refuse_tokens(head, &target)?;
        let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
        let place = Place { path: head.uri.path(), host_bucket: self.virtual_hosts.bucket_of(head) };
        if let Some(claim) = sigv2::Claim::read(request, place, self.clock.now())? {
            let credentials = self.credentials(claim.access_key()).await?;
            claim.prove(&credentials.secret)?;
            let payload = Payload::of_head(&head.headers)?;
            return Ok((Sender { identity: credentials.identity, payload, chunks: Chunks::Whole }, body));
        }
        let Some(claim) = Claim::read(request, &self.region, self.clock.now())? else {
            let payload = Payload::of_head(&head.headers)?;
            return Ok((Sender { identity: Identity::Anonymous, payload, chunks: Chunks::Unsigned }, body));
        };
        let access_key = claim.access_key();
        let credentials = self.credentials(access_key).await?;
        let identity = credentials.identity;
        let key = self.signing_keys.get(access_key, &credentials.secret, claim.day(), &self.region);
        let payload = match claim.prove(&key) {
            Err(SigV4Error::UntoldPayloadHash) => {
                let whole = whole(body).await?;
                claim.prove_with(&key, &Sha256::digest(&whole).into())?;
                let body = RequestBody::new(Some(whole.len() as u64), whole_body(whole));
                return Ok((Sender { identity, payload: Payload::Unsigned, chunks: Chunks::Whole }, body));
            }
            outcome => outcome?,
        };
        let is_link = !head.headers.contains_key(AUTHORIZATION);
        let chunks = if is_link { Chunks::Whole } else { Chunks::Signed(claim.chain(key)) };
        Ok((Sender { identity, payload, chunks }, body))
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

impl Sender {
    /// The plain body, ending in an error unless it is what its head says.
    pub(super) fn guarded(self, head: &Parts, body: RequestBody) -> Result<RequestBody, Refusal> {
        if let Payload::Streaming(form) = self.payload {
            return match self.chunks {
                Chunks::Whole => not_unwrapped(head, body),
                Chunks::Unsigned => unwrapped(head, body, form, None),
                Chunks::Signed(chain) => unwrapped(head, body, form, Some(chain)),
            };
        }
        refuse_announcements(head)?;
        let expected = match self.payload {
            Payload::Unsigned | Payload::Streaming(_) => return Ok(body),
            Payload::Sha256(digest) => Some(digest),
            Payload::NoSha256 => None,
        };
        if body.declared() != Some(0) || is_length_missing(head) {
            return Ok(body.guarded(|body| hashed(body, expected)));
        }
        // Of a read, S3 doesn't ask what the body is that there isn't.
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        if is_read || self.payload.allows_empty() { Ok(body) } else { Err(unexpectedly_empty().into()) }
    }
}

/// Whether nothing is said of a body's length: then there is none, though one may have been meant.
pub(super) fn is_length_missing(head: &Parts) -> bool {
    !head.headers.contains_key(CONTENT_LENGTH) && !head.headers.contains_key(TRANSFER_ENCODING)
}

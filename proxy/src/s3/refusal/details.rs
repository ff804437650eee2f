//! What an answer repeats of the request that is refused, so that whoever reads it knows what it is about.

use http::header::RANGE;
use http::request::Parts;
use martlet_auth::sigv2::{self, Place};
use martlet_auth::sigv4::{self, RequestHead, SigV4Error};
use martlet_auth::{SignedText, Target};
use martlet_model::{BodyError, Error, Noun};

use super::Refusal;
use crate::dialect::About;
use crate::s3::answer;
use crate::s3::resource::Resource;

type Details = Vec<(&'static str, String)>;

/// The elements for a refusal; `host_bucket` is the bucket that the host names, if it does.
pub(super) fn of_request(refusal: &Refusal, about: &About, host_bucket: Option<&str>) -> Details {
    let head = &*about.head;
    let header = |element, name: &str| text(head, name).map(|value| (element, value)).into_iter().collect();
    match refusal {
        Refusal::Store(error) => match error {
            Error::NotFound(Noun::Account | Noun::Container) | Error::NotEmpty | Error::NameTaken => {
                bucket(head, host_bucket)
            }
            Error::NotFound(Noun::Object)
            | Error::NothingToMatch
            | Error::DeleteMarker { is_current: true, .. } => key(head, host_bucket),
            Error::NotFound(Noun::Version) => {
                [key(head, host_bucket), parameter(head, "VersionId", "versionId")].concat()
            }
            Error::NotFound(Noun::Upload) => parameter(head, "UploadId", "uploadId"),
            Error::DeleteMarker { is_current: false, .. } => vec![("Method", head.method.to_string())],
            Error::RangeUnsatisfiable(_) => header("RangeRequested", RANGE.as_str()),
            Error::Body(BodyError::Sha256Mismatch { .. }) => {
                header("ClientComputedContentSHA256", "x-amz-content-sha256")
            }
            Error::Body(BodyError::ChunkSignatureMismatch(chunk)) => {
                let whole = signed(about, host_bucket);
                let of_chunk = |whole: SignedText| SignedText {
                    signature: chunk.claimed.clone(),
                    string_to_sign: chunk.string_to_sign.clone(),
                    ..whole
                };
                whole.map(of_chunk).map_or_else(Vec::new, of_signed)
            }
            _ => Vec::new(),
        },
        Refusal::Signature(SigV4Error::SignatureMismatch) | Refusal::SignatureV2(_) => {
            signed(about, host_bucket).map_or_else(Vec::new, of_signed)
        }
        Refusal::NoSuchAccessKey => signed(about, host_bucket)
            .map(|signed| vec![("AWSAccessKeyId", signed.access_key)])
            .unwrap_or_default(),
        Refusal::Signature(SigV4Error::Skewed) => {
            vec![("ServerTime", answer::iso_date(about.context.now))]
        }
        Refusal::Signature(SigV4Error::BadPayloadHash) => header("ArgumentValue", "x-amz-content-sha256"),
        Refusal::InvalidDigest => header("Content-MD5", "content-md5"),
        Refusal::BucketName | Refusal::BucketAlreadyOwnedByYou | Refusal::NotConfigured(_) => {
            bucket(head, host_bucket)
        }
        Refusal::MethodNotAllowed => vec![("Method", head.method.to_string())],
        _ => Vec::new(),
    }
}

fn text(head: &Parts, name: &str) -> Option<String> {
    head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn bucket(head: &Parts, host_bucket: Option<&str>) -> Details {
    match resource(head, host_bucket) {
        Some(Resource::Bucket(bucket) | Resource::Object(bucket, _)) => {
            vec![("BucketName", bucket.to_string())]
        }
        Some(Resource::Account) | None => Vec::new(),
    }
}

fn key(head: &Parts, host_bucket: Option<&str>) -> Details {
    match resource(head, host_bucket) {
        Some(Resource::Object(_, key)) => vec![("Key", key.as_str().to_owned())],
        Some(Resource::Account | Resource::Bucket(_)) | None => Vec::new(),
    }
}

fn resource(head: &Parts, host_bucket: Option<&str>) -> Option<Resource> {
    Resource::parse(&Target::parse(&head.uri).ok()?.path, host_bucket).ok()
}

fn parameter(head: &Parts, element: &'static str, name: &str) -> Details {
    let Ok(target) = Target::parse(&head.uri) else { return Vec::new() };
    let found = target.query.iter().find(|parameter| *parameter.name == *name.as_bytes());
    found.map(|found| (element, String::from_utf8_lossy(&found.value).into_owned())).into_iter().collect()
}

/// What the signature of the request should have signed.
fn signed(about: &About, host_bucket: Option<&str>) -> Option<SignedText> {
    let head = &*about.head;
    let target = Target::parse(&head.uri).ok()?;
    let request = RequestHead { method: &head.method, target: &target, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket };
    sigv2::explain(request, place, about.context.now).or_else(|| sigv4::explain(request))
}

fn of_signed(signed: SignedText) -> Details {
    let SignedText { access_key, signature, string_to_sign, canonical_request } = signed;
    let bytes = octets(string_to_sign.as_bytes()).join(" ");
    let mut details = vec![
        ("AWSAccessKeyId", access_key),
        ("StringToSign", string_to_sign),
        ("SignatureProvided", signature),
        ("StringToSignBytes", bytes),
    ];
    if let Some(request) = canonical_request {
        let bytes = octets(request.as_bytes()).join(" ");
        details.extend([("CanonicalRequest", request), ("CanonicalRequestBytes", bytes)]);
    }
    details
}

/// Two hexadecimal digits for each byte.
pub(super) fn octets(bytes: &[u8]) -> Vec<String> {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

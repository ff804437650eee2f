//! What browsers are told about pages of other origins.
//!
//! Source: "Using cross-origin resource sharing (CORS)" of the Amazon S3 user guide, and the Fetch standard.

mod rules;

use std::sync::Arc;

use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use martlet_auth::Target;
use martlet_model::{ContainerId, ContainerName, Error, Noun, Setting, Store};

pub(super) use rules::CorsRules;

use super::refusal::Refusal;
use super::resource::Resource;
use super::{Scene, answer};
use rules::{Allowed, CorsMethod};

/// What caches must keep apart.
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// What a browser asks before it sends a request for a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preflight {
    origin: String,
    method: CorsMethod,
    headers: Vec<String>,
}

/// Why a browser gets no leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorsRefusal {
    #[error("Insufficient information. Origin request header needed.")]
    NoOrigin,
    #[error("Invalid Access-Control-Request-Method: {0}")]
    BadMethod(String),
    #[error("CORSResponse: CORS is not enabled for this bucket.")]
    Disabled,
    #[error(
        "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, \
         request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted \
         by the resource's CORS spec."
    )]
    NotAllowed,
}

impl Preflight {
    pub(super) fn parse(headers: &HeaderMap) -> Result<Self, Refusal> {
        let origin = text(headers, &ORIGIN).ok_or(CorsRefusal::NoOrigin)?;
        let method = text(headers, &ACCESS_CONTROL_REQUEST_METHOD).unwrap_or("null");
        Ok(Self {
            origin: origin.to_owned(),
            method: CorsMethod::parse(method).ok_or_else(|| CorsRefusal::BadMethod(method.to_owned()))?,
            headers: requested_headers(headers),
        })
    }
}

impl Scene<'_> {
    /// Whoever asks is nobody yet, and learns no more than what the bucket's owner has said of pages.
    pub(super) async fn preflight(&self, asked: &Preflight) -> Result<Response, Refusal> {
        let info = self.store.unguarded().recent_container(self.container).await?;
        let document = info.settings.get(Setting::Cors).ok_or(CorsRefusal::Disabled)?;
        let rules = CorsRules::stored(document)?;
        let allowed =
            rules.allow(&asked.origin, asked.method, &asked.headers).ok_or(CorsRefusal::NotAllowed)?;
        let mut response = answer::empty(StatusCode::OK);
        let headers = response.headers_mut();
        describe(headers, &allowed, &asked.origin);
        if !asked.headers.is_empty() {
            answer::set(headers, ACCESS_CONTROL_ALLOW_HEADERS, &asked.headers.join(", "));
        }
        Ok(response)
    }
}

/// Tells the browser whether the page may see the answer, whatever the answer is.
pub(super) async fn told(
    mut response: Response,
    store: &Arc<dyn Store>,
    head: &Parts,
    host_bucket: Option<&str>,
) -> Response {
    let Some(origin) = text(&head.headers, &ORIGIN) else { return response };
    if head.method == Method::OPTIONS {
        return response;
    }
    // A bucket that can't be looked at, or rules that can't, give no leave.
    if let Ok(Some(rules)) = rules_for(store, head, host_bucket).await {
        let method = text(&head.headers, &ACCESS_CONTROL_REQUEST_METHOD).unwrap_or(head.method.as_str());
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static(VARIES));
        if let Some(allowed) = CorsMethod::parse(method).and_then(|method| rules.allow(origin, method, &[])) {
            describe(headers, &allowed, origin);
        }
    }
    response
}

/// The rules of the bucket that a request names; of two of that name, those of the one that everybody sees.
async fn rules_for(
    store: &Arc<dyn Store>,
    head: &Parts,
    host_bucket: Option<&str>,
) -> Result<Option<CorsRules>, Refusal> {
    let target = Target::parse(&head.uri)?;
    let (Resource::Bucket(bucket) | Resource::Object(bucket, _)) =
        Resource::parse(&target.path, host_bucket)?
    else {
        return Ok(None);
    };
    let info = store.recent_container(&public_bucket(store, bucket).await?).await?;
    info.settings.get(Setting::Cors).map(|document| CorsRules::stored(document)).transpose()
}

async fn public_bucket(store: &Arc<dyn Store>, bucket: ContainerName) -> Result<ContainerId, Error> {
    let account = store.bucket_owner(&bucket).await?.ok_or(Error::NotFound(Noun::Container))?;
    Ok(ContainerId { account, name: bucket })
}

fn describe(headers: &mut HeaderMap, allowed: &Allowed<'_>, origin: &str) {
    if allowed.every_origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        answer::set(headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    let methods: Vec<_> = allowed.rule.methods.iter().map(|method| method.as_str()).collect();
    answer::set(headers, ACCESS_CONTROL_ALLOW_METHODS, &methods.join(", "));
    if !allowed.rule.exposed.is_empty() {
        answer::set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &allowed.rule.exposed.join(", "));
    }
    if let Some(seconds) = allowed.rule.max_age_seconds {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
    headers.insert(VARY, HeaderValue::from_static(VARIES));
}

/// The value of a header that is there once.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn requested_headers(headers: &HeaderMap) -> Vec<String> {
    let values =
        headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

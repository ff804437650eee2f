//! What pages of other origins may do with a container, as its metadata says (`X-Container-Meta-Access-Control-…`).

use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use martlet_auth::Guarded;
use martlet_model::{ContainerId, Error, UserMetadata};

use super::answer;
use super::headers;
use super::path::Target;
use super::refusal::{Realm, Refusal};

/// What a page may see of every answer, whatever the container says.
const EXPOSED: [&str; 10] = [
    "cache-control",
    "content-language",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
    "etag",
    "x-timestamp",
    "x-trans-id",
    "x-openstack-request-id",
];

/// OPTIONS: what may be done here, and where a page asks, whether it may.
#[derive(Debug)]
pub struct Options {
    /// The methods of the resource.
    pub methods: &'static str,
    /// Where the resource is in a container, the page that asks.
    pub page: Option<Page>,
}

/// A page of another origin that is about to send a request.
#[derive(Debug)]
pub struct Page {
    pub container: ContainerId,
    pub origin: String,
    pub method: Option<String>,
    pub headers: Option<String>,
}

pub(super) fn parse_options(target: &Target, head: &Parts) -> Result<Options, Refusal> {
    let methods = match target {
        Target::Capabilities | Target::Health => "GET, HEAD, OPTIONS",
        Target::Login => "GET, OPTIONS",
        Target::Account(_) => "GET, HEAD, OPTIONS, POST",
        Target::Container(_) => "DELETE, GET, HEAD, OPTIONS, POST, PUT",
        Target::Object(_) => "COPY, DELETE, GET, HEAD, OPTIONS, POST, PUT",
    };
    let text = |name| headers::stored_text(&head.headers, name);
    let page = match (container_of(target), text(ORIGIN.as_str())?) {
        (Some(container), Some(origin)) => Some(Page {
            container: container.clone(),
            origin,
            method: text(ACCESS_CONTROL_REQUEST_METHOD.as_str())?,
            headers: text(ACCESS_CONTROL_REQUEST_HEADERS.as_str())?,
        }),
        _ => None,
    };
    Ok(Options { methods, page })
}

/// A page that may not, or that doesn't say what it wants to do, is told 401, as Swift does.
pub(super) async fn options(command: Options, store: &Guarded) -> Result<Response, Refusal> {
    let Options { methods, page } = command;
    let mut headers = HeaderMap::new();
    headers.insert(ALLOW, HeaderValue::from_static(methods));
    let Some(page) = page else { return Ok(answer::empty(StatusCode::OK, headers)) };
    let rules = Rules::of(&page.container, store).await?;
    let is_offered = |method: &String| methods.split(", ").any(|offered| offered == method);
    if !rules.admit(&page.origin) || !page.method.as_ref().is_some_and(is_offered) {
        let realm = Realm::Account(page.container.account.to_string());
        return Err(Refusal::Unauthorized { realm });
    }
    rules.let_in(&page.origin, &mut headers);
    if let Some(age) = &rules.max_age {
        headers.insert(ACCESS_CONTROL_MAX_AGE, answer::header_value(age));
    }
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    if let Some(asked) = &page.headers {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, answer::header_value(asked));
        vary(&mut headers, "Access-Control-Request-Headers");
    }
    Ok(answer::empty(StatusCode::OK, headers))
}

/// The container whose rules an answer to this request has to follow; `None`: no page of another origin sent it.
pub(super) fn ruled_by(head: &Parts) -> Option<ContainerId> {
    if !head.headers.contains_key(ORIGIN) || head.method == http::Method::OPTIONS {
        return None;
    }
    container_of(&Target::parse(head.uri.path()).ok()?).cloned()
}

/// Shows an answer to the page that sent the request, where the container lets it in.
pub(super) async fn dressed(
    mut response: Response,
    container: &ContainerId,
    head: &Parts,
    store: &Guarded,
) -> Result<Response, Refusal> {
    let origin = headers::stored_text(&head.headers, ORIGIN.as_str())?.unwrap_or_default();
    let rules = Rules::of(container, store).await?;
    if !rules.admit(&origin) {
        return Ok(response);
    }
    let headers = response.headers_mut();
    let is_metadata = |name: &&str| name.starts_with("x-container-meta") || name.starts_with("x-object-meta");
    let metadata = headers.keys().map(http::HeaderName::as_str).filter(is_metadata);
    let own = rules.expose_headers.iter().map(String::as_str);
    let mut exposed: Vec<&str> = EXPOSED.into_iter().chain(metadata).chain(own).collect();
    exposed.sort_unstable();
    exposed.dedup();
    let exposed = answer::header_value(&exposed.join(", "));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    rules.let_in(&origin, headers);
    Ok(response)
}

/// What a container says about pages of other origins.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rules {
    allow_origin: Vec<String>,
    expose_headers: Vec<String>,
    max_age: Option<String>,
}

impl Rules {
    /// A container that doesn't exist lets nobody in. Nothing of the rules is shown to whom they don't let in.
    async fn of(id: &ContainerId, store: &Guarded) -> Result<Self, Refusal> {
        match store.unguarded().recent_container(id).await {
            Ok(container) => Ok(Self::read(&container.metadata)),
            Err(Error::NotFound(_)) => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(metadata: &UserMetadata) -> Self {
        let words = |item: &str| -> Vec<String> {
            let given = String::from_utf8_lossy(metadata.get(item).unwrap_or_default());
            given.split_whitespace().map(str::to_owned).collect()
        };
        let expose_headers = words("access-control-expose-headers");
        Self {
            allow_origin: words("access-control-allow-origin"),
            expose_headers: expose_headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            max_age: metadata.text("access-control-max-age").map(str::to_owned),
        }
    }

    fn admit(&self, origin: &str) -> bool {
        self.allow_origin.iter().any(|allowed| allowed == "*" || allowed == origin)
    }

    fn let_in(&self, origin: &str, headers: &mut HeaderMap) {
        if self.allow_origin == ["*"] {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, answer::header_value(origin));
            vary(headers, "Origin");
        }
    }
}

fn vary(headers: &mut HeaderMap, name: &str) {
    let before = headers.get(VARY).and_then(|value| value.to_str().ok());
    let value = before.map_or(name.to_owned(), |before| format!("{before}, {name}"));
    headers.insert(VARY, answer::header_value(&value));
}

fn container_of(target: &Target) -> Option<&ContainerId> {
    match target {
        Target::Container(id) => Some(id),
        Target::Object(id) => Some(&id.container),
        Target::Capabilities | Target::Health | Target::Login | Target::Account(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(items: &[(&str, &str)]) -> Rules {
        let items = items.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Rules::read(&UserMetadata::collect(items).unwrap())
    }

    #[test]
    fn origins_are_let_in_by_name_or_all_together() {
        let named = rules(&[("access-control-allow-origin", "http://a  http://b:80")]);
        assert!(named.admit("http://a") && named.admit("http://b:80"));
        assert!(!named.admit("http://b") && !named.admit("") && !named.admit("http://A"));
        assert!(rules(&[("access-control-allow-origin", "*")]).admit("http://whoever"));
        assert!(!rules(&[]).admit("http://a"));
    }
}

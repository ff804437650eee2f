//! The Swift dialect.
//!
//! Reading order: [`command`] makes a typed command of a request's head ([`path`], [`query`], [`headers`], [`declared`],
//! [`unoffered`]); [`login`], [`account`], [`container`] and [`object`] carry commands out, one operation at a time;
//! [`answer`], [`listing`] and [`format`] write what comes back, and [`refusal`] says no.
//!
//! **Invariant:** what Swift knows and isn't offered here is refused by its name, before anything is done.

mod account;
mod account_quota;
mod answer;
mod bulk;
mod capabilities;
mod command;
mod container;
mod content_type;
mod copy;
mod cors;
mod date;
mod declared;
mod expiry;
mod extract;
mod form_post;
mod format;
mod headers;
mod heartbeat;
mod identify;
mod joined;
mod link_keys;
mod listing;
mod login;
mod object;
mod paging;
mod path;
mod query;
mod ranges;
mod read;
mod refusal;
mod report;
mod settings;
mod slo;
mod symlink;
mod temp_url;
mod unoffered;
mod versions;

use std::sync::Arc;

use axum::response::Response;
use http::header::{ALLOW, CONNECTION, CONTENT_LOCATION, CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use martlet_auth::token::TokenKey;
use martlet_auth::{Guarded, Identity, Users};
use martlet_model::{AccountName, Clock, Error, Store, VersionId};
use percent_encoding::utf8_percent_encode;

use crate::body::RequestBody;
use crate::dialect::{About, Dialect, Identified};
use crate::drain::Drain;
use crate::journal::Cause;
use crate::request_id::RequestId;

use command::Command;
pub use login::{Scheme, UrlScheme};
use refusal::{RETRY_AFTER_SECONDS, Realm, Refusal, Words};

/// Swift's grammar, and what it takes to log in.
#[derive(Debug)]
pub struct Swift {
    users: Arc<dyn Users>,
    tokens: TokenKey,
    clock: Arc<dyn Clock>,
    scheme: Scheme,
    /// Whether this proxy is to be sent requests.
    drain: Arc<Drain>,
    /// For the keys of links alone, whose bearers are nobody before they have been looked up.
    store: Arc<dyn Store>,
}

/// What Swift's dialect works with.
#[derive(Debug)]
pub struct Foundation {
    pub store: Arc<dyn Store>,
    pub users: Arc<dyn Users>,
    pub clock: Arc<dyn Clock>,
    /// The same at every proxy of a cluster.
    pub tokens: TokenKey,
    /// The one that clients reach this server by.
    pub scheme: Scheme,
    /// What `/healthcheck` says.
    pub(crate) drain: Arc<Drain>,
}

impl Swift {
    pub fn new(foundation: Foundation) -> Self {
        let Foundation { store, users, clock, tokens, scheme, drain } = foundation;
        Self { users, tokens, clock, scheme, drain, store }
    }
}

impl Dialect for Swift {
    type Command = Command;
    type Refusal = Refusal;

    const NAME: &'static str = "swift";

    fn operation(command: &Command) -> &'static str {
        command.name()
    }

    fn parse(&self, head: &Parts) -> Result<Command, Refusal> {
        Command::parse(head, self.scheme)
    }

    async fn identify(
        &self,
        about: &About,
        command: Command,
        body: RequestBody,
    ) -> Result<Identified<Command>, Refusal> {
        let identity = self.identified(about).await?;
        Ok(Identified { identity, command, body, context: about.context.clone() })
    }

    async fn perform(
        &self,
        command: Command,
        body: RequestBody,
        store: &Guarded,
        about: &About,
    ) -> Result<Response, Refusal> {
        let account = command.account().cloned();
        let outcome = self.carry_out(command, body, store, about).await;
        let outcome = outcome
            .map(|response| with_transaction(temp_url::dressed(response, &about.head), about))
            .map_err(|refusal| challenged(refusal, store.identity(), account));
        let Some(container) = cors::ruled_by(&about.head) else { return outcome };
        // A page that may is to see also why its request was refused.
        let response = outcome.unwrap_or_else(|refusal| self.refuse(refusal, about));
        cors::dressed(response, &container, &about.head, store).await
    }

    fn refuse(&self, refusal: Refusal, about: &About) -> Response {
        let mut response = with_transaction(temp_url::dressed(render(&refusal), &about.head), about);
        if let Some(cause) = cause(&refusal, about) {
            response.extensions_mut().insert(cause);
        }
        response
    }

    async fn finish(&self, response: Response, _: &Arc<dyn Store>, _: &About) -> Response {
        response
    }

    fn id_header(&self, id: RequestId) -> (HeaderName, HeaderValue) {
        (HeaderName::from_static("x-openstack-request-id"), transaction(id))
    }
}

impl Swift {
    /// One line per operation, and nothing else.
    async fn carry_out(
        &self,
        command: Command,
        body: RequestBody,
        store: &Guarded,
        about: &About,
    ) -> Result<Response, Refusal> {
        let now = self.clock.now();
        match command {
            Command::Login(login) => login::perform(login, &*self.users, &self.tokens, now).await,
            Command::Capabilities => Ok(capabilities::answer()),
            Command::Options(command) => cors::options(command, store).await,
            Command::Health => Ok(health(&self.drain)),
            Command::ListContainers(command) => account::list(command, store, now).await,
            Command::HeadAccount(command) => account::head(command, store, now).await,
            Command::PostAccount(command) => account::post(command, store).await,
            Command::PutContainer(command) => container::put(command, store).await,
            Command::ListObjects(command) => container::list(command, store).await,
            Command::PostForm(command) => self.post_form(command, body, store, about).await,
            Command::ListVersions(command) => versions::list(command, store).await,
            Command::HeadContainer(command) => container::head(command, store).await,
            Command::PostContainer(command) => container::post(command, store).await,
            Command::DeleteContainer(id) => container::delete(id, store).await,
            Command::PutObject(command) => object::put(*command, body, store, now).await,
            Command::PutLink(command) => symlink::put(*command, body, store, now).await,
            Command::PutVersion(command) => versions::put(command, store).await,
            Command::PutLarge(command) => slo::put(*command, body, store, now).await,
            Command::CopyObject(command) => copy::perform(*command, store, now, about.id).await,
            Command::GetObject(command) => read::get(*command, store, about.id).await,
            Command::HeadObject(command) => read::head(*command, store).await,
            Command::PostObject(command) => object::post(*command, store, now).await,
            Command::DeleteObject(command) => object::delete(command, store).await,
            Command::DeleteLarge(command) => Ok(slo::delete(command, store).await),
            Command::DeleteMany(command) => Ok(bulk::delete(command, body, store).await),
            Command::ExtractArchive(command) => Ok(extract::extract(*command, body, store, now).await),
        }
    }
}

fn health(drain: &Drain) -> Response {
    let (status, text) = match drain.reason() {
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason.words()),
        None => (StatusCode::OK, "OK"),
    };
    answer::whole(status, HeaderMap::new(), answer::PLAIN, text.to_owned())
}

/// Who is denied something and hasn't said who they are is asked to.
fn challenged(refusal: Refusal, identity: &Identity, account: Option<AccountName>) -> Refusal {
    match (refusal, identity, account) {
        (Refusal::Store(Error::Denied), Identity::Anonymous | Identity::Bearer(_), Some(account)) => {
            Refusal::Unauthorized { realm: Realm::Account(account.to_string()) }
        }
        (Refusal::Behind { location, refusal }, identity, account) => {
            Refusal::Behind { location, refusal: Box::new(challenged(*refusal, identity, account)) }
        }
        (refusal, _, _) => refusal,
    }
}

/// `X-Trans-Id`; the corridor adds the same as `X-Openstack-Request-Id`.
/// Who asks for the connection to be kept open is told that it is, as by Swift's server.
fn with_transaction(mut response: Response, about: &About) -> Response {
    let headers = response.headers_mut();
    headers.insert("x-trans-id", transaction(about.id));
    let asks = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    if about.head.headers.get(CONNECTION).is_some_and(asks) {
        headers.entry(CONNECTION).or_insert(HeaderValue::from_static("keep-alive"));
    }
    response
}

fn transaction(id: RequestId) -> HeaderValue {
    answer::header_value(&id.to_string())
}

/// What isn't the client's business is told to the log alone.
fn cause(refusal: &Refusal, about: &About) -> Option<Cause> {
    if let Refusal::Behind { refusal, .. } = refusal {
        return cause(refusal, about);
    }
    if let Refusal::BrokenManifest(reason) = refusal {
        tracing::warn!(request = %about.id, reason, "a large object can't be read");
    }
    let Refusal::Store(error) = refusal else { return None };
    (500 <= refusal.status()).then(|| Cause::of(error))
}

fn render(refusal: &Refusal) -> Response {
    let (status, words) = refusal.answer();
    let headers = refusal_headers(refusal);
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match words {
        Words::Plain(text) => answer::whole(code, headers, answer::PLAIN, text.into_owned()),
        Words::Html(text) => answer::whole(code, headers, answer::HTML, text.into_owned()),
        Words::Page => answer::whole(code, headers, answer::HTML, refusal::page(status)),
        Words::Nothing => answer::with_body(code, headers, axum::body::Body::empty()),
    };
    if let Refusal::Store(Error::DeleteMarker { version, is_current: false, .. }) = refusal
        && *version != VersionId::Null
    {
        versions::render_marker(response.headers_mut(), *version);
    }
    response
}

fn refusal_headers(refusal: &Refusal) -> HeaderMap {
    let mut headers = HeaderMap::new();
    match refusal {
        Refusal::Behind { location, refusal } => {
            headers = refusal_headers(refusal);
            headers.insert(CONTENT_LOCATION, answer::header_value(location));
        }
        Refusal::Unauthorized { realm }
        | Refusal::LinkInvalid { realm }
        | Refusal::FormInvalid { realm, .. } => {
            headers.insert(WWW_AUTHENTICATE, challenge(realm));
        }
        Refusal::WrongMethod { allowed } => {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        // There is no body, so what is said of the object's body can't be taken to be said of another.
        Refusal::Store(Error::NotModified(info)) => headers = object::render(info),
        Refusal::Unmatched(info) => headers = object::render_state(info),
        Refusal::NoSuchPart { info, count, .. } => {
            headers = object::render_state(info);
            headers.insert("x-parts-count", HeaderValue::from(*count));
            headers.insert(CONTENT_RANGE, answer::header_value(&format!("bytes */{}", info.content.bytes)));
        }
        Refusal::Store(Error::RangeUnsatisfiable(info)) => {
            headers = object::render_state(info);
            let value = format!("bytes */{}", info.content.bytes);
            headers.insert(CONTENT_RANGE, answer::header_value(&value));
        }
        Refusal::Store(Error::Unavailable(_) | Error::OutcomeUnknown) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        _ => {}
    }
    headers
}

fn challenge(realm: &Realm) -> HeaderValue {
    let realm = match realm {
        Realm::Account(account) => utf8_percent_encode(account, login::PATH_SEGMENT).to_string(),
        Realm::Unknown => "unknown".to_owned(),
    };
    answer::header_value(&format!("Swift realm=\"{realm}\""))
}

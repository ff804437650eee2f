//! Clients of both APIs, which tell whether a request can have had an effect.

use std::io::ErrorKind;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, Request};
use martlet_auth::Secret;
use martlet_auth::sigv4::{Payload, Signer, presign, sign};
use martlet_model::Timestamp;
use martlet_tests::cluster::Cluster;
use martlet_tests::swift::Session;
use sha2::{Digest, Sha256};
use ureq::Agent;

/// How long a request may take before its client gives up.
const REQUEST_SECONDS_MAX: u64 = 20;
/// Longer than clocks are wrong.
const LINK_SECONDS: u64 = 3600;

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    /// No answer, or half of one: nobody knows.
    Lost,
    /// There was no connection, so nothing was asked.
    NotSent,
}

/// How a request of S3 is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    Link,
    Header,
    /// The body as well.
    HeaderAndBody,
}

/// A request; its path begins with the container.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'a [u8],
}

/// A client of one proxy.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    account_path: String,
    token: String,
    access_key: String,
    secret: Secret,
    region: String,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(method: Method, path: impl Into<String>, body: &'a [u8]) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, b"")
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Client {
    /// Of the proxy with this number, counted from 0, with the token of that session.
    pub(crate) fn new(cluster: &Cluster, proxy: usize, session: &Session) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(REQUEST_SECONDS_MAX)));
        Self {
            agent: config.build().into(),
            endpoint: cluster.endpoints()[proxy].to_owned(),
            account_path: "/v1/AUTH_main".to_owned(),
            token: session.token().to_owned(),
            access_key: cluster.variable("AWS_ACCESS_KEY_ID").to_owned(),
            secret: Secret::new(cluster.variable("AWS_SECRET_ACCESS_KEY")),
            region: cluster.variable("AWS_DEFAULT_REGION").to_owned(),
        }
    }

    pub(crate) fn swift(&self, ask: Ask<'_>) -> Reply {
        let uri = format!("{}{}/{}", self.endpoint, self.account_path, ask.path);
        let mut request = Request::builder().method(ask.method).uri(uri).header("x-auth-token", &self.token);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        self.send(request.body(ask.body).expect("a request"))
    }

    pub(crate) fn s3(&self, ask: Ask<'_>, signing: Signing) -> Reply {
        let address = self.endpoint.trim_start_matches("http://");
        let mut request =
            Request::builder().method(ask.method).uri(format!("/{}", ask.path)).header("host", address);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        let (mut parts, body) = request.body(ask.body).expect("a request").into_parts();
        let signer = Signer { access_key: &self.access_key, secret: &self.secret, region: &self.region };
        match signing {
            Signing::Link => presign(&mut parts, &signer, now(), LINK_SECONDS),
            Signing::Header => sign(&mut parts, Payload::Unsigned, &signer, now()),
            Signing::HeaderAndBody => {
                let digest = Sha256::digest(body).into();
                sign(&mut parts, Payload::Sha256(digest), &signer, now())
            }
        }
        .expect("a request can be signed");
        let uri = format!("{}{}", self.endpoint, parts.uri);
        parts.uri = uri.parse().expect("an address");
        self.send(Request::from_parts(parts, body))
    }

    fn send(&self, request: Request<&[u8]>) -> Reply {
        let has_body = matches!(*request.method(), Method::PUT | Method::POST);
        let result = if has_body { self.agent.run(request) } else { self.agent.run(request.map(|_| ())) };
        let mut answer = match result {
            Ok(answer) => answer,
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                return Reply::NotSent;
            }
            Err(_) => return Reply::Lost,
        };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        match answer.body_mut().with_config().limit(u64::MAX).read_to_vec() {
            Ok(body) => Reply::Answer(Answer { status, headers, body }),
            Err(_) => Reply::Lost,
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[expect(clippy::disallowed_methods, reason = "a client has the machine's clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or_default())
}

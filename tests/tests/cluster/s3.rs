//! A small S3 client, by presigned links.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Request;
use martlet_auth::Secret;
use martlet_auth::sigv4::{Signer, presign};
use martlet_model::Timestamp;
use martlet_tests::cluster::Cluster;
use martlet_tests::swift::Reply;
use ureq::Agent;

/// How long a request may take.
const REQUEST_SECONDS_MAX: u64 = 30;
const LINK_SECONDS: u64 = 60;

/// A client of one proxy.
pub(crate) struct S3 {
    agent: Agent,
    endpoint: String,
    access_key: String,
    secret_key: String,
    region: String,
}

impl S3 {
    /// Of the proxy with this number, counted from 0.
    pub(crate) fn of(cluster: &Cluster, proxy: usize) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(REQUEST_SECONDS_MAX)));
        Self {
            agent: config.build().into(),
            endpoint: cluster.endpoints()[proxy].to_owned(),
            access_key: cluster.variable("AWS_ACCESS_KEY_ID").to_owned(),
            secret_key: cluster.variable("AWS_SECRET_ACCESS_KEY").to_owned(),
            region: cluster.variable("AWS_DEFAULT_REGION").to_owned(),
        }
    }

    pub(crate) fn put(&self, path: &str, body: &[u8]) -> Reply {
        reply(self.agent.put(self.link("PUT", path)).send(body))
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        reply(self.agent.get(self.link("GET", path)).call())
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Reply {
        reply(self.agent.post(self.link("POST", path)).send(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        reply(self.agent.delete(self.link("DELETE", path)).call())
    }

    /// The same client through another endpoint.
    pub(crate) fn through(self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A link that lets its bearer do so for a minute.
    pub(crate) fn link(&self, method: &str, path: &str) -> String {
        let address = self.endpoint.trim_start_matches("http://");
        let request = Request::builder().method(method).uri(format!("/{path}")).header("host", address);
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let secret = Secret::new(self.secret_key.as_str());
        let signer = Signer { access_key: &self.access_key, secret: &secret, region: &self.region };
        presign(&mut parts, &signer, now(), LINK_SECONDS).unwrap();
        format!("{}{}", self.endpoint, parts.uri)
    }
}

#[expect(clippy::disallowed_methods, reason = "a client has the machine's clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap())
}

fn reply(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let Ok(mut answer) = result else { return Reply::Lost };
    let status = answer.status().as_u16();
    match answer.body_mut().with_config().limit(u64::MAX).read_to_vec() {
        Ok(body) => Reply::Answer { status, body },
        Err(_) => Reply::Lost,
    }
}

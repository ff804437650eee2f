//! A small Swift client over HTTP, for loads that a Python process is too slow for.

use std::time::Duration;

use ureq::Agent;

use crate::server::Server;

/// How long a request may take.
const REQUEST_SECONDS_MAX: u64 = 30;

/// A session with a token. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Session {
    agent: Agent,
    url: String,
    token: String,
}

/// What became of a request: an answer, or none (the connection broke, so it may have been carried out or not).
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    Answer { status: u16, body: Vec<u8> },
    Lost,
}

impl Session {
    pub fn open(server: &Server) -> Self {
        Self::log_in(server.variable("ST_AUTH"), server.variable("ST_USER"), server.variable("ST_KEY"))
    }

    /// A session of this user, from the server at `auth_url`.
    pub fn log_in(auth_url: &str, user: &str, key: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(REQUEST_SECONDS_MAX)));
        let agent: Agent = config.build().into();
        let answer = agent
            .get(auth_url)
            .header("X-Auth-User", user)
            .header("X-Auth-Key", key)
            .call()
            .expect("the server gives a token");
        let header =
            |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let token = header("x-auth-token").expect("the answer has a token");
        let url = header("x-storage-url").expect("the answer has a storage URL");
        Self { agent, url, token }
    }

    /// The same session through another endpoint, which has to believe the token.
    #[must_use]
    pub fn through(&self, endpoint: &str) -> Self {
        let path = self.url.splitn(4, '/').nth(3).expect("a storage URL has a path");
        Self { url: format!("{endpoint}/{path}"), ..self.clone() }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn put(&self, path: &str, body: &[u8]) -> Reply {
        reply(self.agent.put(self.at(path)).header("X-Auth-Token", &self.token).send(body))
    }

    /// Makes the object only where there is none.
    pub fn create(&self, path: &str, body: &[u8]) -> Reply {
        let request = self.agent.put(self.at(path)).header("X-Auth-Token", &self.token);
        reply(request.header("If-None-Match", "*").send(body))
    }

    pub fn get(&self, path: &str) -> Reply {
        reply(self.agent.get(self.at(path)).header("X-Auth-Token", &self.token).call())
    }

    pub fn delete(&self, path: &str) -> Reply {
        reply(self.agent.delete(self.at(path)).header("X-Auth-Token", &self.token).call())
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }
}

impl Reply {
    /// The status, 0 for no answer, and the body.
    pub fn parts(self) -> (u16, Vec<u8>) {
        match self {
            Self::Answer { status, body } => (status, body),
            Self::Lost => (0, Vec::new()),
        }
    }

    /// 0: no answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Answer { status, .. } => *status,
            Self::Lost => 0,
        }
    }
}

fn reply(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let Ok(mut answer) = result else { return Reply::Lost };
    let status = answer.status().as_u16();
    match answer.body_mut().with_config().limit(u64::MAX).read_to_vec() {
        Ok(body) => Reply::Answer { status, body },
        Err(_) => Reply::Lost,
    }
}

//! Heads of requests, in each dialect.

use std::time::{SystemTime, UNIX_EPOCH};

use http::Request;
use martlet_auth::Secret;
use martlet_auth::sigv4::{Payload, Signer, presign, sign};
use martlet_model::Timestamp;
use martlet_tests::swift::Session;
use sha2::{Digest as _, Sha256};

use crate::target::Target;

const LINK_SECONDS: u64 = 3600;

/// How requests are written, and how they say who sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Dialect {
    /// Swift, with a token.
    Swift,
    /// S3, signed with the body's SHA-256.
    S3,
    /// S3, signed without the body.
    S3Unsigned,
    /// S3, by presigned links.
    S3Presigned,
}

/// Writes the heads of requests to one container and its objects.
#[derive(Clone)]
pub(crate) struct Requests {
    dialect: Dialect,
    host: String,
    /// How paths begin.
    account: String,
    token: String,
    access_key: String,
    secret: Secret,
    region: String,
}

/// A body with what a head says of it.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    sha256: [u8; 32],
}

impl Body {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let sha256 = Sha256::digest(&bytes).into();
        Self { bytes, sha256 }
    }

    pub(crate) fn none() -> Self {
        Self::new(Vec::new())
    }
}

impl Requests {
    pub(crate) fn new(target: &Target, dialect: Dialect) -> Self {
        let host = target.addresses().remove(0);
        let (user, key) = (target.variable("ST_USER"), target.variable("ST_KEY"));
        let token = match dialect {
            Dialect::Swift => {
                let session = Session::log_in(&format!("http://{host}/auth/v1.0"), user, key);
                session.token().to_owned()
            }
            _ => String::new(),
        };
        Self {
            dialect,
            host,
            account: if dialect == Dialect::Swift { "/v1/AUTH_main".to_owned() } else { String::new() },
            token,
            access_key: target.variable("AWS_ACCESS_KEY_ID").to_owned(),
            secret: Secret::new(target.variable("AWS_SECRET_ACCESS_KEY")),
            region: target.variable("AWS_DEFAULT_REGION").to_owned(),
        }
    }

    /// `path` begins with the container; it and a query have to be encoded already.
    pub(crate) fn head(&self, method: &str, path: &str, body: &Body) -> Vec<u8> {
        let path = format!("{}/{path}", self.account);
        if self.dialect == Dialect::Swift {
            let (token, length) = (&self.token, body.bytes.len());
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: bench\r\nX-Auth-Token: {token}\r\nContent-Length: {length}\r\n\r\n"
            );
            return head.into_bytes();
        }
        let request = Request::builder().method(method).uri(path).header("host", &self.host);
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        let signer = Signer { access_key: &self.access_key, secret: &self.secret, region: &self.region };
        let outcome = match self.dialect {
            Dialect::S3 => sign(&mut parts, Payload::Sha256(body.sha256), &signer, now()),
            Dialect::S3Unsigned => sign(&mut parts, Payload::Unsigned, &signer, now()),
            Dialect::S3Presigned | Dialect::Swift => presign(&mut parts, &signer, now(), LINK_SECONDS),
        };
        outcome.expect("it can be signed");
        let mut head = format!("{method} {} HTTP/1.1\r\n", parts.uri).into_bytes();
        for (name, value) in &parts.headers {
            head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        head.extend(format!("Content-Length: {}\r\n\r\n", body.bytes.len()).into_bytes());
        head
    }

    /// A page of the container, after `marker`, of what begins with `prefix`.
    pub(crate) fn page(&self, container: &str, page: &Page<'_>) -> Vec<u8> {
        let Page { marker, prefix, delimiter, entries } = page;
        let path = if self.dialect == Dialect::Swift {
            format!("{container}?limit={entries}&marker={marker}&prefix={prefix}&delimiter={delimiter}")
        } else {
            format!(
                "{container}?delimiter={delimiter}&list-type=2&max-keys={entries}&prefix={prefix}&start-after={marker}"
            )
        };
        self.head("GET", &path, &Body::none())
    }

    /// What the dialect answers to a PUT of an object.
    pub(crate) fn put_status(&self) -> u16 {
        if self.dialect == Dialect::Swift { 201 } else { 200 }
    }
}

/// Which page of a listing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Page<'a> {
    pub(crate) marker: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: &'a str,
    pub(crate) entries: usize,
}

#[expect(clippy::disallowed_methods, reason = "a client has the machine's clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_micros(u64::try_from(since.as_micros()).expect("it is before the year 500000"))
}

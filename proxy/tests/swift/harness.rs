//! A server on a port of its own, and a client that sends literal bytes.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use martlet_auth::token::TokenKey;
use martlet_auth::{Identity, Role, Secret, UserTable};
use martlet_model::AccountName;
use martlet_proxy::swift::Scheme;
use martlet_proxy::{Gateway, Habits, Options};
use martlet_testkit::{MemoryStore, SimulatedClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Runs until the test's runtime ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<SimulatedClock>,
}

/// A user with a token.
pub(crate) struct Session {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// `/v1/AUTH_…`
    pub(crate) root: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_drained_by(PathBuf::from("/none")).await
    }

    /// `/healthcheck` tells whether there is such a file.
    pub(crate) async fn start_drained_by(file: PathBuf) -> Self {
        let clock = Arc::new(SimulatedClock::default());
        let users = ["test", "other"].into_iter().fold(UserTable::default(), |users, account| {
            let name = AccountName::parse(format!("AUTH_{account}").as_bytes()).expect("a name of letters");
            let identity = Identity::user(name, "tester", Role::Owner);
            users.with_access_key(account, Secret::new("testing"), identity.clone()).with_swift_name(
                format!("{account}:tester"),
                Secret::new("testing"),
                identity,
            )
        });
        let users =
            [("admin", Role::Admin), ("service", Role::Service)].into_iter().fold(users, |users, of| {
                let (name, role) = of;
                let account =
                    AccountName::parse(format!("AUTH_{name}").as_bytes()).expect("a name of letters");
                let identity = Identity::user(account, name, role);
                users.with_swift_name(format!("{name}:{name}"), Secret::new("testing"), identity)
            });
        let options = Options {
            region: "us-east-1".to_owned(),
            virtual_host_suffixes: Vec::new(),
            request_id_seed: 1,
            token_key: TokenKey::derive(b"secret"),
            storage_url_scheme: Scheme::Http,
        };
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let habits = Habits { healthcheck_disable_file: Some(file), ..Habits::default() };
        let gateway = Gateway::new(store, Arc::new(users), clock.clone(), options, habits);
        let gateway = Arc::new(gateway);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(martlet_proxy::serve(listener, gateway, std::future::pending()));
        Self { address, clock }
    }

    /// A user who stands above all accounts, at work in `test`.
    pub(crate) async fn login_admin(&self) -> Session {
        let admin = self.session("admin:admin").await;
        Session { root: "/v1/AUTH_test".to_owned(), ..admin }
    }

    /// A service that keeps things for users.
    pub(crate) async fn login_service(&self) -> Session {
        self.session("service:service").await
    }

    /// Logs in as `test:tester`.
    pub(crate) async fn login(&self) -> Session {
        self.login_as("test").await
    }

    pub(crate) async fn login_as(&self, account: &str) -> Session {
        self.session(&format!("{account}:tester")).await
    }

    async fn session(&self, user: &str) -> Session {
        let headers = [("X-Auth-User", user), ("X-Auth-Key", "testing")];
        let answer = self.send("GET", "/auth/v1.0", &headers, b"").await;
        assert_eq!(answer.status, 200);
        let token = answer.header("x-auth-token").to_owned();
        let account = user.split(':').next().unwrap_or_default();
        Session { address: self.address, token, root: format!("/v1/AUTH_{account}") }
    }

    /// Sends a request without a token.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        send(self.address, method, path, headers, body).await
    }
}

impl Session {
    /// Sends a request for a path below the account. A body is sent with its length, an empty one by PUT alone.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("X-Auth-Token", &self.token));
        send(self.address, method, &format!("{}{path}", self.root), &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.send("HEAD", path, &[], b"").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"").await
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &[u8]) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.send("PUT", path, &[], body).await;
            assert_eq!(answer.status, 201, "PUT {path} at {caller}: {answer:?}");
        }
    }
}

impl Answer {
    /// The value of a header that must be there once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    #[track_caller]
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "more than one {name} in {self:?}");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }
}

pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _infallible = write!(request, "{name}: {value}\r\n");
    }
    let says_length =
        headers.iter().any(|(name, _)| *name == "Content-Length" || *name == "Transfer-Encoding");
    if !says_length && (method == "PUT" || !body.is_empty()) {
        let _infallible = write!(request, "Content-Length: {}\r\n", body.len());
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    raw(address, &bytes).await
}

/// Sends `request` as it is, and reads until the server closes.
pub(crate) async fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    let received = exchange(address, request).await.expect("the server answers and closes");
    parse(&received, request.starts_with(b"HEAD ")).expect("the answer is HTTP")
}

/// Whatever comes back until the server closes, be it whole or not.
pub(crate) async fn received(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    exchange(address, request).await.expect("the server answers and closes")
}

async fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await?;
    Ok(received)
}

/// `None` where it isn't a whole answer of HTTP/1.1.
fn parse(received: &[u8], is_head: bool) -> Option<Answer> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&received[..end]).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Option<Vec<_>> = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
        .collect();
    let mut answer = Answer { status, headers: headers?, body: received[end + 4..].to_vec() };
    if answer.find("transfer-encoding") == Some("chunked") {
        answer.body = dechunked(&answer.body)?;
        return Some(answer);
    }
    // Of all answers only "not modified" goes without a length: it would be that of the object.
    let length = answer.find("content-length").map(str::parse::<usize>).transpose().ok()?;
    let is_empty_in_s3 = answer.status == 204 && answer.find("x-amz-request-id").is_some();
    assert_eq!(length.is_none(), answer.status == 304 || is_empty_in_s3, "{answer:?}");
    let expected = if is_head { 0 } else { length.unwrap_or_default() };
    assert_eq!(answer.body.len(), expected, "{answer:?}");
    Some(answer)
}

/// `None` where the last chunk is missing: the server broke off.
fn dechunked(mut chunked: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = chunked.windows(2).position(|window| window == b"\r\n")?;
        let bytes = usize::from_str_radix(std::str::from_utf8(&chunked[..line]).ok()?, 16).ok()?;
        chunked = &chunked[line + 2..];
        body.extend_from_slice(chunked.get(..bytes)?);
        chunked = chunked.get(bytes + 2..)?;
        if bytes == 0 {
            return Some(body);
        }
    }
}

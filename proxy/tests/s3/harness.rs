//! A server on a port of its own, and a client that signs requests and sends literal bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::request::Parts;
use martlet_auth::sigv4::{self, Chain, Payload, Signer, presign, sign, sign_silently};
use martlet_auth::token::TokenKey;
use martlet_auth::{Role, Secret, User, UserTable};
use martlet_model::{AccountName, Clock as _, Store};
use martlet_proxy::swift::Scheme;
use martlet_proxy::traffic::Traffic;
use martlet_proxy::{Gateway, Habits, Options};
use martlet_testkit::{MemoryStore, SimulatedClock};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const REGION: &str = "us-east-1";

/// Runs until it is stopped, or until the test's runtime ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) traffic: Arc<Traffic>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// A request that grows until it is sent.
pub(crate) struct Call {
    address: SocketAddr,
    clock: Arc<SimulatedClock>,
    request: http::request::Builder,
    body: Vec<u8>,
    access_key: Option<&'static str>,
    secret: &'static str,
    payload: Option<Payload>,
    /// Where the signature goes into the query: for so many seconds.
    presigned: Option<u64>,
    /// Whether the hash of the body is signed and not told.
    silent: bool,
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
        Self::over(|store| store).await
    }

    /// A server over a memory store with something around it.
    pub(crate) async fn over(wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        Self::with(wrap, Habits::default()).await
    }

    /// The same with other habits.
    pub(crate) async fn with(wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>, habits: Habits) -> Self {
        let clock = Arc::new(SimulatedClock::default());
        let users = ["own", "other"].into_iter().fold(UserTable::default(), |users, name| {
            let account = AccountName::parse(format!("AUTH_{name}").as_bytes()).expect("a name of letters");
            let email = Some(format!("{name}@example.com"));
            let user = User { email, ..User::new(account, "tester", Role::Owner) };
            users.with_access_key(name, Secret::new("sesame"), user.into())
        });
        let options = Options {
            region: REGION.to_owned(),
            virtual_host_suffixes: vec!["s3.test".to_owned()],
            request_id_seed: 1,
            token_key: TokenKey::derive(b"secret"),
            storage_url_scheme: Scheme::Http,
        };
        let store = wrap(Arc::new(MemoryStore::new(clock.clone())));
        let gateway = Arc::new(Gateway::new(store, Arc::new(users), clock.clone(), options, habits));
        let traffic = gateway.traffic().clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(martlet_proxy::serve(listener, gateway, async {
            let _ = stopped.await;
        }));
        Self { address, clock, traffic, stop, serving }
    }

    /// Tells the server to stop; the future resolves when it has.
    pub(crate) fn stop(self) -> impl Future<Output = ()> {
        self.stop.send(()).expect("it is running");
        async move { self.serving.await.expect("it doesn't panic") }
    }

    pub(crate) fn call(&self, method: &str, target: &str) -> Call {
        Call {
            address: self.address,
            clock: self.clock.clone(),
            request: Request::builder().method(method).uri(target).header("host", self.address.to_string()),
            body: Vec::new(),
            access_key: Some("own"),
            secret: "sesame",
            payload: None,
            presigned: None,
            silent: false,
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.call("GET", target).send().await
    }

    pub(crate) async fn put(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.call("PUT", target).body(body).send().await
    }

    /// A server with a bucket called `box`.
    pub(crate) async fn with_box() -> Self {
        let server = Self::start().await;
        server.put("/box", "").await.expect(200);
        server
    }

    /// Sends bytes as they are, and takes whatever comes until the server closes the connection.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        Self::plain(self.address, bytes).await
    }

    /// The same where there may be no server any more.
    pub(crate) async fn plain(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Answer {
        exchange(address, bytes.as_ref()).await
    }
}

impl Call {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        let headers = self.request.headers_mut().expect("a good request");
        headers.insert("host", host.parse().expect("a good host"));
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        body.as_ref().clone_into(&mut self.body);
        self
    }

    pub(crate) fn by(mut self, access_key: &'static str) -> Self {
        self.access_key = Some(access_key);
        self
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.access_key = None;
        self
    }

    pub(crate) fn secret(mut self, secret: &'static str) -> Self {
        self.secret = secret;
        self
    }

    pub(crate) fn payload(mut self, payload: Payload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Signs the query, for so many seconds, instead of adding an `Authorization`.
    pub(crate) fn presigned(mut self, lifetime_seconds: u64) -> Self {
        self.presigned = Some(lifetime_seconds);
        self
    }

    /// Signs the hash of the body without telling it, as old versions of curl do.
    pub(crate) fn silently(mut self) -> Self {
        self.silent = true;
        self
    }

    pub(crate) async fn send(self) -> Answer {
        let address = self.address;
        exchange(address, &self.bytes()).await
    }

    /// The request's head as bytes, signed, with the declared length of the body.
    pub(crate) fn head(&self) -> String {
        self.head_of(self.body.len())
    }

    /// The same with another length, and the chain for the chunks of its body.
    pub(crate) fn chained(&self, bytes: usize) -> (String, Chain) {
        let signer = Signer { access_key: "own", secret: &Secret::new(self.secret), region: REGION };
        let chain = sigv4::chain(&self.signed(), &signer).expect("it is signed");
        (self.head_of(bytes), chain)
    }

    fn head_of(&self, bytes: usize) -> String {
        let parts = self.signed();
        let mut text = format!("{} {} HTTP/1.1\r\n", parts.method, parts.uri);
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            text.extend([name.as_str(), ": ", &value, "\r\n"]);
        }
        if !parts.headers.contains_key("content-length") && !parts.headers.contains_key("transfer-encoding") {
            text.extend(["content-length: ", &bytes.to_string(), "\r\n"]);
        }
        text.push_str("connection: close\r\n\r\n");
        text
    }

    fn signed(&self) -> Parts {
        let request = self.request.method_ref().expect("a method").clone();
        let mut parts = Request::builder()
            .method(request)
            .uri(self.request.uri_ref().expect("a target").clone())
            .body(())
            .expect("a good request")
            .into_parts()
            .0;
        parts.headers.clone_from(self.request.headers_ref().expect("headers"));
        self.add_digest(&mut parts);
        if let Some(access_key) = self.access_key {
            let payload = self.payload.unwrap_or(Payload::Sha256(Sha256::digest(&self.body).into()));
            let signer = Signer { access_key, secret: &Secret::new(self.secret), region: REGION };
            match self.presigned {
                Some(seconds) => presign(&mut parts, &signer, self.clock.now(), seconds),
                None if self.silent => {
                    let sha256 = Sha256::digest(&self.body).into();
                    sign_silently(&mut parts, &sha256, &signer, self.clock.now())
                }
                None => sign(&mut parts, payload, &signer, self.clock.now()),
            }
            .expect("it can be signed");
        }
        parts
    }

    /// S3 wants a digest of what is to be removed, unless a test brings another header on it.
    fn add_digest(&self, parts: &mut Parts) {
        let says_something = |name: &str| {
            name.starts_with("x-amz-checksum-")
                || ["content-md5", "x-amz-trailer", "x-unsaid"].contains(&name)
        };
        let is_deletion = parts.uri.query() == Some("delete");
        if is_deletion && !parts.headers.keys().any(|name| says_something(name.as_str())) {
            let digest = STANDARD.encode(md5::Md5::digest(&self.body));
            parts.headers.insert("content-md5", digest.parse().expect("letters"));
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head().as_bytes(), &self.body].concat()
    }
}

/// The lower-case digits of a SHA-256.
pub(crate) fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    let digits: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(bytes).await.expect("the server reads");
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.expect("the server answers");
    Answer::read(&received)
}

impl Answer {
    /// Reads what a server sent. A body shorter than was declared is kept as it is.
    pub(crate) fn read(received: &[u8]) -> Self {
        let text = String::from_utf8_lossy(received);
        let end = received.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {text:?}"));
        let head = String::from_utf8_lossy(&received[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status: status.parse().expect("a status"), headers, body: received[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is text")
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert!(self.header("x-amz-request-id").is_some_and(|id| id.len() == 18), "every answer has an id");
        assert_eq!(self.header("x-amz-id-2"), self.header("x-amz-request-id"));
        self
    }

    /// Expects a refusal in S3's form.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.element("Code").as_deref(), Some(code), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/xml"));
        assert_eq!(answer.element("RequestId").as_deref(), answer.header("x-amz-request-id"));
        answer
    }

    /// The text of the first element of that name, as it is written.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        self.elements(name).into_iter().next()
    }

    /// The texts of all elements of that name.
    pub(crate) fn elements(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let text = self.text();
        let pieces = text.split(&open).skip(1);
        pieces.filter_map(|piece| piece.split_once(&close)).map(|(value, _)| value.to_owned()).collect()
    }
}

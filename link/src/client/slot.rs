//! One connection that comes back by itself.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use martlet_protocol::ReplicaError;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::call::ClientConnection;
use super::connector::Connector;
use super::exchange::NodeVersion;
use crate::connection::{self, Keys};
use crate::figures::LinkFigures;
use crate::handshake::{self, HandshakeError};
use crate::identity::{LinkIdentity, NonceSource};
use crate::limits::{BACKOFF_MAX, BACKOFF_MIN, CONNECT_TIMEOUT};

/// Holds a connection, opens it again whenever it ends, and ends with it.
pub(super) struct Slot {
    state: watch::Receiver<State>,
    task: AbortHandle,
}

/// ```text
/// Opening ──► Ready ◄──► Down
///    └──────────────────►┘
/// ```
#[derive(Clone)]
enum State {
    /// The very first attempt.
    Opening,
    Ready(Arc<ClientConnection>),
    /// Why.
    Down(String),
}

impl Slot {
    pub(super) fn open<C: Connector>(
        connector: Arc<C>,
        identity: LinkIdentity,
        nonces: Arc<dyn NonceSource>,
        (node_version, figures): (NodeVersion, Arc<LinkFigures>),
    ) -> Self {
        let (sender, state) = watch::channel(State::Opening);
        let keeper = Keeper { connector, identity, nonces, node_version, figures, state: sender };
        Self { state, task: tokio::spawn(keeper.run()).abort_handle() }
    }

    pub(super) async fn connection(&self) -> Result<Arc<ClientConnection>, ReplicaError> {
        match &*self.state.borrow() {
            State::Ready(connection) => return Ok(connection.clone()),
            State::Down(why) => return Err(ReplicaError::Unreachable(why.clone())),
            State::Opening => {}
        }
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Opening)).await;
        match settled.as_deref() {
            Ok(State::Ready(connection)) => Ok(connection.clone()),
            Ok(State::Down(why)) => Err(ReplicaError::Unreachable(why.clone())),
            Ok(State::Opening) | Err(_) => Err(ReplicaError::Unreachable("the link is closed".to_owned())),
        }
    }

    /// Ends the connection for good.
    pub(super) fn close(&self) {
        self.task.abort();
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(&*self.state.borrow(), State::Ready(_))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task behind a slot.
struct Keeper<C> {
    connector: Arc<C>,
    identity: LinkIdentity,
    nonces: Arc<dyn NonceSource>,
    node_version: NodeVersion,
    figures: Arc<LinkFigures>,
    state: watch::Sender<State>,
}

/// Ends a connection however its task ends.
struct EndWithTask(Arc<ClientConnection>);

impl<C: Connector> Keeper<C> {
    async fn run(self) {
        let mut failures: u32 = 0;
        let mut last_logged = String::new();
        loop {
            failures += 1;
            let why = match self.connect().await {
                Ok((stream, keys)) => {
                    let started = Instant::now();
                    last_logged.clear();
                    self.figures.opened.increment();
                    let why = self.serve(stream, keys).await;
                    self.figures.ended.increment();
                    if BACKOFF_MAX < started.elapsed() {
                        failures = 0;
                    }
                    why
                }
                Err(error) => {
                    self.figures.failed.increment();
                    error.to_string()
                }
            };
            let node = self.connector.target();
            // The same failure again and again is said once.
            if last_logged != why {
                tracing::warn!(%node, %why, "the connection to the node is down");
                last_logged.clone_from(&why);
            }
            self.state.send_replace(State::Down(format!("{node}: {why}")));
            sleep(self.backoff(failures)).await;
        }
    }

    async fn connect(&self) -> Result<(C::Stream, Keys), HandshakeError> {
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let (mut stream, channel) =
            timeout(CONNECT_TIMEOUT, self.connector.connect()).await.map_err(late)??;
        let keys = handshake::greet(&mut stream, &self.identity, self.nonces.nonce(), channel).await?;
        Ok((stream, Keys { send: keys.from_client, receive: keys.from_server }))
    }

    /// Until the connection has ended; gives why.
    async fn serve(&self, stream: C::Stream, keys: Keys) -> String {
        let connection = Arc::new(ClientConnection::new(self.node_version.clone()));
        let ending = EndWithTask(connection.clone());
        tracing::info!(node = %self.connector.target(), "connected");
        self.state.send_replace(State::Ready(connection.clone()));
        let leave = async {
            loop {
                connection.farewell.notified().await;
                let why = format!("{}: the node is stopping", self.connector.target());
                self.state.send_replace(State::Down(why));
                if connection.is_leaving() && connection.is_idle() {
                    return;
                }
            }
        };
        let why = tokio::select! {
            end = connection::run(stream, keys, &*connection) => end.to_string(),
            () = leave => "the node is stopping".to_owned(),
        };
        // New calls go elsewhere before those that wait are told.
        self.state.send_replace(State::Down(format!("{}: {why}", self.connector.target())));
        ending.0.end(&format!("{}: {why}", self.connector.target()));
        why
    }

    /// None after a connection that has lasted; else doubled with every failure, and shortened at random
    /// by up to a half, so that the proxies of a node that returns don't all come at once.
    fn backoff(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let longest = BACKOFF_MIN.saturating_mul(1 << doublings.min(16)).min(BACKOFF_MAX);
        let [share, ..] = self.nonces.nonce();
        longest * (512 - u32::from(share)) / 512
    }
}

impl Drop for EndWithTask {
    fn drop(&mut self) {
        self.0.end("the link is closed");
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("is_connected", &self.is_connected()).finish_non_exhaustive()
    }
}

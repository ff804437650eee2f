//! The storage node's end: its devices, for whoever knows the cluster's secret.

mod node;
mod session;
mod stream;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use martlet_protocol::Replica;
use martlet_ring::DeviceId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;

use crate::connection::{self, Keys};
use crate::handshake::{self, Channel, HandshakeError};
use crate::identity::{LinkIdentity, NonceSource, SystemNonces};
use crate::limits::{BACKOFF_MIN, CONNECTIONS_MAX, DRAIN_TIMEOUT};
use crate::ring::RingAuthority;
use crate::tls::LinkTls;
use session::Session;

/// What a node serves.
pub type Devices = BTreeMap<DeviceId, Arc<dyn Replica>>;

/// What a node serves, and by whose leave.
#[derive(Debug)]
pub struct Node {
    pub devices: Devices,
    pub identity: LinkIdentity,
    /// Who decides by which rings the devices may be asked; `None`: they may by any.
    pub rings: Option<Arc<dyn RingAuthority>>,
}

/// Serves devices whose ring never changes; see [`serve_node`].
pub async fn serve(
    listener: TcpListener,
    devices: Devices,
    identity: LinkIdentity,
    shutdown: impl Future<Output = ()>,
) {
    serve_node(listener, Node { devices, identity, rings: None }, shutdown).await;
}

/// Serves the devices until `shutdown`; then answers what has been asked, for at most [`DRAIN_TIMEOUT`].
///
/// Above [`CONNECTIONS_MAX`] connections, further ones wait to be accepted.
pub async fn serve_node(listener: TcpListener, node: Node, shutdown: impl Future<Output = ()>) {
    let door = Arc::new(Door { node, nonces: Arc::new(SystemNonces) });
    let (leave, leaving) = watch::channel(false);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, from, place)) => {
                let (door, leaving) = (door.clone(), leaving.clone());
                connections.spawn(async move {
                    door.admit(stream, &from, leaving).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection couldn't be accepted");
                sleep(BACKOFF_MIN).await;
            }
        }
    }
    drop(listener);
    leave.send_replace(true);
    let drained = timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "clients still wait, and are cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, String, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, from.to_string(), place))
}

/// A client that speaks without TLS is told that it has to speak with it.
async fn encrypt(
    tls: &LinkTls,
    mut stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, Channel), HandshakeError> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && handshake::is_plain(first[0]) {
        return Err(handshake::turn_away(&mut stream).await);
    }
    Ok(tls.accept(stream).await?)
}

/// What all connections of a node share.
#[derive(Debug)]
pub struct Door {
    node: Node,
    nonces: Arc<dyn NonceSource>,
}

impl Door {
    pub fn new(devices: Devices, identity: LinkIdentity, nonces: Arc<dyn NonceSource>) -> Self {
        Self { node: Node { devices, identity, rings: None }, nonces }
    }

    /// Serves one connection, through TLS if that is how this node speaks.
    async fn admit(self: &Arc<Self>, stream: TcpStream, from: &str, leaving: watch::Receiver<bool>) {
        match &self.node.identity.tls {
            None => self.serve((stream, Channel::Plain), from, leaving).await,
            Some(tls) => match handshake::within_time(encrypt(tls, stream)).await {
                Ok(encrypted) => self.serve(encrypted, from, leaving).await,
                Err(error) => tracing::warn!(%from, %error, "a connection was refused"),
            },
        }
    }

    /// Serves one connection, of any kind, until it ends. Once `leaving` is true, the client is asked to go.
    pub async fn serve<S>(
        self: &Arc<Self>,
        (mut stream, channel): (S, Channel),
        from: &str,
        mut leaving: watch::Receiver<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let nonce = self.nonces.nonce();
        let keys = match handshake::receive(&mut stream, &self.node.identity, nonce, channel).await {
            Ok(keys) => Keys { send: keys.from_server, receive: keys.from_client },
            Err(error) => {
                tracing::warn!(%from, %error, "a connection was refused");
                return;
            }
        };
        tracing::info!(%from, "a client has connected");
        let session = Arc::new(Session::new(self.clone()));
        let ending = session::EndWithTask(session.clone());
        let leave = async {
            // The sender is gone: nobody asks the clients to leave.
            if leaving.wait_for(|leaving| *leaving).await.is_ok() {
                session.leave();
            }
            std::future::pending::<()>().await;
        };
        let end = tokio::select! {
            end = connection::run(stream, keys, &session) => end,
            () = leave => return,
            () = self.announce_ring(&session) => return,
        };
        match end {
            connection::LinkEnd::Record(crate::record::RecordError::Closed) => {
                tracing::info!(%from, "a client has gone");
            }
            end => tracing::warn!(%from, %end, "a connection has ended"),
        }
        drop(ending);
    }

    /// Tells the client which version of the ring is the node's, at once and whenever that changes. Never ends.
    async fn announce_ring(&self, session: &Session) {
        if let Some(rings) = &self.node.rings {
            let mut current = rings.current();
            loop {
                let version = current.borrow_and_update().version();
                session.tell_ring_version(version);
                if current.changed().await.is_err() {
                    break;
                }
            }
        }
        std::future::pending::<()>().await;
    }

    pub(crate) fn device(&self, device: DeviceId) -> Option<&Arc<dyn Replica>> {
        self.node.devices.get(&device)
    }

    pub(crate) fn rings(&self) -> Option<&Arc<dyn RingAuthority>> {
        self.node.rings.as_ref()
    }
}

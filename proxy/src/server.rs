//! Accepting connections, until it is time to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::connection;
use crate::gateway::Gateway;
use crate::limits::{ACCEPT_PAUSE, SHUTDOWN_DURATION_MAX};

/// Held by whatever is in flight; when all are gone, a shutdown is complete.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    _held: mpsc::Sender<Infallible>,
}

/// Serves the gateway on `listener` until `shutdown` resolves, and then stops so that no client notices:
///
/// 1. For the gateway's time to drain everything goes on, but `/healthcheck` answers 503, so that balancers stay away,
///    and every answer ends its connection.
/// 2. No connection is accepted any more, and what is in flight is finished, for at most [`SHUTDOWN_DURATION_MAX`];
///    work that clients have hung up on is waited for too.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, shutdown: impl Future<Output = ()>) {
    let (close, closing) = watch::channel(false);
    let (held, mut gone) = mpsc::channel(1);
    let presence = Presence { _held: held };
    let permits = Arc::new(Semaphore::new(gateway.connections_max()));
    let mut shutdown = pin!(async {
        shutdown.await;
        sleep(gateway.begin_to_stop()).await;
    });
    loop {
        let (accepted, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let serving = connection::serve(accepted, gateway.clone(), presence.clone(), closing.clone());
        let traffic = gateway.traffic().clone();
        traffic.connections.rise();
        tokio::spawn(async move {
            serving.await;
            traffic.connections.fall();
            drop(permit);
        });
    }
    drop((listener, presence));
    close.send_replace(true);
    if timeout(SHUTDOWN_DURATION_MAX, gone.recv()).await.is_err() {
        tracing::warn!("the time to finish requests is over; some are cut off");
    }
}

/// The next connection, as soon as there is room for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> ((TcpStream, IpAddr), Option<OwnedSemaphorePermit>) {
    let permit = permits.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, client)) => return ((stream, client.ip().to_canonical()), permit),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection can't be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The connection was gone before it was accepted; the next may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

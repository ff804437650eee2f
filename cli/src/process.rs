//! What every serving process does with itself: its rights, its limits, its signals, its runtime.

use std::io;
use std::net::SocketAddr;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// What belongs to the server is for its owner alone: no rights for the group and for others.
const UMASK: Mode = Mode::from_bits_retain(0o077);

/// Connections that may wait to be accepted; the kernel may allow fewer. With a shorter queue, a thousand clients that
/// come at once find it full, and their systems try again only after seconds.
const WAITING_CONNECTIONS_MAX: u32 = 4096;

/// Why a process can't begin to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("the runtime can't be started")]
    Runtime(#[source] io::Error),
    #[error("signals can't be received")]
    Signals(#[source] io::Error),
}

/// Makes the process ready to serve: files for its owner alone, and as many of them open as it may have.
pub(crate) fn prepare() -> Result<Runtime, ProcessError> {
    keep_files_private();
    raise_file_limit();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ProcessError::Runtime)
}

/// From now on this process makes files that only its owner can read.
pub(crate) fn keep_files_private() {
    umask(UMASK);
}

/// Listens on an address, also where connections of an earlier process haven't quite ended.
/// Called within a runtime.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_CONNECTIONS_MAX)
}

/// Resolves at the first SIGTERM or SIGINT. Called within a runtime.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send, ProcessError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ProcessError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ProcessError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}

/// The usual soft limit of 1024 is for programs that use `select`; connections and blobs need more.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        Ok(()) => tracing::debug!(limit = ?limit.maximum, "the limit of open files is raised"),
        Err(error) => tracing::warn!(%error, "the limit of open files can't be raised"),
    }
}

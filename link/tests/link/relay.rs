//! A wire between a proxy and a node that can be cut, held and bent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Passes connections on to a node.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    faults: Arc<Faults>,
    task: JoinHandle<()>,
}

/// Of all connections alike.
struct Faults {
    is_held: AtomicBool,
    /// So many bytes of a connection pass, both directions together; then it is cut.
    bytes_max: AtomicUsize,
    /// The byte with this number from the client has one bit flipped.
    flipped: AtomicUsize,
    connections: AtomicUsize,
    open: AtomicUsize,
    /// What clients have sent, connection after connection as it came.
    from_clients: Mutex<Vec<u8>>,
}

impl Relay {
    pub(crate) async fn start(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(Faults {
            is_held: AtomicBool::new(false),
            bytes_max: AtomicUsize::new(usize::MAX),
            flipped: AtomicUsize::new(usize::MAX),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            from_clients: Mutex::default(),
        });
        let shared = faults.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let Ok(server) = TcpStream::connect(node).await else { continue };
                tokio::spawn(shared.clone().pass(client, server));
            }
        });
        Self { address, faults, task }
    }

    /// Nothing passes, and nothing is closed.
    pub(crate) fn hold(&self) {
        self.faults.is_held.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.faults.is_held.store(false, Ordering::SeqCst);
    }

    pub(crate) fn cut_after(&self, bytes: usize) {
        self.faults.bytes_max.store(bytes, Ordering::SeqCst);
    }

    pub(crate) fn flip_at(&self, byte: usize) {
        self.faults.flipped.store(byte, Ordering::SeqCst);
    }

    /// How many there have been.
    pub(crate) fn connections(&self) -> usize {
        self.faults.connections.load(Ordering::SeqCst)
    }

    /// Have clients sent these?
    pub(crate) fn has_passed(&self, bytes: &[u8]) -> bool {
        self.faults.from_clients.lock().unwrap().windows(bytes.len()).any(|passed| passed == bytes)
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.faults.open.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Faults {
    async fn pass(self: Arc<Self>, client: TcpStream, server: TcpStream) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        let passed = AtomicUsize::new(0);
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = self.pump(from_client, to_server, &passed, true) => {}
            () = self.pump(from_server, to_client, &passed, false) => {}
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    async fn pump(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        passed: &AtomicUsize,
        is_from_client: bool,
    ) {
        let mut buffer = [0; 16 * 1024];
        let mut position = 0;
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            while self.is_held.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(5)).await;
            }
            let before = passed.fetch_add(count, Ordering::SeqCst);
            let left = self.bytes_max.load(Ordering::SeqCst).saturating_sub(before);
            let flipped = self.flipped.load(Ordering::SeqCst);
            if is_from_client && (position..position + count).contains(&flipped) {
                buffer[flipped - position] ^= 0x20;
            }
            position += count;
            if is_from_client {
                self.from_clients.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
            if to.write_all(&buffer[..count.min(left)]).await.is_err() || left < count {
                return;
            }
        }
    }
}

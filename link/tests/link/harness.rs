//! A device in memory, a node that serves it on a loopback port, and a link to that node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_link::server::Devices;
use martlet_link::{LinkIdentity, LinkSecret, NodeLink, serve};
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobId, BlobOwner, BlobRef, Block, Checksum, NewBlob, Replica, ReplicaError,
    RowAddress, RowKey, RowValue, TableId, TableKind, Weight,
};
use martlet_register::{Ballot, ProposerId, State};
use martlet_ring::{DeviceId, PlacementKey};
use martlet_testkit::{MemoryReplica, SimulatedClock};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::authority::Authority;

pub(crate) const DEVICE: DeviceId = DeviceId(7);

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A device, and the same device as its client sees it.
pub(crate) struct Subject {
    pub(crate) memory: MemoryReplica,
    pub(crate) replica: Arc<dyn Replica>,
    _node: Option<(Node, NodeLink)>,
}

/// A node that can be stopped and killed.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Subject {
    pub(crate) fn direct() -> Self {
        let memory = memory();
        Self { replica: Arc::new(memory.clone()), memory, _node: None }
    }

    pub(crate) async fn linked() -> Self {
        Self::linked_by(identity()).await
    }

    pub(crate) async fn linked_through_tls() -> Self {
        Self::linked_by(LinkIdentity { tls: Some(Authority::new().tls()), ..identity() }).await
    }

    async fn linked_by(identity: LinkIdentity) -> Self {
        let memory = memory();
        let node = Node::start_as(identity.clone(), devices(&memory)).await;
        let link = NodeLink::open(&node.address.to_string(), &identity);
        Self { memory, replica: link.replica(DEVICE), _node: Some((node, link)) }
    }
}

impl Node {
    pub(crate) async fn start(devices: Devices) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), devices).await
    }

    pub(crate) async fn start_as(identity: LinkIdentity, devices: Devices) -> Self {
        Self::serve("127.0.0.1:0".parse().unwrap(), identity, devices).await
    }

    pub(crate) async fn start_at(address: SocketAddr, devices: Devices) -> Self {
        Self::serve(address, identity(), devices).await
    }

    async fn serve(address: SocketAddr, identity: LinkIdentity, devices: Devices) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, told) = oneshot::channel();
        let told = async {
            let _ = told.await;
        };
        let task = tokio::spawn(serve(listener, devices, identity, told));
        Self { address, shutdown: Some(shutdown), task }
    }

    /// Lets it answer what it has been asked.
    pub(crate) async fn stop(mut self) {
        let _ = self.shutdown.take().unwrap().send(());
        timeout(PATIENCE, &mut self.task).await.unwrap().unwrap();
    }

    /// Everything of it is gone at once.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn memory() -> MemoryReplica {
    MemoryReplica::new(4, Arc::new(SimulatedClock::default()))
}

pub(crate) fn devices(memory: &MemoryReplica) -> Devices {
    Devices::from([(DEVICE, Arc::new(memory.clone()) as Arc<dyn Replica>)])
}

pub(crate) fn identity() -> LinkIdentity {
    LinkIdentity { cluster: [1; 16], secret: LinkSecret::new([2; 32]), tls: None }
}

/// Waits until it holds.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it should have come to hold");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the device is reached again.
pub(crate) async fn reached(replica: &Arc<dyn Replica>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = replica.counters(vec![table()]).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[track_caller]
pub(crate) fn assert_unreachable<T: std::fmt::Debug>(outcome: &Result<T, ReplicaError>) {
    assert!(matches!(outcome, Err(ReplicaError::Unreachable(_))), "{outcome:?}");
}

pub(crate) fn table() -> TableId {
    TableId::new(TableKind::Objects, [1; 15])
}

pub(crate) fn row(key: &str) -> RowAddress {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RowKey { table: table(), key }.address(&PlacementKey::new([7; 16]))
}

pub(crate) fn ballot(time: u64) -> Ballot {
    Ballot { time, proposer: ProposerId(1) }
}

pub(crate) fn live(blobs: Vec<BlobRef>) -> RowValue {
    let weight = Weight { objects: 1, bytes: blobs.iter().map(|blob| blob.bytes).sum() };
    RowValue::Live { entry: Bytes::from("entry"), record: Bytes::from("record"), weight, blobs }
}

pub(crate) fn accept(row: RowAddress, time: u64, value: RowValue) -> Accept {
    let state = State::first(ballot(time), Ballot::ZERO, value);
    Accept { row, ballot: ballot(time), state, body: None, garbage: Vec::new(), seal: None }
}

pub(crate) fn blob(number: u8, row: &RowAddress, bytes: &[u8]) -> BlobRef {
    BlobRef {
        id: BlobId([number; 16]),
        hash: row.hash,
        bytes: bytes.len() as u64,
        checksum: Checksum::of(bytes),
    }
}

pub(crate) fn new_blob(number: u8) -> NewBlob {
    let row = row("owner");
    NewBlob { id: BlobId([number; 16]), hash: row.hash, owner: BlobOwner::Row(row) }
}

/// Bytes that tell every place in them from the others.
pub(crate) fn body(bytes: usize) -> Bytes {
    (0..bytes).map(|index| u8::try_from(index * 7 % 251).unwrap()).collect()
}

pub(crate) fn blocks(body: &Bytes) -> Vec<Block> {
    body.chunks(BLOCK_BYTES).map(|block| Block::new(body.slice_ref(block))).collect()
}

/// Stores a blob, block by block.
pub(crate) async fn stage(replica: &Arc<dyn Replica>, number: u8, body: &Bytes) -> Result<(), ReplicaError> {
    let mut writer = replica.stage(new_blob(number)).await?;
    for block in blocks(body) {
        writer.write(block).await?;
    }
    writer.finish().await
}

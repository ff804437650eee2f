//! The proxy's end: a link to one node.

mod call;
mod connector;
mod download;
mod exchange;
mod slot;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobStanding, BlobWriter, BlockStream, Garbage, HeldBlob, InspectBlobs,
    ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, Replica, ReplicaError, RowPage,
    RowReply, SealToken, Survey, SurveyPage, TableCounters, TableId, TablePage, Tombstone,
};
use martlet_ring::{DeviceId, Partition};

use crate::figures::LinkFigures;
use crate::identity::{LinkIdentity, NonceSource, SystemNonces};
use crate::limits::{BULK_CONNECTIONS, MESSAGE_BYTES_MAX};
use crate::message::{Addressee, Answer, Message, NODE, Request};
use crate::ring::{RingHolder, RingOrder, RingReport};
use call::ClientConnection;
pub use connector::{Connector, TcpConnector, TlsConnector};
use exchange::NodeVersion;
use slot::Slot;

/// The link to one node: one connection for row operations, and [`BULK_CONNECTIONS`] for what is large.
///
/// It connects at once, and again by itself whenever a connection ends. While there is none, calls fail at once;
/// only during the very first attempt do they wait for it. A clone is another handle to the same link;
/// the connections end with the last handle, those that it gave out included.
#[derive(Clone, Debug)]
pub struct NodeLink {
    lanes: Arc<Lanes>,
}

#[derive(Debug)]
struct Lanes {
    /// Of the ring, as the node has told it.
    node_version: NodeVersion,
    figures: Arc<LinkFigures>,
    rows: Slot,
    bulk: [Slot; BULK_CONNECTIONS],
    bulk_next: AtomicUsize,
}

/// One device of the node.
#[derive(Clone)]
pub struct RemoteReplica {
    lanes: Arc<Lanes>,
    to: Addressee,
}

impl NodeLink {
    /// A link to the node at `address`, a host and a port. Called within a tokio runtime.
    pub fn open(address: &str, identity: &LinkIdentity) -> Self {
        let (tcp, nonces) = (TcpConnector::new(address), Arc::new(SystemNonces) as _);
        match &identity.tls {
            None => Self::open_with(&Arc::new(tcp), identity, &nonces),
            Some(tls) => Self::open_with(&Arc::new(TlsConnector::new(tcp, tls.clone())), identity, &nonces),
        }
    }

    /// A link whose ends keep each other's rings up to date.
    pub fn open_with_ring(address: &str, identity: &LinkIdentity, holder: Arc<dyn RingHolder>) -> Self {
        let link = Self::open(address, identity);
        let node_version = link.lanes.node_version.subscribe();
        tokio::spawn(exchange::keep(Arc::downgrade(&link.lanes), holder, node_version));
        link
    }

    /// A link over connections of another kind.
    pub fn open_with<C: Connector>(
        connector: &Arc<C>,
        identity: &LinkIdentity,
        nonces: &Arc<dyn NonceSource>,
    ) -> Self {
        let (node_version, figures) = (NodeVersion::new(0), Arc::<LinkFigures>::default());
        let slot = || {
            let told = (node_version.clone(), figures.clone());
            Slot::open(connector.clone(), identity.clone(), nonces.clone(), told)
        };
        let (rows, bulk) = (slot(), std::array::from_fn(|_| slot()));
        Self { lanes: Arc::new(Lanes { node_version, figures, rows, bulk, bulk_next: AtomicUsize::new(0) }) }
    }

    /// One of the node's devices, for a caller without a ring. Whether the node has it shows with the first call.
    pub fn replica(&self, device: DeviceId) -> Arc<dyn Replica> {
        self.replica_by(0, device)
    }

    /// One of the node's devices, for what is asked by this version of the ring.
    pub fn replica_by(&self, ring: u64, device: DeviceId) -> Arc<dyn Replica> {
        Arc::new(RemoteReplica { lanes: self.lanes.clone(), to: Addressee { device, ring, request: None } })
    }

    /// Has the node carry out an order about its ring. `Err` of the inner result: it won't, and why.
    pub async fn order(&self, order: RingOrder) -> Result<Result<RingReport, String>, ReplicaError> {
        exchange::order(&self.lanes, order).await
    }

    /// Ends the connections for good, also for the replicas that were given out.
    pub fn close(&self) {
        self.lanes.rows.close();
        self.lanes.bulk.iter().for_each(Slot::close);
    }

    /// What has become of its connections.
    pub fn figures(&self) -> &Arc<LinkFigures> {
        &self.lanes.figures
    }

    /// Whether row operations get through at the moment, as far as is known.
    pub fn is_connected(&self) -> bool {
        self.lanes.rows.is_connected()
    }
}

impl Lanes {
    /// Asks the node itself.
    async fn ask_node(self: &Arc<Self>, request: Request) -> Result<Answer, ReplicaError> {
        let to = Addressee { device: NODE, ring: 0, request: None };
        RemoteReplica { lanes: self.clone(), to }.call(request).await
    }

    async fn connection(&self, is_bulk: bool) -> Result<Arc<ClientConnection>, ReplicaError> {
        if !is_bulk {
            return self.rows.connection().await;
        }
        let next = self.bulk_next.fetch_add(1, Ordering::Relaxed);
        self.bulk[next % BULK_CONNECTIONS].connection().await
    }
}

impl RemoteReplica {
    async fn call(&self, request: Request) -> Result<Answer, ReplicaError> {
        let (connection, message) = self.address(&request).await?;
        connection.call(self.to.device, &request, message).await
    }

    async fn call_for_nothing(&self, request: Request) -> Result<(), ReplicaError> {
        match self.call(request).await? {
            Answer::Done => Ok(()),
            _ => Err(other_answer()),
        }
    }

    async fn upload(&self, request: Request) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        let (connection, message) = self.address(&request).await?;
        Ok(Box::new(upload::begin(&connection, self.to.device, &request, message).await?))
    }

    async fn address(&self, request: &Request) -> Result<(Arc<ClientConnection>, Message), ReplicaError> {
        let message = request.encode(Addressee { request: martlet_request::current(), ..self.to });
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(ReplicaError::Invalid("a request above the limit of the link"));
        }
        let connection = self.lanes.connection(request.is_bulk(message.len())).await?;
        Ok((connection, message))
    }
}

/// An answer to another question than was asked: as good as none.
fn other_answer() -> ReplicaError {
    ReplicaError::Unreachable("the node answered what wasn't asked".to_owned())
}

/// Makes the call, and takes the kind of answer that belongs to it.
macro_rules! ask {
    ($replica:expr, $request:expr, $answer:path) => {
        match $replica.call($request).await? {
            $answer(answer) => Ok(answer),
            _ => Err(other_answer()),
        }
    };
}

#[async_trait]
impl Replica for RemoteReplica {
    async fn prepare(&self, request: Prepare) -> Result<Promise, ReplicaError> {
        ask!(self, Request::Prepare(request), Answer::Promise)
    }

    async fn accept(&self, request: Accept) -> Result<(), ReplicaError> {
        self.call_for_nothing(Request::Accept(request)).await
    }

    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError> {
        ask!(self, Request::Read(request), Answer::Row)
    }

    async fn list(&self, request: ListRows) -> Result<RowPage, ReplicaError> {
        ask!(self, Request::List(request), Answer::Page)
    }

    async fn counters(&self, tables: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        ask!(self, Request::Counters(tables), Answer::Counters)
    }

    async fn stage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.upload(Request::Stage(blob)).await
    }

    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError> {
        let request = Request::ReadBlob(request);
        let (connection, message) = self.address(&request).await?;
        download::begin(&connection, self.to.device, &request, message).await
    }

    async fn seal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.call_for_nothing(Request::Seal(table, token)).await
    }

    async fn unseal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.call_for_nothing(Request::Unseal(table, token)).await
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<Garbage>, ReplicaError> {
        ask!(self, Request::Garbage { limit }, Answer::Garbage)
    }

    async fn settle_garbage(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.call_for_nothing(Request::SettleGarbage(blobs)).await
    }

    async fn reclaim(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.call_for_nothing(Request::Reclaim(blobs)).await
    }

    async fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        ask!(self, Request::Unreferenced { after, limit }, Answer::Unreferenced)
    }

    async fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        ask!(self, Request::Tombstones { limit }, Answer::Tombstones)
    }

    async fn forget(&self, tombstones: Vec<Tombstone>) -> Result<(), ReplicaError> {
        self.call_for_nothing(Request::Forget(tombstones)).await
    }

    async fn digests(&self, partitions: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        ask!(self, Request::Digests(partitions), Answer::Digests)
    }

    async fn tables(&self, request: ListTables) -> Result<TablePage, ReplicaError> {
        ask!(self, Request::Tables(request), Answer::Tables)
    }

    async fn survey(&self, request: Survey) -> Result<SurveyPage, ReplicaError> {
        ask!(self, Request::Survey(request), Answer::Survey)
    }

    async fn inspect(&self, request: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        ask!(self, Request::Inspect(request), Answer::Standings)
    }

    async fn held(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        ask!(self, Request::Held { after, limit }, Answer::Held)
    }

    async fn restage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.upload(Request::Restage(blob)).await
    }
}

impl fmt::Debug for RemoteReplica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteReplica").field("to", &self.to).finish_non_exhaustive()
    }
}

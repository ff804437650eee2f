//! The ring, as the ends of a link speak of it.
//!
//! Every request says by which version of the ring it was made. A node tells its clients which version it has, at once
//! and whenever that changes; a client that has an older one fetches it, and one that has a newer one offers it.
//! What becomes of a ring that was heard of is for the holder to decide.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_protocol::ReplicaError;
use martlet_ring::{PlacementHash, Ring};
use tokio::sync::{mpsc, watch};

use crate::message::Addressee;

/// A process that has a ring.
pub trait RingHolder: fmt::Debug + Send + Sync + 'static {
    /// The ring, and whatever takes its place.
    fn current(&self) -> watch::Receiver<Arc<Ring>>;

    /// Somebody has this ring. Never waits.
    fn hear(&self, ring: Ring);
}

/// A process that decides by which rings its devices may be asked.
#[async_trait]
pub trait RingAuthority: RingHolder {
    /// May a request to a device, made by a version of the ring, be carried out?
    /// What this gives is held until the request has been.
    fn admit(&self, to: Addressee, rows: Rows) -> Result<Admission, ReplicaError>;

    /// Does what an operator's command asks.
    async fn obey(&self, order: RingOrder) -> Result<RingReport, String>;
}

/// What a request needs of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// It is about the row that lies here.
    Of(PlacementHash),
    /// It is about the rows of a whole table.
    All,
    /// It ends a blob with this hash, which may belong to this device or be kept by it for another.
    Blob(PlacementHash),
    /// It is about what this very device holds.
    Unplaced,
}

/// A request is being carried out. Dropped when it has been.
#[derive(Debug)]
pub struct Admission {
    _counted: Option<mpsc::Sender<Infallible>>,
}

/// A step of a change that moves partitions, which all nodes have to agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingOrder {
    /// Only say how things stand.
    Report,
    /// Keep everybody from the partitions that this ring moves, and make sure that nothing lies in them.
    Propose(Bytes),
    /// Everybody has agreed to this version: take it.
    Commit(u64),
    /// Somebody hasn't agreed to this version: go on without it.
    Withdraw(u64),
}

/// How things stand with the ring of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingReport {
    pub version: u64,
    /// The version that the node has agreed to.
    pub proposed: Option<u64>,
}

impl Admission {
    /// Nobody waits for the end of the request.
    pub fn uncounted() -> Self {
        Self { _counted: None }
    }

    /// Whoever has the receiver learns when all such requests have ended.
    pub fn counted(by: mpsc::Sender<Infallible>) -> Self {
        Self { _counted: Some(by) }
    }
}

/// A ring that never changes.
#[derive(Debug)]
pub struct FixedRing(watch::Sender<Arc<Ring>>);

impl FixedRing {
    pub fn new(ring: Arc<Ring>) -> Self {
        Self(watch::Sender::new(ring))
    }
}

impl RingHolder for FixedRing {
    fn current(&self) -> watch::Receiver<Arc<Ring>> {
        self.0.subscribe()
    }

    fn hear(&self, ring: Ring) {
        tracing::debug!(version = ring.version(), "there is another ring, which isn't taken");
    }
}

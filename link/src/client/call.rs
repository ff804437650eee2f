//! Calls on one connection, and who waits for what.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use martlet_protocol::{Block, ReplicaError};
use martlet_ring::DeviceId;
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::exchange::NodeVersion;
use crate::connection::Side;
use crate::frame::{Frame, Kind, Violation};
use crate::limits::{BYTES_IN_FLIGHT_MAX, REQUESTS_IN_FLIGHT_MAX, STREAM_WINDOW_BLOCKS, STREAMS_MAX};
use crate::message::{Answer, Message, Reply, Request, decode_block, decode_reply};
use crate::outbox::Outbox;

/// One connection, as calls see it.
#[derive(Debug)]
pub(super) struct ClientConnection {
    pub(super) outbox: Outbox,
    calls: Mutex<Calls>,
    /// What each device may have in flight: a device that hangs uses up its own share.
    shares: Mutex<BTreeMap<DeviceId, Share>>,
    streams: Arc<Semaphore>,
    node_version: NodeVersion,
    /// Told when the server leaves, and then whenever nobody waits any more.
    pub(super) farewell: Notify,
}

#[derive(Clone, Debug)]
struct Share {
    requests: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// What a call may hold; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    _request: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
    _stream: Option<OwnedSemaphorePermit>,
}

#[derive(Debug, Default)]
struct Calls {
    id_last: u64,
    waiting: HashMap<u64, Waiter>,
    phase: Phase,
}

/// ```text
/// Open ──the server leaves──► Leaving ──► Ended
///   └────────────────────────────────────►┘
/// ```
#[derive(Debug, Default)]
enum Phase {
    #[default]
    Open,
    /// Calls that were made are answered; no new ones are taken.
    Leaving,
    /// Why.
    Ended(String),
}

/// Who waits for the replies of a call.
#[derive(Debug)]
pub(super) enum Waiter {
    Once(oneshot::Sender<Reply>),
    /// A blob that is being staged: `opened` first, `outcome` at last.
    Upload {
        opened: Option<oneshot::Sender<Reply>>,
        outcome: oneshot::Sender<Reply>,
        /// So many blocks may be sent; closed when the outcome is there.
        credit: Arc<Semaphore>,
    },
    Download {
        opened: Option<oneshot::Sender<Reply>>,
        events: mpsc::Sender<Event>,
    },
}

/// What comes of a blob that is being read.
#[derive(Debug)]
pub(super) enum Event {
    Block(Block),
    End(Result<(), ReplicaError>),
}

/// A call that the server may know of. Dropped before it is over, it tells the server that nobody waits.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) connection: Arc<ClientConnection>,
    pub(super) id: u64,
    is_over: bool,
    _room: Room,
}

impl ClientConnection {
    pub(super) fn new(node_version: NodeVersion) -> Self {
        Self {
            node_version,
            outbox: Outbox::new(),
            calls: Mutex::default(),
            shares: Mutex::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            farewell: Notify::new(),
        }
    }

    /// A call with one reply.
    pub(super) async fn call(
        self: &Arc<Self>,
        device: DeviceId,
        request: &Request,
        message: Message,
    ) -> Result<Answer, ReplicaError> {
        let room = self.room(device, request, message.len()).await?;
        let (sender, receiver) = oneshot::channel();
        let call = self.begin(Waiter::Once(sender), message, room)?;
        call.reply(receiver).await
    }

    /// Waits until the call may be made.
    pub(super) async fn room(
        &self,
        device: DeviceId,
        request: &Request,
        request_bytes: usize,
    ) -> Result<Room, ReplicaError> {
        let share = self.share(device);
        let bytes = u32::try_from(request.weight(request_bytes)).unwrap_or(u32::MAX);
        let ended = |_: AcquireError| self.why_ended();
        Ok(Room {
            _stream: if request.is_stream() {
                Some(self.streams.clone().acquire_owned().await.map_err(ended)?)
            } else {
                None
            },
            _request: share.requests.acquire_owned().await.map_err(ended)?,
            _bytes: share.bytes.acquire_many_owned(bytes).await.map_err(ended)?,
        })
    }

    /// Sends the request; what comes of it goes to the waiter.
    pub(super) fn begin(
        self: &Arc<Self>,
        waiter: Waiter,
        message: Message,
        room: Room,
    ) -> Result<Call, ReplicaError> {
        let mut calls = self.calls();
        match calls.phase {
            Phase::Open => {}
            Phase::Leaving => return Err(ReplicaError::Unreachable("the node is stopping".to_owned())),
            Phase::Ended(ref why) => return Err(ReplicaError::Unreachable(why.clone())),
        }
        calls.id_last += 1;
        let id = calls.id_last;
        calls.waiting.insert(id, waiter);
        // Under the lock, so that calls go out in the order of their numbers.
        let sent = self.outbox.push(Kind::Request, id, message);
        drop(calls);
        let call = Call { connection: self.clone(), id, is_over: false, _room: room };
        sent.map_err(|_| self.why_ended())?;
        Ok(call)
    }

    /// Everybody who waits learns that the connection has ended.
    pub(super) fn end(&self, why: &str) {
        let mut calls = self.calls();
        calls.phase = Phase::Ended(why.to_owned());
        let waiting = std::mem::take(&mut calls.waiting);
        drop(calls);
        self.outbox.end();
        self.streams.close();
        for share in self.shares().values() {
            share.requests.close();
            share.bytes.close();
        }
        for waiter in waiting.values() {
            if let Waiter::Upload { credit, .. } = waiter {
                credit.close();
            }
        }
    }

    /// Has the server said that it leaves, and does nobody wait for it any more?
    pub(super) fn is_leaving(&self) -> bool {
        !matches!(self.calls().phase, Phase::Open)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.calls().waiting.is_empty()
    }

    pub(super) fn why_ended(&self) -> ReplicaError {
        ReplicaError::Unreachable(match &self.calls().phase {
            Phase::Ended(why) => why.clone(),
            Phase::Open | Phase::Leaving => "the connection has ended".to_owned(),
        })
    }

    fn share(&self, device: DeviceId) -> Share {
        let has_ended = matches!(self.calls().phase, Phase::Ended(_));
        let mut shares = self.shares();
        let share = shares.entry(device).or_insert_with(|| Share {
            requests: Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX)),
            bytes: Arc::new(Semaphore::new(BYTES_IN_FLIGHT_MAX)),
        });
        if has_ended {
            share.requests.close();
        }
        share.clone()
    }

    fn shares(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: u64) {
        let mut calls = self.calls();
        calls.waiting.remove(&id);
        self.note_idleness(&calls);
    }

    fn note_idleness(&self, calls: &Calls) {
        if matches!(calls.phase, Phase::Leaving) && calls.waiting.is_empty() {
            self.farewell.notify_one();
        }
    }
}

impl Side for ClientConnection {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn is_busy(&self) -> bool {
        self.calls().waiting.len() > 1
    }

    fn take(&self, frame: Frame) -> Result<(), Violation> {
        // Decoded before the lock is taken: a long page keeps no caller from its own answer.
        match frame.kind {
            Kind::Reply => {
                let reply = decode_reply(&frame.payload).map_err(|malformed| Violation(malformed.0))?;
                let mut calls = self.calls();
                calls.take_reply(frame.id, reply)?;
                self.note_idleness(&calls);
                Ok(())
            }
            Kind::Block => {
                let block = decode_block(&frame.payload).map_err(|malformed| Violation(malformed.0))?;
                self.calls().take_block(frame.id, block)
            }
            Kind::Credit => self.calls().take_credit(&frame),
            Kind::RingVersion => {
                let version = frame.payload[..].try_into().map(u64::from_le_bytes);
                let version = version.map_err(|_| Violation("a version of another length"))?;
                self.node_version.send_replace(version);
                Ok(())
            }
            Kind::Leaving => {
                let mut calls = self.calls();
                if matches!(calls.phase, Phase::Open) {
                    calls.phase = Phase::Leaving;
                }
                self.farewell.notify_one();
                Ok(())
            }
            _ => Err(Violation("a frame that only a client sends")),
        }
    }
}

impl Calls {
    /// A call that isn't there was given up, and the server didn't know yet.
    fn take_reply(&mut self, id: u64, reply: Reply) -> Result<(), Violation> {
        if self.id_last < id {
            return Err(Violation("a reply to a call that wasn't made"));
        }
        let is_first = match self.waiting.get_mut(&id) {
            None => return Ok(()),
            Some(Waiter::Upload { opened, .. } | Waiter::Download { opened, .. }) if reply.is_ok() => {
                opened.take()
            }
            Some(_) => None,
        };
        if let Some(opened) = is_first {
            let _ = opened.send(reply);
            return Ok(());
        }
        match self.waiting.remove(&id) {
            None => Ok(()),
            Some(Waiter::Once(sender)) => {
                let _ = sender.send(reply);
                Ok(())
            }
            Some(Waiter::Upload { opened, outcome, credit }) => {
                let _ = opened.unwrap_or(outcome).send(reply);
                credit.close();
                Ok(())
            }
            Some(Waiter::Download { opened: Some(opened), .. }) => {
                let _ = opened.send(reply);
                Ok(())
            }
            Some(Waiter::Download { opened: None, events }) => {
                deliver(&events, Event::End(reply.map(|_| ())))
            }
        }
    }

    fn take_block(&mut self, id: u64, block: Block) -> Result<(), Violation> {
        match self.waiting.get(&id) {
            None => Ok(()),
            Some(Waiter::Download { events, opened: None }) => deliver(events, Event::Block(block)),
            Some(_) => Err(Violation("a block that wasn't asked for")),
        }
    }

    fn take_credit(&mut self, frame: &Frame) -> Result<(), Violation> {
        let blocks = u32::from_le_bytes(
            frame.payload[..].try_into().map_err(|_| Violation("a credit of another length"))?,
        );
        match self.waiting.get(&frame.id) {
            None => Ok(()),
            Some(Waiter::Upload { credit, .. })
                if credit.available_permits() + blocks as usize <= STREAM_WINDOW_BLOCKS =>
            {
                credit.add_permits(blocks as usize);
                Ok(())
            }
            Some(_) => Err(Violation("a credit above the window")),
        }
    }
}

fn deliver(events: &mpsc::Sender<Event>, event: Event) -> Result<(), Violation> {
    match events.try_send(event) {
        Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        Err(mpsc::error::TrySendError::Full(_)) => Err(Violation("more blocks than there was credit for")),
    }
}

impl Call {
    /// Waits for the only reply, or the last.
    pub(super) async fn reply(mut self, receiver: oneshot::Receiver<Reply>) -> Reply {
        let reply = receiver.await;
        self.is_over = true;
        reply.unwrap_or_else(|_| Err(self.connection.why_ended()))
    }

    /// The server has said its last word.
    pub(super) fn over(&mut self) {
        self.is_over = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.outbox.cancel(self.id);
            self.connection.forget(self.id);
        }
    }
}

//! Calls of one client, as the server has them in hand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use martlet_protocol::{Replica, ReplicaError};
use martlet_request::within;
use martlet_ring::{DeviceId, PlacementHash};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;

use super::stream::{self, Step};
use super::{Door, node};
use crate::connection::Side;
use crate::frame::{Frame, Kind, Violation};
use crate::limits::{
    BYTES_IN_FLIGHT_MAX, MESSAGE_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX, STREAM_WINDOW_BLOCKS,
    STREAM_WINDOW_BLOCKS_MIN, STREAMS_MAX,
};
use crate::message::{Addressee, Answer, Message, NODE, Reply, Request, decode_block, encode_reply};
use crate::outbox::Outbox;
use crate::ring::{Admission, Rows};

/// One connection, as the devices see it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) outbox: Outbox,
    door: Arc<Door>,
    work: Mutex<Work>,
}

#[derive(Debug, Default)]
struct Work {
    calls: HashMap<u64, CallInHand>,
    in_flight: BTreeMap<DeviceId, InFlight>,
    streams: usize,
    has_ended: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    requests: usize,
    bytes: usize,
}

/// A call that a task works on.
#[derive(Debug)]
struct CallInHand {
    task: AbortHandle,
    device: DeviceId,
    weight: usize,
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    None,
    /// A blob that comes in, step by step.
    Stage(mpsc::Sender<Step>),
    /// A blob that goes out, so many more blocks of it.
    Read(Arc<Semaphore>),
}

/// Ends the calls however the connection's task ends.
pub(super) struct EndWithTask(pub(super) Arc<Session>);

/// Answers for a call whose task is torn down by a panic.
struct Witness<'a> {
    session: &'a Session,
    id: u64,
}

impl Session {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self { outbox: Outbox::new(), door, work: Mutex::default() }
    }

    /// Asks the client to go once it has its answers.
    pub(super) fn leave(&self) {
        let _ = self.outbox.push(Kind::Leaving, 0, Message::default());
    }

    fn begin(self: &Arc<Self>, id: u64, message: &bytes::Bytes) -> Result<(), Violation> {
        let (to, request) = Request::decode(message).map_err(|malformed| Violation(malformed.0))?;
        let (device, weight) = (to.device, request.weight(message.len()));
        let mut work = self.work();
        work.admit(id, device, weight, request.is_stream())?;
        let admitted = match self.admit(to, &request) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                drop(work);
                self.send(id, &Err(refusal));
                self.release_unbegun(device, weight, request.is_stream());
                return Ok(());
            }
        };
        if work.has_ended {
            return Ok(());
        }
        let (stream, task) = match admitted {
            (admission, Some(replica)) => self.set_out((id, to), replica, request, admission),
            (_, None) => (Stream::None, self.ask_node(id, request)),
        };
        // The lock is still held, so the task can't have finished the call before it is known.
        work.calls.insert(id, CallInHand { task, device, weight, stream });
        Ok(())
    }

    /// Begins what a device is asked to do.
    fn set_out(
        self: &Arc<Self>,
        (id, to): (u64, Addressee),
        replica: Arc<dyn Replica>,
        request: Request,
        admission: Admission,
    ) -> (Stream, AbortHandle) {
        let session = self.clone();
        let name = request.name();
        let (stream, task) = match request {
            upload @ (Request::Stage(_) | Request::Restage(_)) => {
                // The window, and the end.
                let (steps, inbox) = mpsc::channel(STREAM_WINDOW_BLOCKS + 1);
                let staging = async move {
                    let _witness = Witness { session: &session, id };
                    stream::stage(&session, (id, to), &*replica, upload, inbox).await;
                };
                (Stream::Stage(steps), tokio::spawn(within(to.request, staging)))
            }
            Request::ReadBlob(read) => {
                let credit = Arc::new(Semaphore::new(STREAM_WINDOW_BLOCKS_MIN));
                let credit_here = credit.clone();
                let reading = async move {
                    let _witness = Witness { session: &session, id };
                    stream::read(&session, (id, to), &*replica, read, &credit_here).await;
                };
                (Stream::Read(credit), tokio::spawn(within(to.request, reading)))
            }
            request => {
                let calling = async move {
                    let _witness = Witness { session: &session, id };
                    let reply = carry_out(&*replica, request).await;
                    drop(admission);
                    tell(to.device, name, reply.as_ref().err());
                    session.send(id, &reply);
                    session.finish(id);
                };
                (Stream::None, tokio::spawn(within(to.request, calling)))
            }
        };
        (stream, task.abort_handle())
    }

    fn ask_node(self: &Arc<Self>, id: u64, request: Request) -> AbortHandle {
        let session = self.clone();
        let calling = async move {
            let _witness = Witness { session: &session, id };
            let reply = node::carry_out(session.door.rings(), request).await;
            session.send(id, &reply);
            session.finish(id);
        };
        tokio::spawn(calling).abort_handle()
    }

    /// Whom the request is for, if it is served, and if the ring that it was made by is good enough.
    /// No device: it is for the node itself.
    fn admit(
        &self,
        to: Addressee,
        request: &Request,
    ) -> Result<(Admission, Option<Arc<dyn Replica>>), ReplicaError> {
        if to.device == NODE {
            return Ok((Admission::uncounted(), None));
        }
        let absent = || ReplicaError::Unreachable(format!("the node doesn't serve {}", to.device));
        let replica = self.door.device(to.device).cloned().ok_or_else(absent)?;
        let admission = match (self.door.rings(), request.rows()) {
            (None, _) | (_, Rows::Unplaced) => Admission::uncounted(),
            (Some(rings), rows) => rings.admit(to, rows)?,
        };
        Ok((admission, Some(replica)))
    }

    /// Whether a blob may still be stored that was begun by the client's ring. Held until it is.
    ///
    /// Uploads take their time, so nobody waits for those that have begun when a partition is about to move:
    /// those that end later are refused.
    pub(super) fn admit_end(&self, to: Addressee, blob: PlacementHash) -> Result<Admission, ReplicaError> {
        self.door
            .rings()
            .map_or_else(|| Ok(Admission::uncounted()), |rings| rings.admit(to, Rows::Blob(blob)))
    }

    /// Tells the client which version of the ring the node has.
    pub(super) fn tell_ring_version(&self, version: u64) {
        let message = Message { head: version.to_le_bytes().to_vec().into(), ..Message::default() };
        let _ = self.outbox.push(Kind::RingVersion, 0, message);
    }

    /// Sends a reply. A connection that has ended needs none.
    pub(super) fn send(&self, id: u64, reply: &Reply) {
        let _ = self.outbox.push(Kind::Reply, id, encode_checked(reply));
    }

    /// Sends the last reply of a stream of blocks.
    pub(super) fn send_after_blocks(&self, id: u64, reply: &Reply) {
        let _ = self.outbox.push_after_blocks(Kind::Reply, id, encode_checked(reply));
    }

    /// The call has had its last reply.
    pub(super) fn finish(&self, id: u64) {
        let _ = self.work().remove(id);
    }

    fn release_unbegun(&self, device: DeviceId, weight: usize, is_stream: bool) {
        self.work().release(device, weight, is_stream);
    }

    fn cancel(&self, id: u64) {
        let call = self.work().remove(id);
        if let Some(call) = call {
            call.task.abort();
            self.outbox.withdraw(id);
        }
    }

    fn take_step(&self, id: u64, step: Step) -> Result<(), Violation> {
        match self.work().calls.get(&id).map(|call| &call.stream) {
            // It failed, and the client didn't know yet.
            None => Ok(()),
            Some(Stream::Stage(steps)) => match steps.try_send(step) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
                Err(mpsc::error::TrySendError::Full(_)) => {
                    Err(Violation("more blocks than there was credit for"))
                }
            },
            Some(_) => Err(Violation("a block that wasn't asked for")),
        }
    }

    fn take_credit(&self, frame: &Frame) -> Result<(), Violation> {
        let blocks = u32::from_le_bytes(
            frame.payload[..].try_into().map_err(|_| Violation("a credit of another length"))?,
        );
        match self.work().calls.get(&frame.id).map(|call| &call.stream) {
            None => Ok(()),
            Some(Stream::Read(credit))
                if credit.available_permits() + blocks as usize <= STREAM_WINDOW_BLOCKS =>
            {
                credit.add_permits(blocks as usize);
                Ok(())
            }
            Some(_) => Err(Violation("a credit above the window")),
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Side for Arc<Session> {
    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    fn is_busy(&self) -> bool {
        !self.work().calls.is_empty()
    }

    fn take(&self, frame: Frame) -> Result<(), Violation> {
        match frame.kind {
            Kind::Request => self.begin(frame.id, &frame.payload),
            Kind::Block => {
                let block = decode_block(&frame.payload).map_err(|malformed| Violation(malformed.0))?;
                self.take_step(frame.id, Step::Block(block))
            }
            Kind::Finish => self.take_step(frame.id, Step::Finish),
            Kind::Credit => self.take_credit(&frame),
            Kind::Cancel => {
                self.cancel(frame.id);
                Ok(())
            }
            _ => Err(Violation("a frame that only a server sends")),
        }
    }
}

impl Work {
    /// Holds the client to its limits.
    fn admit(&mut self, id: u64, device: DeviceId, weight: usize, is_stream: bool) -> Result<(), Violation> {
        if self.calls.contains_key(&id) || id == 0 {
            return Err(Violation("a call's number again"));
        }
        let in_flight = self.in_flight.entry(device).or_default();
        in_flight.requests += 1;
        in_flight.bytes += weight;
        self.streams += usize::from(is_stream);
        if in_flight.requests > REQUESTS_IN_FLIGHT_MAX {
            return Err(Violation("too many requests in flight"));
        }
        if in_flight.bytes > BYTES_IN_FLIGHT_MAX {
            return Err(Violation("too many bytes in flight"));
        }
        if self.streams > STREAMS_MAX {
            return Err(Violation("too many streams"));
        }
        Ok(())
    }

    fn remove(&mut self, id: u64) -> Option<CallInHand> {
        let call = self.calls.remove(&id)?;
        self.release(call.device, call.weight, !matches!(call.stream, Stream::None));
        Some(call)
    }

    fn release(&mut self, device: DeviceId, weight: usize, is_stream: bool) {
        if let Some(in_flight) = self.in_flight.get_mut(&device) {
            in_flight.requests -= 1;
            in_flight.bytes -= weight;
        }
        // Devices that aren't served leave nothing behind.
        self.in_flight.retain(|_, in_flight| in_flight.requests > 0);
        self.streams -= usize::from(is_stream);
    }
}

async fn carry_out(replica: &dyn Replica, request: Request) -> Reply {
    match request {
        Request::Prepare(prepare) => replica.prepare(prepare).await.map(Answer::Promise),
        Request::Accept(accept) => replica.accept(accept).await.map(done),
        Request::Read(read) => replica.read(read).await.map(Answer::Row),
        Request::List(list) => replica.list(list).await.map(Answer::Page),
        Request::Counters(tables) => replica.counters(tables).await.map(Answer::Counters),
        Request::Seal(table, token) => replica.seal(table, token).await.map(done),
        Request::Unseal(table, token) => replica.unseal(table, token).await.map(done),
        Request::Garbage { limit } => replica.garbage(limit).await.map(Answer::Garbage),
        Request::SettleGarbage(blobs) => replica.settle_garbage(blobs).await.map(done),
        Request::Reclaim(blobs) => replica.reclaim(blobs).await.map(done),
        Request::Unreferenced { after, limit } => {
            replica.unreferenced(after, limit).await.map(Answer::Unreferenced)
        }
        Request::Tombstones { limit } => replica.tombstones(limit).await.map(Answer::Tombstones),
        Request::Forget(tombstones) => replica.forget(tombstones).await.map(done),
        Request::Digests(partitions) => replica.digests(partitions).await.map(Answer::Digests),
        Request::Tables(tables) => replica.tables(tables).await.map(Answer::Tables),
        Request::Survey(survey) => replica.survey(survey).await.map(Answer::Survey),
        Request::Inspect(inspect) => replica.inspect(inspect).await.map(Answer::Standings),
        Request::Held { after, limit } => replica.held(after, limit).await.map(Answer::Held),
        Request::Stage(_) | Request::Restage(_) | Request::ReadBlob(_) => {
            Err(ReplicaError::Invalid("a stream as a call"))
        }
        Request::FetchRing | Request::OfferRing(_) | Request::OrderRing(_) => {
            Err(ReplicaError::Invalid("a device was asked what is for its node"))
        }
    }
}

/// Puts into the log how a call ended; the line bears the id of the request that the call is part of.
pub(super) fn tell(device: DeviceId, call: &'static str, failure: Option<&ReplicaError>) {
    match failure {
        Some(error @ (ReplicaError::Damaged(_) | ReplicaError::Invalid(_))) => {
            tracing::warn!(%device, call, %error, "a call failed");
        }
        Some(error) => tracing::debug!(%device, call, %error, "a call failed"),
        None => tracing::debug!(%device, call, "a call was answered"),
    }
}

fn done((): ()) -> Answer {
    Answer::Done
}

fn encode_checked(reply: &Reply) -> Message {
    let message = encode_reply(reply);
    if message.len() <= MESSAGE_BYTES_MAX {
        return message;
    }
    tracing::warn!(bytes = message.len(), "an answer is too long for the link");
    encode_reply(&Err(ReplicaError::Invalid("an answer above the limit of the link")))
}

impl Drop for EndWithTask {
    fn drop(&mut self) {
        let mut work = self.0.work();
        work.has_ended = true;
        let calls = std::mem::take(&mut work.calls);
        drop(work);
        self.0.outbox.end();
        for call in calls.values() {
            call.task.abort();
        }
    }
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reply =
                Err(ReplicaError::Unreachable("the node failed while it worked on the call".to_owned()));
            self.session.send(self.id, &reply);
            self.session.finish(self.id);
        }
    }
}

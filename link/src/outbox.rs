//! What waits to be sent on one connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::frame::{Frame, Kind};
use crate::limits::{BATCH_BYTES, BLOCKS_QUEUED_MAX, FRAME_BYTES_MAX, SMALL_BYTES_MAX};
use crate::message::Message;
use crate::record::Record;

/// Two queues: small messages pass the large ones by, and blocks keep their order among the large.
///
/// Putting something in never waits, so that whoever takes frames off the connection never waits either.
/// What is in it has a limit all the same: every entry belongs to a call, whose number and bytes are limited,
/// or to a stream, whose blocks need a permit of [`Outbox::block_permit`].
#[derive(Debug)]
pub struct Outbox {
    queues: Mutex<Queues>,
    filled: Notify,
    blocks: Arc<Semaphore>,
}

/// The connection has ended; nothing is sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

#[derive(Debug, Default)]
struct Queues {
    small: VecDeque<Outgoing>,
    large: VecDeque<Outgoing>,
    /// The message at the front of `large` has been begun, and so much of it is left.
    begun: Option<Message>,
    has_ended: bool,
}

#[derive(Debug)]
struct Outgoing {
    kind: Kind,
    id: u64,
    message: Message,
    /// Given back when the block has gone out.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Outbox {
    pub fn new() -> Self {
        Self {
            queues: Mutex::default(),
            filled: Notify::new(),
            blocks: Arc::new(Semaphore::new(BLOCKS_QUEUED_MAX)),
        }
    }

    /// A call or its outcome, or word about one.
    pub fn push(&self, kind: Kind, id: u64, message: Message) -> Result<(), Ended> {
        let is_small = message.len() <= SMALL_BYTES_MAX;
        self.add(is_small, Outgoing { kind, id, message, _permit: None })
    }

    /// The end of a stream, behind its blocks.
    pub fn push_after_blocks(&self, kind: Kind, id: u64, message: Message) -> Result<(), Ended> {
        self.add(false, Outgoing { kind, id, message, _permit: None })
    }

    /// A block of a stream.
    pub fn push_block(&self, id: u64, block: Message, permit: OwnedSemaphorePermit) -> Result<(), Ended> {
        self.add(false, Outgoing { kind: Kind::Block, id, message: block, _permit: Some(permit) })
    }

    /// Waits until another block may be put in. Streams get their turn in the order in which they asked.
    pub async fn block_permit(&self) -> Result<OwnedSemaphorePermit, Ended> {
        self.blocks.clone().acquire_owned().await.map_err(|_| Ended)
    }

    /// Takes back what waits of a call, and lets the other side know, unless it has heard nothing of it yet.
    pub fn cancel(&self, id: u64) {
        let mut queues = self.queues();
        let has_begun = queues.begun.is_some() && queues.large.front().is_some_and(|front| front.id == id);
        if has_begun {
            queues.begun = None;
        }
        let was_unsent = |outgoing: &Outgoing| outgoing.id == id && outgoing.kind == Kind::Request;
        let unsent = !has_begun && queues.small.iter().chain(&queues.large).any(was_unsent);
        queues.small.retain(|outgoing| outgoing.id != id);
        queues.large.retain(|outgoing| outgoing.id != id);
        if !unsent && !queues.has_ended {
            queues.small.push_back(Outgoing {
                kind: Kind::Cancel,
                id,
                message: Message::default(),
                _permit: None,
            });
            drop(queues);
            self.filled.notify_one();
        }
    }

    /// Takes back what waits of a call that nobody waits for any more. What has been begun goes out whole.
    pub fn withdraw(&self, id: u64) {
        let mut queues = self.queues();
        let mut is_begun = queues.begun.is_some();
        queues.small.retain(|outgoing| outgoing.id != id);
        queues.large.retain(|outgoing| std::mem::take(&mut is_begun) || outgoing.id != id);
    }

    /// From now on nothing is taken; what waits is dropped, and so are those who wait to put blocks in.
    pub fn end(&self) {
        let mut queues = self.queues();
        *queues = Queues { has_ended: true, ..Queues::default() };
        drop(queues);
        self.blocks.close();
    }

    /// Waits until there is something to send.
    pub async fn filled(&self) {
        while self.queues().is_empty() {
            self.filled.notified().await;
        }
    }

    /// Gathers a record of what is to be sent. `false`: there is nothing.
    pub fn fill(&self, record: &mut Record) -> bool {
        self.queues().fill(record)
    }

    fn add(&self, is_small: bool, outgoing: Outgoing) -> Result<(), Ended> {
        let mut queues = self.queues();
        if queues.has_ended {
            return Err(Ended);
        }
        let was_empty = queues.is_empty();
        let queue = if is_small { &mut queues.small } else { &mut queues.large };
        queue.push_back(outgoing);
        drop(queues);
        if was_empty {
            self.filled.notify_one();
        }
        Ok(())
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Queues {
    fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    /// A batch of small frames, and one large one. `false`: there is nothing to send.
    fn fill(&mut self, record: &mut Record) -> bool {
        record.clear();
        while record.frame_bytes() < BATCH_BYTES
            && let Some(outgoing) = self.small.pop_front()
        {
            record.add(outgoing.kind, outgoing.id, &outgoing.message);
        }
        self.add_large(record);
        record.frame_bytes() != 0
    }

    fn add_large(&mut self, record: &mut Record) {
        let Some(front) = self.large.front() else { return };
        let (kind, id) = (front.kind, front.id);
        if self.begun.is_none() {
            if front.message.len() <= FRAME_BYTES_MAX {
                record.add(kind, id, &front.message);
                self.large.pop_front();
                return;
            }
            let begin = Bytes::copy_from_slice(&Frame::begin(kind, front.message.len()));
            record.add(Kind::Begin, id, &Message { head: begin, tail: Bytes::new() });
            self.begun = Some(front.message.clone());
        }
        if let Some(rest) = &mut self.begun {
            record.add(Kind::Part, id, &rest.cut(FRAME_BYTES_MAX));
        }
        if self.begun.as_ref().is_some_and(Message::is_empty) {
            self.begun = None;
            self.large.pop_front();
        }
    }
}

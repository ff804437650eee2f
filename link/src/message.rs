//! What is asked and what is answered.

use bytes::Bytes;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobRef, BlobStanding, Block, CarriedBody, Checksum, Garbage, HeldBlob,
    InspectBlobs, ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, ReplicaError,
    RowAddress, RowPage, RowReply, RowState, RowValue, SealToken, Survey, SurveyPage, TableCounters, TableId,
    TablePage, Tombstone, Want,
};
use martlet_register::{Accepted, Ballot};
use martlet_ring::{DeviceId, Partition};

use crate::limits::{BYTES_IN_FLIGHT_MAX, COPIED_BYTES_MAX, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::ring::{RingOrder, RingReport, Rows};
use crate::wire::{Malformed, Source, Wire};

/// A message as bytes. A long body stays apart, so that it needn't be copied; it is the message's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub head: Bytes,
    pub tail: Bytes,
}

/// Whom a request is for, and by which version of the ring it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee {
    pub device: DeviceId,
    /// 0: by none.
    pub ring: u64,
}

/// A device's number in requests that are for the node itself.
pub const NODE: DeviceId = DeviceId(u32::MAX);

/// One call of [`martlet_protocol::Replica`], or of the node itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a request lives for one call, and boxing would cost every call an allocation"
)]
pub enum Request {
    Prepare(Prepare),
    Accept(Accept),
    Read(ReadRow),
    List(ListRows),
    Counters(Vec<TableId>),
    Stage(NewBlob),
    ReadBlob(ReadBlob),
    Seal(TableId, SealToken),
    Unseal(TableId, SealToken),
    Garbage {
        limit: usize,
    },
    SettleGarbage(Vec<BlobId>),
    Reclaim(Vec<BlobId>),
    Unreferenced {
        after: Option<BlobId>,
        limit: usize,
    },
    Tombstones {
        limit: usize,
    },
    Forget(Vec<Tombstone>),
    Digests(Vec<Partition>),
    Tables(ListTables),
    Survey(Survey),
    Inspect(InspectBlobs),
    Held {
        after: Option<BlobId>,
        limit: usize,
    },
    Restage(NewBlob),
    /// The node's ring is wanted.
    FetchRing,
    /// The client has this ring.
    OfferRing(Bytes),
    OrderRing(RingOrder),
}

/// What a device answers when it did what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Promise(Promise),
    Row(RowReply),
    Page(RowPage),
    Counters(Vec<TableCounters>),
    Garbage(Vec<Garbage>),
    Unreferenced(Vec<BlobFact>),
    Tombstones(Vec<Tombstone>),
    Digests(Vec<u64>),
    Tables(TablePage),
    Survey(SurveyPage),
    Standings(Vec<BlobStanding>),
    Held(Vec<HeldBlob>),
    RingFile(Bytes),
    RingReport(RingReport),
    /// Why an order about the ring isn't carried out.
    RingRefused(String),
}

/// How a call ended.
pub type Reply = Result<Answer, ReplicaError>;

/// What an item of a long answer takes at a guess, for the reckoning of what is in flight.
const ITEM_BYTES: usize = 256;

impl Message {
    /// The two ends joined; a short tail is copied, for it is cheaper to send it in one piece.
    fn of(mut head: Vec<u8>, tail: Bytes) -> Self {
        if tail.len() <= COPIED_BYTES_MAX {
            head.extend_from_slice(&tail);
            return Self { head: head.into(), tail: Bytes::new() };
        }
        Self { head: head.into(), tail }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next bytes of the message, at most `bytes_max`, and the message without them.
    pub(crate) fn cut(&mut self, bytes_max: usize) -> Self {
        let head = self.head.split_to(self.head.len().min(bytes_max));
        let tail = self.tail.split_to(self.tail.len().min(bytes_max - head.len()));
        Self { head, tail }
    }

    /// The message in one piece, as it arrives.
    pub fn joined(&self) -> Bytes {
        if self.tail.is_empty() {
            return self.head.clone();
        }
        [&self.head[..], &self.tail[..]].concat().into()
    }
}

/// The calls' numbers on the wire.
mod call {
    pub(super) const PREPARE: u8 = 1;
    pub(super) const ACCEPT: u8 = 2;
    pub(super) const READ: u8 = 3;
    pub(super) const LIST: u8 = 4;
    pub(super) const COUNTERS: u8 = 5;
    pub(super) const STAGE: u8 = 6;
    pub(super) const READ_BLOB: u8 = 7;
    pub(super) const SEAL: u8 = 8;
    pub(super) const UNSEAL: u8 = 9;
    pub(super) const GARBAGE: u8 = 10;
    pub(super) const SETTLE_GARBAGE: u8 = 11;
    pub(super) const RECLAIM: u8 = 12;
    pub(super) const UNREFERENCED: u8 = 13;
    pub(super) const TOMBSTONES: u8 = 14;
    pub(super) const FORGET: u8 = 15;
    pub(super) const DIGESTS: u8 = 16;
    pub(super) const TABLES: u8 = 17;
    pub(super) const SURVEY: u8 = 18;
    pub(super) const INSPECT: u8 = 19;
    pub(super) const HELD: u8 = 20;
    pub(super) const RESTAGE: u8 = 21;
    pub(super) const FETCH_RING: u8 = 22;
    pub(super) const OFFER_RING: u8 = 23;
    pub(super) const REPORT_RING: u8 = 24;
    pub(super) const PROPOSE_RING: u8 = 25;
    pub(super) const COMMIT_RING: u8 = 26;
    pub(super) const WITHDRAW_RING: u8 = 27;
}

impl Request {
    /// The request as it is sent.
    pub fn encode(&self, to: Addressee) -> Message {
        let mut head = Vec::with_capacity(256);
        to.device.0.put(&mut head);
        to.ring.put(&mut head);
        let out = &mut head;
        let mut tail = Bytes::new();
        match self {
            Self::Prepare(Prepare { row, ballot }) => put(out, call::PREPARE, &[row, ballot]),
            Self::Accept(Accept { row, ballot, state, body, garbage, seal }) => {
                let carried = body.as_ref().map(|body| body.blob);
                put(out, call::ACCEPT, &[row, ballot, state, garbage, seal, &carried]);
                tail = body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
            }
            Self::Read(ReadRow { row, want }) => put(out, call::READ, &[row, want]),
            Self::List(list) => put(out, call::LIST, &[list]),
            Self::Counters(tables) => put(out, call::COUNTERS, &[tables]),
            Self::Stage(blob) => put(out, call::STAGE, &[blob]),
            Self::ReadBlob(read) => put(out, call::READ_BLOB, &[read]),
            Self::Seal(table, token) => put(out, call::SEAL, &[table, token]),
            Self::Unseal(table, token) => put(out, call::UNSEAL, &[table, token]),
            Self::Garbage { limit } => put(out, call::GARBAGE, &[limit]),
            Self::SettleGarbage(blobs) => put(out, call::SETTLE_GARBAGE, &[blobs]),
            Self::Reclaim(blobs) => put(out, call::RECLAIM, &[blobs]),
            Self::Unreferenced { after, limit } => put(out, call::UNREFERENCED, &[after, limit]),
            Self::Tombstones { limit } => put(out, call::TOMBSTONES, &[limit]),
            Self::Forget(tombstones) => put(out, call::FORGET, &[tombstones]),
            Self::Digests(partitions) => put(out, call::DIGESTS, &[partitions]),
            Self::Tables(tables) => put(out, call::TABLES, &[tables]),
            Self::Survey(survey) => put(out, call::SURVEY, &[survey]),
            Self::Inspect(inspect) => put(out, call::INSPECT, &[inspect]),
            Self::Held { after, limit } => put(out, call::HELD, &[after, limit]),
            Self::Restage(blob) => put(out, call::RESTAGE, &[blob]),
            Self::FetchRing => put(out, call::FETCH_RING, &[]),
            Self::OfferRing(ring) => put(out, call::OFFER_RING, &[ring]),
            Self::OrderRing(RingOrder::Report) => put(out, call::REPORT_RING, &[]),
            Self::OrderRing(RingOrder::Propose(ring)) => put(out, call::PROPOSE_RING, &[ring]),
            Self::OrderRing(RingOrder::Commit(version)) => put(out, call::COMMIT_RING, &[version]),
            Self::OrderRing(RingOrder::Withdraw(version)) => put(out, call::WITHDRAW_RING, &[version]),
        }
        Message::of(head, tail)
    }

    /// Reads a request, and whom it is for.
    pub fn decode(message: &Bytes) -> Result<(Addressee, Self), Malformed> {
        let from = &mut Source::new(message);
        let to = Addressee { device: DeviceId(u32::take(from)?), ring: u64::take(from)? };
        let request = match u8::take(from)? {
            call::PREPARE => Self::Prepare(Prepare { row: Wire::take(from)?, ballot: Wire::take(from)? }),
            call::ACCEPT => Self::Accept(take_accept(from)?),
            call::READ => Self::Read(ReadRow { row: Wire::take(from)?, want: Wire::take(from)? }),
            call::LIST => Self::List(Wire::take(from)?),
            call::COUNTERS => Self::Counters(Wire::take(from)?),
            call::STAGE => Self::Stage(Wire::take(from)?),
            call::READ_BLOB => Self::ReadBlob(Wire::take(from)?),
            call::SEAL => Self::Seal(Wire::take(from)?, Wire::take(from)?),
            call::UNSEAL => Self::Unseal(Wire::take(from)?, Wire::take(from)?),
            call::GARBAGE => Self::Garbage { limit: Wire::take(from)? },
            call::SETTLE_GARBAGE => Self::SettleGarbage(Wire::take(from)?),
            call::RECLAIM => Self::Reclaim(Wire::take(from)?),
            call::UNREFERENCED => Self::Unreferenced { after: Wire::take(from)?, limit: Wire::take(from)? },
            call::TOMBSTONES => Self::Tombstones { limit: Wire::take(from)? },
            call::FORGET => Self::Forget(Wire::take(from)?),
            call::DIGESTS => Self::Digests(Wire::take(from)?),
            call::TABLES => Self::Tables(Wire::take(from)?),
            call::SURVEY => Self::Survey(Wire::take(from)?),
            call::INSPECT => Self::Inspect(Wire::take(from)?),
            call::HELD => Self::Held { after: Wire::take(from)?, limit: Wire::take(from)? },
            call::RESTAGE => Self::Restage(Wire::take(from)?),
            call::FETCH_RING => Self::FetchRing,
            call::OFFER_RING => Self::OfferRing(Wire::take(from)?),
            call::REPORT_RING => Self::OrderRing(RingOrder::Report),
            call::PROPOSE_RING => Self::OrderRing(RingOrder::Propose(Wire::take(from)?)),
            call::COMMIT_RING => Self::OrderRing(RingOrder::Commit(Wire::take(from)?)),
            call::WITHDRAW_RING => Self::OrderRing(RingOrder::Withdraw(Wire::take(from)?)),
            _ => return Err(Malformed("a call of this version")),
        };
        from.finish()?;
        Ok((to, request))
    }

    /// What the request may hold in memory until it is answered, in bytes: itself, and the answer that it asks for.
    pub fn weight(&self, request_bytes: usize) -> usize {
        let answer_bytes = match self {
            Self::Read(ReadRow { want: Want::ValueAndBody { bytes_max }, .. }) => {
                usize::try_from(*bytes_max).unwrap_or(usize::MAX)
            }
            Self::List(ListRows { limit, .. })
            | Self::Garbage { limit }
            | Self::Unreferenced { limit, .. }
            | Self::Tombstones { limit }
            | Self::Tables(ListTables { limit, .. })
            | Self::Survey(Survey { limit, .. })
            | Self::Held { limit, .. } => limit.saturating_mul(ITEM_BYTES),
            Self::Inspect(InspectBlobs { blobs, .. }) => blobs.len().saturating_mul(ITEM_BYTES),
            _ => 0,
        };
        request_bytes.saturating_add(answer_bytes.min(MESSAGE_BYTES_MAX)).min(BYTES_IN_FLIGHT_MAX)
    }

    /// What it needs of the ring.
    pub fn rows(&self) -> Rows {
        match self {
            Self::Prepare(Prepare { row, .. })
            | Self::Accept(Accept { row, .. })
            | Self::Read(ReadRow { row, .. }) => Rows::Of(row.hash),
            Self::List(_) | Self::Counters(_) | Self::Seal(..) => Rows::All,
            _ => Rows::Unplaced,
        }
    }

    /// Does it open a stream of blocks?
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Stage(_) | Self::Restage(_) | Self::ReadBlob(_))
    }

    /// May it, or its answer, be so long that row operations shouldn't wait behind it?
    pub fn is_bulk(&self, request_bytes: usize) -> bool {
        let answer_is_long = match self {
            Self::Read(ReadRow { want: Want::ValueAndBody { bytes_max }, .. }) => {
                FRAME_BYTES_MAX as u64 * 4 < *bytes_max
            }
            Self::Garbage { .. }
            | Self::Unreferenced { .. }
            | Self::Tombstones { .. }
            | Self::Digests(_)
            | Self::Tables(_)
            | Self::Survey(_)
            | Self::Inspect(_)
            | Self::Held { .. }
            | Self::FetchRing => true,
            _ => false,
        };
        self.is_stream() || answer_is_long || FRAME_BYTES_MAX < request_bytes
    }
}

fn take_accept(from: &mut Source<'_>) -> Result<Accept, Malformed> {
    let (row, ballot) = (RowAddress::take(from)?, Ballot::take(from)?);
    let state = RowState::take(from)?;
    let garbage = Vec::<BlobRef>::take(from)?;
    let seal: Option<SealToken> = Wire::take(from)?;
    let carried: Option<BlobRef> = Wire::take(from)?;
    let body = carried.map(|blob| CarriedBody { blob, bytes: from.rest() });
    Ok(Accept { row, ballot, state, body, garbage, seal })
}

/// A value of which only the writing side is needed.
trait Put {
    fn put_to(&self, out: &mut Vec<u8>);
}

impl<T: Wire> Put for T {
    fn put_to(&self, out: &mut Vec<u8>) {
        self.put(out);
    }
}

fn put(out: &mut Vec<u8>, kind: u8, fields: &[&dyn Put]) {
    out.push(kind);
    for field in fields {
        field.put_to(out);
    }
}

/// The answers' numbers on the wire.
mod answer {
    pub(super) const ERROR: u8 = 0;
    pub(super) const DONE: u8 = 1;
    pub(super) const PROMISE: u8 = 2;
    pub(super) const ROW_BALLOT: u8 = 3;
    pub(super) const ROW_VALUE: u8 = 4;
    pub(super) const PAGE: u8 = 5;
    pub(super) const COUNTERS: u8 = 6;
    pub(super) const GARBAGE: u8 = 7;
    pub(super) const UNREFERENCED: u8 = 8;
    pub(super) const TOMBSTONES: u8 = 9;
    pub(super) const DIGESTS: u8 = 10;
    pub(super) const TABLES: u8 = 11;
    pub(super) const SURVEY: u8 = 12;
    pub(super) const STANDINGS: u8 = 13;
    pub(super) const HELD: u8 = 14;
    pub(super) const RING_FILE: u8 = 15;
    pub(super) const RING_REPORT: u8 = 16;
    pub(super) const RING_REFUSED: u8 = 17;
}

/// The reply as it is sent.
pub fn encode_reply(reply: &Reply) -> Message {
    let mut head = Vec::with_capacity(256);
    let out = &mut head;
    let mut tail = Bytes::new();
    match reply {
        Err(error) => put(out, answer::ERROR, &[error]),
        Ok(Answer::Done) => put(out, answer::DONE, &[]),
        Ok(Answer::Promise(Promise { accepted, forgotten })) => {
            put(out, answer::PROMISE, &[accepted, forgotten]);
        }
        Ok(Answer::Row(RowReply::Ballot(ballot))) => put(out, answer::ROW_BALLOT, &[ballot]),
        Ok(Answer::Row(RowReply::Value { accepted, body })) => {
            put(out, answer::ROW_VALUE, &[accepted]);
            out.push(u8::from(body.is_some()));
            tail = body.clone().unwrap_or_default();
        }
        Ok(Answer::Page(page)) => put(out, answer::PAGE, &[page]),
        Ok(Answer::Counters(counters)) => put(out, answer::COUNTERS, &[counters]),
        Ok(Answer::Garbage(garbage)) => put(out, answer::GARBAGE, &[garbage]),
        Ok(Answer::Unreferenced(facts)) => put(out, answer::UNREFERENCED, &[facts]),
        Ok(Answer::Tombstones(tombstones)) => put(out, answer::TOMBSTONES, &[tombstones]),
        Ok(Answer::Digests(digests)) => put(out, answer::DIGESTS, &[digests]),
        Ok(Answer::Tables(page)) => put(out, answer::TABLES, &[page]),
        Ok(Answer::Survey(page)) => put(out, answer::SURVEY, &[page]),
        Ok(Answer::Standings(standings)) => put(out, answer::STANDINGS, &[standings]),
        Ok(Answer::Held(blobs)) => put(out, answer::HELD, &[blobs]),
        Ok(Answer::RingFile(ring)) => put(out, answer::RING_FILE, &[ring]),
        Ok(Answer::RingReport(RingReport { version, proposed })) => {
            put(out, answer::RING_REPORT, &[version, proposed]);
        }
        Ok(Answer::RingRefused(why)) => put(out, answer::RING_REFUSED, &[why]),
    }
    Message::of(head, tail)
}

/// Reads a reply.
pub fn decode_reply(message: &Bytes) -> Result<Reply, Malformed> {
    let from = &mut Source::new(message);
    let reply = Ok(match u8::take(from)? {
        answer::ERROR => {
            let error = ReplicaError::take(from)?;
            from.finish()?;
            return Ok(Err(error));
        }
        answer::DONE => Answer::Done,
        answer::PROMISE => {
            Answer::Promise(Promise { accepted: Wire::take(from)?, forgotten: Wire::take(from)? })
        }
        answer::ROW_BALLOT => Answer::Row(RowReply::Ballot(Wire::take(from)?)),
        answer::ROW_VALUE => {
            let accepted: Option<Accepted<RowValue>> = Wire::take(from)?;
            let body = match u8::take(from)? {
                0 => None,
                1 => Some(from.rest()),
                _ => return Err(Malformed("0 or 1 before a body")),
            };
            Answer::Row(RowReply::Value { accepted, body })
        }
        answer::PAGE => Answer::Page(Wire::take(from)?),
        answer::COUNTERS => Answer::Counters(Wire::take(from)?),
        answer::GARBAGE => Answer::Garbage(Wire::take(from)?),
        answer::UNREFERENCED => Answer::Unreferenced(Wire::take(from)?),
        answer::TOMBSTONES => Answer::Tombstones(Wire::take(from)?),
        answer::DIGESTS => Answer::Digests(Wire::take(from)?),
        answer::TABLES => Answer::Tables(Wire::take(from)?),
        answer::SURVEY => Answer::Survey(Wire::take(from)?),
        answer::STANDINGS => Answer::Standings(Wire::take(from)?),
        answer::HELD => Answer::Held(Wire::take(from)?),
        answer::RING_FILE => Answer::RingFile(Wire::take(from)?),
        answer::RING_REPORT => {
            Answer::RingReport(RingReport { version: Wire::take(from)?, proposed: Wire::take(from)? })
        }
        answer::RING_REFUSED => Answer::RingRefused(Wire::take(from)?),
        _ => return Err(Malformed("an answer of this version")),
    });
    from.finish()?;
    Ok(reply)
}

/// A block as it is sent: its checksum, then its bytes.
pub fn encode_block(block: &Block) -> Message {
    let mut head = Vec::with_capacity(Checksum::BYTES_MIN);
    block.checksum.put(&mut head);
    Message::of(head, block.bytes.clone())
}

/// Reads a block.
pub fn decode_block(message: &Bytes) -> Result<Block, Malformed> {
    let from = &mut Source::new(message);
    Ok(Block { checksum: Checksum::take(from)?, bytes: from.rest() })
}

const WANT_BALLOT: u8 = 0;
const WANT_VALUE: u8 = 1;
const WANT_VALUE_AND_BODY: u8 = 2;

impl Wire for Want {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ballot => out.push(WANT_BALLOT),
            Self::Value => out.push(WANT_VALUE),
            Self::ValueAndBody { bytes_max } => {
                out.push(WANT_VALUE_AND_BODY);
                bytes_max.put(out);
            }
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            WANT_BALLOT => Ok(Self::Ballot),
            WANT_VALUE => Ok(Self::Value),
            WANT_VALUE_AND_BODY => Ok(Self::ValueAndBody { bytes_max: u64::take(from)? }),
            _ => Err(Malformed("how much is wanted")),
        }
    }
}

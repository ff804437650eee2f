//! What is asked, of a device or of the node itself.

use std::num::NonZeroU64;

use bytes::Bytes;
use martlet_protocol::{
    Accept, BlobId, BlobRef, CarriedBody, InspectBlobs, ListRows, ListTables, NewBlob, Prepare, ReadBlob,
    ReadRow, RowAddress, RowState, SealToken, Survey, TableId, Tombstone, Want,
};
use martlet_register::Ballot;
use martlet_request::RequestId;
use martlet_ring::{DeviceId, Partition};

use super::{Message, put};
use crate::limits::{BYTES_IN_FLIGHT_MAX, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::ring::{RingOrder, Rows};
use crate::wire::{Malformed, Source, Wire};

/// Whom a call is for, by which version of the ring it was made, and which request it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee {
    pub device: DeviceId,
    /// 0: by none.
    pub ring: u64,
    /// What a client of the proxy asked for; only for log lines. `None`: the work is nobody's in particular.
    pub request: Option<RequestId>,
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

/// What an item of a long answer takes at a guess, for the reckoning of what is in flight.
const ITEM_BYTES: usize = 256;

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
        to.request.map_or(0, |request| request.number().get()).put(&mut head);
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
        let to = Addressee {
            device: DeviceId(u32::take(from)?),
            ring: u64::take(from)?,
            request: NonZeroU64::new(u64::take(from)?).map(RequestId::new),
        };
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

    /// The call's name in log lines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Prepare(_) => "prepare",
            Self::Accept(_) => "accept",
            Self::Read(_) => "read",
            Self::List(_) => "list",
            Self::Counters(_) => "counters",
            Self::Stage(_) => "stage",
            Self::ReadBlob(_) => "read blob",
            Self::Seal(..) => "seal",
            Self::Unseal(..) => "unseal",
            Self::Garbage { .. } => "garbage",
            Self::SettleGarbage(_) => "settle garbage",
            Self::Reclaim(_) => "reclaim",
            Self::Unreferenced { .. } => "unreferenced",
            Self::Tombstones { .. } => "tombstones",
            Self::Forget(_) => "forget",
            Self::Digests(_) => "digests",
            Self::Tables(_) => "tables",
            Self::Survey(_) => "survey",
            Self::Inspect(_) => "inspect",
            Self::Held { .. } => "held",
            Self::Restage(_) => "restage",
            Self::FetchRing => "fetch ring",
            Self::OfferRing(_) => "offer ring",
            Self::OrderRing(_) => "order ring",
        }
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

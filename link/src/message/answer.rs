//! What is answered.

use bytes::Bytes;
use martlet_protocol::{
    BlobFact, BlobStanding, Garbage, HeldBlob, Promise, ReplicaError, RowPage, RowReply, RowValue,
    SurveyPage, TableCounters, TablePage, Tombstone,
};
use martlet_register::Accepted;

use super::{Message, put};
use crate::ring::RingReport;
use crate::wire::{Malformed, Source, Wire};

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

/// The answers' numbers on the wire.
mod number {
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
        Err(error) => put(out, number::ERROR, &[error]),
        Ok(Answer::Done) => put(out, number::DONE, &[]),
        Ok(Answer::Promise(Promise { accepted, forgotten })) => {
            put(out, number::PROMISE, &[accepted, forgotten]);
        }
        Ok(Answer::Row(RowReply::Ballot(ballot))) => put(out, number::ROW_BALLOT, &[ballot]),
        Ok(Answer::Row(RowReply::Value { accepted, body })) => {
            put(out, number::ROW_VALUE, &[accepted]);
            out.push(u8::from(body.is_some()));
            tail = body.clone().unwrap_or_default();
        }
        Ok(Answer::Page(page)) => put(out, number::PAGE, &[page]),
        Ok(Answer::Counters(counters)) => put(out, number::COUNTERS, &[counters]),
        Ok(Answer::Garbage(garbage)) => put(out, number::GARBAGE, &[garbage]),
        Ok(Answer::Unreferenced(facts)) => put(out, number::UNREFERENCED, &[facts]),
        Ok(Answer::Tombstones(tombstones)) => put(out, number::TOMBSTONES, &[tombstones]),
        Ok(Answer::Digests(digests)) => put(out, number::DIGESTS, &[digests]),
        Ok(Answer::Tables(page)) => put(out, number::TABLES, &[page]),
        Ok(Answer::Survey(page)) => put(out, number::SURVEY, &[page]),
        Ok(Answer::Standings(standings)) => put(out, number::STANDINGS, &[standings]),
        Ok(Answer::Held(blobs)) => put(out, number::HELD, &[blobs]),
        Ok(Answer::RingFile(ring)) => put(out, number::RING_FILE, &[ring]),
        Ok(Answer::RingReport(RingReport { version, proposed })) => {
            put(out, number::RING_REPORT, &[version, proposed]);
        }
        Ok(Answer::RingRefused(why)) => put(out, number::RING_REFUSED, &[why]),
    }
    Message::of(head, tail)
}

/// Reads a reply.
pub fn decode_reply(message: &Bytes) -> Result<Reply, Malformed> {
    let from = &mut Source::new(message);
    let reply = Ok(match u8::take(from)? {
        number::ERROR => {
            let error = ReplicaError::take(from)?;
            from.finish()?;
            return Ok(Err(error));
        }
        number::DONE => Answer::Done,
        number::PROMISE => {
            Answer::Promise(Promise { accepted: Wire::take(from)?, forgotten: Wire::take(from)? })
        }
        number::ROW_BALLOT => Answer::Row(RowReply::Ballot(Wire::take(from)?)),
        number::ROW_VALUE => {
            let accepted: Option<Accepted<RowValue>> = Wire::take(from)?;
            let body = match u8::take(from)? {
                0 => None,
                1 => Some(from.rest()),
                _ => return Err(Malformed("0 or 1 before a body")),
            };
            Answer::Row(RowReply::Value { accepted, body })
        }
        number::PAGE => Answer::Page(Wire::take(from)?),
        number::COUNTERS => Answer::Counters(Wire::take(from)?),
        number::GARBAGE => Answer::Garbage(Wire::take(from)?),
        number::UNREFERENCED => Answer::Unreferenced(Wire::take(from)?),
        number::TOMBSTONES => Answer::Tombstones(Wire::take(from)?),
        number::DIGESTS => Answer::Digests(Wire::take(from)?),
        number::TABLES => Answer::Tables(Wire::take(from)?),
        number::SURVEY => Answer::Survey(Wire::take(from)?),
        number::STANDINGS => Answer::Standings(Wire::take(from)?),
        number::HELD => Answer::Held(Wire::take(from)?),
        number::RING_FILE => Answer::RingFile(Wire::take(from)?),
        number::RING_REPORT => {
            Answer::RingReport(RingReport { version: Wire::take(from)?, proposed: Wire::take(from)? })
        }
        number::RING_REFUSED => Answer::RingRefused(Wire::take(from)?),
        _ => return Err(Malformed("an answer of this version")),
    });
    from.finish()?;
    Ok(reply)
}

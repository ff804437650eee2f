//! What repair asks, and what it is answered.

use bytes::Bytes;
use martlet_protocol::{
    BlobId, BlobOwner, BlobRef, BlobStanding, HeldBlob, InspectBlobs, InspectDepth, ListTables, RowStanding,
    Survey, SurveyDepth, SurveyPage, SurveyedRow, TableCounters, TableId, TablePage,
};
use martlet_register::Ballot;
use martlet_ring::{Partition, PlacementHash};

use super::{Malformed, Source, Wire, wire_struct};

wire_struct!(ListTables { partitions: Vec<Partition>, after: Option<TableId>, limit: usize });
wire_struct!(TablePage { tables: Vec<TableCounters>, through: Option<TableId> });
wire_struct!(Survey {
    table: TableId,
    partitions: Vec<Partition>,
    after: Option<Bytes>,
    limit: usize,
    depth: SurveyDepth
});
wire_struct!(SurveyPage { rows: Vec<SurveyedRow>, through: Option<Bytes> });
wire_struct!(SurveyedRow { key: Bytes, hash: PlacementHash, standing: RowStanding });
wire_struct!(HeldBlob { blob: BlobRef, owner: BlobOwner });
wire_struct!(InspectBlobs { blobs: Vec<BlobId>, depth: InspectDepth });

impl Wire for SurveyDepth {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Ballots => 0,
            Self::Blobs => 1,
        });
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(Self::Ballots),
            1 => Ok(Self::Blobs),
            _ => Err(Malformed("how closely to look at rows")),
        }
    }
}

impl Wire for InspectDepth {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Index => 0,
            Self::Bytes => 1,
        });
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(Self::Index),
            1 => Ok(Self::Bytes),
            _ => Err(Malformed("how closely to look at blobs")),
        }
    }
}

const LIVE: u8 = 0;
const TOMBSTONE: u8 = 1;
const DAMAGED_ROW: u8 = 2;

impl Wire for RowStanding {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Live { ballot, blobs } => {
                out.push(LIVE);
                ballot.put(out);
                blobs.put(out);
            }
            Self::Tombstone { ballot } => {
                out.push(TOMBSTONE);
                ballot.put(out);
            }
            Self::Damaged => out.push(DAMAGED_ROW),
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            LIVE => Ok(Self::Live { ballot: Ballot::take(from)?, blobs: Vec::take(from)? }),
            TOMBSTONE => Ok(Self::Tombstone { ballot: Ballot::take(from)? }),
            DAMAGED_ROW => Ok(Self::Damaged),
            _ => Err(Malformed("how a row is held")),
        }
    }
}

const ABSENT: u8 = 0;
const HELD: u8 = 1;
const DAMAGED_BLOB: u8 = 2;
const ENTRY_DAMAGED: u8 = 3;

impl Wire for BlobStanding {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Absent => out.push(ABSENT),
            Self::Held(held) => {
                out.push(HELD);
                held.put(out);
            }
            Self::Damaged(held) => {
                out.push(DAMAGED_BLOB);
                held.put(out);
            }
            Self::EntryDamaged => out.push(ENTRY_DAMAGED),
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            ABSENT => Ok(Self::Absent),
            HELD => HeldBlob::take(from).map(Self::Held),
            DAMAGED_BLOB => HeldBlob::take(from).map(Self::Damaged),
            ENTRY_DAMAGED => Ok(Self::EntryDamaged),
            _ => Err(Malformed("how a blob is held")),
        }
    }
}

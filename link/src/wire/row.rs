//! Rows, ballots and states.

use bytes::Bytes;
use martlet_protocol::{BlobRef, RowAddress, RowKey, RowState, RowValue, TableId, Weight};
use martlet_register::{Accepted, Ancestors, Ballot, ProposerId, State};
use martlet_ring::{Partition, PlacementHash};

use super::{Malformed, Source, Wire, wire_newtype, wire_struct};

wire_newtype!(ProposerId(u64));
wire_newtype!(PlacementHash(u64));
wire_newtype!(Partition(u32));
wire_struct!(Ballot { time: u64, proposer: ProposerId });
wire_struct!(RowKey { table: TableId, key: Bytes });
wire_struct!(RowAddress { row: RowKey, hash: PlacementHash });
wire_struct!(Weight { objects: u64, bytes: u64 });
wire_struct!(RowState { change: Ballot, ancestors: Ancestors, value: RowValue });
wire_struct!(Accepted<RowValue> { ballot: Ballot, state: State<RowValue> });

impl Wire for TableId {
    const BYTES_MIN: usize = 16;

    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        Self::from_bytes(Wire::take(from)?).ok_or(Malformed("a table of a known kind"))
    }
}

impl Wire for Ancestors {
    const BYTES_MIN: usize = Ballot::BYTES_MIN + 4;

    fn put(&self, out: &mut Vec<u8>) {
        self.horizon().put(out);
        super::put_length(self.newest_first().len(), out);
        self.newest_first().iter().for_each(|change| change.put(out));
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        let horizon = Ballot::take(from)?;
        let changes = Vec::<Ballot>::take(from)?;
        Self::from_parts(horizon, &changes).map_err(|_| Malformed("a lineage in order"))
    }
}

const TOMBSTONE: u8 = 0;
const LIVE: u8 = 1;

impl Wire for RowValue {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tombstone => out.push(TOMBSTONE),
            Self::Live { entry, record, weight, blobs } => {
                out.push(LIVE);
                entry.put(out);
                record.put(out);
                weight.put(out);
                blobs.put(out);
            }
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            TOMBSTONE => Ok(Self::Tombstone),
            LIVE => Ok(Self::Live {
                entry: Bytes::take(from)?,
                record: Bytes::take(from)?,
                weight: Weight::take(from)?,
                blobs: Vec::<BlobRef>::take(from)?,
            }),
            _ => Err(Malformed("a row's value")),
        }
    }
}

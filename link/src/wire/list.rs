//! Listings.

use bytes::Bytes;
use martlet_protocol::{ListRows, ListedItem, ListedPrefix, ListedRow, RowPage, Scope, TableId};
use martlet_register::Ballot;
use martlet_ring::{Partition, PlacementHash};

use super::{Malformed, Source, Wire, wire_struct};

wire_struct!(ListRows {
    table: TableId,
    partition: Option<Partition>,
    prefix: Bytes,
    delimiter: Option<Bytes>,
    after: Option<Bytes>,
    before: Option<Bytes>,
    limit: usize,
    scope: Scope,
});
wire_struct!(RowPage { items: Vec<ListedItem>, through: Option<Bytes> });
wire_struct!(ListedRow { key: Bytes, hash: PlacementHash, ballot: Ballot, entry: Option<Bytes> });
wire_struct!(ListedPrefix { prefix: Bytes, key: Bytes, hash: PlacementHash, ballot: Ballot });

impl Wire for Scope {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Counted => 0,
            Self::All => 1,
        });
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(Self::Counted),
            1 => Ok(Self::All),
            _ => Err(Malformed("the scope of a listing")),
        }
    }
}

const ROW: u8 = 0;
const PREFIX: u8 = 1;

impl Wire for ListedItem {
    const BYTES_MIN: usize = 1 + ListedRow::BYTES_MIN;

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Row(row) => {
                out.push(ROW);
                row.put(out);
            }
            Self::Prefix(prefix) => {
                out.push(PREFIX);
                prefix.put(out);
            }
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            ROW => ListedRow::take(from).map(Self::Row),
            PREFIX => ListedPrefix::take(from).map(Self::Prefix),
            _ => Err(Malformed("an item of a page")),
        }
    }
}

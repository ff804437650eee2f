//! Counters, seals, and what removal leaves behind.

use martlet_protocol::{
    BlobFact, BlobOwner, BlobRef, Garbage, PartitionCounters, RowAddress, SealToken, TableCounters, TableId,
    Tombstone, Weight,
};
use martlet_register::Ballot;
use martlet_ring::Partition;

use super::{Malformed, Source, Wire, wire_newtype, wire_struct};

wire_newtype!(SealToken([u8; 16]));
wire_struct!(PartitionCounters { partition: Partition, weight: Weight, digest: u64 });
wire_struct!(TableCounters { table: TableId, partitions: Vec<PartitionCounters> });
wire_struct!(Garbage { blob: BlobRef, row: RowAddress, ballot: Ballot });
wire_struct!(BlobFact { blob: BlobRef, owner: BlobOwner, known_for_seconds: u64, predates_opening: bool });
wire_struct!(Tombstone { row: RowAddress, ballot: Ballot });

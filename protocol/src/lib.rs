//! What a proxy and a storage node say to each other.
//!
//! The unit of conversation is a device: [`Replica`] is one device as its clients see it,
//! whether it is in the same process or at the other end of a connection.
//!
//! Reading order: [`row`] (what is addressed), [`change`] (prepare and accept), [`read`], [`list`],
//! [`blob`], [`buffer`] and [`checksum`] (bytes), [`upkeep`] (garbage, tombstones, counters, seals), [`survey`] (what repair compares),
//! and [`replica`], the trait.
//!
//! **Invariant:** nothing here does I/O, and nothing here knows accounts, buckets or HTTP:
//! a row's record is opaque bytes.

pub mod blob;
pub mod buffer;
pub mod change;
pub mod checksum;
pub mod list;
pub mod read;
pub mod replica;
pub mod row;
pub mod survey;
pub mod upkeep;

pub use blob::{BLOCK_BYTES, BlobId, BlobOwner, BlobRef, BlobWriter, Block, BlockStream, NewBlob, ReadBlob};
pub use buffer::{BLOCK_ALIGNMENT_BYTES, BlockBuffer};
pub use change::{Accept, CARRIED_BYTES_MAX, CarriedBody, Prepare, Promise};
pub use checksum::{Checksum, RunningChecksum};
pub use list::{ListRows, ListedItem, ListedPrefix, ListedRow, RowPage, Scope};
pub use read::{ReadRow, RowReply, Want};
pub use replica::{Replica, ReplicaError};
pub use row::{RowAddress, RowKey, RowState, RowValue, TableId, TableKind, VERSION_SUFFIX_BYTES, Weight};
pub use survey::{
    BlobStanding, HeldBlob, InspectBlobs, InspectDepth, ListTables, RowStanding, Survey, SurveyDepth,
    SurveyPage, SurveyedRow, TablePage,
};
pub use upkeep::{BlobFact, Garbage, PartitionCounters, SealToken, TableCounters, Tombstone};

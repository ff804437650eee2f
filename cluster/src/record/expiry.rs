//! A row that says when an object ends, in the system table of expiries.
//!
//! The row's key is the second in which it ends, the objects' table and the object's key:
//! what ends first comes first. The entry says whose it is. The record is empty.

use bytes::{BufMut, Bytes, BytesMut};
use martlet_model::{AccountName, ContainerId, ContainerName, ObjectKey, Timestamp};
use martlet_protocol::{RowValue, TableId, Weight};
use serde::{Deserialize, Serialize};

use super::account::table;
use super::{RecordError, decode, encode};

/// An object that may have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// Rounded down to whole seconds.
    pub(crate) delete_at: Timestamp,
    pub(crate) objects: TableId,
    pub(crate) key: ObjectKey,
    pub(crate) container: ContainerId,
    /// When this was written, by the clock of who was about to write the object.
    pub(crate) noted: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin<'a> {
    account: &'a str,
    container: &'a str,
    noted_micros: u64,
}

const SECONDS_BYTES: usize = 8;
const TABLE_BYTES: usize = 16;

impl Expiry {
    pub(crate) fn row_key(&self) -> Bytes {
        let key = self.key.as_bytes();
        let mut row_key = BytesMut::with_capacity(SECONDS_BYTES + TABLE_BYTES + key.len());
        row_key.put_u64(self.delete_at.as_seconds());
        row_key.put_slice(self.objects.as_bytes());
        row_key.put_slice(key);
        row_key.freeze()
    }

    pub(crate) fn to_value(&self) -> RowValue {
        let entry = encode(&EntryTwin {
            account: self.container.account.as_str(),
            container: self.container.name.as_str(),
            noted_micros: self.noted.as_micros(),
        });
        let weight = Weight { objects: 1, bytes: 0 };
        RowValue::Live { entry, record: Bytes::new(), weight, blobs: Vec::new() }
    }

    pub(crate) fn read(row_key: &Bytes, entry: &[u8]) -> Result<Self, RecordError> {
        let broken = RecordError::Broken("expiry");
        let (seconds, rest) = row_key.split_first_chunk::<SECONDS_BYTES>().ok_or(broken)?;
        let (objects, key) = rest.split_first_chunk::<TABLE_BYTES>().ok_or(broken)?;
        let twin: EntryTwin<'_> = decode("expiry", entry)?;
        let account = AccountName::parse(twin.account.as_bytes()).map_err(|_| broken)?;
        let name = ContainerName::parse(twin.container.as_bytes()).map_err(|_| broken)?;
        Ok(Self {
            delete_at: Timestamp::from_micros(u64::from_be_bytes(*seconds).saturating_mul(1_000_000)),
            objects: table(*objects)?,
            key: ObjectKey::parse(row_key.slice_ref(key)).map_err(|_| broken)?,
            container: ContainerId { account, name },
            noted: Timestamp::from_micros(twin.noted_micros),
        })
    }
}

/// The first key of what ends after this second: everything before it has ended by then.
pub(crate) fn end_of_second(now: Timestamp) -> Bytes {
    Bytes::copy_from_slice(&(now.as_seconds() + 1).to_be_bytes())
}

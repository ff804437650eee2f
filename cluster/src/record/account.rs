//! An account's row, in the system table of accounts, under the account's name.

use bytes::Bytes;
use martlet_model::{Timestamp, UserMetadata};
use martlet_protocol::{RowValue, TableId, Weight};
use serde::{Deserialize, Serialize};

use super::metadata::{UserTwin, user_metadata, user_twin};
use super::{Live, RecordError, decode, encode};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) containers: TableId,
    pub(crate) created: Timestamp,
    pub(crate) metadata: UserMetadata,
}

#[derive(Serialize, Deserialize)]
struct RecordTwin<'a> {
    containers: [u8; 16],
    created_micros: u64,
    #[serde(borrow)]
    user: UserTwin<'a>,
}

impl AccountRow {
    /// Accounts aren't listed: the entry is empty.
    pub(crate) fn to_value(&self) -> RowValue {
        let record = encode(&RecordTwin {
            containers: *self.containers.as_bytes(),
            created_micros: self.created.as_micros(),
            user: user_twin(&self.metadata),
        });
        let weight = Weight { objects: 1, bytes: 0 };
        RowValue::Live { entry: Bytes::new(), record, weight, blobs: Vec::new() }
    }

    pub(crate) fn read(live: Live<'_>) -> Result<Self, RecordError> {
        let twin: RecordTwin<'_> = decode("account", live.record)?;
        Ok(Self {
            containers: table(twin.containers)?,
            created: Timestamp::from_micros(twin.created_micros),
            metadata: user_metadata(&twin.user)?,
        })
    }
}

pub(super) fn table(id: [u8; 16]) -> Result<TableId, RecordError> {
    TableId::from_bytes(id).ok_or(RecordError::Broken("table"))
}

//! A dropped table's row, in the system table of dropped tables, under the table's id:
//! what is left in it is to be cleared away. The entry says everything; the record is empty.

use bytes::Bytes;
use martlet_protocol::{RowKey, RowValue, SealToken, TableId, Weight};
use serde::{Deserialize, Serialize};

use super::account::table;
use super::{RecordError, decode, encode};

/// What is left of a container or an upload that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The open uploads of a deleted container.
    Uploads {
        uploads: TableId,
        /// The seal under which the table may still be written.
        token: SealToken,
        /// The container's row. While it is live and has this table, nothing is cleared away.
        container: RowKey,
        /// The container's objects; where they are is needed to ask what still refers to a part.
        objects: TableId,
    },
    /// The parts of an upload that was completed or aborted.
    Parts {
        parts: TableId,
        token: SealToken,
        /// The upload's row. While it is live, nothing is cleared away.
        upload: RowKey,
        /// The object that may have been made of the parts.
        object: RowKey,
    },
}

#[derive(Serialize, Deserialize)]
enum EntryTwin<'a> {
    Uploads {
        token: [u8; 16],
        #[serde(borrow)]
        container: RowTwin<'a>,
        objects: [u8; 16],
    },
    Parts {
        token: [u8; 16],
        #[serde(borrow)]
        upload: RowTwin<'a>,
        #[serde(borrow)]
        object: RowTwin<'a>,
    },
}

#[derive(Serialize, Deserialize)]
struct RowTwin<'a> {
    table: [u8; 16],
    key: &'a [u8],
}

impl Dropped {
    /// The table that was dropped.
    pub(crate) fn table(&self) -> TableId {
        match self {
            Self::Uploads { uploads, .. } => *uploads,
            Self::Parts { parts, .. } => *parts,
        }
    }

    pub(crate) fn to_value(&self) -> RowValue {
        let entry = encode(&match self {
            Self::Uploads { token, container, objects, .. } => EntryTwin::Uploads {
                token: token.0,
                container: RowTwin::of(container),
                objects: *objects.as_bytes(),
            },
            Self::Parts { token, upload, object, .. } => {
                EntryTwin::Parts { token: token.0, upload: RowTwin::of(upload), object: RowTwin::of(object) }
            }
        });
        let weight = Weight { objects: 1, bytes: 0 };
        RowValue::Live { entry, record: Bytes::new(), weight, blobs: Vec::new() }
    }

    pub(crate) fn read(key: &[u8], entry: &[u8]) -> Result<Self, RecordError> {
        let own = <[u8; 16]>::try_from(key).map_err(|_| RecordError::Broken("dropped table's key"))?;
        let own = table(own)?;
        Ok(match decode("dropped table", entry)? {
            EntryTwin::Uploads { token, container, objects } => Self::Uploads {
                uploads: own,
                token: SealToken(token),
                container: container.row_key()?,
                objects: table(objects)?,
            },
            EntryTwin::Parts { token, upload, object } => Self::Parts {
                parts: own,
                token: SealToken(token),
                upload: upload.row_key()?,
                object: object.row_key()?,
            },
        })
    }
}

impl<'a> RowTwin<'a> {
    fn of(row: &'a RowKey) -> Self {
        Self { table: *row.table.as_bytes(), key: &row.key }
    }

    fn row_key(&self) -> Result<RowKey, RecordError> {
        Ok(RowKey { table: table(self.table)?, key: Bytes::copy_from_slice(self.key) })
    }
}

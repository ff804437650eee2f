//! Where the versions of an object are, and what a head knows of the older ones.
//!
//! A key's *head* is its row in the table of objects. An older version is a row in the table of versions beside it;
//! its value is the one that it had as a head. The row's key is the object's key, a zero byte,
//! and what orders and names the version, so that the newest version of a key comes first.

use bytes::{BufMut, Bytes, BytesMut};
use martlet_model::{ObjectKey, VersionId};
use martlet_protocol::{RowAddress, RowKey, TableKind, VERSION_SUFFIX_BYTES};
use serde::{Deserialize, Serialize};

use super::RecordError;

/// Where a version is among those of its key. Neither part changes while the version is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Ascends with every version that a key ever gets, and also after all of them were removed:
    /// it comes from the ballot under which the version was decided. The first half of an id.
    pub(crate) order: u64,
    pub(crate) id: VersionId,
}

/// What a head knows of the versions below it. A head has one once its container's versioning has been on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// The head's own order.
    pub(crate) order: u64,
    /// Below this order there is nothing: what lies there is left from before the key was last removed.
    /// Equal to `order` where nothing is below the head.
    pub(crate) since: u64,
    /// The order of the null version, if that is an older one.
    pub(crate) null_at: Option<u64>,
    /// Versions that have been removed, and whose rows may still be there, or be written by somebody who is late.
    pub(crate) removing: Vec<Place>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum IdTwin {
    Null,
    Id([u8; 16]),
}

#[derive(Serialize, Deserialize)]
pub(super) struct HistoryTwin {
    order: u64,
    since: u64,
    null_at: Option<u64>,
    removing: Vec<(u64, IdTwin)>,
}

impl Place {
    /// The key of the version's row.
    pub(crate) fn row_key(self, key: &[u8]) -> Bytes {
        let mut row_key = BytesMut::with_capacity(key.len() + VERSION_SUFFIX_BYTES);
        row_key.put_slice(key);
        row_key.put_u8(0);
        row_key.put_u64(!self.order);
        let (marker, id) = match self.id {
            VersionId::Null => (0, [0; 16]),
            VersionId::Id(id) => (1, id),
        };
        row_key.put_u8(marker);
        row_key.put_slice(&id);
        row_key.freeze()
    }

    /// The object's key and the place that a row's key was made of.
    pub(crate) fn of_row_key(row_key: &Bytes) -> Result<(ObjectKey, Self), RecordError> {
        let broken = RecordError::Broken("version key");
        let split = row_key.len().checked_sub(VERSION_SUFFIX_BYTES).ok_or(broken)?;
        let (key, suffix) = row_key.split_at(split);
        let (zero, rest) = suffix.split_first().ok_or(broken)?;
        let (order, rest) = rest.split_first_chunk().ok_or(broken)?;
        let id = match (zero, rest.split_first()) {
            (0, Some((0, id))) if id.iter().all(|&byte| byte == 0) => VersionId::Null,
            (0, Some((1, id))) => VersionId::Id(id.try_into().map_err(|_| broken)?),
            _ => return Err(broken),
        };
        let key = ObjectKey::parse(row_key.slice_ref(key)).map_err(|_| broken)?;
        Ok((key, Self { order: !u64::from_be_bytes(*order), id }))
    }

    /// Where a version with this id was made. The null version isn't told by its id.
    pub(crate) fn of_id(id: VersionId) -> Option<Self> {
        match id {
            VersionId::Null => None,
            VersionId::Id(bytes) => {
                let order = u64::from_be_bytes(*bytes.first_chunk()?);
                Some(Self { order, id })
            }
        }
    }

    /// What all rows of older versions of a key begin with.
    pub(crate) fn prefix(key: &[u8]) -> Bytes {
        [key, &[0]].concat().into()
    }
}

/// The id of a version of this order: what finds it again, and what makes it unguessable.
pub(crate) fn id_of_order(order: u64, random: [u8; 8]) -> VersionId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&order.to_be_bytes());
    id[8..].copy_from_slice(&random);
    VersionId::Id(id)
}

/// The row that answers for a row's blobs: an older version's are its object's, whose head they may become again.
/// Both have the same hash.
pub(crate) fn head_of(row: &RowAddress) -> RowAddress {
    let RowAddress { row: RowKey { table, key }, hash } = row;
    if table.kind() != TableKind::Versions {
        return row.clone();
    }
    let key = key.slice(..key.len().saturating_sub(VERSION_SUFFIX_BYTES));
    RowAddress { row: RowKey { table: table.sibling(TableKind::Objects), key }, hash: *hash }
}

impl History {
    /// Where an older version with this id would be; `None`: there is none below this head.
    pub(crate) fn place(&self, id: VersionId) -> Option<Place> {
        let place = match id {
            VersionId::Null => Place { order: self.null_at?, id },
            VersionId::Id(_) => Place::of_id(id)?,
        };
        self.has(place).then_some(place)
    }

    /// Whether a row at this place, if it is alive, is an older version.
    pub(crate) fn has(&self, place: Place) -> bool {
        let is_right_null = place.id != VersionId::Null || self.null_at == Some(place.order);
        let is_between = self.since <= place.order && place.order < self.order;
        is_right_null && is_between && !self.removing.contains(&place)
    }

    /// Whether there may be anything below this head.
    pub(crate) fn may_have_older(&self) -> bool {
        self.since < self.order
    }
}

impl From<VersionId> for IdTwin {
    fn from(id: VersionId) -> Self {
        match id {
            VersionId::Null => Self::Null,
            VersionId::Id(bytes) => Self::Id(bytes),
        }
    }
}

impl From<IdTwin> for VersionId {
    fn from(twin: IdTwin) -> Self {
        match twin {
            IdTwin::Null => Self::Null,
            IdTwin::Id(bytes) => Self::Id(bytes),
        }
    }
}

impl From<&History> for HistoryTwin {
    fn from(history: &History) -> Self {
        let History { order, since, null_at, removing } = history;
        let removing = removing.iter().map(|place| (place.order, place.id.into())).collect();
        Self { order: *order, since: *since, null_at: *null_at, removing }
    }
}

impl From<HistoryTwin> for History {
    fn from(twin: HistoryTwin) -> Self {
        let place = |(order, id): (u64, IdTwin)| Place { order, id: id.into() };
        let removing = twin.removing.into_iter().map(place).collect();
        Self { order: twin.order, since: twin.since, null_at: twin.null_at, removing }
    }
}

//! A key's head as a change finds it, and what a new version on top makes of it. Pure.

use martlet_model::{Timestamp, VersionId, Versioning};
use martlet_protocol::RowState;
use martlet_register::Ballot;

use crate::record::object::{ObjectRow, StoredObject, StoredVersion};
use crate::record::version::{History, Place, id_of_order};
use crate::record::{RecordError, live};

/// The current version of a key, and what is known of the older ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: StoredVersion,
    /// Also of a head that was written before versioning was on: it is the null version, and nothing is below it.
    pub(crate) history: History,
    /// Whether the row has a history of its own.
    pub(crate) is_versioned: bool,
}

/// A version that is about to be put on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) id: VersionId,
    pub(super) history: History,
    /// The version that was on top is kept as an older one.
    pub(super) keeps_predecessor: bool,
    /// An older version that this one replaces.
    pub(super) replaced: Option<Place>,
}

/// What a successor is made of, besides what it stands on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) versioning: Versioning,
    pub(super) ballot: Ballot,
    pub(super) random: [u8; 8],
}

impl Head {
    /// `None`: there is no version.
    pub(crate) fn read(state: Option<&RowState>) -> Result<Option<Self>, RecordError> {
        let Some(state) = state else { return Ok(None) };
        let Some(ObjectRow { version, history }) = live(Some(state)).map(ObjectRow::read).transpose()? else {
            return Ok(None);
        };
        let is_versioned = history.is_some();
        // Everything that was ever written to the key before is of a lower ballot.
        let order = state.change.time;
        let first = History { order, since: order, null_at: None, removing: Vec::new() };
        Ok(Some(Self { version, history: history.unwrap_or(first), is_versioned }))
    }

    /// The row as it was read, but for what the caller has changed of it.
    pub(super) fn into_row(self) -> ObjectRow {
        ObjectRow { version: self.version, history: self.is_versioned.then_some(self.history) }
    }

    pub(crate) fn id(&self) -> VersionId {
        self.version.id()
    }

    /// Where the version lies once it is an older one.
    pub(crate) fn place(&self) -> Place {
        Place { order: self.history.order, id: self.id() }
    }
}

/// The object that a reader sees at this moment.
pub(super) fn object_at(version: &StoredVersion, now: Timestamp) -> Option<&StoredObject> {
    version.object().filter(|object| !object.info.metadata.has_ended(now))
}

impl Successor {
    /// What comes on top of `head`. `below` is the row's predecessor, also where that is a tombstone.
    pub(super) fn of(head: Option<&Head>, below: Option<&RowState>, moment: Moment) -> Self {
        let after = below.map_or(0, |state| state.change.time.saturating_add(1));
        let after = head.map_or(after, |head| after.max(head.history.order.saturating_add(1)));
        let order = moment.ballot.time.max(after);
        let id = match moment.versioning {
            Versioning::Enabled => id_of_order(order, moment.random),
            // `Off` is said by who doesn't know yet that versioning is on.
            Versioning::Suspended | Versioning::Off => VersionId::Null,
        };
        let mut history = History { order, since: order, null_at: None, removing: Vec::new() };
        let Some(head) = head else { return Self { id, history, keeps_predecessor: false, replaced: None } };
        history.since = head.history.since;
        history.removing.clone_from(&head.history.removing);
        let is_null_replaced = id == VersionId::Null && head.id() == VersionId::Null;
        let null_at = match head.id() {
            VersionId::Null => Some(head.history.order),
            VersionId::Id(_) => head.history.null_at,
        };
        let mut replaced = None;
        if id == VersionId::Null {
            replaced = head.history.null_at.map(|order| Place { order, id: VersionId::Null });
            history.removing.extend(replaced);
        } else {
            history.null_at = null_at;
        }
        Self { id, history, keeps_predecessor: !is_null_replaced, replaced }
    }
}

//! A container's row, in its account's table, under the container's name.

use martlet_model::{Timestamp, UserMetadata};
use martlet_protocol::{RowValue, SealToken, TableId, Weight};
use serde::{Deserialize, Serialize};

use super::account::table;
use super::metadata::{UserTwin, user_metadata, user_twin};
use super::{Live, RecordError, decode, encode};

/// How many lifted seals a row remembers.
const LIFTED_MAX: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainerRow {
    pub(crate) objects: TableId,
    pub(crate) uploads: TableId,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) metadata: UserMetadata,
    pub(crate) seal: SealState,
}

/// Whether a row's tables are sealed.
///
/// ```text
/// Open ──seal──► Sealed ──lift──► Open
/// ```
/// A device that was away when a seal was lifted still has it; the tokens of former seals lift it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SealState {
    Open {
        /// Tokens of seals that have been lifted, the latest last.
        lifted: Vec<SealToken>,
    },
    /// The container is being deleted, or the upload is being completed.
    Sealed { token: SealToken, lifted: Vec<SealToken> },
}

/// What a listing shows of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListedContainer {
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) objects: TableId,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin {
    created_micros: u64,
    modified_micros: u64,
    objects: [u8; 16],
}

#[derive(Serialize, Deserialize)]
struct RecordTwin<'a> {
    uploads: [u8; 16],
    #[serde(borrow)]
    user: UserTwin<'a>,
    seal: SealTwin,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SealTwin {
    sealed: Option<[u8; 16]>,
    lifted: Vec<[u8; 16]>,
}

impl ContainerRow {
    pub(crate) fn to_value(&self) -> RowValue {
        let entry = encode(&EntryTwin {
            created_micros: self.created.as_micros(),
            modified_micros: self.modified.as_micros(),
            objects: *self.objects.as_bytes(),
        });
        let record = encode(&RecordTwin {
            uploads: *self.uploads.as_bytes(),
            user: user_twin(&self.metadata),
            seal: SealTwin::from(&self.seal),
        });
        RowValue::Live { entry, record, weight: Weight { objects: 1, bytes: 0 }, blobs: Vec::new() }
    }

    pub(crate) fn read(live: Live<'_>) -> Result<Self, RecordError> {
        let listed = listed(live.entry)?;
        let twin: RecordTwin<'_> = decode("container", live.record)?;
        Ok(Self {
            objects: listed.objects,
            uploads: table(twin.uploads)?,
            created: listed.created,
            modified: listed.modified,
            metadata: user_metadata(&twin.user)?,
            seal: twin.seal.into(),
        })
    }
}

pub(crate) fn listed(entry: &[u8]) -> Result<ListedContainer, RecordError> {
    let twin: EntryTwin = decode("container entry", entry)?;
    Ok(ListedContainer {
        created: Timestamp::from_micros(twin.created_micros),
        modified: Timestamp::from_micros(twin.modified_micros),
        objects: table(twin.objects)?,
    })
}

impl SealState {
    pub(crate) const NEW: Self = Self::Open { lifted: Vec::new() };

    /// The token of the present seal.
    pub(crate) fn token(&self) -> Option<SealToken> {
        match self {
            Self::Open { .. } => None,
            Self::Sealed { token, .. } => Some(*token),
        }
    }

    pub(crate) fn lifted(&self) -> &[SealToken] {
        match self {
            Self::Open { lifted } | Self::Sealed { lifted, .. } => lifted,
        }
    }

    #[must_use]
    pub(crate) fn sealed(&self, token: SealToken) -> Self {
        Self::Sealed { token, lifted: self.lifted().to_vec() }
    }

    #[must_use]
    pub(crate) fn opened(&self) -> Self {
        let mut lifted = self.lifted().to_vec();
        lifted.extend(self.token());
        lifted.drain(..lifted.len().saturating_sub(LIFTED_MAX));
        Self::Open { lifted }
    }
}

impl From<&SealState> for SealTwin {
    fn from(state: &SealState) -> Self {
        Self {
            sealed: state.token().map(|token| token.0),
            lifted: state.lifted().iter().map(|token| token.0).collect(),
        }
    }
}

impl From<SealTwin> for SealState {
    fn from(twin: SealTwin) -> Self {
        let lifted = twin.lifted.into_iter().map(SealToken).collect();
        match twin.sealed {
            Some(token) => Self::Sealed { token: SealToken(token), lifted },
            None => Self::Open { lifted },
        }
    }
}

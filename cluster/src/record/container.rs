//! A container's row, in its account's table, under the container's name.

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{ContainerInfo, Setting, Timestamp, Versioning};
use martlet_protocol::{RowValue, SealToken, TableId, TableKind, Weight};
use serde::{Deserialize, Serialize};

use super::account::table;
use super::metadata::{UserTwin, user_metadata, user_twin};
use super::{FIRST, Live, RecordError, SECOND, encode_as, format_of, parse};

/// How many lifted seals a row remembers.
const LIFTED_MAX: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainerRow {
    pub(crate) objects: TableId,
    pub(crate) uploads: TableId,
    /// Shared with everybody who asks for it.
    pub(crate) info: Arc<ContainerInfo>,
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
    pub(crate) versioning: Versioning,
}

#[derive(Serialize, Deserialize)]
struct EntryTwin {
    first: FirstEntryTwin,
    versioning: VersioningTwin,
}

/// The entry in the first format.
#[derive(Serialize, Deserialize)]
struct FirstEntryTwin {
    created_micros: u64,
    modified_micros: u64,
    objects: [u8; 16],
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum VersioningTwin {
    Off,
    Enabled,
    Suspended,
}

#[derive(Serialize, Deserialize)]
struct RecordTwin<'a> {
    #[serde(borrow)]
    first: FirstRecordTwin<'a>,
    #[serde(borrow)]
    settings: Vec<(SettingTwin, &'a [u8])>,
}

/// The record in the first format.
#[derive(Serialize, Deserialize)]
struct FirstRecordTwin<'a> {
    uploads: [u8; 16],
    #[serde(borrow)]
    user: UserTwin<'a>,
    seal: SealTwin,
}

/// In the order in which they came to be.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum SettingTwin {
    SwiftRead,
    SwiftWrite,
    Acl,
    Policy,
    PublicAccessBlock,
    OwnershipControls,
    Cors,
    Tagging,
    VersionsLocation,
    HistoryLocation,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SealTwin {
    sealed: Option<[u8; 16]>,
    lifted: Vec<[u8; 16]>,
}

impl ContainerRow {
    /// The older versions of the container's objects.
    pub(crate) fn versions(&self) -> TableId {
        self.objects.sibling(TableKind::Versions)
    }

    /// Every table that is sealed while the container is deleted.
    pub(crate) fn tables(&self) -> [TableId; 3] {
        [self.objects, self.versions(), self.uploads]
    }

    pub(crate) fn to_value(&self) -> RowValue {
        let ContainerInfo { metadata, created, modified, settings, versioning } = &*self.info;
        let first = FirstEntryTwin {
            created_micros: created.as_micros(),
            modified_micros: modified.as_micros(),
            objects: *self.objects.as_bytes(),
        };
        let entry = encode_as(SECOND, &EntryTwin { first, versioning: (*versioning).into() });
        let first = FirstRecordTwin {
            uploads: *self.uploads.as_bytes(),
            user: user_twin(metadata),
            seal: SealTwin::from(&self.seal),
        };
        let settings = settings.iter().map(|(setting, document)| (setting.into(), &document[..])).collect();
        let record = encode_as(SECOND, &RecordTwin { first, settings });
        RowValue::Live { entry, record, weight: Weight { objects: 1, bytes: 0 }, blobs: Vec::new() }
    }

    pub(crate) fn read(live: Live<'_>) -> Result<Self, RecordError> {
        let listed = listed(live.entry)?;
        let (twin, settings) = match format_of("container", live.record)? {
            (FIRST, record) => (parse::<FirstRecordTwin<'_>>("container", record)?, Vec::new()),
            (SECOND, record) => {
                let twin: RecordTwin<'_> = parse("container", record)?;
                (twin.first, twin.settings)
            }
            _ => return Err(RecordError::UnknownVersion("container")),
        };
        let owned = |(setting, document): (SettingTwin, &[u8])| {
            (Setting::from(setting), Bytes::copy_from_slice(document))
        };
        let info = ContainerInfo {
            metadata: user_metadata(&twin.user)?,
            created: listed.created,
            modified: listed.modified,
            settings: settings.into_iter().map(owned).collect(),
            versioning: listed.versioning,
        };
        Ok(Self {
            objects: listed.objects,
            uploads: table(twin.uploads)?,
            info: Arc::new(info),
            seal: twin.seal.into(),
        })
    }
}

pub(crate) fn listed(entry: &[u8]) -> Result<ListedContainer, RecordError> {
    const WHAT: &str = "container entry";
    let (twin, versioning) = match format_of(WHAT, entry)? {
        (FIRST, entry) => (parse::<FirstEntryTwin>(WHAT, entry)?, Versioning::Off),
        (SECOND, entry) => {
            let twin: EntryTwin = parse(WHAT, entry)?;
            (twin.first, twin.versioning.into())
        }
        _ => return Err(RecordError::UnknownVersion(WHAT)),
    };
    Ok(ListedContainer {
        created: Timestamp::from_micros(twin.created_micros),
        modified: Timestamp::from_micros(twin.modified_micros),
        objects: table(twin.objects)?,
        versioning,
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

impl From<Versioning> for VersioningTwin {
    fn from(versioning: Versioning) -> Self {
        match versioning {
            Versioning::Off => Self::Off,
            Versioning::Enabled => Self::Enabled,
            Versioning::Suspended => Self::Suspended,
        }
    }
}

impl From<VersioningTwin> for Versioning {
    fn from(twin: VersioningTwin) -> Self {
        match twin {
            VersioningTwin::Off => Self::Off,
            VersioningTwin::Enabled => Self::Enabled,
            VersioningTwin::Suspended => Self::Suspended,
        }
    }
}

impl From<Setting> for SettingTwin {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::SwiftRead => Self::SwiftRead,
            Setting::SwiftWrite => Self::SwiftWrite,
            Setting::Acl => Self::Acl,
            Setting::Policy => Self::Policy,
            Setting::PublicAccessBlock => Self::PublicAccessBlock,
            Setting::OwnershipControls => Self::OwnershipControls,
            Setting::Cors => Self::Cors,
            Setting::Tagging => Self::Tagging,
            Setting::VersionsLocation => Self::VersionsLocation,
            Setting::HistoryLocation => Self::HistoryLocation,
        }
    }
}

impl From<SettingTwin> for Setting {
    fn from(twin: SettingTwin) -> Self {
        match twin {
            SettingTwin::SwiftRead => Self::SwiftRead,
            SettingTwin::SwiftWrite => Self::SwiftWrite,
            SettingTwin::Acl => Self::Acl,
            SettingTwin::Policy => Self::Policy,
            SettingTwin::PublicAccessBlock => Self::PublicAccessBlock,
            SettingTwin::OwnershipControls => Self::OwnershipControls,
            SettingTwin::Cors => Self::Cors,
            SettingTwin::Tagging => Self::Tagging,
            SettingTwin::VersionsLocation => Self::VersionsLocation,
            SettingTwin::HistoryLocation => Self::HistoryLocation,
        }
    }
}

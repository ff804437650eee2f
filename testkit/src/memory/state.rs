//! What the store remembers.

use std::collections::BTreeMap;

use bytes::Bytes;
use martlet_model::{
    AccountName, ContainerId, ContainerInfo, ContainerName, DocumentKind, Error, NewUpload, Noun, ObjectId,
    PartInfo, PartNumber, Result, Timestamp, UploadId, Usage, UserMetadata,
};

use super::history::History;
use crate::seeded::Seeded;

#[derive(Debug)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<AccountName, Account>,
    /// The global bucket directory.
    pub(super) directory: BTreeMap<ContainerName, AccountName>,
    pub(super) documents: BTreeMap<(DocumentKind, Bytes), Bytes>,
    pub(super) random: Seeded,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) metadata: UserMetadata,
    pub(super) created: Timestamp,
    /// By name.
    pub(super) containers: BTreeMap<Bytes, Container>,
}

#[derive(Debug)]
pub(super) struct Container {
    pub(super) name: ContainerName,
    pub(super) info: ContainerInfo,
    /// By key; a history is never empty.
    pub(super) objects: BTreeMap<Bytes, History>,
    /// By key, then by id.
    pub(super) uploads: BTreeMap<(Bytes, UploadId), Upload>,
}

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) new: NewUpload,
    pub(super) initiated: Timestamp,
    pub(super) parts: BTreeMap<PartNumber, Part>,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) info: PartInfo,
    pub(super) body: Vec<Bytes>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            accounts: BTreeMap::new(),
            directory: BTreeMap::new(),
            documents: BTreeMap::new(),
            random: Seeded::new(0),
        }
    }
}

impl State {
    pub(super) fn account_mut(&mut self, name: &AccountName, now: Timestamp) -> &mut Account {
        self.accounts.entry(name.clone()).or_insert_with(|| Account {
            metadata: UserMetadata::default(),
            created: now,
            containers: BTreeMap::new(),
        })
    }

    pub(super) fn container(&self, id: &ContainerId) -> Result<&Container> {
        self.accounts
            .get(&id.account)
            .and_then(|account| account.containers.get(id.name.as_str().as_bytes()))
            .ok_or(Error::NotFound(Noun::Container))
    }

    pub(super) fn container_mut(&mut self, id: &ContainerId) -> Result<&mut Container> {
        self.accounts
            .get_mut(&id.account)
            .and_then(|account| account.containers.get_mut(id.name.as_str().as_bytes()))
            .ok_or(Error::NotFound(Noun::Container))
    }

    pub(super) fn history(&self, id: &ObjectId) -> Result<&History> {
        self.container(&id.container)?.objects.get(id.key.as_bytes()).ok_or(Error::NotFound(Noun::Object))
    }

    pub(super) fn history_mut(&mut self, id: &ObjectId) -> Result<&mut History> {
        let container = self.container_mut(&id.container)?;
        container.objects.get_mut(id.key.as_bytes()).ok_or(Error::NotFound(Noun::Object))
    }
}

impl Container {
    pub(super) fn usage(&self) -> Usage {
        let objects = self.objects.values().filter(|history| history.object().is_some()).count() as u64;
        Usage { objects, bytes: self.objects.values().map(History::stored_bytes).sum() }
    }

    pub(super) fn upload_mut(&mut self, key: &Bytes, id: UploadId) -> Result<&mut Upload> {
        self.uploads.get_mut(&(key.clone(), id)).ok_or(Error::NotFound(Noun::Upload))
    }
}

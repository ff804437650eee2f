//! What the store remembers.

use std::collections::BTreeMap;

use bytes::Bytes;
use martlet_model::{
    AccountName, ContainerId, ContainerInfo, ContainerName, Content, Error, Noun, ObjectId, ObjectInfo,
    ObjectMetadata, PartInfo, PartNumber, Result, Timestamp, UploadId, Usage, UserMetadata,
};

use crate::seeded::Seeded;

#[derive(Debug)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<AccountName, Account>,
    /// The global bucket directory.
    pub(super) directory: BTreeMap<ContainerName, AccountName>,
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
    /// By key.
    pub(super) objects: BTreeMap<Bytes, Object>,
    /// By key, then by id.
    pub(super) uploads: BTreeMap<(Bytes, UploadId), Upload>,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) info: ObjectInfo,
    pub(super) body: Vec<Bytes>,
    /// The upload that made it.
    pub(super) upload: Option<UploadId>,
}

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) metadata: ObjectMetadata,
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
        Self { accounts: BTreeMap::new(), directory: BTreeMap::new(), random: Seeded::new(0) }
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

    pub(super) fn object(&self, id: &ObjectId) -> Result<&Object> {
        self.container(&id.container)?.objects.get(id.key.as_bytes()).ok_or(Error::NotFound(Noun::Object))
    }
}

impl Container {
    pub(super) fn usage(&self) -> Usage {
        let bytes = self.objects.values().map(|object| object.info.content.bytes).sum();
        Usage { objects: self.objects.len() as u64, bytes }
    }

    pub(super) fn upload_mut(&mut self, key: &Bytes, id: UploadId) -> Result<&mut Upload> {
        self.uploads.get_mut(&(key.clone(), id)).ok_or(Error::NotFound(Noun::Upload))
    }

    /// Stores an object; its date is `now`, or just after its predecessor's.
    pub(super) fn replace(&mut self, key: &Bytes, mut object: Object, now: Timestamp) -> ObjectInfo {
        let previous = self.objects.get(key).map(|object| object.info.modified);
        object.info.modified = now.not_before(previous);
        let info = object.info.clone();
        self.objects.insert(key.clone(), object);
        info
    }
}

impl Object {
    pub(super) fn new(content: Content, metadata: ObjectMetadata, body: Vec<Bytes>, now: Timestamp) -> Self {
        Self { info: ObjectInfo { content, metadata, modified: now }, body, upload: None }
    }
}

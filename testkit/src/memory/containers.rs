//! Accounts and containers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{
    AccountInfo, AccountName, Claim, ContainerChange, ContainerEntry, ContainerId, ContainerInfo,
    ContainerName, ContainerStore, Created, Error, ListQuery, NewContainer, Page, Result, Settings,
    Timestamp, Usage, UserMetadata, Versioning,
};

use super::MemoryStore;
use super::listing::page;
use super::state::{Container, State};

#[async_trait]
impl ContainerStore for MemoryStore {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo> {
        let state = self.state();
        let Some(account) = state.accounts.get(account) else {
            return Ok(AccountInfo {
                metadata: UserMetadata::default(),
                created: None,
                containers: 0,
                usage: Usage::default(),
            });
        };
        let usage = account.containers.values().map(Container::usage).fold(Usage::default(), |sum, usage| {
            Usage { objects: sum.objects + usage.objects, bytes: sum.bytes + usage.bytes }
        });
        Ok(AccountInfo {
            metadata: account.metadata.clone(),
            created: Some(account.created),
            containers: account.containers.len() as u64,
            usage,
        })
    }

    async fn account_metadata(&self, account: &AccountName) -> Result<UserMetadata> {
        Ok(self.state().accounts.get(account).map(|account| account.metadata.clone()).unwrap_or_default())
    }

    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        let now = self.now();
        let mut state = self.state();
        let present = state.accounts.get(account).map(|account| account.metadata.clone());
        let merged = present.unwrap_or_default().merged(changes)?;
        state.account_mut(account, now).metadata = merged;
        Ok(())
    }

    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        let state = self.state();
        let none = BTreeMap::new();
        let containers = state.accounts.get(account).map_or(&none, |account| &account.containers);
        Ok(page(
            containers,
            query,
            |_| true,
            |_, container| ContainerEntry {
                name: container.name.clone(),
                created: container.info.created,
                modified: container.info.modified,
                usage: container.usage(),
            },
        ))
    }

    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        let now = self.now();
        let metadata = UserMetadata::default().merged(&new.metadata)?;
        let mut state = self.state();
        // Everything that can be refused is, before anything changes.
        let change = ContainerChange {
            metadata: new.metadata,
            settings: new.settings.clone(),
            versioning: new.versioning,
        };
        let changed = match state.container(id) {
            Ok(present) => Some(changed(&present.info, &change, now)?),
            Err(_) => None,
        };
        claim(&mut state, id, new.claim)?;
        let account = state.account_mut(&id.account, now);
        match account.containers.entry(Bytes::copy_from_slice(id.name.as_str().as_bytes())) {
            Entry::Occupied(mut present) => {
                let info = &mut present.get_mut().info;
                let differs = |changed: &ContainerInfo| {
                    ContainerInfo { modified: info.modified, ..changed.clone() } != *info
                };
                if let Some(changed) = changed.filter(|it| new.claim == Claim::IfFree || differs(it)) {
                    *info = changed;
                }
                Ok(Created::Existing)
            }
            Entry::Vacant(place) => {
                place.insert(Container {
                    name: id.name.clone(),
                    info: ContainerInfo {
                        metadata,
                        created: now,
                        modified: now,
                        settings: Settings::default().changed(&new.settings),
                        versioning: new.versioning.unwrap_or_default(),
                    },
                    objects: BTreeMap::new(),
                    uploads: BTreeMap::new(),
                });
                Ok(Created::New)
            }
        }
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        Ok(self.state().container(id)?.info.clone())
    }

    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        self.container(id).await.map(Arc::new)
    }

    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        Ok(self.state().container(id)?.usage())
    }

    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        let now = self.now();
        let mut state = self.state();
        let info = &mut state.container_mut(id)?.info;
        *info = changed(info, &change, now)?;
        Ok(())
    }

    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        let now = self.now();
        let mut state = self.state();
        if !state.container(id)?.objects.values().all(|history| history.has_ended(now)) {
            return Err(Error::NotEmpty);
        }
        if let Some(account) = state.accounts.get_mut(&id.account) {
            account.containers.remove(id.name.as_str().as_bytes());
        }
        if state.directory.get(&id.name) == Some(&id.account) {
            state.directory.remove(&id.name);
        }
        Ok(())
    }

    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>> {
        Ok(self.state().directory.get(name).cloned())
    }
}

fn changed(info: &ContainerInfo, change: &ContainerChange, now: Timestamp) -> Result<ContainerInfo> {
    let versioning = change.versioning.unwrap_or(info.versioning);
    if versioning == Versioning::Off && info.versioning != Versioning::Off {
        return Err(Error::VersioningStays);
    }
    Ok(ContainerInfo {
        metadata: info.metadata.merged(&change.metadata)?,
        created: info.created,
        modified: now.not_before(Some(info.modified)),
        settings: info.settings.changed(&change.settings),
        versioning,
    })
}

fn claim(state: &mut State, id: &ContainerId, claim: Claim) -> Result<()> {
    let owner = state.directory.entry(id.name.clone()).or_insert_with(|| id.account.clone());
    match claim {
        Claim::Required if *owner != id.account => Err(Error::NameTaken),
        Claim::Required | Claim::IfFree => Ok(()),
    }
}

//! The contract's part on accounts and containers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{
    AccountInfo, AccountName, ContainerChange, ContainerEntry, ContainerId, ContainerInfo, ContainerName,
    ContainerStore, Created, ListEntry, ListQuery, NewContainer, Page, Result, Settings, Usage, UserMetadata,
    Versioning,
};
use martlet_protocol::{TableId, Weight};

use crate::cluster::ClusterStore;
use crate::container::{account, create, delete, directory, find};
use crate::counters::weights;
use crate::list::{Found, Lister, Question, page};
use crate::record::container::{ListedContainer, listed};
use crate::row::Guard;

/// How many containers of an account are added up at once.
const SUMMED_AT_ONCE: usize = 1000;

#[async_trait]
impl ContainerStore for ClusterStore {
    async fn account(&self, account: &AccountName) -> Result<AccountInfo> {
        let Some(row) = account::read(&self.shared, account).await? else {
            return Ok(AccountInfo {
                metadata: UserMetadata::default(),
                created: None,
                containers: 0,
                usage: Usage::default(),
            });
        };
        let (containers, usage) = self.sum(row.containers).await?;
        Ok(AccountInfo { metadata: row.metadata, created: Some(row.created), containers, usage })
    }

    async fn update_account(&self, account: &AccountName, changes: &UserMetadata) -> Result<()> {
        let (shared, account, changes) = (self.shared.clone(), account.clone(), changes.clone());
        self.shared
            .background
            .carry_through(async move { account::update(&shared, &account, &changes).await.map(drop) })
            .await
    }

    async fn containers(&self, account: &AccountName, query: &ListQuery) -> Result<Page<ContainerEntry>> {
        let Some(table) = account::containers_of(&self.shared, account).await? else {
            return Ok(Page { entries: Vec::new(), next: None });
        };
        let lister = Lister::new(&self.shared, Question::of_query(table, Guard::None, query));
        let page = page(lister, query.limit, |key, entry| Ok((key, listed(entry)?))).await?;
        self.with_usage(page).await
    }

    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        let (shared, id) = (self.shared.clone(), id.clone());
        self.shared.background.carry_through(async move { create::create(&shared, &id, &new).await }).await
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        let container = find(&self.shared, id).await?;
        let row = &container.row;
        Ok(ContainerInfo {
            metadata: row.metadata.clone(),
            created: row.created,
            modified: row.modified,
            settings: Settings::default(),
            versioning: Versioning::Off,
        })
    }

    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        self.container(id).await.map(Arc::new)
    }

    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        let container = find(&self.shared, id).await?;
        let weights = weights(&self.shared, &[container.row.objects], &container.guard()).await?;
        Ok(weights.first().copied().map(usage_of).unwrap_or_default())
    }

    async fn update_container(&self, id: &ContainerId, change: ContainerChange) -> Result<()> {
        let (shared, id) = (self.shared.clone(), id.clone());
        self.shared.background.carry_through(async move { create::update(&shared, &id, &change).await }).await
    }

    async fn delete_container(&self, id: &ContainerId) -> Result<()> {
        let (shared, id) = (self.shared.clone(), id.clone());
        self.shared.background.carry_through(async move { delete::delete(&shared, &id).await }).await
    }

    async fn bucket_owner(&self, name: &ContainerName) -> Result<Option<AccountName>> {
        directory::owner(&self.shared, name).await
    }
}

impl ClusterStore {
    /// How many containers there are in a table of containers, and what they hold together.
    async fn sum(&self, containers: TableId) -> Result<(u64, Usage)> {
        let (mut count, mut usage) = (0, Usage::default());
        let question = Question { expected: SUMMED_AT_ONCE, ..Question::all(containers, Guard::None) };
        let mut lister = Lister::new(&self.shared, question);
        let mut tables: Vec<TableId> = Vec::new();
        loop {
            let found = lister.next().await?;
            if let Some(Found::Row { entry, .. }) = &found {
                count += 1;
                tables.push(listed(entry)?.objects);
            }
            if tables.len() == SUMMED_AT_ONCE || found.is_none() {
                for weight in weights(&self.shared, &tables, &Guard::None).await? {
                    usage.objects += weight.objects;
                    usage.bytes += weight.bytes;
                }
                tables.clear();
            }
            if found.is_none() {
                return Ok((count, usage));
            }
        }
    }

    async fn with_usage(&self, page: Page<(Bytes, ListedContainer)>) -> Result<Page<ContainerEntry>> {
        let tables: Vec<TableId> = page
            .entries
            .iter()
            .filter_map(|entry| match entry {
                ListEntry::Item((_, listed)) => Some(listed.objects),
                ListEntry::Prefix(_) => None,
            })
            .collect();
        let mut weights = weights(&self.shared, &tables, &Guard::None).await?.into_iter();
        let entry = |entry: ListEntry<(Bytes, ListedContainer)>| match entry {
            ListEntry::Prefix(prefix) => Ok(ListEntry::Prefix(prefix)),
            ListEntry::Item((name, listed)) => Ok(ListEntry::Item(ContainerEntry {
                name: ContainerName::parse(&name)?,
                created: listed.created,
                modified: listed.modified,
                usage: weights.next().map(usage_of).unwrap_or_default(),
            })),
        };
        let entries = page.entries.into_iter().map(entry).collect::<Result<_>>()?;
        Ok(Page { entries, next: page.next })
    }
}

fn usage_of(weight: Weight) -> Usage {
    Usage { objects: weight.objects, bytes: weight.bytes }
}

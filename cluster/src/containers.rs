//! The contract's part on accounts and containers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{
    AccountInfo, AccountName, ContainerChange, ContainerEntry, ContainerId, ContainerInfo, ContainerName,
    ContainerStore, Created, ListEntry, ListQuery, NewContainer, Page, Result, Usage, UserMetadata,
    Versioning,
};
use martlet_protocol::{TableId, TableKind, Weight};

use crate::cluster::ClusterStore;
use crate::container::{account, create, delete, directory, find, find_now};
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

    async fn account_metadata(&self, account: &AccountName) -> Result<UserMetadata> {
        let row = account::read(&self.shared, account).await?;
        Ok(row.map(|row| row.metadata).unwrap_or_default())
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
        let page = page(lister, query.limit, |key, entry| Ok(Some((key, listed(entry)?)))).await?;
        self.with_usage(page).await
    }

    async fn create_container(&self, id: &ContainerId, new: NewContainer) -> Result<Created> {
        let (shared, id) = (self.shared.clone(), id.clone());
        self.shared.background.carry_through(async move { create::create(&shared, &id, new).await }).await
    }

    async fn container(&self, id: &ContainerId) -> Result<ContainerInfo> {
        let container = find_now(&self.shared, id).await?;
        Ok((*container.row.info).clone())
    }

    async fn recent_container(&self, id: &ContainerId) -> Result<Arc<ContainerInfo>> {
        Ok(find(&self.shared, id).await?.row.info.clone())
    }

    async fn usage(&self, id: &ContainerId) -> Result<Usage> {
        let container = find(&self.shared, id).await?;
        let row = &container.row;
        let tables = tables_of(row.objects, row.info.versioning);
        let weights = weights(&self.shared, &tables).await?;
        Ok(usage_of(weights.into_iter()))
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
                let container = listed(entry)?;
                tables.extend(tables_of(container.objects, container.versioning));
            }
            if SUMMED_AT_ONCE <= tables.len() || found.is_none() {
                let more = usage_of(weights(&self.shared, &tables).await?.into_iter());
                usage = Usage { objects: usage.objects + more.objects, bytes: usage.bytes + more.bytes };
                tables.clear();
            }
            if found.is_none() {
                return Ok((count, usage));
            }
        }
    }

    async fn with_usage(&self, page: Page<(Bytes, ListedContainer)>) -> Result<Page<ContainerEntry>> {
        let tables = page.entries.iter().flat_map(|entry| match entry {
            ListEntry::Item((_, listed)) => tables_of(listed.objects, listed.versioning),
            ListEntry::Prefix(_) => Vec::new(),
        });
        let tables: Vec<TableId> = tables.collect();
        let mut weights = weights(&self.shared, &tables).await?.into_iter();
        let entry = |entry: ListEntry<(Bytes, ListedContainer)>| match entry {
            ListEntry::Prefix(prefix) => Ok(ListEntry::Prefix(prefix)),
            ListEntry::Item((name, listed)) => Ok(ListEntry::Item(ContainerEntry {
                name: ContainerName::parse(&name)?,
                created: listed.created,
                modified: listed.modified,
                usage: usage_of(weights.by_ref().take(tables_of(listed.objects, listed.versioning).len())),
            })),
        };
        let entries = page.entries.into_iter().map(entry).collect::<Result<_>>()?;
        Ok(Page { entries, next: page.next })
    }
}

/// The tables that a container's usage is the sum of.
fn tables_of(objects: TableId, versioning: Versioning) -> Vec<TableId> {
    match versioning {
        Versioning::Off => vec![objects],
        Versioning::Enabled | Versioning::Suspended => vec![objects, objects.sibling(TableKind::Versions)],
    }
}

fn usage_of(weights: impl Iterator<Item = Weight>) -> Usage {
    weights.fold(Usage::default(), |sum, weight| Usage {
        objects: sum.objects + weight.objects,
        bytes: sum.bytes + weight.bytes,
    })
}

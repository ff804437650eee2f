//! Making a container, and changing it.

use std::sync::Arc;

use martlet_model::{
    Claim, ContainerChange, ContainerId, ContainerInfo, Created, Error, NewContainer, Noun, Result, Settings,
    UserMetadata, Versioning,
};
use martlet_protocol::{RowState, SealToken, TableKind};

use super::{LOOKS_MAX, account, delete, directory, row_key};
use crate::cluster::Shared;
use crate::record::container::{ContainerRow, SealState};
use crate::record::live;
use crate::row::change::change;
use crate::row::{Access, Verdict};

/// What became of an attempt.
enum Attempt<T> {
    Done(T),
    /// The container is being deleted: that has to be finished or undone first.
    Sealed(ContainerRow, SealToken),
}

/// Makes a container, or changes one that is there.
///
/// The name is claimed first: a crash in between leaves a claim that the next attempt of the same account finds its own.
pub(crate) async fn create(shared: &Arc<Shared>, id: &ContainerId, new: NewContainer) -> Result<Created> {
    let NewContainer { metadata, claim, settings, versioning } = new;
    let initial = UserMetadata::default().merged(&metadata)?;
    let wanted = ContainerChange { metadata, settings, versioning };
    let idle = match claim {
        Claim::Required => Idle::Leave,
        Claim::IfFree => Idle::Redate,
    };
    let table = account::ensure(shared, &id.account).await?;
    directory::claim(shared, id, claim).await?;
    let access = Access::open(shared, table, row_key(id));
    for _ in 0..LOOKS_MAX {
        let decide = |predecessor: Option<&RowState>| match present(predecessor) {
            Err(error) => Verdict::Leave(Err(error)),
            Ok(None) => {
                let row = first(shared, &initial, &wanted);
                Verdict::Write { value: row.to_value(), answer: Attempt::Done(Created::New) }
            }
            Ok(Some(row)) => merge(shared, row, (&wanted, idle), Created::Existing),
        };
        let attempt = change(shared, &access, None, decide).await;
        shared.containers.forget(id);
        match attempt? {
            Attempt::Done(Created::Existing) => return Ok(Created::Existing),
            Attempt::Done(Created::New) => {
                // A deletion that ended meanwhile may have given the name back, and another may have taken it.
                if let Err(error) = directory::claim(shared, id, claim).await {
                    drop(delete::delete(shared, id).await);
                    return Err(error);
                }
                return Ok(Created::New);
            }
            Attempt::Sealed(row, token) => {
                delete::carry_on(shared, id, row, token).await?;
            }
        }
    }
    Err(Error::Unavailable("a container is being deleted"))
}

/// Changes a container.
pub(crate) async fn update(shared: &Arc<Shared>, id: &ContainerId, wanted: &ContainerChange) -> Result<()> {
    let Some(access) = super::access(shared, id).await? else { return Err(Error::NotFound(Noun::Container)) };
    for _ in 0..LOOKS_MAX {
        let decide = |predecessor: Option<&RowState>| match present(predecessor) {
            Err(error) => Verdict::Leave(Err(error)),
            Ok(None) => Verdict::Leave(Err(Error::NotFound(Noun::Container))),
            Ok(Some(row)) => merge(shared, row, (wanted, Idle::Redate), ()),
        };
        let attempt = change(shared, &access, None, decide).await;
        shared.containers.forget(id);
        match attempt? {
            Attempt::Done(()) => return Ok(()),
            Attempt::Sealed(row, token) => {
                delete::carry_on(shared, id, row, token).await?;
            }
        }
    }
    Err(Error::Unavailable("a container is being deleted"))
}

fn first(shared: &Shared, metadata: &UserMetadata, wanted: &ContainerChange) -> ContainerRow {
    let now = shared.now();
    let info = ContainerInfo {
        metadata: metadata.clone(),
        created: now,
        modified: now,
        settings: Settings::default().changed(&wanted.settings),
        versioning: wanted.versioning.unwrap_or_default(),
    };
    ContainerRow {
        objects: shared.new_table(TableKind::Objects),
        uploads: shared.new_table(TableKind::Uploads),
        info: Arc::new(info),
        seal: SealState::NEW,
    }
}

/// What a change does that changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    Leave,
    /// The container's date moves all the same, as Swift's clients expect it.
    Redate,
}

fn merge<T>(
    shared: &Shared,
    row: ContainerRow,
    (wanted, idle): (&ContainerChange, Idle),
    answer: T,
) -> Verdict<Attempt<T>> {
    if let SealState::Sealed { token, .. } = row.seal {
        return Verdict::Leave(Ok(Attempt::Sealed(row, token)));
    }
    match merged(&row.info, wanted) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(info) if info == *row.info && idle == Idle::Leave => Verdict::Leave(Ok(Attempt::Done(answer))),
        Ok(info) => {
            let modified = shared.now().not_before(Some(row.info.modified));
            let info = Arc::new(ContainerInfo { modified, ..info });
            let value = ContainerRow { info, ..row }.to_value();
            Verdict::Write { value, answer: Attempt::Done(answer) }
        }
    }
}

/// The container as it becomes, but for its date.
fn merged(present: &ContainerInfo, wanted: &ContainerChange) -> Result<ContainerInfo> {
    let versioning = wanted.versioning.unwrap_or(present.versioning);
    if versioning == Versioning::Off && present.versioning != Versioning::Off {
        return Err(Error::VersioningStays);
    }
    Ok(ContainerInfo {
        metadata: present.metadata.merged(&wanted.metadata)?,
        settings: present.settings.changed(&wanted.settings),
        versioning,
        ..*present
    })
}

fn present(state: Option<&RowState>) -> Result<Option<ContainerRow>> {
    Ok(live(state).map(ContainerRow::read).transpose()?)
}

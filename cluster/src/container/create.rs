//! Making a container, and changing its metadata.

use std::sync::Arc;

use martlet_model::{ContainerChange, ContainerId, Created, Error, NewContainer, Noun, Result, UserMetadata};
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

/// Makes a container, or merges the metadata of one that is there.
///
/// The name is claimed first: a crash in between leaves a claim that the next attempt of the same account finds its own.
pub(crate) async fn create(shared: &Arc<Shared>, id: &ContainerId, new: &NewContainer) -> Result<Created> {
    let initial = UserMetadata::default().merged(&new.metadata)?;
    let table = account::ensure(shared, &id.account).await?;
    directory::claim(shared, id, new.claim).await?;
    let access = Access::open(shared, table, row_key(id));
    for _ in 0..LOOKS_MAX {
        let decide = |predecessor: Option<&RowState>| match present(predecessor) {
            Err(error) => Verdict::Leave(Err(error)),
            Ok(None) => {
                let now = shared.now();
                let row = ContainerRow {
                    objects: shared.new_table(TableKind::Objects),
                    uploads: shared.new_table(TableKind::Uploads),
                    created: now,
                    modified: now,
                    metadata: initial.clone(),
                    seal: SealState::NEW,
                };
                Verdict::Write { value: row.to_value(), answer: Attempt::Done(Created::New) }
            }
            Ok(Some(row)) => merge(shared, row, &new.metadata, Created::Existing),
        };
        let attempt = change(shared, &access, None, decide).await;
        shared.containers.forget(id);
        match attempt? {
            Attempt::Done(Created::Existing) => return Ok(Created::Existing),
            Attempt::Done(Created::New) => {
                // A deletion that ended meanwhile may have given the name back, and another may have taken it.
                if let Err(error) = directory::claim(shared, id, new.claim).await {
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

/// Changes the metadata of a container.
pub(crate) async fn update(shared: &Arc<Shared>, id: &ContainerId, new: &ContainerChange) -> Result<()> {
    let Some(access) = super::access(shared, id).await? else { return Err(Error::NotFound(Noun::Container)) };
    for _ in 0..LOOKS_MAX {
        let decide = |predecessor: Option<&RowState>| match present(predecessor) {
            Err(error) => Verdict::Leave(Err(error)),
            Ok(None) => Verdict::Leave(Err(Error::NotFound(Noun::Container))),
            Ok(Some(row)) => merge(shared, row, &new.metadata, ()),
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

fn merge<T>(shared: &Shared, row: ContainerRow, changes: &UserMetadata, answer: T) -> Verdict<Attempt<T>> {
    if let SealState::Sealed { token, .. } = row.seal {
        return Verdict::Leave(Ok(Attempt::Sealed(row, token)));
    }
    match row.metadata.merged(changes) {
        Err(error) => Verdict::Leave(Err(error.into())),
        Ok(metadata) if metadata == row.metadata => Verdict::Leave(Ok(Attempt::Done(answer))),
        Ok(metadata) => {
            let modified = shared.now().not_before(Some(row.modified));
            let value = ContainerRow { modified, metadata, ..row }.to_value();
            Verdict::Write { value, answer: Attempt::Done(answer) }
        }
    }
}

fn present(state: Option<&RowState>) -> Result<Option<ContainerRow>> {
    Ok(live(state).map(ContainerRow::read).transpose()?)
}

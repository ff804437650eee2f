//! Containers: looked up, made, and deleted without a write getting lost.

pub(crate) mod account;
pub(crate) mod cache;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod directory;
pub(crate) mod seal;

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{ContainerId, Error, Noun, Result};

use crate::cluster::Shared;
use crate::record::container::{ContainerRow, SealState};
use crate::record::live;
use crate::row::read::read_value;
use crate::row::{Access, Guard};
use cache::Container;

/// How often a container that is found being deleted is looked at again, once that has been finished or undone.
const LOOKS_MAX: usize = 8;

/// The container, as it was at most `Options::container_age_max` ago.
pub(crate) async fn find(shared: &Arc<Shared>, id: &ContainerId) -> Result<Arc<Container>> {
    match shared.containers.get(id) {
        Some(container) => Ok(container),
        None => find_now(shared, id).await,
    }
}

/// The container as it is now. One that is being deleted is finished or undone first.
pub(crate) async fn find_now(shared: &Arc<Shared>, id: &ContainerId) -> Result<Arc<Container>> {
    for _ in 0..LOOKS_MAX {
        let ticket = shared.containers.ticket();
        let Some(row) = read_row(shared, id).await? else { return Err(Error::NotFound(Noun::Container)) };
        if let SealState::Sealed { token, .. } = row.seal {
            delete::carry_on(shared, id, row, token).await?;
            continue;
        }
        let container = Arc::new(Container { id: id.clone(), row });
        shared.containers.put(ticket, &container);
        return Ok(container);
    }
    Err(Error::Unavailable("a container is being deleted"))
}

/// A replica said that one of the container's tables is sealed. `Ok`: it is the same container, and the seal is lifted.
pub(crate) async fn look_again(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<()> {
    shared.containers.forget(&container.id);
    let present = find_now(shared, &container.id).await?;
    if present.row.objects != container.row.objects {
        return Err(Error::NotFound(Noun::Container));
    }
    // Who was away when the seal was lifted still has it.
    seal::lift(shared, &present.row.tables(), present.row.seal.lifted()).await;
    Ok(())
}

/// The container's row, whatever its state; `None`: there is none.
async fn read_row(shared: &Arc<Shared>, id: &ContainerId) -> Result<Option<ContainerRow>> {
    let Some(access) = access(shared, id).await? else { return Ok(None) };
    let state = read_value(shared, &access).await?;
    Ok(live(state.as_ref()).map(ContainerRow::read).transpose()?)
}

/// The container's row in its account's table; `None`: there is no such account.
async fn access(shared: &Arc<Shared>, id: &ContainerId) -> Result<Option<Access>> {
    let containers = account::containers_of(shared, &id.account).await?;
    Ok(containers.map(|table| Access::open(shared, table, row_key(id))))
}

fn row_key(id: &ContainerId) -> Bytes {
    Bytes::copy_from_slice(id.name.as_str().as_bytes())
}

impl Container {
    /// What to look at again when one of the container's tables is sealed.
    pub(crate) fn guard(self: &Arc<Self>) -> Guard {
        Guard::Container(self.clone())
    }
}

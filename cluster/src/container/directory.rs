//! The global bucket directory: which account a name belongs to.

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{AccountName, Claim, ContainerId, ContainerName, Error, Result};
use martlet_protocol::{RowState, RowValue};

use crate::cluster::{DIRECTORY, Shared};
use crate::record::{directory, live};
use crate::row::change::change;
use crate::row::read::read_value;
use crate::row::{Access, Verdict};

/// The account that has the name.
pub(crate) async fn owner(shared: &Arc<Shared>, name: &ContainerName) -> Result<Option<AccountName>> {
    let state = read_value(shared, &access(shared, name)).await?;
    owner_in(state.as_ref())
}

/// Takes the name for the container's account if nobody has it.
pub(crate) async fn claim(shared: &Arc<Shared>, id: &ContainerId, claim: Claim) -> Result<()> {
    let decide = |predecessor: Option<&RowState>| match owner_in(predecessor) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(None) => Verdict::Write { value: directory::claimed_by(&id.account), answer: () },
        Ok(Some(owner)) if claim == Claim::Required && owner != id.account => {
            Verdict::Leave(Err(Error::NameTaken))
        }
        Ok(Some(_)) => Verdict::Leave(Ok(())),
    };
    change(shared, &access(shared, &id.name), None, decide).await
}

/// Gives the name back if it is the container's account that has it.
pub(crate) async fn release(shared: &Arc<Shared>, id: &ContainerId) -> Result<()> {
    let decide = |predecessor: Option<&RowState>| match owner_in(predecessor) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(Some(owner)) if owner == id.account => Verdict::Write { value: RowValue::Tombstone, answer: () },
        Ok(_) => Verdict::Leave(Ok(())),
    };
    change(shared, &access(shared, &id.name), None, decide).await
}

fn owner_in(state: Option<&RowState>) -> Result<Option<AccountName>> {
    Ok(live(state).map(directory::owner).transpose()?)
}

fn access(shared: &Shared, name: &ContainerName) -> Access {
    Access::open(shared, DIRECTORY, Bytes::copy_from_slice(name.as_str().as_bytes()))
}

//! When objects end: noted before the object commits, so that none is forgotten.

use std::sync::Arc;

use martlet_model::{Conditions, ETagStyle, Error, ObjectKey, Result, Timestamp, VersionId};
use martlet_protocol::{RowState, Scope};

use super::head::Head;
use super::keeper::Keeper;
use super::remove::{RemovingVersion, Then};
use crate::cluster::{EXPIRIES, Shared};
use crate::container::cache::Container;
use crate::list::{Found, Lister, Question};
use crate::record::expiry::Expiry;
use crate::record::object::{ListedKind, ListedObject, listed};
use crate::row::change::change;
use crate::row::read::read_value;
use crate::row::{Access, Verdict};

/// Notes that an object is about to be there that ends at this moment; `None`: it doesn't.
///
/// Always written anew: whoever is about to take the note away sees that it has changed.
pub(crate) async fn note(keeper: &Keeper, delete_at: Option<Timestamp>) -> Result<()> {
    let Some(delete_at) = delete_at else { return Ok(()) };
    let expiry = Expiry {
        delete_at,
        objects: keeper.container.row.objects,
        key: ObjectKey::parse(keeper.key.clone())?,
        container: keeper.container.id.clone(),
        noted: keeper.shared.now(),
    };
    let access = Access::open(&keeper.shared, EXPIRIES, expiry.row_key());
    let value = expiry.to_value();
    let decide = |_: Option<&RowState>| Verdict::Write { value: value.clone(), answer: () };
    change(&keeper.shared, &access, None, decide).await
}

/// Whether everything in a container has ended, and nothing of it is kept: no version with an id of its own, none that is older.
pub(crate) async fn has_ended(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<bool> {
    let mut lister = heads(shared, container);
    while let Some(found) = lister.next().await? {
        let Found::Row { key, entry } = found else { continue };
        let current = listed(&entry)?;
        if !is_ended(&current, shared.now()) || matches!(current.version, Some(VersionId::Id(_))) {
            return Ok(false);
        }
        if current.version.is_some() && has_older(&keeper(shared, container, key)).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes everything in a container that has ended.
pub(crate) async fn clear(shared: &Arc<Shared>, container: &Arc<Container>) -> Result<()> {
    let mut lister = heads(shared, container);
    while let Some(found) = lister.next().await? {
        let keeper = keeper(shared, container, found.name().clone());
        while let Some(head) = Head::read(read_value(shared, &keeper.head()).await?.as_ref())? {
            let is_ended =
                head.version.object().is_some_and(|object| object.info.metadata.has_ended(shared.now()));
            if !is_ended || head.id() != VersionId::Null {
                return Err(Error::NotEmpty);
            }
            let conditions = Conditions::none(ETagStyle::Swift);
            let removing =
                RemovingVersion { keeper: keeper.clone(), id: head.id(), conditions, then: Then::Promote };
            match removing.run().await {
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

async fn has_older(keeper: &Keeper) -> Result<bool> {
    let head = Head::read(read_value(&keeper.shared, &keeper.head()).await?.as_ref())?;
    let Some(head) = head else { return Ok(false) };
    Ok(keeper.newest_below(&head.history).await?.is_some())
}

fn is_ended(listed: &ListedObject, now: Timestamp) -> bool {
    listed.kind != ListedKind::DeleteMarker && !listed.is_object_at(now)
}

fn heads(shared: &Arc<Shared>, container: &Arc<Container>) -> Lister {
    let all = Question::all(container.row.objects, container.guard());
    Lister::new(shared, Question { scope: Scope::All, ..all })
}

fn keeper(shared: &Arc<Shared>, container: &Arc<Container>, key: bytes::Bytes) -> Keeper {
    Keeper { shared: shared.clone(), container: container.clone(), key }
}

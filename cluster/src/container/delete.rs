//! Deleting a container: a write is either refused or keeps it.
//!
//! ```text
//! Open ─mark─► Sealed ─seal tables─► list at a majority ─empty──► give the name back, note what is left, tombstone
//!   ▲                                        └─something lives──► lift the seal
//!   └────────────────────────────────────────────────────────────────┘
//! ```
//! Whoever meets a container in the state `Sealed` carries on from there: every step can be done twice, and by two.

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{ContainerId, Error, Noun, Result};
use martlet_protocol::{RowState, RowValue, Scope, SealToken, TableId};

use super::seal::Sealed;
use super::{Access, account, directory, find_now, row_key, seal};
use crate::cluster::{DROPPED, Shared};
use crate::list::{Lister, Question};
use crate::objects::expiry;
use crate::record::container::{ContainerRow, SealState};
use crate::record::dropped::Dropped;
use crate::record::live;
use crate::row::change::change;
use crate::row::{Guard, Verdict};

/// Deletes a container if nothing lives in it; what has ended is removed first.
pub(crate) async fn delete(shared: &Arc<Shared>, id: &ContainerId) -> Result<()> {
    let container = find_now(shared, id).await?;
    // Most containers that aren't empty are found out without a seal.
    if !expiry::has_ended(shared, &container).await? {
        return Err(Error::NotEmpty);
    }
    expiry::clear(shared, &container).await?;
    let token = shared.new_seal();
    let decide = |predecessor: Option<&RowState>| match same(predecessor, container.row.objects) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(None) => Verdict::Leave(Err(Error::NotFound(Noun::Container))),
        // Somebody else is at it: both carry on under that seal.
        Ok(Some(row)) if row.seal.token().is_some() => Verdict::Leave(Ok(row)),
        Ok(Some(row)) => {
            let sealed = ContainerRow { seal: row.seal.sealed(token), ..row };
            Verdict::Write { value: sealed.to_value(), answer: sealed }
        }
    };
    let access = access(shared, id).await?;
    let marked = change(shared, &access, None, decide).await;
    shared.containers.forget(id);
    let row = marked?;
    let token = row.seal.token().unwrap_or(token);
    match carry_on(shared, id, row, token).await? {
        Ending::Deleted => Ok(()),
        Ending::Inhabited => Err(Error::NotEmpty),
    }
}

/// How a deletion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Deleted,
    Inhabited,
}

/// Finishes or undoes a deletion that somebody has begun.
pub(crate) async fn carry_on(
    shared: &Arc<Shared>,
    id: &ContainerId,
    row: ContainerRow,
    token: SealToken,
) -> Result<Ending> {
    let sealed = seal::seal(shared, &row.tables(), token, row.seal.lifted()).await?;
    let ending = if is_inhabited(shared, row.objects, sealed).await? {
        undo(shared, id, &row, token).await
    } else {
        finish(shared, id, &row, token).await
    };
    shared.containers.forget(id);
    ending
}

/// The row is opened first, and the seal lifted only if it is open:
/// lifting it after another has finished the deletion would let a write into a table that nobody reads.
async fn undo(
    shared: &Arc<Shared>,
    id: &ContainerId,
    row: &ContainerRow,
    token: SealToken,
) -> Result<Ending> {
    let decide = |predecessor: Option<&RowState>| match same(predecessor, row.objects) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(None) => Verdict::Leave(Ok(Ending::Deleted)),
        Ok(Some(present)) if present.seal.token() == Some(token) => {
            let seal = present.seal.opened();
            let value = ContainerRow { seal, ..present }.to_value();
            Verdict::Write { value, answer: Ending::Inhabited }
        }
        Ok(Some(_)) => Verdict::Leave(Ok(Ending::Inhabited)),
    };
    let ending = change(shared, &access(shared, id).await?, None, decide).await?;
    if ending == Ending::Inhabited {
        seal::lift(shared, &row.tables(), &[token]).await;
    }
    Ok(ending)
}

async fn finish(
    shared: &Arc<Shared>,
    id: &ContainerId,
    row: &ContainerRow,
    token: SealToken,
) -> Result<Ending> {
    let access = access(shared, id).await?;
    directory::release(shared, id).await?;
    let left = Dropped::Uploads {
        uploads: row.uploads,
        token,
        container: access.row.row.clone(),
        objects: row.objects,
    };
    note_dropped(shared, &left).await?;
    let decide = |predecessor: Option<&RowState>| match same(predecessor, row.objects) {
        Err(error) => Verdict::Leave(Err(error)),
        Ok(None) => Verdict::Leave(Ok(Ending::Deleted)),
        Ok(Some(present)) if present.seal.token() == Some(token) => {
            Verdict::Write { value: RowValue::Tombstone, answer: Ending::Deleted }
        }
        Ok(Some(_)) => Verdict::Leave(Ok(Ending::Inhabited)),
    };
    change(shared, &access, None, decide).await
}

/// Puts a table on the list of those to be cleared away.
pub(crate) async fn note_dropped(shared: &Arc<Shared>, dropped: &Dropped) -> Result<()> {
    let key = Bytes::copy_from_slice(dropped.table().as_bytes());
    let value = dropped.to_value();
    let decide = |predecessor: Option<&RowState>| match predecessor {
        Some(present) if present.value == value => Verdict::Leave(Ok(())),
        // An earlier attempt may have been undone: only the present seal counts.
        _ => Verdict::Write { value: value.clone(), answer: () },
    };
    change(shared, &Access::open(shared, DROPPED, key), None, decide).await
}

/// The container's row if it is the container that was looked at, not another of the same name.
pub(crate) fn same(state: Option<&RowState>, objects: TableId) -> Result<Option<ContainerRow>> {
    let row = live(state).map(ContainerRow::read).transpose()?;
    Ok(row.filter(|row| row.objects == objects))
}

async fn is_inhabited(shared: &Arc<Shared>, objects: TableId, sealed: Sealed) -> Result<bool> {
    // Delete markers count, and where there is no head there is no older version either.
    let all = Question::all(objects, Guard::None);
    let question = Question { expected: 1, sealed: Some(sealed), scope: Scope::All, ..all };
    Ok(Lister::new(shared, question).next().await?.is_some())
}

async fn access(shared: &Arc<Shared>, id: &ContainerId) -> Result<Access> {
    let table = account::containers_of(shared, &id.account).await?.ok_or(Error::NotFound(Noun::Container))?;
    Ok(Access::open(shared, table, row_key(id)))
}

/// Whether the row at `key` still is a live container with this table of uploads, sealed or not.
pub(crate) fn has_uploads(state: Option<&RowState>, uploads: TableId) -> Result<Option<SealState>> {
    let row = live(state).map(ContainerRow::read).transpose()?;
    Ok(row.filter(|row| row.uploads == uploads).map(|row| row.seal))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use martlet_model::{ContainerStore, ObjectStore};
    use martlet_protocol::{Accept, Prepare, Replica};
    use martlet_register::{Ballot, State};
    use martlet_testkit::conformance::steps::{create, new_object, object, put, unconditional};
    use martlet_testkit::{Faults, MemoryReplica, Reach};

    use super::*;
    use crate::ClusterStore;
    use crate::testing::{cluster, cluster_of_replicas};

    /// A deletion that got as far as the seal, and never was heard of again.
    async fn half_deleted(store: &ClusterStore, name: &str) -> ContainerId {
        let id = create(store, name).await;
        let shared = &store.shared;
        let container = find_now(shared, &id).await.unwrap();
        let token = shared.new_seal();
        let sealed = ContainerRow { seal: container.row.seal.sealed(token), ..container.row.clone() };
        let decide = |_: Option<&RowState>| Verdict::Write { value: sealed.to_value(), answer: () };
        change(shared, &access(shared, &id).await.unwrap(), None, decide).await.unwrap();
        seal::seal(shared, &sealed.tables(), token, &[]).await.unwrap();
        id
    }

    #[tokio::test]
    async fn whoever_meets_a_half_deleted_container_finishes_it() {
        let store = cluster();
        let id = half_deleted(&store, "half").await;
        // What this proxy remembers doesn't help a write: the table is sealed.
        let refused = store.put(&object(&id, "key"), new_object("x", unconditional())).await;
        assert!(matches!(refused, Err(Error::NotFound(Noun::Container))), "{refused:?}");
        create(&store, "half").await;
        put(&store, &object(&id, "key"), "x").await;
    }

    #[tokio::test]
    async fn whoever_meets_a_half_deleted_container_that_is_not_empty_undoes_it() {
        let store = cluster();
        let id = create(&store, "undone").await;
        put(&store, &object(&id, "key"), "x").await;
        half_deleted(&store, "undone").await;
        store.shared.containers.forget(&id);
        store.container(&id).await.unwrap();
        put(&store, &object(&id, "other"), "y").await;
        assert_eq!(store.usage(&id).await.unwrap().objects, 2);
        let refused = store.delete_container(&id).await;
        assert!(matches!(refused, Err(Error::NotEmpty)), "{refused:?}");
    }

    /// A write on its way to three replicas, carried by hand.
    struct Write(Accept);

    impl Write {
        async fn begin(store: &ClusterStore, id: &ContainerId, promising: &[&MemoryReplica]) -> Self {
            let shared = &store.shared;
            let container = find_now(shared, id).await.unwrap();
            let row = Access::within(shared, &container, container.row.objects, "key".into()).row;
            let ballot = shared.next_ballot(Ballot::ZERO);
            for replica in promising {
                replica.prepare(Prepare { row: row.clone(), ballot }).await.unwrap();
            }
            // What the value says doesn't matter: nobody reads it.
            let value = container.row.to_value();
            let state = State::first(ballot, Ballot::ZERO, value);
            Self(Accept { row, ballot, state, body: None, garbage: Vec::new(), seal: None })
        }

        async fn arrives_at(&self, replica: &MemoryReplica) -> bool {
            replica.accept(self.0.clone()).await.is_ok()
        }
    }

    /// One replica has the write and the seal, and answers late; one hasn't got either of them yet, and says so.
    #[tokio::test(start_paused = true)]
    async fn a_write_that_passes_the_seal_on_a_slow_writer_keeps_the_container() {
        for roles in [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0], [1, 0, 2]] {
            let (store, replicas) = cluster_of_replicas();
            let [late, sealed, hanging] = roles.map(|index: usize| &replicas[index]);
            let id = create(&store, "raced").await;
            store.idle().await;
            let write = Write::begin(&store, &id, &[late, sealed, hanging]).await;
            late.set_faults(Faults::reaching(Reach::Slow(Duration::from_millis(120))));
            hanging.set_faults(Faults { writes_hang: true, ..Faults::NONE });
            assert!(write.arrives_at(late).await);
            let deleted = store.delete_container(&id).await;
            assert!(!write.arrives_at(sealed).await, "{roles:?}: it is sealed");
            hanging.set_faults(Faults::NONE);
            let is_acknowledged = write.arrives_at(hanging).await;
            assert!(!(deleted.is_ok() && is_acknowledged), "{roles:?}: an acknowledged write is lost");
        }
    }
}

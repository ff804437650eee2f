//! One key's older versions: kept, found, and removed so that nobody who is late can bring one back.
//!
//! What makes this safe is `docs/decisions/0009-older-versions-are-rows.md`.

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{Result, VersionId};
use martlet_protocol::{RowState, RowValue, Scope};
use martlet_register::Ballot;

use super::head::Head;
use crate::cluster::Shared;
use crate::container::cache::Container;
use crate::list::{Found, Lister, Question};
use crate::record::live;
use crate::record::object::{ObjectRow, StoredVersion, archived};
use crate::record::version::{History, Place};
use crate::row::change::{Placed, Seen, change, write_under};
use crate::row::read::{Depth, read, read_value};
use crate::row::{Access, Verdict};

/// A key of a container, as changes of its versions need it.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) shared: Arc<Shared>,
    pub(crate) container: Arc<Container>,
    pub(crate) key: Bytes,
}

/// What is to be done with a version's row, once the change of the head that asked for it is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Nothing,
    /// These were removed. The head has noted it, so that anybody can do it.
    Bury(Place),
    /// This is the head now. `promoted` is the ballot of that change.
    ClearShadow {
        place: Place,
        promoted: Ballot,
    },
}

/// An older version.
pub(crate) struct Older {
    pub(crate) place: Place,
    pub(crate) version: StoredVersion,
    pub(crate) change: Ballot,
}

impl Keeper {
    pub(crate) fn head(&self) -> Access {
        Access::within(&self.shared, &self.container, self.container.row.objects, self.key.clone())
    }

    pub(crate) fn older(&self, place: Place) -> Access {
        let versions = self.container.row.versions();
        Access::within(&self.shared, &self.container, versions, place.row_key(&self.key))
    }

    /// Stores the head as an older version, under the ballot of the change that is going to replace it:
    /// it never appears where that change's predecessor has been removed meanwhile. `Some`: decide again.
    pub(super) async fn archive(&self, seen: &Seen<'_>, head: &Head) -> Result<Option<Ballot>> {
        if !seen.is_chosen {
            return Ok(Some(seen.ballot));
        }
        let access = self.older(head.place());
        match write_under(&self.shared, &access, seen.ballot, &archived(head.version.clone())).await? {
            Placed::Done => Ok(None),
            Placed::Late { above } => Ok(Some(above)),
        }
    }

    /// Sees to it that none of the removed versions can appear any more, and forgets that they were removed.
    /// `Some`: decide again.
    pub(super) async fn settle(&self, seen: &Seen<'_>, history: &mut History) -> Result<Option<Ballot>> {
        if history.removing.is_empty() {
            return Ok(None);
        }
        if !seen.is_chosen {
            return Ok(Some(seen.ballot));
        }
        for place in std::mem::take(&mut history.removing) {
            let state = read_value(&self.shared, &self.older(place)).await?;
            let is_fenced = state.is_some_and(|state| !state.value.is_live() && seen.accepted < state.change);
            if !is_fenced {
                self.bury(place).await?;
            }
        }
        Ok(None)
    }

    pub(super) async fn follow_up(&self, afterwards: Afterwards) {
        let outcome = match afterwards {
            Afterwards::Nothing => Ok(()),
            Afterwards::Bury(place) => self.bury(place).await,
            // Where it comes late, the version is an older one again, or will be removed for good.
            Afterwards::ClearShadow { place, promoted } => {
                let tombstone = RowValue::Tombstone;
                write_under(&self.shared, &self.older(place), promoted, &tombstone).await.map(drop)
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a removed version's row is left to the next change of its key");
        }
    }

    /// Writes a tombstone that stands above everything that a change of the head can have written up to now.
    pub(crate) async fn bury(&self, place: Place) -> Result<()> {
        let decide = |_: Option<&RowState>| Verdict::Write { value: RowValue::Tombstone, answer: () };
        change(&self.shared, &self.older(place), None, decide).await
    }

    /// The older version at this place, if it is there.
    pub(super) async fn find(&self, place: Place) -> Result<Option<Older>> {
        self.find_with(place, Depth::Value).await.map(|found| found.map(|(older, _)| older))
    }

    /// The same, with the bytes where they come along.
    pub(super) async fn find_with(
        &self,
        place: Place,
        depth: Depth,
    ) -> Result<Option<(Older, Option<Bytes>)>> {
        let found = read(&self.shared, &self.older(place), depth).await?;
        let Some(state) = &found.state else { return Ok(None) };
        let Some(live) = live(Some(state)) else { return Ok(None) };
        let version = ObjectRow::read(live)?.version;
        Ok(Some((Older { place, version, change: state.change }, found.body)))
    }

    /// The newest version below the head.
    pub(super) async fn newest_below(&self, history: &History) -> Result<Option<Older>> {
        let from = Place { order: history.order, id: VersionId::Null };
        let mut lister = self.lister(from, 2);
        while history.may_have_older() {
            let Some(Found::Row { key, .. }) = lister.next().await? else { break };
            let (_, place) = Place::of_row_key(&key)?;
            let older = if history.has(place) { self.find(place).await? } else { None };
            if older.is_some() {
                return Ok(older);
            }
        }
        Ok(None)
    }

    /// The rows of versions after this place, the newest first; also of such that the head doesn't have.
    pub(super) fn lister(&self, from: Place, expected: usize) -> Lister {
        let versions = self.container.row.versions();
        let prefix = Place::prefix(&self.key);
        let hash = self.head().row.hash;
        let question = Question {
            partition: Some(self.shared.ring.partition_of(hash)),
            prefix,
            after: Some(from.row_key(&self.key)),
            expected,
            scope: Scope::All,
            ..Question::all(versions, self.container.guard())
        };
        Lister::new(&self.shared, question)
    }
}

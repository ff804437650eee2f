//! What a register holds, and how a writer recognises its own change in it.

use crate::Ballot;

/// What a register holds.
///
/// Cloned as it travels, so `V` should be cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State<V> {
    /// The ballot under which this change was first proposed: its identity.
    /// It stays the same when the state is proposed again under a higher ballot.
    pub change: Ballot,
    pub ancestors: Ancestors,
    pub value: V,
}

/// A state, and the latest ballot under which a replica accepted it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Accepted<V> {
    pub ballot: Ballot,
    pub state: State<V>,
}

impl<V> State<V> {
    /// The first state of a register. `forgotten` is the highest tombstone that any of the replicas
    /// which found nothing may have dropped: what was before it can't be known.
    #[must_use]
    pub fn first(change: Ballot, forgotten: Ballot, value: V) -> Self {
        Self { change, ancestors: Ancestors::none(forgotten), value }
    }

    /// The state that `change` makes of this one.
    #[must_use]
    pub fn successor(&self, change: Ballot, value: V) -> Self {
        Self { change, ancestors: self.ancestors.followed_by(self.change), value }
    }

    /// Whether `change` made this state or one that it descends from.
    pub fn descent_from(&self, change: Ballot) -> Descent {
        if self.change == change { Descent::Included } else { self.ancestors.descent_from(change) }
    }
}

/// Whether a change is part of a lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Descent {
    Included,
    Excluded,
    /// It may be among those that were truncated or forgotten.
    Unknown,
}

/// How many ancestors a state names. A writer that lost an answer can learn its fate
/// as long as fewer changes than this came after its own.
pub const ANCESTORS_MAX: usize = 8;

/// The changes that a state descends from, newest first.
///
/// - At most [`ANCESTORS_MAX`], strictly descending, all above the horizon.
/// - The lineage is exact above the horizon and unknown at and below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ancestors {
    /// Filled with [`Ballot::ZERO`] from `count` on, so that equal lineages are equal values.
    changes: [Ballot; ANCESTORS_MAX],
    count: usize,
    horizon: Ballot,
}

/// A lineage that no proposer makes: too long, not descending, or not above its horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lineage must be at most {ANCESTORS_MAX} changes, strictly descending, all above its horizon")]
pub struct BrokenLineage;

impl Ancestors {
    /// No ancestors above `horizon`.
    pub const fn none(horizon: Ballot) -> Self {
        Self { changes: [Ballot::ZERO; ANCESTORS_MAX], count: 0, horizon }
    }

    /// Reads a lineage back from its parts, `newest_first`, as they were stored or sent.
    pub fn from_parts(horizon: Ballot, newest_first: &[Ballot]) -> Result<Self, BrokenLineage> {
        let descending = newest_first.is_sorted_by(|newer, older| older < newer);
        let above = newest_first.last().is_none_or(|oldest| horizon < *oldest);
        let mut ancestors = Self::none(horizon);
        match ancestors.changes.get_mut(..newest_first.len()) {
            Some(room) if descending && above => room.copy_from_slice(newest_first),
            _ => return Err(BrokenLineage),
        }
        ancestors.count = newest_first.len();
        Ok(ancestors)
    }

    pub fn newest_first(&self) -> &[Ballot] {
        &self.changes[..self.count]
    }

    /// What happened at and below this ballot isn't known: older changes were truncated, or forgotten with a tombstone.
    pub const fn horizon(&self) -> Ballot {
        self.horizon
    }

    /// Whether the lineage reaches the birth of the register.
    pub fn is_complete(&self) -> bool {
        self.horizon == Ballot::ZERO
    }

    fn descent_from(&self, change: Ballot) -> Descent {
        if self.newest_first().contains(&change) {
            Descent::Included
        } else if change <= self.horizon {
            Descent::Unknown
        } else {
            Descent::Excluded
        }
    }

    /// This lineage with `change` as the newest; the oldest falls below the horizon when there is no room.
    fn followed_by(&self, change: Ballot) -> Self {
        let kept = self.count.min(ANCESTORS_MAX - 1);
        let mut longer = Self::none(self.newest_first().get(kept).copied().unwrap_or(self.horizon));
        longer.changes[0] = change;
        longer.changes[1..=kept].copy_from_slice(&self.changes[..kept]);
        longer.count = kept + 1;
        longer
    }
}

//! How many replicas are enough.

/// How many replicas a row may have, counting both sets while a partition moves.
pub const REPLICAS_MAX: usize = 32;

/// A set of replicas, by their index in the row's replica list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReplicaSet(u32);

impl ReplicaSet {
    pub const EMPTY: Self = Self(0);

    /// The replicas `0..count`.
    ///
    /// # Panics
    /// If `count` is above [`REPLICAS_MAX`].
    pub const fn first(count: usize) -> Self {
        assert!(count <= REPLICAS_MAX, "too many replicas");
        if count == REPLICAS_MAX { Self(u32::MAX) } else { Self((1 << count) - 1) }
    }

    /// # Panics
    /// If `replica` isn't below [`REPLICAS_MAX`].
    #[must_use]
    pub const fn with(self, replica: usize) -> Self {
        assert!(replica < REPLICAS_MAX, "no such replica");
        Self(self.0 | 1 << replica)
    }

    pub const fn contains(self, replica: usize) -> bool {
        replica < REPLICAS_MAX && self.0 & (1 << replica) != 0
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Ascending.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..REPLICAS_MAX).filter(move |replica| self.contains(*replica))
    }

    const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<usize> for ReplicaSet {
    fn from_iter<I: IntoIterator<Item = usize>>(replicas: I) -> Self {
        replicas.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// Which replicas must agree: a majority of the row's replicas,
/// and while a partition moves, a majority of the old set and a majority of the new one.
///
/// Any two sets that meet the same quorum have a replica in common; so have one that meets
/// a joint quorum and one that meets the plain quorum of either of its sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quorum {
    old: ReplicaSet,
    /// The same as `old` unless the partition moves.
    new: ReplicaSet,
}

impl Quorum {
    /// A majority of the replicas `0..replica_count`.
    ///
    /// # Panics
    /// If there is no replica, or more than [`REPLICAS_MAX`].
    pub const fn majority(replica_count: usize) -> Self {
        Self::joint(ReplicaSet::first(replica_count), ReplicaSet::first(replica_count))
    }

    /// A majority of both sets, which may overlap.
    ///
    /// # Panics
    /// If either set is empty.
    pub const fn joint(old: ReplicaSet, new: ReplicaSet) -> Self {
        assert!(!old.is_empty() && !new.is_empty(), "a quorum of nobody");
        Self { old, new }
    }

    /// Everybody who may be asked.
    pub const fn replicas(&self) -> ReplicaSet {
        self.old.and(self.new)
    }

    pub const fn is_met_by(&self, agreeing: ReplicaSet) -> bool {
        is_majority(agreeing, self.old) && is_majority(agreeing, self.new)
    }

    /// Whether it can still be met when these have dropped out.
    pub const fn survives(&self, lost: ReplicaSet) -> bool {
        self.is_met_by(self.replicas().without(lost))
    }
}

const fn is_majority(agreeing: ReplicaSet, of: ReplicaSet) -> bool {
    of.count() < 2 * agreeing.common(of).count()
}

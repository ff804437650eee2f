//! The decisions of a replica, from what it knows of one row.

use crate::Ballot;

/// What a replica knows of one row when it decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    /// The height of the partition's [`Floor`].
    pub floor: Ballot,
    /// The highest promise that it remembers. It may be dropped, without raising the floor,
    /// once something has been accepted at or above it.
    pub promised: Option<Ballot>,
    /// The ballot of the accepted state on disk.
    pub accepted: Option<Ballot>,
}

/// The request's ballot is too low; one above `seen` isn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    pub seen: Ballot,
}

impl Standing {
    /// Whether to promise `ballot`: only above everything that was promised, accepted or forgotten.
    pub fn prepare(&self, ballot: Ballot) -> Result<(), Refused> {
        let seen = self.highest();
        if seen < ballot { Ok(()) } else { Err(Refused { seen }) }
    }

    /// Whether to accept a state under `ballot`: not below a promise or what was accepted, and above the floor.
    /// Its earlier self is accepted again: one ballot proposes one state, so a repeated request changes nothing.
    pub fn accept(&self, ballot: Ballot) -> Result<(), Refused> {
        let seen = self.highest();
        let allowed = self.floor < ballot && seen <= ballot;
        if allowed || self.accepted == Some(ballot) { Ok(()) } else { Err(Refused { seen }) }
    }

    fn highest(&self) -> Ballot {
        // `None` is below every `Some`.
        Some(self.floor).max(self.promised).max(self.accepted).unwrap_or_default()
    }
}

/// Ballots at or below it are refused for every row of a partition:
/// there may have been promises or tombstones at these ballots that the replica no longer remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Floor {
    /// The highest tombstone dropped from disk. Persisted in the transaction that drops it.
    forgotten: Ballot,
    /// The highest promise that may have been dropped from memory. Not persisted: the [`PromiseBound`] covers it.
    evicted: Ballot,
}

impl Floor {
    /// The floor of a replica that starts, from the two ballots that it persisted.
    pub const fn after_restart(forgotten: Ballot, bound: PromiseBound) -> Self {
        Self { forgotten, evicted: bound.persisted() }
    }

    pub fn height(&self) -> Ballot {
        self.forgotten.max(self.evicted)
    }

    /// The highest tombstone that was forgotten: goes along with every promise, see [`crate::Reply::Promised`].
    pub const fn forgotten(&self) -> Ballot {
        self.forgotten
    }

    /// A promise of `ballot` is dropped from memory before anything was accepted at or above it.
    pub fn evict_promise(&mut self, ballot: Ballot) {
        self.evicted = self.evicted.max(ballot);
    }

    /// A tombstone accepted at `ballot` is dropped from disk.
    ///
    /// Only allowed once *every* replica of the row has been seen to hold it at this ballot:
    /// else a replica that still holds what was deleted could bring it back.
    pub fn forget_tombstone(&mut self, ballot: Ballot) {
        self.forgotten = self.forgotten.max(ballot);
    }
}

/// How far the bound is put ahead of the wall clock and of the ballot to promise.
/// Half of it is how often an active replica persists one: about once a second.
pub const PROMISE_AHEAD_MICROS: u64 = 2_000_000;

/// The persisted upper bound of the ballots that a replica may promise.
///
/// A promise needs no disk write of its own, because after a restart everything at or below the bound is refused,
/// which keeps every promise that may have been made. One bound serves all rows of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PromiseBound {
    persisted: Ballot,
}

impl PromiseBound {
    /// `persisted` is what is durable on disk *now*; [`Ballot::ZERO`] on a fresh device.
    pub const fn new(persisted: Ballot) -> Self {
        Self { persisted }
    }

    pub const fn persisted(self) -> Ballot {
        self.persisted
    }

    /// Whether `ballot` may be promised now. If not, [`PromiseBound::next`] must be durable first.
    pub fn covers(self, ballot: Ballot) -> bool {
        ballot <= self.persisted
    }

    /// Whether it is time to persist the next bound ahead of need, so that no prepare has to wait for it.
    pub const fn is_due(self, now_micros: u64) -> bool {
        self.persisted.time < now_micros.saturating_add(PROMISE_AHEAD_MICROS / 2)
    }

    /// The bound to persist before `ballot` is promised. Never below this one.
    #[must_use]
    pub fn next(self, ballot: Ballot, now_micros: u64) -> Self {
        let time = now_micros.min(crate::WALL_TIME_MICROS_MAX).max(ballot.time);
        let ahead = Ballot::last_of(time.saturating_add(PROMISE_AHEAD_MICROS));
        Self { persisted: self.persisted.max(ahead) }
    }
}

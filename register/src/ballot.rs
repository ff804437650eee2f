//! What orders the writes of one row.

/// One run of one proxy: random, drawn anew at every start, so that no two runs ever make the same ballot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposerId(pub u64);

/// Orders the writes of one row.
///
/// Unique: `proposer` names one run of one proxy, and `time` strictly increases within it.
/// Safety rests on uniqueness and order alone; how `time` relates to the time of day only matters for liveness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// Hybrid logical time in microseconds.
    pub time: u64,
    pub proposer: ProposerId,
}

impl Ballot {
    /// Below every ballot that a [`BallotClock`] makes.
    pub const ZERO: Self = Self { time: 0, proposer: ProposerId(0) };

    /// The highest ballot of a moment: every ballot with this time or an earlier one is at or below it.
    pub const fn last_of(time: u64) -> Self {
        Self { time, proposer: ProposerId(u64::MAX) }
    }
}

/// Readings of the wall clock above this (the year 148,000) count as this,
/// so that no broken clock can use up the ballots: a register could never be written again.
pub const WALL_TIME_MICROS_MAX: u64 = 1 << 62;

/// A hybrid logical clock: follows the wall clock, and never goes back when that does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BallotClock {
    proposer: ProposerId,
    latest_time: u64,
}

impl BallotClock {
    pub const fn new(proposer: ProposerId) -> Self {
        Self { proposer, latest_time: 0 }
    }

    pub const fn proposer(&self) -> ProposerId {
        self.proposer
    }

    /// A ballot above `above`, and above every earlier one of this clock.
    ///
    /// # Panics
    /// If `above` is at the very end of time, where no further ballot would be unique.
    /// Wall clocks are cut off so far below it that only a corrupted ballot can be there.
    pub fn next(&mut self, now_micros: u64, above: Ballot) -> Ballot {
        let after = self.latest_time.max(above.time).checked_add(1).expect("a ballot before the end of time");
        self.latest_time = after.max(now_micros.min(WALL_TIME_MICROS_MAX));
        Ballot { time: self.latest_time, proposer: self.proposer }
    }
}

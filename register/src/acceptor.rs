//! A whole replica of one row, in memory: what the storage node does with its disk, for checkers and test doubles.

use crate::{Accepted, Ballot, Floor, PromiseBound, ReadReply, Refused, Reply, Standing, State};

/// What survives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Durable<V> {
    pub accepted: Option<Accepted<V>>,
    /// The highest tombstone dropped from disk.
    pub forgotten: Ballot,
    pub bound: PromiseBound,
}

/// One replica of one row. Fields are public so that a test can damage them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acceptor<V> {
    pub durable: Durable<V>,
    pub floor: Floor,
    pub promised: Option<Ballot>,
}

impl<V> Default for Acceptor<V> {
    fn default() -> Self {
        Self::start(Durable { accepted: None, forgotten: Ballot::ZERO, bound: PromiseBound::default() })
    }
}

impl<V> Acceptor<V> {
    /// A replica that comes up with what its disk holds.
    pub fn start(durable: Durable<V>) -> Self {
        let floor = Floor::after_restart(durable.forgotten, durable.bound);
        Self { durable, floor, promised: None }
    }

    pub fn standing(&self) -> Standing {
        Standing { floor: self.floor.height(), promised: self.promised, accepted: self.accepted_ballot() }
    }

    /// Loses what is only in memory.
    pub fn restart(&mut self) {
        self.floor = Floor::after_restart(self.durable.forgotten, self.durable.bound);
        self.promised = None;
    }

    pub fn prepare(&mut self, ballot: Ballot, now_micros: u64) -> Reply<V>
    where
        V: Clone,
    {
        if let Err(Refused { seen }) = self.standing().prepare(ballot) {
            return Reply::Refused { seen };
        }
        if !self.durable.bound.covers(ballot) {
            self.durable.bound = self.durable.bound.next(ballot, now_micros);
        }
        self.promised = Some(ballot);
        Reply::Promised { accepted: self.durable.accepted.clone(), forgotten: self.floor.forgotten() }
    }

    pub fn accept(&mut self, ballot: Ballot, state: State<V>) -> Reply<V> {
        if let Err(Refused { seen }) = self.standing().accept(ballot) {
            return Reply::Refused { seen };
        }
        if self.accepted_ballot() != Some(ballot) {
            self.durable.accepted = Some(Accepted { ballot, state });
        }
        // Now the accepted ballot refuses whatever the promise refused.
        if self.promised <= Some(ballot) {
            self.promised = None;
        }
        Reply::Accepted
    }

    /// Answers a fast read with everything.
    pub fn read_value(&self) -> ReadReply<V>
    where
        V: Clone,
    {
        ReadReply::Value { accepted: self.durable.accepted.clone() }
    }

    /// Answers a fast read with the ballot alone.
    pub fn read_ballot(&self) -> ReadReply<V> {
        ReadReply::Ballot { accepted: self.accepted_ballot() }
    }

    /// Drops the promise from memory, to make room.
    pub fn evict_promise(&mut self) {
        if let Some(ballot) = self.promised.take() {
            self.floor.evict_promise(ballot);
        }
    }

    /// Drops a tombstone from disk, if it is still the one accepted at `ballot`.
    /// See [`Floor::forget_tombstone`] for when this is allowed.
    pub fn forget_tombstone(&mut self, ballot: Ballot) {
        if self.accepted_ballot() == Some(ballot) {
            self.durable.accepted = None;
            self.floor.forget_tombstone(ballot);
            self.durable.forgotten = self.floor.forgotten();
        }
    }

    fn accepted_ballot(&self) -> Option<Ballot> {
        self.durable.accepted.as_ref().map(|accepted| accepted.ballot)
    }
}

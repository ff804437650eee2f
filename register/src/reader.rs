//! The fast read: one round, no promise, no write.

use crate::{Accepted, Ballot, Quorum, ReplicaSet, State};

/// What a replica answered to a read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadReply<V> {
    /// It was asked for everything.
    Value { accepted: Option<Accepted<V>> },
    /// It was asked for the ballot alone.
    Ballot { accepted: Option<Ballot> },
    /// It timed out, can't be reached, or can't answer.
    Failed,
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReadStep<V> {
    /// Await the next reply, or the timeout.
    Wait,
    /// Ask these replicas too, for their ballots.
    Ask { replicas: ReplicaSet },
    /// The state under `ballot` is chosen, but nobody who holds it has sent it: ask this replica for the value.
    FetchValue { from: usize, ballot: Ballot },
    /// The register's latest state, at a moment during this read.
    Chosen(Option<State<V>>),
    /// The replicas differ: run a [`crate::Proposer`] that decides [`crate::Decision::Keep`].
    Resolve,
    /// Too few replicas can answer.
    Unavailable,
}

/// A fast read of one register: a pure state machine.
///
/// What a quorum holds under *one* ballot is chosen. The highest ballot among several is no answer: it may never be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reader<V> {
    quorum: Quorum,
    asked: ReplicaSet,
    answered: ReplicaSet,
    failed: ReplicaSet,
    answers: Vec<Answer<V>>,
    fetching: Option<usize>,
    finished: bool,
}

/// The latest answer of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Answer<V> {
    from: usize,
    ballot: Option<Ballot>,
    state: Option<State<V>>,
}

impl<V: Clone> Reader<V> {
    /// A read for which these replicas are being asked: one for its value, the others for their ballots.
    pub fn start(quorum: Quorum, asked: ReplicaSet) -> Self {
        Self {
            quorum,
            asked,
            answered: ReplicaSet::EMPTY,
            failed: ReplicaSet::EMPTY,
            answers: Vec::with_capacity(quorum.replicas().count()),
            fetching: None,
            finished: false,
        }
    }

    /// Takes what the replica with this index answered. Late, repeated and unasked replies change nothing.
    pub fn on_reply(&mut self, from: usize, reply: ReadReply<V>) -> ReadStep<V> {
        let fetched = self.fetching == Some(from) && !matches!(reply, ReadReply::Ballot { .. });
        let first = self.asked.contains(from) && !self.answered.and(self.failed).contains(from);
        if self.finished || !self.quorum.replicas().contains(from) || !(first || fetched) {
            return ReadStep::Wait;
        }
        if fetched {
            self.fetching = None;
        }
        match reply {
            ReadReply::Value { accepted } => {
                let (ballot, state) = accepted.map(|accepted| (accepted.ballot, accepted.state)).unzip();
                self.record(Answer { from, ballot, state });
            }
            ReadReply::Ballot { accepted } => self.record(Answer { from, ballot: accepted, state: None }),
            ReadReply::Failed => self.fail(from),
        }
        self.advance()
    }

    /// Counts every replica that hasn't answered as failed.
    pub fn on_timeout(&mut self) -> ReadStep<V> {
        if self.finished {
            return ReadStep::Wait;
        }
        for replica in self.asked.without(self.answered).iter().chain(self.fetching.take()) {
            self.fail(replica);
        }
        self.advance()
    }

    fn record(&mut self, answer: Answer<V>) {
        self.answered = self.answered.with(answer.from);
        self.answers.retain(|earlier| earlier.from != answer.from);
        self.answers.push(answer);
    }

    fn fail(&mut self, replica: usize) {
        self.failed = self.failed.with(replica);
        self.answered = self.answered.without(ReplicaSet::EMPTY.with(replica));
        self.answers.retain(|earlier| earlier.from != replica);
    }

    fn advance(&mut self) -> ReadStep<V> {
        if self.fetching.is_some() {
            return ReadStep::Wait;
        }
        if !self.quorum.survives(self.failed) {
            return self.finish(ReadStep::Unavailable);
        }
        let silent = self.asked.without(self.answered.and(self.failed));
        let unasked = self.quorum.replicas().without(self.asked);
        if let Some(agreed) = self.agreed_with(ReplicaSet::EMPTY).map(|answer| answer.ballot) {
            return self.answer(agreed);
        }
        if self.agreed_with(silent).is_some() || self.quorum.is_met_by(silent) {
            return ReadStep::Wait;
        }
        if self.agreed_with(silent.and(unasked)).is_some() || !self.quorum.is_met_by(self.answered) {
            if unasked.is_empty() {
                return ReadStep::Wait;
            }
            self.asked = self.asked.and(unasked);
            return ReadStep::Ask { replicas: unasked };
        }
        self.finish(ReadStep::Resolve)
    }

    /// An answer that a quorum agrees with, if these replicas hold the same ballot.
    fn agreed_with(&self, others: ReplicaSet) -> Option<&Answer<V>> {
        self.answers.iter().find(|answer| self.quorum.is_met_by(self.holders(answer.ballot).and(others)))
    }

    fn holders(&self, ballot: Option<Ballot>) -> ReplicaSet {
        self.answers.iter().filter(|answer| answer.ballot == ballot).map(|answer| answer.from).collect()
    }

    /// A quorum holds this ballot.
    fn answer(&mut self, agreed: Option<Ballot>) -> ReadStep<V> {
        let Some(ballot) = agreed else { return self.finish(ReadStep::Chosen(None)) };
        let mut holders = self.answers.iter().filter(|answer| answer.ballot == agreed);
        if let Some(state) = holders.clone().find_map(|answer| answer.state.clone()) {
            return self.finish(ReadStep::Chosen(Some(state)));
        }
        match holders.next().map(|answer| answer.from) {
            Some(from) => {
                self.fetching = Some(from);
                ReadStep::FetchValue { from, ballot }
            }
            None => self.finish(ReadStep::Resolve),
        }
    }

    fn finish(&mut self, step: ReadStep<V>) -> ReadStep<V> {
        self.finished = true;
        step
    }
}

//! A change of one register, from the first prepare to the answer.

use crate::{Accepted, Ballot, Descent, Quorum, ReplicaSet, State};

/// How many ballots a proposer tries, the first one included, before it gives up.
/// Under contention the caller should wait a random, growing time before each retry.
pub const ROUNDS_MAX: u32 = 16;

/// What a reply answers. A reply to anything but the present request is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    Prepare(Ballot),
    Accept(Ballot),
}

/// What a replica answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply<V> {
    Promised {
        accepted: Option<Accepted<V>>,
        /// The highest tombstone that the replica has forgotten in this partition: [`crate::Floor::forgotten`].
        forgotten: Ballot,
    },
    /// Durably.
    Accepted,
    /// The ballot is too low.
    Refused { seen: Ballot },
    /// It timed out, can't be reached, or refuses for a reason other than the ballot.
    /// The request may have been carried out all the same.
    Failed,
}

/// What the caller decides on a predecessor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Decision<V> {
    Change(V),
    /// Nothing changes: a condition failed, or this is a read.
    /// The predecessor is accepted again unless it is already known to be chosen, so that the answer holds.
    Keep,
}

/// What the caller does next. Every message goes to all replicas of the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step<V> {
    /// Await the next reply, or the timeout.
    Wait,
    /// Send a prepare.
    Prepare {
        ballot: Ballot,
    },
    /// Call [`Proposer::decide`]. It may be asked several times, on different predecessors; the last answer counts.
    Decide {
        predecessor: Option<State<V>>,
    },
    /// Send an accept.
    Accept {
        ballot: Ballot,
        state: State<V>,
    },
    /// Call [`Proposer::retry`] with a ballot above this one, soon.
    Retry {
        above: Ballot,
    },
    Done(Outcome<V>),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome<V> {
    /// This proposer's change was chosen. The state is its own; others may have followed it.
    Chosen(State<V>),
    /// Nothing of this proposer's was or will be chosen. The predecessor that was decided on is:
    /// it was the register's latest state at a moment during this operation.
    Kept(Option<State<V>>),
    /// Too few replicas answered, or others were faster too often. Nothing of this proposer's was or will be chosen.
    Unavailable,
    /// A change was sent out, and whether it was or will be chosen can't be learnt.
    Unknown,
}

/// One mutation of one register: a pure state machine.
///
/// ```text
/// Preparing ──quorum──► Deciding ──decide──► Accepting ──quorum──► Finished
///     ▲    └─quorum, and one of ours is in the lineage─►┘ │
///     └──retry── Waiting ◄────────── refused ─────────────┘
/// ```
///
/// Whatever changes it has ever sent out are its *candidates*. At most one of them can ever be chosen:
/// a new one is only made on a predecessor that doesn't descend from any of the former.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposer<V> {
    quorum: Quorum,
    ballot: Ballot,
    rounds: u32,
    phase: Phase<V>,
    answers: Answers,
    candidates: Vec<Candidate<V>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase<V> {
    Preparing(Promises<V>),
    Deciding(Promises<V>),
    Accepting { state: State<V>, goal: Goal },
    Waiting,
    Finished,
}

/// What is answered once the accepted state is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Goal {
    /// The candidate with this index is chosen.
    Candidate(usize),
    Keep,
}

/// A change of ours that has been sent out, and what it was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Candidate<V> {
    predecessor: Option<Ballot>,
    state: State<V>,
}

impl<V: Clone> Proposer<V> {
    /// Begins with a prepare under `ballot`.
    pub fn start(quorum: Quorum, ballot: Ballot) -> (Self, Step<V>) {
        let mut proposer = Self {
            quorum,
            ballot,
            rounds: 0,
            phase: Phase::Waiting,
            answers: Answers::default(),
            candidates: Vec::new(),
        };
        let step = proposer.prepare(ballot);
        (proposer, step)
    }

    /// The ballot of the present round.
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// Whether this replica's reply to this request would still be heard.
    pub fn awaits(&self, from: usize, asked: Asked) -> bool {
        let present = match self.phase {
            Phase::Preparing(_) => Asked::Prepare(self.ballot),
            Phase::Accepting { .. } => Asked::Accept(self.ballot),
            Phase::Deciding(_) | Phase::Waiting | Phase::Finished => return false,
        };
        asked == present && self.quorum.replicas().contains(from) && !self.answers.all().contains(from)
    }

    /// Takes what the replica with this index answered. Late, repeated and unasked replies change nothing.
    pub fn on_reply(&mut self, from: usize, asked: Asked, reply: Reply<V>) -> Step<V> {
        if !self.awaits(from, asked) {
            return Step::Wait;
        }
        match (&mut self.phase, reply) {
            (_, Reply::Refused { seen }) => self.answers.refuse(from, seen),
            (_, Reply::Failed) => self.answers.fail(from),
            (Phase::Preparing(promises), Reply::Promised { accepted, forgotten }) => {
                promises.add(from, accepted, forgotten);
                self.answers.agree(from);
            }
            (Phase::Accepting { .. }, Reply::Accepted) => self.answers.agree(from),
            _ => return Step::Wait,
        }
        self.advance()
    }

    /// Counts every replica that hasn't answered the present request as failed.
    pub fn on_timeout(&mut self) -> Step<V> {
        if matches!(self.phase, Phase::Preparing(_) | Phase::Accepting { .. }) {
            self.answers.failed =
                self.quorum.replicas().without(self.answers.agreed.and(self.answers.refused));
            self.advance()
        } else {
            Step::Wait
        }
    }

    /// Answers [`Step::Decide`].
    pub fn decide(&mut self, decision: Decision<V>) -> Step<V> {
        let Phase::Deciding(promises) = &self.phase else { return Step::Wait };
        let settled = promises.settled(self.quorum);
        let forgotten = promises.forgotten;
        let predecessor = promises.predecessor().cloned();
        match (decision, predecessor) {
            (Decision::Change(value), predecessor) => self.propose(predecessor.as_ref(), forgotten, value),
            // A candidate may still be adopted from a minority, and there is nothing to accept above it.
            (Decision::Keep, None) if !self.candidates.is_empty() => self.finish(Outcome::Unknown),
            (Decision::Keep, None) => self.finish(Outcome::Kept(None)),
            // With candidates about, only an accept above them buries them.
            (Decision::Keep, Some(state)) if settled && self.candidates.is_empty() => {
                self.finish(Outcome::Kept(Some(state)))
            }
            (Decision::Keep, Some(state)) => self.accept(state, Goal::Keep),
        }
    }

    /// Answers [`Step::Retry`]. A ballot that is too low is asked for again.
    pub fn retry(&mut self, ballot: Ballot) -> Step<V> {
        let above = self.ballot.max(self.answers.seen);
        match self.phase {
            Phase::Waiting if above < ballot => self.prepare(ballot),
            Phase::Waiting => Step::Retry { above },
            _ => Step::Wait,
        }
    }

    /// Ends it, because the caller's time is up.
    pub fn give_up(&mut self) -> Outcome<V> {
        self.phase = Phase::Finished;
        if self.candidates.is_empty() { Outcome::Unavailable } else { Outcome::Unknown }
    }

    fn prepare(&mut self, ballot: Ballot) -> Step<V> {
        self.ballot = ballot;
        self.rounds += 1;
        self.answers = Answers { seen: ballot, ..Answers::default() };
        self.phase = Phase::Preparing(Promises::default());
        Step::Prepare { ballot }
    }

    fn accept(&mut self, state: State<V>, goal: Goal) -> Step<V> {
        self.answers = Answers { seen: self.answers.seen, ..Answers::default() };
        self.phase = Phase::Accepting { state: state.clone(), goal };
        Step::Accept { ballot: self.ballot, state }
    }

    fn finish(&mut self, outcome: Outcome<V>) -> Step<V> {
        self.phase = Phase::Finished;
        Step::Done(outcome)
    }

    /// Goes on if enough replicas agreed, or if enough can't any more.
    fn advance(&mut self) -> Step<V> {
        if self.quorum.is_met_by(self.answers.agreed) {
            return match std::mem::replace(&mut self.phase, Phase::Finished) {
                Phase::Preparing(promises) => self.learn(promises),
                Phase::Accepting { state, goal } => self.conclude(state, goal),
                Phase::Deciding(_) | Phase::Waiting | Phase::Finished => Step::Wait,
            };
        }
        if self.quorum.survives(self.answers.refused.and(self.answers.failed)) {
            return Step::Wait;
        }
        let reachable = self.quorum.survives(self.answers.failed);
        // After an accept that got lost, another prepare may still tell what became of it.
        let worth_asking = reachable || matches!(self.phase, Phase::Accepting { .. });
        if worth_asking && self.rounds < ROUNDS_MAX {
            self.phase = Phase::Waiting;
            return Step::Retry { above: self.answers.seen };
        }
        Step::Done(self.give_up())
    }

    /// A quorum has promised: finds out what became of the candidates, then asks for a decision.
    fn learn(&mut self, promises: Promises<V>) -> Step<V> {
        let mut lineages =
            self.candidates.iter().map(|candidate| promises.descent_from(candidate.state.change));
        if let Some(index) = lineages.clone().position(|descent| descent == Descent::Included) {
            return self.confirm(promises, Goal::Candidate(index));
        }
        if lineages.any(|descent| descent == Descent::Unknown) {
            return self.finish(Outcome::Unknown);
        }
        let predecessor = promises.predecessor().map(|state| state.change);
        // The same predecessor means the same decision, and the same change: it keeps its identity.
        let again = self.candidates.iter().position(|candidate| candidate.predecessor == predecessor);
        if let Some(index) = again {
            return self.accept(self.candidates[index].state.clone(), Goal::Candidate(index));
        }
        let predecessor = promises.predecessor().cloned();
        self.phase = Phase::Deciding(promises);
        Step::Decide { predecessor }
    }

    /// The highest accepted state descends from a candidate: once that state is chosen, so is the candidate.
    fn confirm(&mut self, promises: Promises<V>, goal: Goal) -> Step<V> {
        let settled = promises.settled(self.quorum);
        match promises.highest {
            Some(highest) if settled => self.conclude(highest.state, goal),
            Some(highest) => self.accept(highest.state, goal),
            None => self.finish(Outcome::Unknown),
        }
    }

    fn conclude(&mut self, state: State<V>, goal: Goal) -> Step<V> {
        match goal {
            Goal::Candidate(index) => {
                let own = self.candidates.swap_remove(index).state;
                self.finish(Outcome::Chosen(own))
            }
            Goal::Keep => self.finish(Outcome::Kept(Some(state))),
        }
    }

    fn propose(&mut self, predecessor: Option<&State<V>>, forgotten: Ballot, value: V) -> Step<V> {
        let state = match predecessor {
            Some(predecessor) => predecessor.successor(self.ballot, value),
            None => State::first(self.ballot, forgotten, value),
        };
        let predecessor = predecessor.map(|state| state.change);
        self.candidates.push(Candidate { predecessor, state: state.clone() });
        self.accept(state, Goal::Candidate(self.candidates.len() - 1))
    }
}

/// Who has answered the present request, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Answers {
    agreed: ReplicaSet,
    refused: ReplicaSet,
    failed: ReplicaSet,
    /// The highest ballot in this round's refusals, and at least our own.
    seen: Ballot,
}

impl Answers {
    fn all(&self) -> ReplicaSet {
        self.agreed.and(self.refused).and(self.failed)
    }

    fn agree(&mut self, from: usize) {
        self.agreed = self.agreed.with(from);
    }

    fn fail(&mut self, from: usize) {
        self.failed = self.failed.with(from);
    }

    fn refuse(&mut self, from: usize, seen: Ballot) {
        self.refused = self.refused.with(from);
        self.seen = self.seen.max(seen);
    }
}

/// What the promises of one round have told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Promises<V> {
    highest: Option<Accepted<V>>,
    /// The replicas that hold the highest.
    holders: ReplicaSet,
    forgotten: Ballot,
}

impl<V> Default for Promises<V> {
    fn default() -> Self {
        Self { highest: None, holders: ReplicaSet::EMPTY, forgotten: Ballot::ZERO }
    }
}

impl<V> Promises<V> {
    fn add(&mut self, from: usize, accepted: Option<Accepted<V>>, forgotten: Ballot) {
        self.forgotten = self.forgotten.max(forgotten);
        let Some(accepted) = accepted else { return };
        let highest = self.highest.as_ref().map(|highest| highest.ballot);
        if highest < Some(accepted.ballot) {
            self.holders = ReplicaSet::EMPTY.with(from);
            self.highest = Some(accepted);
        } else if highest == Some(accepted.ballot) {
            self.holders = self.holders.with(from);
        }
    }

    /// The true predecessor of whatever is proposed under this round's ballot.
    fn predecessor(&self) -> Option<&State<V>> {
        self.highest.as_ref().map(|highest| &highest.state)
    }

    /// Whether the predecessor is already known to be chosen: a quorum accepted it under one ballot.
    fn settled(&self, quorum: Quorum) -> bool {
        quorum.is_met_by(self.holders)
    }

    fn descent_from(&self, change: Ballot) -> Descent {
        match self.predecessor() {
            Some(state) => state.descent_from(change),
            None if change <= self.forgotten => Descent::Unknown,
            None => Descent::Excluded,
        }
    }
}

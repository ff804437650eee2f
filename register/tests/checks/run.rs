//! One call on its way: what a proxy does with the register's reader and proposer.

use martlet_register::{
    Accepted, Asked, Ballot, Decision, Outcome, Proposer, Quorum, ReadReply, ReadStep, Reader, ReplicaSet,
    Step,
};

use crate::fault::Fault;
use crate::operation::{Answer, Cell, Operation, tag};
use crate::world::{Request, Response};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) client: usize,
    pub(crate) proxy: usize,
    /// Counts the requests, so that an old timeout is known for what it is.
    pub(crate) round: u32,
    pub(crate) finished: bool,
    /// Its change, once it is known to be chosen.
    pub(crate) chosen: Option<Ballot>,
    operation: Operation,
    quorum: Quorum,
    machine: Machine,
    /// What to answer if this change is chosen.
    proposed: Vec<(Ballot, Answer)>,
    /// What to answer if the predecessor is kept.
    kept: Option<Answer>,
    fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Machine {
    Reading(Reader<Cell>),
    /// With [`Fault::NewerOfTwoRead`]: what was heard.
    ReadingBadly(Vec<(usize, Option<Accepted<Cell>>)>),
    Changing(Box<Proposer<Cell>>),
}

/// What the world is to do for a run.
pub(crate) enum Todo {
    Nothing,
    /// The first of them gets `request`.
    Send {
        to: ReplicaSet,
        request: Request,
        others: Request,
    },
    Retry {
        above: Ballot,
    },
    Resolve,
    Return(Answer),
    ReturnNothing {
        without_effect: bool,
    },
}

impl Run {
    /// Client and proxy are for the caller to fill in.
    pub(crate) fn start(
        operation: Operation,
        quorum: Quorum,
        ballot: Ballot,
        asked: ReplicaSet,
        fault: Option<Fault>,
    ) -> (Self, Todo) {
        let machine = match operation {
            Operation::Read if fault == Some(Fault::NewerOfTwoRead) => Machine::ReadingBadly(Vec::new()),
            Operation::Read => Machine::Reading(Reader::start(quorum, asked)),
            _ => Machine::Changing(Box::new(Proposer::start(quorum, ballot).0)),
        };
        let (request, others) = match &machine {
            Machine::Reading(_) => (Request::ReadValue, Request::ReadBallot),
            Machine::ReadingBadly(_) => (Request::ReadValue, Request::ReadValue),
            Machine::Changing(_) => (Request::Prepare(ballot), Request::Prepare(ballot)),
        };
        let to = if operation == Operation::Read { asked } else { quorum.replicas() };
        let run = Self {
            client: 0,
            proxy: 0,
            round: 0,
            finished: false,
            chosen: None,
            operation,
            quorum,
            machine,
            proposed: Vec::new(),
            kept: None,
            fault,
        };
        (run, Todo::Send { to, request, others })
    }

    /// Whether this response may still make a difference.
    pub(crate) fn awaits(&self, from: usize, asked: Option<Asked>) -> bool {
        match (&self.machine, asked) {
            (Machine::Changing(proposer), Some(asked)) => !self.finished && proposer.awaits(from, asked),
            (Machine::Reading(_) | Machine::ReadingBadly(_), None) => !self.finished,
            _ => false,
        }
    }

    pub(crate) fn on_response(&mut self, from: usize, response: Response) -> Todo {
        if self.finished {
            return Todo::Nothing;
        }
        match (&mut self.machine, response) {
            (Machine::Reading(reader), Response::Read(reply)) => {
                let step = reader.on_reply(from, reply);
                self.read_on(step)
            }
            (Machine::ReadingBadly(heard), Response::Read(ReadReply::Value { accepted })) => {
                heard.retain(|(replica, _)| *replica != from);
                heard.push((from, accepted));
                self.take_the_newer()
            }
            (Machine::Changing(proposer), Response::Register(asked, reply)) => {
                let step = proposer.on_reply(from, asked, reply);
                self.go_on(step)
            }
            _ => Todo::Nothing,
        }
    }

    pub(crate) fn on_timeout(&mut self, round: u32) -> Todo {
        if self.finished || round != self.round {
            return Todo::Nothing;
        }
        match &mut self.machine {
            Machine::Reading(reader) => {
                let step = reader.on_timeout();
                self.read_on(step)
            }
            Machine::ReadingBadly(_) => self.finish(Todo::ReturnNothing { without_effect: true }),
            Machine::Changing(proposer) => {
                let step = proposer.on_timeout();
                self.go_on(step)
            }
        }
    }

    pub(crate) fn retry(&mut self, ballot: Ballot) -> Todo {
        let Machine::Changing(proposer) = &mut self.machine else { return Todo::Nothing };
        if self.finished {
            return Todo::Nothing;
        }
        if self.fault == Some(Fault::NoLineage) {
            return self.resolve(ballot);
        }
        let step = proposer.retry(ballot);
        self.go_on(step)
    }

    /// Goes through the register, after a read that couldn't be answered fast.
    pub(crate) fn resolve(&mut self, ballot: Ballot) -> Todo {
        let (proposer, step) = Proposer::start(self.quorum, ballot);
        self.machine = Machine::Changing(Box::new(proposer));
        self.go_on(step)
    }

    pub(crate) fn give_up(&mut self) -> Todo {
        if self.finished {
            return Todo::Nothing;
        }
        let without_effect = match &mut self.machine {
            Machine::Reading(_) | Machine::ReadingBadly(_) => true,
            Machine::Changing(proposer) => proposer.give_up() == Outcome::Unavailable,
        };
        self.finish_without_answer(without_effect)
    }

    /// Its proxy has died.
    pub(crate) fn die(&mut self) -> Todo {
        if self.finished { Todo::Nothing } else { self.finish_without_answer(self.proposed.is_empty()) }
    }

    fn finish(&mut self, todo: Todo) -> Todo {
        self.finished = true;
        todo
    }

    fn finish_without_answer(&mut self, without_effect: bool) -> Todo {
        // A proposer that began anew can't say what its predecessor did.
        let without_effect =
            without_effect && (self.fault != Some(Fault::NoLineage) || self.proposed.is_empty());
        self.finish(Todo::ReturnNothing { without_effect })
    }

    fn send(&mut self, to: ReplicaSet, request: Request) -> Todo {
        self.round += 1;
        Todo::Send { to, others: request.clone(), request }
    }

    fn read_on(&mut self, step: ReadStep<Cell>) -> Todo {
        match step {
            ReadStep::Wait => Todo::Nothing,
            ReadStep::Ask { replicas } => self.send(replicas, Request::ReadBallot),
            ReadStep::FetchValue { from, .. } => self.send(ReplicaSet::EMPTY.with(from), Request::ReadValue),
            ReadStep::Chosen(state) => {
                let (_, answer) = self.operation.decide(state.map(|state| state.value));
                self.finish(Todo::Return(answer))
            }
            ReadStep::Resolve => Todo::Resolve,
            ReadStep::Unavailable => self.finish(Todo::ReturnNothing { without_effect: true }),
        }
    }

    fn take_the_newer(&mut self) -> Todo {
        let Machine::ReadingBadly(heard) = &self.machine else { return Todo::Nothing };
        if !self.quorum.is_met_by(heard.iter().map(|(replica, _)| *replica).collect()) {
            return Todo::Nothing;
        }
        let newest =
            heard.iter().filter_map(|(_, accepted)| accepted.as_ref()).max_by_key(|accepted| accepted.ballot);
        let found = tag(newest.map(|accepted| accepted.state.value));
        self.finish(Todo::Return(Answer::Found(found)))
    }

    fn go_on(&mut self, step: Step<Cell>) -> Todo {
        match step {
            Step::Wait => Todo::Nothing,
            Step::Prepare { ballot } => self.send(self.quorum.replicas(), Request::Prepare(ballot)),
            Step::Accept { ballot, state } => {
                self.send(self.quorum.replicas(), Request::Accept(ballot, Box::new(state)))
            }
            Step::Decide { predecessor } => self.decide(predecessor.map(|state| state.value)),
            Step::Retry { above } => Todo::Retry { above },
            Step::Done(outcome) => self.conclude(&outcome),
        }
    }

    fn decide(&mut self, predecessor: Option<Cell>) -> Todo {
        let Machine::Changing(proposer) = &mut self.machine else { return Todo::Nothing };
        let (decision, answer) = self.operation.decide(predecessor);
        match decision {
            Decision::Change(_) => self.proposed.push((proposer.ballot(), answer)),
            Decision::Keep => self.kept = Some(answer),
        }
        let step = proposer.decide(decision);
        let hasty = self.fault == Some(Fault::NoAcceptBeforeFailedCondition);
        if hasty && answer == Answer::ConditionFailed && matches!(step, Step::Accept { .. }) {
            return self.finish(Todo::Return(answer));
        }
        self.go_on(step)
    }

    fn conclude(&mut self, outcome: &Outcome<Cell>) -> Todo {
        let answer = match outcome {
            Outcome::Chosen(state) => {
                self.chosen = Some(state.change);
                let own = self.proposed.iter().find(|(change, _)| *change == state.change);
                own.map(|(_, answer)| *answer)
            }
            Outcome::Kept(_) => self.kept,
            Outcome::Unavailable | Outcome::Unknown => {
                return self.finish_without_answer(*outcome == Outcome::Unavailable);
            }
        };
        self.finish(Todo::Return(answer.expect("whatever is concluded was decided")))
    }
}

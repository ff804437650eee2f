//! A small cluster as a value, for the exhaustive search: where everybody is, and what may happen next.

use std::collections::{BTreeMap, BTreeSet};

use martlet_register::{
    Accepted, Acceptor, Asked, Ballot, BallotClock, Descent, PromiseBound, ProposerId, Quorum, ReplicaSet,
    Reply, State,
};

use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::linearizability::{Call, is_linearizable};
use crate::operation::{Cell, Operation};
use crate::run::{Run, Todo};
use crate::world::{Request, Response};

const REPLICA_COUNT: usize = 3;

/// What one client does, one operation after the other.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) operations: Vec<Operation>,
    /// How many ballots it may use for one operation.
    pub(crate) rounds_max: u32,
}

/// How often something may break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Breakages {
    pub(crate) repeats: u8,
    pub(crate) restarts: u8,
    pub(crate) evictions: u8,
    pub(crate) forgets: u8,
    /// Only with [`Fault::FollowerCopy`].
    pub(crate) copies: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Situation {
    fault: Option<Fault>,
    replicas: Vec<Acceptor<Cell>>,
    clients: Vec<Client>,
    network: BTreeSet<Message>,
    /// What was proposed, so that messages can name it by its ballot.
    proposals: BTreeMap<Ballot, State<Cell>>,
    ledger: Ledger,
    /// `None`: the client was told that there was no effect.
    calls: Vec<Option<Call>>,
    history_len: usize,
    acknowledged: Vec<Ballot>,
    left: Breakages,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Client {
    clock: BallotClock,
    /// How many of its operations it has begun.
    begun: usize,
    work: Option<Work>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Work {
    call: usize,
    run: Run,
    rounds: u32,
}

/// A request that was sent and may yet be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message {
    client: usize,
    replica: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Prepare(Ballot),
    Accept(Ballot),
    ReadValue,
    ReadBallot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Begin { client: usize },
    Deliver { message: Message, repeat: bool, answered: bool },
    Timeout { client: usize },
    Restart { replica: usize },
    Evict { replica: usize },
    Forget { replica: usize },
    Copy { from: usize, to: usize },
}

impl Situation {
    /// Nobody has begun; `existing` is held by all replicas.
    pub(crate) fn new(
        client_count: usize,
        existing: Option<Cell>,
        left: Breakages,
        fault: Option<Fault>,
    ) -> Self {
        let client = |index| Client { clock: BallotClock::new(ProposerId(index)), begun: 0, work: None };
        let mut situation = Self {
            fault,
            replicas: vec![Acceptor::default(); REPLICA_COUNT],
            clients: (1..).take(client_count).map(client).collect(),
            network: BTreeSet::new(),
            proposals: BTreeMap::new(),
            ledger: Ledger::new(Quorum::majority(REPLICA_COUNT)),
            calls: Vec::new(),
            history_len: 0,
            acknowledged: Vec::new(),
            left,
        };
        if let Some(value) = existing {
            let ballot = Ballot { time: 1, proposer: ProposerId(0) };
            let state = State::first(ballot, Ballot::ZERO, value);
            situation.proposals.insert(ballot, state.clone());
            for (index, replica) in situation.replicas.iter_mut().enumerate() {
                replica.accept(ballot, state.clone());
                situation.ledger.accepted(index, Accepted { ballot, state: state.clone() });
            }
        }
        situation
    }

    pub(crate) fn actions(&self, scripts: &[Script], actions: &mut Vec<Action>) {
        for (client, Client { begun, work, .. }) in self.clients.iter().enumerate() {
            if work.is_some() {
                actions.push(Action::Timeout { client });
            } else if *begun < scripts[client].operations.len() {
                actions.push(Action::Begin { client });
            }
        }
        for message in self.network.iter().filter(|message| self.is_first_of_its_like(message.replica)) {
            let awaited = self.is_awaited(*message);
            for repeat in [false, true].into_iter().take(1 + usize::from(self.left.repeats > 0)) {
                if awaited {
                    actions.push(Action::Deliver { message: *message, repeat, answered: true });
                }
                if matches!(message.kind, Kind::Accept(_)) {
                    actions.push(Action::Deliver { message: *message, repeat, answered: false });
                }
            }
        }
        for (replica, acceptor) in self.replicas.iter().enumerate() {
            let accepted = acceptor.durable.accepted.as_ref();
            if self.left.restarts > 0 {
                actions.push(Action::Restart { replica });
            }
            if self.left.evictions > 0 && acceptor.promised.is_some() {
                actions.push(Action::Evict { replica });
            }
            if self.left.forgets > 0 && accepted.is_some_and(|held| held.state.value == Cell::Tombstone) {
                actions.push(Action::Forget { replica });
            }
            if self.left.copies > 0 {
                actions.extend((0..REPLICA_COUNT).map(|from| Action::Copy { from, to: replica }));
            }
        }
    }

    /// What `action` makes of this.
    pub(crate) fn after(&self, scripts: &[Script], action: Action) -> Option<Self> {
        let mut next = self.clone();
        match action {
            Action::Begin { client } => next.begin(&scripts[client], client),
            Action::Deliver { message, repeat, answered } => {
                if repeat {
                    next.left.repeats -= 1;
                } else {
                    next.network.remove(&message);
                }
                next.deliver(&scripts[message.client], message, answered);
            }
            Action::Timeout { client } => {
                let run = &mut next.clients[client].work.as_mut()?.run;
                let todo = run.on_timeout(run.round);
                next.act(&scripts[client], client, todo);
            }
            Action::Restart { replica } => next.restart(replica),
            Action::Evict { replica } => next.evict(replica),
            Action::Forget { replica } => next.forget(replica),
            Action::Copy { from, to } => next.copy(from, to),
        }
        next.drop_what_changes_nothing();
        Some(next)
    }

    pub(crate) fn is_linearizable(&self) -> bool {
        is_linearizable(&self.calls.iter().copied().flatten().collect::<Vec<_>>())
    }

    pub(crate) fn is_one_line(&self) -> bool {
        self.ledger.is_one_line()
    }

    pub(crate) fn keeps_what_was_acknowledged(&self) -> bool {
        let newest = self.ledger.chosen().last();
        let is_kept = |change| newest.is_some_and(|newest| newest.descent_from(change) != Descent::Excluded);
        self.acknowledged.iter().all(|change| is_kept(*change))
    }

    pub(crate) fn is_all_answered(&self, scripts: &[Script]) -> bool {
        let operations: usize = scripts.iter().map(|script| script.operations.len()).sum();
        let is_answered = |call: &Option<Call>| call.is_some_and(|call| call.returned.is_some());
        self.calls.len() == operations && self.calls.iter().all(is_answered)
    }

    pub(crate) fn has_lost_answer(&self) -> bool {
        self.clients.iter().all(|client| client.work.is_none())
            && self.calls.iter().flatten().any(|call| call.returned.is_none())
    }

    fn begin(&mut self, script: &Script, client: usize) {
        let Client { clock, begun, work } = &mut self.clients[client];
        let operation = script.operations[*begun];
        *begun += 1;
        let ballot = clock.next(0, Ballot::ZERO);
        let (quorum, asked) = (Quorum::majority(REPLICA_COUNT), ReplicaSet::first(REPLICA_COUNT));
        let (run, todo) = Run::start(operation, quorum, ballot, asked, self.fault);
        *work = Some(Work { call: self.calls.len(), run, rounds: 1 });
        self.calls.push(Some(Call { operation, invoked: self.history_len, returned: None }));
        self.history_len += 1;
        self.act(script, client, todo);
    }

    fn act(&mut self, script: &Script, client: usize, todo: Todo) {
        let Client { clock, work: Some(work), .. } = &mut self.clients[client] else { return };
        let todo = match todo {
            Todo::Nothing => return,
            Todo::Send { to, request, others } => return self.send(client, to, request, others),
            Todo::Retry { .. } if work.rounds == script.rounds_max => work.run.give_up(),
            Todo::Retry { above } => {
                work.rounds += 1;
                work.run.retry(clock.next(0, above))
            }
            Todo::Resolve => work.run.resolve(clock.next(0, Ballot::ZERO)),
            Todo::Return(answer) => {
                if let Some(call) = &mut self.calls[work.call] {
                    call.returned = Some((self.history_len, answer));
                }
                self.history_len += 1;
                self.acknowledged.extend(work.run.chosen);
                self.clients[client].work = None;
                return;
            }
            Todo::ReturnNothing { without_effect } => {
                if without_effect {
                    self.calls[work.call] = None;
                }
                self.clients[client].work = None;
                return;
            }
        };
        self.act(script, client, todo);
    }

    fn send(&mut self, client: usize, to: ReplicaSet, request: Request, others: Request) {
        let mut requests = std::iter::once(request).chain(std::iter::repeat(others));
        for replica in to.iter() {
            let kind = match requests.next() {
                Some(Request::Prepare(ballot)) => Kind::Prepare(ballot),
                Some(Request::Accept(ballot, state)) => {
                    self.proposals.insert(ballot, *state);
                    Kind::Accept(ballot)
                }
                Some(Request::ReadValue) => Kind::ReadValue,
                Some(Request::ReadBallot) | None => Kind::ReadBallot,
            };
            self.network.insert(Message { client, replica, kind });
        }
    }

    fn deliver(&mut self, script: &Script, message: Message, answered: bool) {
        let Message { client, replica, kind } = message;
        let acceptor = &mut self.replicas[replica];
        let response = match kind {
            Kind::Prepare(ballot) => Response::Register(Asked::Prepare(ballot), acceptor.prepare(ballot, 0)),
            Kind::Accept(ballot) => {
                if self.fault == Some(Fault::NoPromiseCheck) {
                    acceptor.promised = None;
                }
                let state = self.proposals[&ballot].clone();
                let reply = acceptor.accept(ballot, state.clone());
                if reply == Reply::Accepted {
                    self.ledger.accepted(replica, Accepted { ballot, state });
                }
                Response::Register(Asked::Accept(ballot), reply)
            }
            Kind::ReadValue => Response::Read(acceptor.read_value()),
            Kind::ReadBallot => Response::Read(acceptor.read_ballot()),
        };
        if let (true, Some(work)) = (answered, &mut self.clients[client].work) {
            let todo = work.run.on_response(replica, response);
            self.act(script, client, todo);
        }
    }

    fn restart(&mut self, replica: usize) {
        self.left.restarts -= 1;
        let acceptor = &mut self.replicas[replica];
        if self.fault == Some(Fault::NoFloorAfterRestart) {
            acceptor.durable.bound = PromiseBound::default();
        }
        acceptor.restart();
    }

    fn evict(&mut self, replica: usize) {
        self.left.evictions -= 1;
        let acceptor = &mut self.replicas[replica];
        if self.fault == Some(Fault::NoFloorAfterEviction) {
            acceptor.promised = None;
        } else {
            acceptor.evict_promise();
        }
    }

    fn forget(&mut self, replica: usize) {
        let acceptor = &mut self.replicas[replica];
        let Some(ballot) = acceptor.standing().accepted else { return };
        if self.ledger.is_held_by_all(ballot) || self.fault == Some(Fault::ForgettingEarly) {
            self.left.forgets -= 1;
            if self.fault == Some(Fault::NoFloorAfterForgetting) {
                acceptor.durable.accepted = None;
            } else {
                acceptor.forget_tombstone(ballot);
            }
        }
    }

    fn copy(&mut self, from: usize, to: usize) {
        let theirs = self.replicas[from].durable.accepted.clone();
        if self.replicas[to].standing().accepted < theirs.as_ref().map(|accepted| accepted.ballot) {
            self.left.copies -= 1;
            self.replicas[to].durable.accepted = theirs;
        }
    }

    /// Requests that change nothing now never will: a replica's standing only rises, and no ballot is asked twice.
    /// Without them, situations that differ in nothing that matters are the same.
    fn drop_what_changes_nothing(&mut self) {
        let network = std::mem::take(&mut self.network);
        self.network = network.into_iter().filter(|message| self.matters(*message)).collect();
    }

    fn matters(&self, message: Message) -> bool {
        let standing = self.replicas[message.replica].standing();
        let stores = |ballot| standing.accept(ballot).is_ok() && standing.accepted != Some(ballot);
        let faulty = self.fault.is_some();
        self.is_awaited(message) || matches!(message.kind, Kind::Accept(ballot) if faulty || stores(ballot))
    }

    fn is_awaited(&self, Message { client, replica, kind }: Message) -> bool {
        let asked = match kind {
            Kind::Prepare(ballot) => Some(Asked::Prepare(ballot)),
            Kind::Accept(ballot) => Some(Asked::Accept(ballot)),
            Kind::ReadValue | Kind::ReadBallot => None,
        };
        self.clients[client].work.as_ref().is_some_and(|work| work.run.awaits(replica, asked))
    }

    /// Replicas that nothing has reached yet are alike: it is enough to go on with the first of them.
    fn is_first_of_its_like(&self, replica: usize) -> bool {
        let untouched = |replica: usize| self.replicas[replica] == Acceptor::default();
        !untouched(replica) || !(0..replica).any(untouched)
    }
}

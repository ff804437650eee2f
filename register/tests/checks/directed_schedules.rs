//! Schedules laid out by hand, one for each rule whose absence random schedules seldom show.
//!
//! Most are run twice: as the protocol has it, and without the rule, when the clients' answers must contradict each other.

use martlet_register::{
    Acceptor, Asked, Ballot, Outcome, PromiseBound, Proposer, ProposerId, Quorum, ReadStep, Reader,
    ReplicaSet, Reply, State, Step,
};

use crate::linearizability::{Call, is_linearizable};
use crate::operation::{Answer, Cell, Operation, tag};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Kept,
    Broken,
}

/// Three replicas, and what clients were told.
struct Table {
    replicas: [Acceptor<Cell>; 3],
    calls: Vec<Call>,
    position: usize,
}

/// One mutation, carried by hand.
struct Mutation {
    operation: Operation,
    invoked: usize,
    proposer: Proposer<Cell>,
    proposal: Option<State<Cell>>,
    /// What follows from the latest decision.
    answer: Option<Answer>,
    outcome: Option<Outcome<Cell>>,
}

fn ballot(time: u64) -> Ballot {
    Ballot { time, proposer: ProposerId(time) }
}

impl Table {
    fn new() -> Self {
        Self {
            replicas: [Acceptor::default(), Acceptor::default(), Acceptor::default()],
            calls: Vec::new(),
            position: 0,
        }
    }

    /// An object that exists, on all three replicas.
    fn with_object(content: u32) -> Self {
        let mut table = Self::new();
        let mut write = table.begin(Operation::Write(content), 1);
        table.prepare(&mut write, &[0, 1]);
        table.accept(&mut write, &[0, 1, 2]);
        table
    }

    fn next_position(&mut self) -> usize {
        self.position += 1;
        self.position
    }

    fn begin(&mut self, operation: Operation, time: u64) -> Mutation {
        let (proposer, _) = Proposer::start(Quorum::majority(3), ballot(time));
        let invoked = self.next_position();
        Mutation { operation, invoked, proposer, proposal: None, answer: None, outcome: None }
    }

    /// Delivers the prepare to these replicas, and their replies.
    fn prepare(&mut self, mutation: &mut Mutation, to: &[usize]) {
        let under = mutation.proposer.ballot();
        for replica in to {
            let reply = self.replicas[*replica].prepare(under, 0);
            let step = mutation.proposer.on_reply(*replica, Asked::Prepare(under), reply);
            self.go_on(mutation, step);
        }
    }

    /// Delivers the accept to these replicas, and their replies.
    fn accept(&mut self, mutation: &mut Mutation, to: &[usize]) {
        for replica in to {
            let reply = self.store(mutation, *replica);
            let asked = Asked::Accept(mutation.proposer.ballot());
            let step = mutation.proposer.on_reply(*replica, asked, reply);
            self.go_on(mutation, step);
        }
    }

    /// Delivers the accept, and loses the reply.
    fn store(&mut self, mutation: &Mutation, replica: usize) -> Reply<Cell> {
        let state = mutation.proposal.clone().expect("a proposal to deliver");
        self.replicas[replica].accept(mutation.proposer.ballot(), state)
    }

    /// Gives up waiting for replies, and comes back under another ballot.
    fn return_under(&mut self, mutation: &mut Mutation, time: u64) {
        mutation.proposer.on_timeout();
        let step = mutation.proposer.retry(ballot(time));
        self.go_on(mutation, step);
    }

    fn go_on(&mut self, mutation: &mut Mutation, step: Step<Cell>) {
        match step {
            Step::Decide { predecessor } => {
                let (decision, answer) = mutation.operation.decide(predecessor.map(|state| state.value));
                mutation.answer = Some(answer);
                let step = mutation.proposer.decide(decision);
                self.go_on(mutation, step);
            }
            Step::Accept { state, .. } => mutation.proposal = Some(state),
            Step::Done(outcome) => {
                let told = matches!(outcome, Outcome::Chosen(_) | Outcome::Kept(_));
                let answer = mutation.answer.filter(|_| told);
                let when = self.next_position();
                let returned = answer.map(|answer| (when, answer));
                self.calls.push(Call { operation: mutation.operation, invoked: mutation.invoked, returned });
                mutation.outcome = Some(outcome);
            }
            Step::Wait | Step::Prepare { .. } | Step::Retry { .. } => {}
        }
    }

    /// A fast read of two replicas. `None`: they differ.
    fn read(&mut self, first: usize, second: usize) -> Option<Answer> {
        let invoked = self.next_position();
        let asked: ReplicaSet = [first, second].into_iter().collect();
        let mut reader = Reader::start(Quorum::majority(3), asked);
        reader.on_reply(first, self.replicas[first].read_value());
        let step = reader.on_reply(second, self.replicas[second].read_ballot());
        let ReadStep::Chosen(state) = step else { return None };
        let answer = Answer::Found(tag(state.map(|state| state.value)));
        let returned = Some((self.next_position(), answer));
        self.calls.push(Call { operation: Operation::Read, invoked, returned });
        Some(answer)
    }

    fn is_explained(&self) -> bool {
        is_linearizable(&self.calls)
    }
}

/// A ballot reaches a minority, a higher one is promised at the copier, the copier copies,
/// a read of the two finds them equal, and then the higher ballot wins from the older predecessor.
fn copying(rule: Rule) -> Table {
    let mut table = Table::with_object(1);
    let mut lower = table.begin(Operation::Write(2), 10);
    table.prepare(&mut lower, &[0, 1]);
    table.store(&lower, 0);
    let mut higher = table.begin(Operation::Replace(3), 20);
    table.prepare(&mut higher, &[1, 2]);
    if rule == Rule::Broken {
        let [theirs, copier, _] = &mut table.replicas;
        copier.durable.accepted.clone_from(&theirs.durable.accepted);
    }
    table.read(0, 1);
    table.accept(&mut higher, &[1, 2]);
    table.read(1, 2);
    table.calls.push(Call { operation: lower.operation, invoked: lower.invoked, returned: None });
    table
}

#[test]
fn a_replica_that_copies_another_makes_a_read_see_what_was_never_chosen() {
    assert!(copying(Rule::Kept).is_explained());
    assert!(!copying(Rule::Broken).is_explained());
}

/// A replica promises a high ballot and loses that promise, and a lower one is then chosen with its help;
/// the high one, which knows nothing of it, wins in the end.
fn losing_a_promise(lose: impl Fn(&mut Acceptor<Cell>)) -> Table {
    let mut table = Table::with_object(1);
    let mut lower = table.begin(Operation::Replace(2), 10);
    table.prepare(&mut lower, &[0, 1]);
    let mut higher = table.begin(Operation::Replace(3), 20);
    table.prepare(&mut higher, &[1, 2]);
    lose(&mut table.replicas[1]);
    table.accept(&mut lower, &[0, 1]);
    table.accept(&mut higher, &[1, 2]);
    table
}

#[test]
fn a_restart_without_a_floor_makes_two_writes_replace_the_same_value() {
    assert!(losing_a_promise(Acceptor::restart).is_explained());
    let without_floor = |replica: &mut Acceptor<Cell>| {
        replica.durable.bound = PromiseBound::default();
        replica.restart();
    };
    assert!(!losing_a_promise(without_floor).is_explained());
}

#[test]
fn an_eviction_without_a_floor_makes_two_writes_replace_the_same_value() {
    assert!(losing_a_promise(Acceptor::evict_promise).is_explained());
    assert!(!losing_a_promise(|replica| replica.promised = None).is_explained());
}

/// A write is overtaken by a deletion, the tombstone is forgotten, and then the late accepts arrive.
fn forgetting_under_a_late_write(rule: Rule) -> Table {
    let mut table = Table::with_object(1);
    let mut late = table.begin(Operation::Replace(2), 10);
    table.prepare(&mut late, &[0, 1]);
    let mut deletion = table.begin(Operation::Delete, 20);
    table.prepare(&mut deletion, &[0, 1]);
    table.accept(&mut deletion, &[0, 1, 2]);
    for replica in &mut table.replicas {
        match rule {
            Rule::Kept => replica.forget_tombstone(ballot(20)),
            Rule::Broken => replica.durable.accepted = None,
        }
    }
    table.read(0, 1);
    table.accept(&mut late, &[0, 1]);
    table.read(0, 1);
    table
}

#[test]
fn forgetting_a_tombstone_without_a_floor_lets_a_late_write_in_under_it() {
    assert!(forgetting_under_a_late_write(Rule::Kept).is_explained());
    assert!(!forgetting_under_a_late_write(Rule::Broken).is_explained());
}

/// A write is chosen, its answer lost; it is deleted, the tombstone is forgotten, and somebody else writes.
/// The lineage of the newcomer starts afresh, and still must not let the first writer believe that it never wrote.
fn coming_back_after_forgetting(rule: Rule) -> (Table, Mutation) {
    let mut table = Table::new();
    let mut first = table.begin(Operation::Replace(1), 10);
    table.prepare(&mut first, &[0, 1]);
    for replica in [0, 1, 2] {
        table.store(&first, replica);
    }
    let mut deletion = table.begin(Operation::Delete, 20);
    table.prepare(&mut deletion, &[0, 1]);
    table.accept(&mut deletion, &[0, 1, 2]);
    for replica in &mut table.replicas {
        replica.forget_tombstone(ballot(20));
        if rule == Rule::Broken {
            // It remembers the floor, and doesn't tell why.
            let mut floor = martlet_register::Floor::default();
            floor.evict_promise(replica.floor.height());
            replica.floor = floor;
        }
    }
    let mut second = table.begin(Operation::Replace(2), 30);
    table.prepare(&mut second, &[0, 1]);
    table.accept(&mut second, &[0, 1, 2]);
    table.return_under(&mut first, 40);
    table.prepare(&mut first, &[0, 1]);
    if first.outcome.is_none() {
        table.accept(&mut first, &[0, 1]);
    }
    table.read(0, 1);
    (table, first)
}

#[test]
fn a_writer_whose_change_may_have_been_forgotten_says_that_it_does_not_know() {
    let (table, first) = coming_back_after_forgetting(Rule::Kept);
    assert_eq!(first.outcome, Some(Outcome::Unknown));
    assert!(table.is_explained());
    let (table, first) = coming_back_after_forgetting(Rule::Broken);
    assert!(matches!(first.outcome, Some(Outcome::Chosen(_))), "it wrote a second time");
    assert!(!table.is_explained());
}

/// A writer's change reaches one replica, on top of somebody's that reached only the same one.
/// It comes back, finds the older state chosen, and its condition now fails. If it said so at once,
/// the next proposer could still adopt its change.
#[test]
fn a_writer_buries_its_change_before_it_says_that_its_condition_failed() {
    let mut table = Table::with_object(1);
    let mut stray = table.begin(Operation::Write(2), 10);
    table.prepare(&mut stray, &[1, 2]);
    table.store(&stray, 2);
    let mut update = table.begin(Operation::Update { from: 2, to: 3 }, 20);
    table.prepare(&mut update, &[1, 2]);
    table.store(&update, 2);
    table.return_under(&mut update, 30);
    table.prepare(&mut update, &[0, 1]);
    assert_eq!(update.outcome, None, "both hold the older state under one ballot, and that is not enough");
    table.accept(&mut update, &[0, 1]);
    assert_eq!(update.answer, Some(Answer::ConditionFailed));
    let mut next = table.begin(Operation::Replace(4), 40);
    table.prepare(&mut next, &[1, 2]);
    table.accept(&mut next, &[1, 2]);
    assert_eq!(next.answer, Some(Answer::Replaced(Some(1))));
    table.calls.push(Call { operation: stray.operation, invoked: stray.invoked, returned: None });
    assert!(table.is_explained());
}

/// One replica is down, and another restarts with a floor far ahead of every clock: the next writer
/// is refused once, comes back above the floor, and goes through.
#[test]
fn a_floor_costs_a_proposer_one_round() {
    let mut table = Table::with_object(1);
    table.replicas[1].restart();
    let floor = table.replicas[1].floor.height();
    let mut write = table.begin(Operation::Write(2), 10);
    table.prepare(&mut write, &[0, 1]);
    write.proposer.on_timeout();
    assert_eq!(write.proposer.retry(ballot(20)), Step::Retry { above: floor });
    write.proposer.retry(ballot(floor.time + 1));
    table.prepare(&mut write, &[0, 1]);
    table.accept(&mut write, &[0, 1]);
    assert!(matches!(write.outcome, Some(Outcome::Chosen(_))));
}

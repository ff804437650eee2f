//! Every schedule of small configurations, with `stateright`.
//!
//! A request may be delivered at any time, in any order, again, or never; its reply comes at once or never.
//! A reply that comes late adds nothing: what its receiver does next is to send requests, which may be late themselves,
//! or to return, and an early return only makes the check stricter.
//! A prepare whose promise nobody hears isn't delivered at all: it would only have requests refused, which is like losing them.
//! A proposer whose messages are never delivered is a dead one.

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::fault::Fault;
use crate::operation::{Cell, Operation};
use crate::situation::{Action, Breakages, Script, Situation};

/// What is searched.
#[derive(Clone, Debug)]
struct Configuration {
    scripts: Vec<Script>,
    existing: Option<Cell>,
    breakages: Breakages,
    fault: Option<Fault>,
}

impl Model for Configuration {
    type State = Situation;
    type Action = Action;

    fn init_states(&self) -> Vec<Situation> {
        vec![Situation::new(self.scripts.len(), self.existing, self.breakages, self.fault)]
    }

    fn actions(&self, situation: &Situation, actions: &mut Vec<Action>) {
        situation.actions(&self.scripts, actions);
    }

    fn next_state(&self, situation: &Situation, action: Action) -> Option<Situation> {
        situation.after(&self.scripts, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("linearizable", |_, situation: &Situation| situation.is_linearizable()),
            Property::always("one line", |_, situation: &Situation| situation.is_one_line()),
            Property::always("nothing acknowledged is lost", |_, situation: &Situation| {
                situation.keeps_what_was_acknowledged()
            }),
            Property::sometimes("everything is answered", |configuration: &Self, situation: &Situation| {
                situation.is_all_answered(&configuration.scripts)
            }),
            Property::sometimes("an answer is lost", |_, situation: &Situation| situation.has_lost_answer()),
        ]
    }
}

fn configuration<const N: usize>(scripts: [(&[Operation], u32); N]) -> Configuration {
    let script = |(operations, rounds_max): (&[Operation], u32)| Script {
        operations: operations.to_vec(),
        rounds_max,
    };
    Configuration {
        scripts: scripts.map(script).to_vec(),
        existing: None,
        breakages: Breakages::default(),
        fault: None,
    }
}

fn holds(configuration: Configuration) {
    let checker = configuration.checker().threads(1).spawn_bfs().join();
    eprintln!("{} situations, {} steps deep", checker.unique_state_count(), checker.max_depth());
    assert!(checker.is_done(), "the search went through everything");
    checker.assert_properties();
}

/// How many situations had to be seen to find what is wrong.
fn is_caught(configuration: Configuration) {
    let fault = configuration.fault;
    let checker =
        configuration.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let failures = ["linearizable", "one line", "nothing acknowledged is lost"];
    let found = failures
        .iter()
        .find_map(|name| checker.discovery(name).map(|path| (name, path.into_actions().len())));
    eprintln!("{fault:?}: {found:?} after {} situations", checker.unique_state_count());
    assert!(found.is_some(), "{fault:?} was not caught");
}

const FIRST: &[Operation] = &[Operation::Replace(1)];
const SECOND: &[Operation] = &[Operation::Replace(2)];

#[test]
fn a_write_beside_a_write_that_tries_again() {
    holds(configuration([(FIRST, 1), (SECOND, 2)]));
}

#[test]
fn a_write_and_a_read_beside_a_creation() {
    holds(configuration([(FIRST, 1), (&[Operation::Create(2), Operation::Read], 1)]));
}

#[test]
fn requests_that_come_again() {
    let breakages = Breakages { repeats: 1, ..Breakages::default() };
    holds(Configuration { breakages, ..configuration([(FIRST, 1), (SECOND, 1)]) });
}

#[test]
fn a_replica_that_restarts() {
    let breakages = Breakages { restarts: 1, ..Breakages::default() };
    holds(Configuration { breakages, ..configuration([(FIRST, 1), (SECOND, 1)]) });
}

#[test]
fn a_promise_that_is_evicted() {
    let breakages = Breakages { evictions: 1, ..Breakages::default() };
    holds(Configuration { breakages, ..configuration([(FIRST, 1), (SECOND, 1)]) });
}

#[test]
fn tombstones_that_are_forgotten() {
    let breakages = Breakages { forgets: 2, ..Breakages::default() };
    let existing = Some(Cell::Tombstone);
    holds(Configuration { existing, breakages, ..configuration([(FIRST, 1), (SECOND, 1)]) });
}

#[test]
fn planted_faults_are_found_by_the_search_too() {
    let writes = || configuration([(FIRST, 1), (SECOND, 1)]);
    let fault = |fault| Some(fault);
    is_caught(Configuration { fault: fault(Fault::NoPromiseCheck), ..writes() });
    let breakages = Breakages { restarts: 1, ..Breakages::default() };
    is_caught(Configuration { breakages, fault: fault(Fault::NoFloorAfterRestart), ..writes() });
    let breakages = Breakages { evictions: 1, ..Breakages::default() };
    is_caught(Configuration { breakages, fault: fault(Fault::NoFloorAfterEviction), ..writes() });
    let readers = || configuration([(FIRST, 1), (&[Operation::Read, Operation::Read], 1)]);
    is_caught(Configuration { fault: fault(Fault::NewerOfTwoRead), ..readers() });
    let conditional = || configuration([(FIRST, 1), (&[Operation::Create(2), Operation::Read], 1)]);
    is_caught(Configuration { fault: fault(Fault::NoAcceptBeforeFailedCondition), ..conditional() });
    let copied = || configuration([(FIRST, 1), (SECOND, 1), (&[Operation::Read], 1)]);
    let breakages = Breakages { copies: 1, ..Breakages::default() };
    is_caught(Configuration { breakages, fault: fault(Fault::FollowerCopy), ..copied() });
}

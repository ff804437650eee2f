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

/// A configuration in which this fault shows.
fn faulty<const N: usize>(
    fault: Fault,
    breakages: Breakages,
    scripts: [(&[Operation], u32); N],
) -> Configuration {
    Configuration { breakages, fault: Some(fault), ..configuration(scripts) }
}

#[test]
fn planted_faults_are_found_by_the_search_too() {
    let none = Breakages::default();
    is_caught(faulty(Fault::NoPromiseCheck, none, [(FIRST, 1), (SECOND, 1)]));
    is_caught(faulty(Fault::NewerOfTwoRead, none, [(FIRST, 1), (&[Operation::Read, Operation::Read], 1)]));
    let creation = &[Operation::Create(2), Operation::Read];
    is_caught(faulty(Fault::NoAcceptBeforeFailedCondition, none, [(FIRST, 1), (creation, 1)]));
    is_caught(faulty(Fault::NoLineage, none, [(FIRST, 2)]));
}

#[test]
fn missing_floors_are_found_by_the_search_too() {
    let restart = Breakages { restarts: 1, ..Breakages::default() };
    is_caught(faulty(Fault::NoFloorAfterRestart, restart, [(FIRST, 1), (SECOND, 1)]));
    let eviction = Breakages { evictions: 1, ..Breakages::default() };
    is_caught(faulty(Fault::NoFloorAfterEviction, eviction, [(FIRST, 1), (SECOND, 1)]));
    let existing = Some(Cell::Present(9));
    let deletion = [(FIRST, 1), (&[Operation::Delete] as &[Operation], 1)];
    let forgets = Breakages { forgets: 2, ..Breakages::default() };
    is_caught(Configuration { existing, ..faulty(Fault::NoFloorAfterForgetting, forgets, deletion) });
    let forgets = Breakages { forgets: 1, ..Breakages::default() };
    is_caught(Configuration { existing, ..faulty(Fault::ForgettingEarly, forgets, deletion) });
}

#[test]
fn a_copy_behind_the_protocol_is_found_by_the_search_too() {
    let copy = Breakages { copies: 1, ..Breakages::default() };
    is_caught(faulty(Fault::FollowerCopy, copy, [(FIRST, 1), (SECOND, 1), (&[Operation::Read], 1)]));
}

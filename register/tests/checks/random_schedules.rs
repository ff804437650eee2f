//! Thousands of simulated histories, each checked for linearizability; and the same with planted faults.

use crate::fault::Fault;
use crate::linearizability::is_linearizable;
use crate::world::simulate;

const HISTORIES: u64 = 20_000;

/// What the checks found in a number of histories.
#[derive(Debug, Default)]
struct Findings {
    histories: u64,
    answered: usize,
    chosen: usize,
    /// Seeds of the histories that the clients' answers give away.
    not_linearizable: Vec<u64>,
    /// Seeds of the histories in which a chosen state doesn't descend from an earlier one.
    not_one_line: Vec<u64>,
}

fn search(replica_count: usize, fault: Option<Fault>) -> Findings {
    let first_seed = setting("MARTLET_SEED", 0x6d61_7274_6c65_7400);
    let mut findings = Findings { histories: setting("MARTLET_HISTORIES", HISTORIES), ..Findings::default() };
    for seed in (0..findings.histories).map(|index| first_seed.wrapping_add(index)) {
        let history = simulate(seed, replica_count, fault);
        findings.answered += history.calls.iter().filter(|call| call.returned.is_some()).count();
        findings.chosen += history.ledger.chosen().count();
        if !is_linearizable(&history.calls) {
            findings.not_linearizable.push(seed);
        }
        if !history.ledger.is_one_line() {
            findings.not_one_line.push(seed);
        }
    }
    findings
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

fn holds(replica_count: usize) {
    let findings = search(replica_count, None);
    eprintln!("{replica_count} replicas: {findings:?}");
    assert!(
        findings.answered > 5 * usize::try_from(findings.histories).expect("a count"),
        "too little happened"
    );
    assert!(
        findings.not_linearizable.is_empty(),
        "not linearizable, by seed: {:?}",
        findings.not_linearizable
    );
    assert!(findings.not_one_line.is_empty(), "history forks, by seed: {:?}", findings.not_one_line);
}

fn is_caught(fault: Fault) {
    let findings = search(3, Some(fault));
    let (clients, ledger) = (findings.not_linearizable.len(), findings.not_one_line.len());
    eprintln!(
        "{fault:?}: in {} histories, {clients} caught by answers, {ledger} by lineage",
        findings.histories
    );
    assert!(clients > 0, "{fault:?} was not caught in {} histories", findings.histories);
}

#[test]
fn three_replicas_are_one_object() {
    holds(3);
}

#[test]
fn five_replicas_are_one_object() {
    holds(5);
}

#[test]
fn accepting_below_a_promise_is_caught() {
    is_caught(Fault::NoPromiseCheck);
}

#[test]
fn a_read_that_takes_the_newer_is_caught() {
    is_caught(Fault::NewerOfTwoRead);
}

#[test]
fn a_restart_without_a_floor_is_caught() {
    is_caught(Fault::NoFloorAfterRestart);
}

#[test]
fn an_eviction_without_a_floor_is_caught() {
    is_caught(Fault::NoFloorAfterEviction);
}

#[test]
fn forgetting_a_tombstone_without_a_floor_is_caught() {
    is_caught(Fault::NoFloorAfterForgetting);
}

#[test]
fn forgetting_a_tombstone_early_is_caught() {
    is_caught(Fault::ForgettingEarly);
}

#[test]
fn a_condition_that_fails_without_an_accept_is_caught() {
    is_caught(Fault::NoAcceptBeforeFailedCondition);
}

#[test]
fn a_lost_answer_applied_again_is_caught() {
    is_caught(Fault::NoLineage);
}

#[test]
fn a_copy_behind_the_protocol_is_caught() {
    is_caught(Fault::FollowerCopy);
}

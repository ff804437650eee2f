//! Thousands of simulated histories, each checked for linearizability; and the same with planted faults.

use crate::fault::Fault;
use crate::linearizability::is_linearizable;
use crate::world::{History, simulate};

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
    // A fault that shows seldom needs its histories.
    let histories_min = if fault.is_some() { HISTORIES } else { 0 };
    let histories = setting("MARTLET_HISTORIES", HISTORIES).max(histories_min);
    let mut findings = Findings { histories, ..Findings::default() };
    for seed in (0..histories).map(|index| first_seed().wrapping_add(index)) {
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

fn first_seed() -> u64 {
    setting("MARTLET_SEED", 0x6d61_7274_6c65_7400)
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

fn holds(replica_count: usize) {
    let findings = search(replica_count, None);
    let Findings { histories, answered, chosen, .. } = findings;
    eprintln!("{replica_count} replicas: {histories} histories, {answered} answers, {chosen} ballots chosen");
    if let Some(seed) = findings.not_linearizable.first().or(findings.not_one_line.first()) {
        let History { calls, ledger } = simulate(*seed, replica_count, None);
        let broken = findings.not_linearizable.len() + findings.not_one_line.len();
        let again = format!("MARTLET_SEED={seed} MARTLET_HISTORIES=1");
        panic!("{broken} histories are broken; the first again with {again}\n{calls:#?}\n{ledger:#?}");
    }
    assert!(answered as u64 > 5 * histories, "too little happened");
}

fn is_caught(fault: Fault) {
    let findings = search(3, Some(fault));
    let (answers, lineage) = (findings.not_linearizable.len(), findings.not_one_line.len());
    eprintln!(
        "{fault:?}: in {} histories, {answers} caught by answers, {lineage} by lineage",
        findings.histories
    );
    assert!(answers + lineage > 0, "{fault:?} was not caught; the first seed was {}", first_seed());
}

#[test]
fn the_same_seed_makes_the_same_history() {
    assert_eq!(simulate(first_seed(), 3, None), simulate(first_seed(), 3, None));
    assert_ne!(simulate(first_seed(), 3, None), simulate(first_seed().wrapping_add(1), 3, None));
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

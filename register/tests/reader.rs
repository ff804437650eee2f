//! The fast read against scripted replies.

use martlet_register::{
    Accepted, Ballot, ProposerId, Quorum, ReadReply, ReadStep, Reader, ReplicaSet, State,
};

type Value = &'static str;

fn ballot(time: u64) -> Ballot {
    Ballot { time, proposer: ProposerId(1) }
}

fn state(time: u64) -> State<Value> {
    State::first(ballot(time), Ballot::ZERO, "value")
}

fn value(time: u64) -> ReadReply<Value> {
    ReadReply::Value { accepted: Some(Accepted { ballot: ballot(time), state: state(time) }) }
}

fn only(time: u64) -> ReadReply<Value> {
    ReadReply::Ballot { accepted: Some(ballot(time)) }
}

/// A read of three replicas, of which these are asked at first.
fn reader(asked: &[usize]) -> Reader<Value> {
    Reader::start(Quorum::majority(3), asked.iter().copied().collect())
}

#[test]
fn two_replicas_with_the_same_ballot_answer_the_read() {
    let mut reader = reader(&[0, 1]);
    assert_eq!(reader.on_reply(0, value(5)), ReadStep::Wait);
    assert_eq!(reader.on_reply(1, only(5)), ReadStep::Chosen(Some(state(5))));
    assert_eq!(reader.on_reply(1, only(6)), ReadStep::Wait);
}

#[test]
fn two_replicas_with_nothing_answer_that_there_is_nothing() {
    let mut reader = reader(&[0, 1]);
    assert_eq!(reader.on_reply(1, ReadReply::Ballot { accepted: None }), ReadStep::Wait);
    assert_eq!(reader.on_reply(0, ReadReply::Value { accepted: None }), ReadStep::Chosen(None));
}

#[test]
fn a_third_replica_is_asked_when_two_differ() {
    let mut reader = reader(&[0, 1]);
    reader.on_reply(0, value(5));
    assert_eq!(reader.on_reply(1, only(6)), ReadStep::Ask { replicas: [2].into_iter().collect() });
    assert_eq!(reader.on_reply(2, only(5)), ReadStep::Chosen(Some(state(5))));
}

#[test]
fn the_newer_of_two_is_never_the_answer() {
    let mut reader = reader(&[0, 1, 2]);
    reader.on_reply(0, value(5));
    assert_eq!(reader.on_reply(1, only(6)), ReadStep::Wait);
    assert_eq!(reader.on_timeout(), ReadStep::Resolve);
}

#[test]
fn three_different_ballots_are_resolved() {
    let mut reader = reader(&[0, 1, 2]);
    reader.on_reply(0, value(5));
    reader.on_reply(1, only(6));
    assert_eq!(reader.on_reply(2, only(7)), ReadStep::Resolve);
}

#[test]
fn a_spare_replica_is_asked_when_one_fails() {
    let mut reader = reader(&[0, 1]);
    assert_eq!(reader.on_reply(0, ReadReply::Failed), ReadStep::Ask { replicas: [2].into_iter().collect() });
    assert_eq!(reader.on_reply(1, only(5)), ReadStep::Wait);
    assert_eq!(reader.on_reply(2, only(5)), ReadStep::FetchValue { from: 1, ballot: ballot(5) });
    assert_eq!(reader.on_reply(1, value(5)), ReadStep::Chosen(Some(state(5))));
}

#[test]
fn a_value_that_moved_on_while_it_was_fetched_is_resolved() {
    let mut reader = reader(&[0, 1, 2]);
    reader.on_reply(0, value(4));
    reader.on_reply(1, only(5));
    assert_eq!(reader.on_reply(2, only(5)), ReadStep::FetchValue { from: 1, ballot: ballot(5) });
    assert_eq!(reader.on_reply(1, value(6)), ReadStep::Resolve);
}

#[test]
fn a_value_that_fails_to_come_is_resolved() {
    let mut reader = reader(&[0, 1, 2]);
    reader.on_reply(0, value(4));
    reader.on_reply(1, only(5));
    reader.on_reply(2, only(5));
    assert_eq!(reader.on_reply(1, ReadReply::Failed), ReadStep::Resolve);
}

#[test]
fn a_read_without_a_majority_is_unavailable() {
    let mut reader = reader(&[0, 1, 2]);
    assert_eq!(reader.on_reply(0, ReadReply::Failed), ReadStep::Wait);
    assert_eq!(reader.on_reply(2, ReadReply::Failed), ReadStep::Unavailable);
}

#[test]
fn a_timeout_asks_the_replicas_that_were_spared() {
    let mut reader = reader(&[0, 1]);
    reader.on_reply(0, value(5));
    assert_eq!(reader.on_timeout(), ReadStep::Ask { replicas: [2].into_iter().collect() });
    assert_eq!(reader.on_timeout(), ReadStep::Unavailable);
}

#[test]
fn one_replica_counts_once() {
    let mut reader = reader(&[0, 1]);
    assert_eq!(reader.on_reply(0, value(5)), ReadStep::Wait);
    assert_eq!(reader.on_reply(0, value(5)), ReadStep::Wait);
}

#[test]
fn five_replicas_need_three_that_agree() {
    let mut reader = Reader::<Value>::start(Quorum::majority(5), ReplicaSet::first(5));
    reader.on_reply(0, value(5));
    assert_eq!(reader.on_reply(1, only(5)), ReadStep::Wait);
    assert_eq!(reader.on_reply(2, only(6)), ReadStep::Wait);
    assert_eq!(reader.on_reply(3, only(5)), ReadStep::Chosen(Some(state(5))));
}

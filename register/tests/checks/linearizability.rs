//! Whether what the clients were told can be explained by doing the operations one after the other.
//!
//! Wing and Gong's search ("Testing and verifying concurrent objects", 1993),
//! with Lowe's memory of the configurations that led nowhere.

use std::collections::HashSet;

use crate::operation::{Answer, Operation, Tag};

/// One operation in a history. Times are positions in the history: all different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) invoked: usize,
    /// When it returned, and what. `None`: nobody knows; it may take effect at any later time, or never.
    pub(crate) returned: Option<(usize, Answer)>,
}

const CALLS_MAX: usize = 64;

/// Whether some order of the calls, in which none is before one that had returned when it was invoked,
/// gives every answer. The object doesn't exist at first.
pub(crate) fn is_linearizable(calls: &[Call]) -> bool {
    assert!(calls.len() <= CALLS_MAX, "a history of at most {CALLS_MAX} calls");
    let answered = (0..calls.len()).filter(|index| calls[*index].returned.is_some());
    let goal = answered.fold(0_u64, |set, index| set | 1 << index);
    let mut seen = HashSet::new();
    let mut open: Vec<(u64, Option<Tag>)> = vec![(0, None)];
    while let Some((done, present)) = open.pop() {
        if done & goal == goal {
            return true;
        }
        let pending = || (0..calls.len()).filter(move |index| done & (1 << index) == 0);
        let first_return = pending().filter_map(|index| calls[index].returned).map(|(when, _)| when).min();
        // The search goes on from what is pushed last: the calls that were invoked first.
        for index in pending().rev() {
            let call = &calls[index];
            if first_return.is_some_and(|when| when < call.invoked) {
                continue;
            }
            let (after, answer) = call.operation.apply(present);
            let explained = call.returned.is_none_or(|(_, told)| told == answer);
            let next = (done | 1 << index, after);
            if explained && seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

fn returned(operation: Operation, invoked: usize, when: usize, answer: Answer) -> Call {
    Call { operation, invoked, returned: Some((when, answer)) }
}

fn lost(operation: Operation, invoked: usize) -> Call {
    Call { operation, invoked, returned: None }
}

#[test]
fn a_read_after_a_write_must_see_it() {
    let write = returned(Operation::Write(1), 0, 1, Answer::Done);
    assert!(is_linearizable(&[write, returned(Operation::Read, 2, 3, Answer::Found(Some(1)))]));
    assert!(!is_linearizable(&[write, returned(Operation::Read, 2, 3, Answer::Found(None))]));
}

#[test]
fn a_read_beside_a_write_may_see_either() {
    let write = returned(Operation::Write(1), 0, 3, Answer::Done);
    for seen in [None, Some(1)] {
        assert!(is_linearizable(&[write, returned(Operation::Read, 1, 2, Answer::Found(seen))]));
    }
}

#[test]
fn two_reads_must_not_see_a_write_come_and_go() {
    let write = lost(Operation::Write(1), 0);
    let new = returned(Operation::Read, 1, 2, Answer::Found(Some(1)));
    let old = returned(Operation::Read, 3, 4, Answer::Found(None));
    assert!(!is_linearizable(&[write, new, old]));
}

#[test]
fn a_lost_write_may_take_effect_late_or_never() {
    let write = lost(Operation::Write(1), 0);
    let early = returned(Operation::Read, 1, 2, Answer::Found(None));
    let late = returned(Operation::Read, 3, 4, Answer::Found(Some(1)));
    assert!(is_linearizable(&[write, early]));
    assert!(is_linearizable(&[write, early, late]));
}

#[test]
fn two_creations_must_not_both_succeed() {
    let first = returned(Operation::Create(1), 0, 2, Answer::Done);
    let second = returned(Operation::Create(2), 1, 3, Answer::Done);
    assert!(!is_linearizable(&[first, second]));
    assert!(is_linearizable(&[first, returned(Operation::Create(2), 1, 3, Answer::ConditionFailed)]));
}

#[test]
fn two_writes_must_not_replace_the_same_value() {
    let first = returned(Operation::Replace(1), 0, 2, Answer::Replaced(None));
    let second = returned(Operation::Replace(2), 1, 3, Answer::Replaced(None));
    assert!(!is_linearizable(&[first, second]));
}

//! The check of histories finds what is wrong, and nothing else.

use martlet_testkit::linearizability::{Call, Step, check};
use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert_eq, prop_oneof, proptest};

/// What somebody was told about a register that may be empty.
#[derive(Clone, Copy, Debug)]
enum Told {
    Found(Option<u8>),
    Written(u8),
    /// `If-None-Match: *`
    Created(u8),
    /// `If-Match`
    Updated {
        from: u8,
        to: u8,
    },
    NotCreated,
    NotUpdated {
        from: u8,
    },
    Deleted,
    NothingToDelete,
    /// Deleted, whether there was something or not.
    Gone,
}

impl Step for Told {
    type State = Option<u8>;

    fn apply(&self, before: &Option<u8>) -> Option<Option<u8>> {
        match *self {
            Self::Found(found) => (found == *before).then_some(*before),
            Self::Written(value) => Some(Some(value)),
            Self::Created(value) => before.is_none().then_some(Some(value)),
            Self::Updated { from, to } => (*before == Some(from)).then_some(Some(to)),
            Self::NotCreated => before.is_some().then_some(*before),
            Self::NotUpdated { from } => (*before != Some(from)).then_some(*before),
            Self::Deleted => before.is_some().then_some(None),
            Self::NothingToDelete => before.is_none().then_some(None),
            Self::Gone => Some(None),
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::Found(_) | Self::NotCreated | Self::NotUpdated { .. } | Self::NothingToDelete)
    }
}

use Told::{Created, Deleted, Found, Gone, NotCreated, NotUpdated, NothingToDelete, Updated, Written};

fn told(step: Told, invoked: u64, returned: u64) -> Call<Told> {
    Call { step, invoked, returned: Some(returned) }
}

fn lost(step: Told, invoked: u64) -> Call<Told> {
    Call { step, invoked, returned: None }
}

fn assert_explained(calls: &[Call<Told>]) {
    assert_eq!(check(None, calls), Ok(()));
}

#[track_caller]
fn assert_wrong(call: usize, calls: &[Call<Told>]) {
    assert_eq!(check(None, calls).expect_err("it can't be explained").call, call);
}

#[test]
fn a_stale_read_is_found() {
    let writes = [told(Written(1), 0, 1), told(Written(2), 2, 3)];
    assert_explained(&[&writes[..], &[told(Found(Some(2)), 4, 5)]].concat());
    assert_wrong(2, &[&writes[..], &[told(Found(Some(1)), 4, 5)]].concat());
}

#[test]
fn a_lost_write_is_found() {
    assert_wrong(1, &[told(Written(1), 0, 1), told(Found(None), 2, 3)]);
    assert_wrong(1, &[told(Written(1), 0, 1), told(NothingToDelete, 2, 3)]);
    // Also long after.
    let mut calls = vec![told(Written(1), 0, 1)];
    calls.extend((1..500).map(|time| told(Found(Some(1)), 2 * time, 2 * time + 1)));
    assert_explained(&calls);
    calls.push(told(Found(None), 2000, 2001));
    assert_wrong(500, &calls);
}

#[test]
fn a_deleted_object_that_comes_back_is_found() {
    assert_wrong(2, &[told(Written(1), 0, 1), told(Deleted, 2, 3), told(Found(Some(1)), 4, 5)]);
}

#[test]
fn two_successes_of_one_creation_are_found() {
    assert_wrong(1, &[told(Created(1), 0, 2), told(Created(2), 1, 3)]);
    assert_explained(&[told(Created(1), 0, 2), told(NotCreated, 1, 3)]);
    assert_explained(&[told(Created(1), 0, 5), told(Deleted, 1, 6), told(Created(2), 1, 4)]);
}

#[test]
fn two_updates_of_one_value_are_found() {
    let (first, second) = (Updated { from: 1, to: 2 }, Updated { from: 1, to: 3 });
    assert_wrong(2, &[told(Written(1), 0, 1), told(first, 2, 5), told(second, 3, 6)]);
    let refused = NotUpdated { from: 1 };
    assert_explained(&[told(Written(1), 0, 1), told(first, 2, 5), told(refused, 3, 6)]);
    assert_wrong(1, &[told(Written(1), 0, 1), told(refused, 2, 3), told(first, 4, 6)]);
}

#[test]
fn two_reads_that_see_a_write_come_and_go_are_found() {
    let write = told(Written(1), 0, 9);
    assert_explained(&[write, told(Found(None), 1, 2), told(Found(Some(1)), 3, 4)]);
    assert_wrong(2, &[write, told(Found(Some(1)), 1, 2), told(Found(None), 3, 4)]);
}

#[test]
fn a_write_whose_outcome_nobody_knows_may_come_late_or_never_but_once() {
    let write = lost(Written(1), 0);
    let (none, some) = (told(Found(None), 1, 2), told(Found(Some(1)), 3, 4));
    assert_explained(&[write, none]);
    assert_explained(&[write, none, some]);
    let overwritten = told(Written(2), 5, 6);
    assert_explained(&[write, none, overwritten, told(Found(Some(1)), 7, 8)]);
    assert_wrong(4, &[write, none, some, overwritten, told(Found(Some(1)), 7, 8)]);
}

#[test]
fn a_deletion_that_says_nothing_may_be_after_a_write_beside_it() {
    let (write, gone) = (told(Written(1), 0, 3), told(Gone, 1, 4));
    for found in [Some(1), None] {
        assert_explained(&[write, gone, told(Found(found), 5, 6)]);
    }
}

#[test]
fn many_unknown_outcomes_cost_little() {
    let mut calls: Vec<_> = (0..40).map(|value| lost(Written(value), u64::from(value))).collect();
    for value in 0..200_u8 {
        let time = 100 + 10 * u64::from(value);
        calls.push(told(Written(100 + value % 100), time, time + 1));
        calls.push(told(Found(Some(100 + value % 100)), time + 2, time + 3));
    }
    assert_explained(&calls);
    calls.push(told(Found(Some(50)), 5000, 5001));
    assert_wrong(440, &calls);
}

/// Every order of the calls, and every choice of those whose outcome isn't known.
fn is_explained_by_trying_everything(state: Option<u8>, calls: &[Call<Told>], done: &[usize]) -> bool {
    let pending = || (0..calls.len()).filter(|index| !done.contains(index));
    if pending().all(|index| calls[index].returned.is_none()) {
        return true;
    }
    let first_return = pending().filter_map(|index| calls[index].returned).min();
    pending().any(|index| {
        let is_too_early = first_return.is_some_and(|when| when < calls[index].invoked);
        let next = calls[index].step.apply(&state).filter(|_| !is_too_early);
        next.is_some_and(|state| is_explained_by_trying_everything(state, calls, &[done, &[index]].concat()))
    })
}

fn some_call() -> impl Strategy<Value = Call<Told>> {
    let value = || 0..3_u8;
    let step = prop_oneof![
        3 => prop::option::of(value()).prop_map(Found),
        2 => value().prop_map(Written),
        1 => value().prop_map(Created),
        2 => (value(), value()).prop_map(|(from, to)| Updated { from, to }),
        1 => (0..1_u8).prop_map(|_| NotCreated),
        1 => value().prop_map(|from| NotUpdated { from }),
        1 => (0..1_u8).prop_map(|_| Deleted),
        1 => (0..1_u8).prop_map(|_| NothingToDelete),
        1 => (0..1_u8).prop_map(|_| Gone),
    ];
    (step, 0..12_u64, 0..6_u64, any::<u8>()).prop_map(|(step, invoked, took, chance)| Call {
        step,
        invoked,
        returned: (chance % 4 != 0).then_some(invoked + took),
    })
}

proptest! {
    #[test]
    fn it_says_the_same_as_trying_everything(calls in prop::collection::vec(some_call(), 1..7)) {
        let expected = is_explained_by_trying_everything(None, &calls, &[]);
        prop_assert_eq!(check(None, &calls).is_ok(), expected);
    }
}

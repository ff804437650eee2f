//! A change of one row, from the first prepare to the answer.

use std::future::{Future, ready};
use std::sync::Arc;

use martlet_model::{Error, Result};
use martlet_protocol::{CarriedBody, RowState, RowValue};
use martlet_register::{Ballot, Decision, Outcome, Proposer, Step};
use martlet_ring::DeviceId;
use tokio::time::timeout_at;

use super::ledger::Ledger;
use super::rounds::Rounds;
use super::{Access, Verdict};
use crate::cluster::Shared;

/// Decides on a change. It may be asked several times, on different predecessors, and may look at other rows meanwhile.
pub(crate) trait Decide: Send {
    type Answer: Send;

    fn decide<'a>(&'a mut self, seen: Seen<'a>) -> impl Future<Output = Verdict<Self::Answer>> + Send;
}

/// What a change finds, once a majority has promised to take nothing below its ballot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) ballot: Ballot,
    pub(crate) predecessor: Option<&'a RowState>,
    /// The latest ballot under which a replica that answered has accepted the predecessor.
    pub(crate) accepted: Ballot,
    /// Whether the predecessor is known to be chosen. Otherwise it only will be if this change is.
    pub(crate) is_chosen: bool,
}

/// What became of a value that was to be written under one ballot alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    Done,
    /// Something may stand against it that has a ballot up to this one.
    Late {
        above: Ballot,
    },
}

/// Changes a row as `decide` says. `decide` may be asked several times, on different predecessors.
///
/// - `Err(Unavailable)`, `Err(OutOfSpace)`: nothing of this change was or will be chosen.
/// - `Err(OutcomeUnknown)`: it was sent out, and what became of it can't be learnt.
pub(crate) async fn change<T: Send>(
    shared: &Arc<Shared>,
    access: &Access,
    body: Option<CarriedBody>,
    decide: impl FnMut(Option<&RowState>) -> Verdict<T> + Send,
) -> Result<T> {
    drive(Rounds::new(shared, access, body), &mut AtOnce(decide)).await
}

/// The same, and `holders` are the first who are asked: what one of them has accepted is seen if it answers.
pub(crate) async fn change_asking<T: Send>(
    shared: &Arc<Shared>,
    access: &Access,
    holders: &[DeviceId],
    decide: impl FnMut(Option<&RowState>) -> Verdict<T> + Send,
) -> Result<T> {
    let mut rounds = Rounds::new(shared, access, None);
    rounds.ask_first(holders);
    drive(rounds, &mut AtOnce(decide)).await
}

/// The same, deciding with a look at other rows.
pub(crate) async fn change_by<D: Decide>(
    shared: &Arc<Shared>,
    access: &Access,
    body: Option<CarriedBody>,
    decider: &mut D,
) -> Result<D::Answer> {
    drive(Rounds::new(shared, access, body), decider).await
}

/// The row's latest state, known to be chosen.
pub(crate) async fn resolve(shared: &Arc<Shared>, access: &Access) -> Result<Option<RowState>> {
    change(shared, access, None, |predecessor| Verdict::Leave(Ok(predecessor.cloned()))).await
}

/// The row's value, proposed once more.
///
/// A minority may hold a value that was accepted after the chosen one and was never chosen itself, and a later
/// proposer may yet take it up. Once a majority has accepted the row's value under a new ballot,
/// either that value was taken up here, or it never will be.
pub(crate) async fn settle(shared: &Arc<Shared>, access: &Access) -> Result<Option<RowState>> {
    change(shared, access, None, |predecessor| Verdict::Write {
        value: predecessor.map_or(RowValue::Tombstone, |state| state.value.clone()),
        answer: predecessor.cloned(),
    })
    .await
}

/// Writes a value under this ballot or not at all: once something with a higher ballot has been promised or accepted
/// by a majority, a latecomer can't undo it. Nothing becomes garbage by it.
///
/// The ballot must be the caller's own, and never used on this row before.
pub(crate) async fn write_under(
    shared: &Arc<Shared>,
    access: &Access,
    ballot: Ballot,
    value: &RowValue,
) -> Result<Placed> {
    let mut rounds = Rounds::new(shared, access, None);
    let (mut proposer, mut step) = Proposer::start(shared.quorum(), ballot);
    loop {
        step = match step {
            Step::Wait => rounds.wait(&mut proposer).await,
            Step::Prepare { ballot } => {
                rounds.prepare(ballot);
                Step::Wait
            }
            Step::Decide { predecessor } => proposer.decide(match predecessor {
                Some(present) if present.value == *value => Decision::Keep,
                _ => Decision::Change(value.clone()),
            }),
            Step::Accept { ballot, state } => {
                rounds.accept(ballot, state, Vec::new());
                Step::Wait
            }
            Step::Retry { above } => {
                rounds.heed_seal().await?;
                return Ok(Placed::Late { above });
            }
            Step::Done(outcome) => {
                rounds.leave_the_slow_behind();
                count(rounds.shared, &outcome);
                return match outcome {
                    Outcome::Chosen(_) | Outcome::Kept(_) => Ok(Placed::Done),
                    Outcome::Unavailable | Outcome::Unknown => {
                        Err(Error::Unavailable("too few replicas of a row answered"))
                    }
                };
            }
        }
    }
}

async fn drive<D: Decide>(mut rounds: Rounds<'_>, decider: &mut D) -> Result<D::Answer> {
    let shared = rounds.shared;
    rounds.take_turn().await?;
    let mut ledger = Ledger::default();
    // The predecessor that was made sure of before it was to be decided again.
    let mut sure: Option<Ballot> = None;
    let (mut proposer, mut step) = Proposer::start(shared.quorum(), shared.next_ballot(Ballot::ZERO));
    loop {
        step = match step {
            Step::Wait => rounds.wait(&mut proposer).await,
            Step::Prepare { ballot } => {
                rounds.prepare(ballot);
                Step::Wait
            }
            Step::Decide { predecessor } => {
                let mut seen = rounds.seen(proposer.ballot(), predecessor.as_ref());
                seen.is_chosen |= sure.is_some() && sure == predecessor.as_ref().map(|state| state.change);
                let deciding = timeout_at(rounds.deadline, decider.decide(seen)).await;
                let verdict =
                    deciding.unwrap_or(Verdict::Leave(Err(Error::Unavailable("a change took too long"))));
                rounds.passes_seals = seen.is_chosen && matches!(verdict, Verdict::Repeat { .. });
                proposer.decide(ledger.note(proposer.ballot(), rounds.access, predecessor.as_ref(), verdict))
            }
            // Others may rely on it that changes which began long ago are over. This process may have stood still.
            Step::Accept { .. } if !rounds.has_time() => Step::Done(proposer.give_up()),
            Step::Accept { ballot, state } => {
                let garbage = ledger.garbage_of(state.change);
                rounds.accept(ballot, state, garbage);
                Step::Wait
            }
            Step::Retry { above } => {
                rounds.before_retry().await?;
                proposer.retry(shared.next_ballot(above))
            }
            // Nothing was sent out, and replicas were silent rather than gone: they are asked once more.
            Step::Done(Outcome::Unavailable) if rounds.may_ask_again() => {
                let (again, first) = Proposer::start(shared.quorum(), shared.next_ballot(proposer.ballot()));
                proposer = again;
                first
            }
            Step::Done(Outcome::Kept(kept)) if ledger.again.is_some() && rounds.has_time() => {
                sure = kept.map(|state| state.change);
                let above = ledger.again.take().unwrap_or_default().max(proposer.ballot());
                rounds.before_retry().await?;
                let (again, first) = Proposer::start(shared.quorum(), shared.next_ballot(above));
                proposer = again;
                first
            }
            Step::Done(outcome) => {
                rounds.tell_if_slow();
                rounds.leave_the_slow_behind();
                count(shared, &outcome);
                return ledger.conclude(outcome);
            }
        }
    }
}

fn count(shared: &Shared, outcome: &Outcome<RowValue>) {
    match outcome {
        Outcome::Chosen(_) | Outcome::Kept(_) => {}
        Outcome::Unavailable => shared.figures.rows_without_quorum.increment(),
        Outcome::Unknown => shared.figures.changes_unknown.increment(),
    }
}

/// A decision that needs nothing but the predecessor.
struct AtOnce<F>(F);

impl<T: Send, F: FnMut(Option<&RowState>) -> Verdict<T> + Send> Decide for AtOnce<F> {
    type Answer = T;

    fn decide<'a>(&'a mut self, seen: Seen<'a>) -> impl Future<Output = Verdict<T>> + Send {
        ready((self.0)(seen.predecessor))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use martlet_testkit::{Faults, MemoryReplica, Reach};
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::cluster::DOCUMENTS;
    use crate::record::document;
    use crate::testing::cluster_of_replicas;

    /// Writes a document, after something has happened.
    struct After<F>(F);

    impl<T: Future<Output = ()> + Send, F: FnMut() -> T + Send> Decide for After<F> {
        type Answer = ();

        async fn decide(&mut self, _: Seen<'_>) -> Verdict<()> {
            (self.0)().await;
            Verdict::Write { value: document::to_value(b"text"), answer: () }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_stood_still_sends_nothing_out_any_more() {
        let (store, replicas) = cluster_of_replicas();
        let access = Access::open(&store.shared, DOCUMENTS, "late");
        let mut standstill = After(|| advance(Duration::from_mins(1)));
        let changed = change_by(&store.shared, &access, None, &mut standstill).await;
        assert!(matches!(changed, Err(Error::OutcomeUnknown)), "{changed:?}");
        store.idle().await;
        assert!(replicas.iter().all(|replica| replica.row_count() == 0));
    }

    fn slow(replica: &MemoryReplica, millis: u64, is_full: bool) {
        let reach = Reach::Slow(Duration::from_millis(millis));
        replica.set_faults(Faults { is_full, ..Faults::reaching(reach) });
    }

    /// The first round is refused by two, and stored by the third while the second round is on its way.
    #[tokio::test(start_paused = true)]
    async fn a_full_cluster_does_not_deny_what_an_earlier_round_has_stored() {
        let (store, replicas) = cluster_of_replicas();
        let access = Access::open(&store.shared, DOCUMENTS, "full");
        let mut turning_full = After(|| {
            for replica in &replicas[..2] {
                // What it has promised before, it refuses from now on.
                replica.restart();
                slow(replica, 30, true);
            }
            slow(&replicas[2], 40, false);
            let third = replicas[2].clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(50)).await;
                slow(&third, 40, true);
            });
            std::future::ready(())
        });
        let changed = change_by(&store.shared, &access, None, &mut turning_full).await;
        assert_eq!(replicas.iter().filter(|replica| replica.row_count() > 0).count(), 1);
        assert!(matches!(changed, Err(Error::OutcomeUnknown)), "{changed:?}");
    }
}

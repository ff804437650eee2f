//! What holds of the pieces for every input.

use martlet_register::{
    ANCESTORS_MAX, Ancestors, Ballot, BallotClock, BrokenLineage, Descent, Floor, PromiseBound, ProposerId,
    Quorum, Refused, ReplicaSet, Standing, State,
};
use proptest::prelude::*;

fn ballots() -> impl Strategy<Value = Ballot> {
    // Close together, so that equal times and equal ballots come up.
    (0..6_u64, 0..3_u64).prop_map(|(time, proposer)| Ballot { time, proposer: ProposerId(proposer) })
}

fn standings() -> impl Strategy<Value = Standing> {
    (ballots(), proptest::option::of(ballots()), proptest::option::of(ballots()))
        .prop_map(|(floor, promised, accepted)| Standing { floor, promised, accepted })
}

fn replica_sets() -> impl Strategy<Value = ReplicaSet> {
    proptest::collection::vec(0..6_usize, 0..6).prop_map(ReplicaSet::from_iter)
}

/// A lineage of changes with ascending ballots, oldest first.
fn lineages() -> impl Strategy<Value = Vec<Ballot>> {
    proptest::collection::btree_set(
        ballots().prop_filter("above the birth", |ballot| *ballot > Ballot::ZERO),
        1..24,
    )
    .prop_map(|changes| changes.into_iter().collect())
}

/// The state that these changes make, one after the other.
fn grown(changes: &[Ballot], forgotten: Ballot) -> State<()> {
    let first = State::first(changes[0], forgotten, ());
    changes[1..].iter().fold(first, |state, change| state.successor(*change, ()))
}

proptest! {
    #[test]
    fn a_clock_never_goes_back(readings in proptest::collection::vec((any::<u64>(), ballots()), 1..40)) {
        let mut clock = BallotClock::new(ProposerId(7));
        let mut latest = Ballot::ZERO;
        for (now_micros, above) in readings {
            let ballot = clock.next(now_micros, above);
            prop_assert!(latest < ballot && above < ballot);
            prop_assert_eq!(ballot.proposer, ProposerId(7));
            latest = ballot;
        }
    }

    #[test]
    fn a_clock_follows_the_time_of_day(now_micros in 1..1_u64 << 62, earlier in 0..1_u64 << 62) {
        let mut clock = BallotClock::new(ProposerId(7));
        let above = Ballot { time: earlier, proposer: ProposerId(9) };
        prop_assert_eq!(clock.next(now_micros, above).time, now_micros.max(earlier + 1));
    }

    #[test]
    fn a_refusal_names_the_ballot_to_come_back_above(standing in standings(), ballot in ballots()) {
        let above = |seen: Ballot| Ballot { time: seen.time + 1, ..ballot };
        if let Err(Refused { seen }) = standing.prepare(ballot) {
            prop_assert!(ballot <= seen);
            prop_assert_eq!(standing.prepare(above(seen)), Ok(()));
        }
        if let Err(Refused { seen }) = standing.accept(ballot) {
            prop_assert!(ballot <= seen);
            prop_assert_eq!(standing.accept(above(seen)), Ok(()));
        }
    }

    #[test]
    fn nothing_is_promised_at_or_below_what_was_seen(standing in standings(), ballot in ballots()) {
        let seen = [Some(standing.floor), standing.promised, standing.accepted];
        let expected = seen.into_iter().flatten().all(|seen| seen < ballot);
        prop_assert_eq!(standing.prepare(ballot).is_ok(), expected);
    }

    #[test]
    fn nothing_new_is_accepted_below_what_was_seen(standing in standings(), ballot in ballots()) {
        prop_assume!(standing.accepted != Some(ballot));
        let seen = [standing.promised, standing.accepted];
        let expected = standing.floor < ballot && seen.into_iter().flatten().all(|seen| seen <= ballot);
        prop_assert_eq!(standing.accept(ballot).is_ok(), expected);
    }

    #[test]
    fn what_is_accepted_is_accepted_again(standing in standings(), ballot in ballots()) {
        prop_assert_eq!(Standing { accepted: Some(ballot), ..standing }.accept(ballot), Ok(()));
    }

    #[test]
    fn whatever_was_promised_is_at_or_below_the_floor_after_a_restart(
        promises in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..20),
        forgotten in ballots(),
    ) {
        let mut bound = PromiseBound::default();
        let mut promised = Vec::new();
        for (time, proposer, now_micros) in promises {
            let ballot = Ballot { time, proposer: ProposerId(proposer) };
            if !bound.covers(ballot) {
                let next = bound.next(ballot, now_micros);
                prop_assert!(bound.persisted() <= next.persisted());
                bound = next;
            }
            prop_assert!(bound.covers(ballot));
            promised.push(ballot);
        }
        let floor = Floor::after_restart(forgotten, PromiseBound::new(bound.persisted()));
        let standing = Standing { floor: floor.height(), promised: None, accepted: None };
        for ballot in promised {
            prop_assert!(standing.prepare(ballot).is_err() && standing.accept(ballot).is_err());
        }
        prop_assert!(standing.accept(forgotten).is_err());
        prop_assert_eq!(floor.forgotten(), forgotten);
    }

    #[test]
    fn a_floor_only_rises(raises in proptest::collection::vec((any::<bool>(), ballots()), 1..20)) {
        let mut floor = Floor::default();
        for (is_tombstone, ballot) in raises {
            let before = floor;
            if is_tombstone { floor.forget_tombstone(ballot) } else { floor.evict_promise(ballot) }
            prop_assert!(before.height().max(ballot) == floor.height());
            let expected = if is_tombstone { before.forgotten().max(ballot) } else { before.forgotten() };
            prop_assert_eq!(floor.forgotten(), expected);
        }
    }

    /// The lineage never claims more than it knows, and knows the latest.
    #[test]
    fn a_lineage_is_exact_above_its_horizon(changes in lineages(), time in 1..60_u64) {
        let other = Ballot { time, proposer: ProposerId(1) };
        let state = grown(&changes, Ballot::ZERO);
        let is_known = state.change.max(other) == state.change && state.ancestors.horizon() < other;
        match state.descent_from(other) {
            Descent::Included => prop_assert!(changes.contains(&other)),
            Descent::Excluded => prop_assert!(!changes.contains(&other)),
            Descent::Unknown => prop_assert!(!is_known),
        }
        for recent in changes.iter().rev().take(ANCESTORS_MAX + 1) {
            prop_assert_eq!(state.descent_from(*recent), Descent::Included);
        }
        prop_assert_eq!(state.ancestors.is_complete(), changes.len() <= ANCESTORS_MAX + 1);
    }

    #[test]
    fn what_was_forgotten_is_never_excluded(changes in lineages(), pick in any::<prop::sample::Index>()) {
        let (forgotten, remembered) = changes.split_at(pick.index(changes.len()));
        prop_assume!(!forgotten.is_empty());
        let state = grown(remembered, forgotten[forgotten.len() - 1]);
        for change in forgotten {
            prop_assert_eq!(state.descent_from(*change), Descent::Unknown);
        }
    }

    #[test]
    fn a_lineage_survives_its_parts(changes in lineages(), forgets in any::<bool>()) {
        let (forgotten, remembered) = changes.split_at(usize::from(forgets && changes.len() > 1));
        let ancestors = grown(remembered, forgotten.first().copied().unwrap_or(Ballot::ZERO)).ancestors;
        prop_assert_eq!(Ancestors::from_parts(ancestors.horizon(), ancestors.newest_first()), Ok(ancestors));
    }

    #[test]
    fn any_two_majorities_meet(first in replica_sets(), second in replica_sets(), replica_count in 1..6_usize) {
        let quorum = Quorum::majority(replica_count);
        if quorum.is_met_by(first) && quorum.is_met_by(second) {
            let both = ReplicaSet::first(replica_count).iter().filter(|one| first.contains(*one) && second.contains(*one));
            prop_assert!(both.count() > 0);
        }
        prop_assert_eq!(quorum.survives(first), quorum.is_met_by(quorum.replicas().without(first)));
    }

    #[test]
    fn a_joint_quorum_meets_the_majorities_of_both_sets(
        old in replica_sets(), new in replica_sets(), agreeing in replica_sets(),
    ) {
        prop_assume!(!old.is_empty() && !new.is_empty());
        let holds = |set: ReplicaSet| 2 * set.iter().filter(|one| agreeing.contains(*one)).count() > set.count();
        prop_assert_eq!(Quorum::joint(old, new).is_met_by(agreeing), holds(old) && holds(new));
    }
}

#[test]
fn a_broken_lineage_is_refused() {
    let ballot = |time| Ballot { time, proposer: ProposerId(1) };
    let too_long: Vec<Ballot> = (1..=9).rev().map(ballot).collect();
    assert_eq!(Ancestors::from_parts(Ballot::ZERO, &too_long), Err(BrokenLineage));
    assert_eq!(Ancestors::from_parts(Ballot::ZERO, &[ballot(1), ballot(2)]), Err(BrokenLineage));
    assert_eq!(Ancestors::from_parts(Ballot::ZERO, &[ballot(2), ballot(2)]), Err(BrokenLineage));
    assert_eq!(Ancestors::from_parts(ballot(2), &[ballot(3), ballot(2)]), Err(BrokenLineage));
    assert!(Ancestors::from_parts(ballot(1), &[ballot(3), ballot(2)]).is_ok());
}

#[test]
fn the_bound_is_renewed_about_once_a_second() {
    let bound = PromiseBound::default().next(Ballot::ZERO, 10_000_000);
    assert_eq!(bound.persisted(), Ballot::last_of(12_000_000));
    assert!(!bound.is_due(11_000_000));
    assert!(bound.is_due(11_000_001));
}

//! One proposer against scripted replies: every ending, and the roads to it.

use martlet_register::{
    Accepted, Asked, Ballot, Decision, Outcome, Proposer, ProposerId, Quorum, ROUNDS_MAX, ReplicaSet, Reply,
    State, Step,
};

type Value = &'static str;

fn ballot(time: u64) -> Ballot {
    Ballot { time, proposer: ProposerId(1) }
}

fn promised(accepted: Option<(u64, &State<Value>)>) -> Reply<Value> {
    let accepted = accepted.map(|(time, state)| Accepted { ballot: ballot(time), state: state.clone() });
    Reply::Promised { accepted, forgotten: Ballot::ZERO }
}

fn state(change: u64) -> State<Value> {
    State::first(ballot(change), Ballot::ZERO, "theirs")
}

/// A proposer over three replicas whose prepare has gone out under ballot 10.
fn prepared() -> Proposer<Value> {
    let (proposer, step) = Proposer::start(Quorum::majority(3), ballot(10));
    assert_eq!(step, Step::Prepare { ballot: ballot(10) });
    proposer
}

/// The same, with its change on `predecessor` sent out.
fn proposed(predecessor: Option<(u64, &State<Value>)>) -> (Proposer<Value>, State<Value>) {
    let mut proposer = prepared();
    proposer.on_reply(0, Asked::Prepare(ballot(10)), promised(predecessor));
    let step = proposer.on_reply(1, Asked::Prepare(ballot(10)), promised(None));
    assert_eq!(step, Step::Decide { predecessor: predecessor.map(|(_, state)| state.clone()) });
    let Step::Accept { ballot: under, state } = proposer.decide(Decision::Change("ours")) else {
        panic!("a change is sent out")
    };
    assert_eq!((under, state.change, state.value), (ballot(10), ballot(10), "ours"));
    (proposer, state)
}

/// The same, after its accept got lost and it came back under ballot 20.
fn returned(predecessor: Option<(u64, &State<Value>)>) -> (Proposer<Value>, State<Value>) {
    let (mut proposer, ours) = proposed(predecessor);
    assert_eq!(proposer.on_timeout(), Step::Retry { above: ballot(10) });
    assert_eq!(proposer.retry(ballot(20)), Step::Prepare { ballot: ballot(20) });
    (proposer, ours)
}

/// Feeds the same promise from a majority in round 20.
fn hears(proposer: &mut Proposer<Value>, accepted: Option<(u64, &State<Value>)>) -> Step<Value> {
    assert_eq!(proposer.on_reply(0, Asked::Prepare(ballot(20)), promised(accepted)), Step::Wait);
    proposer.on_reply(1, Asked::Prepare(ballot(20)), promised(accepted))
}

#[test]
fn a_change_is_chosen_when_a_majority_has_accepted_it() {
    let (mut proposer, ours) = proposed(None);
    assert_eq!(proposer.on_reply(2, Asked::Accept(ballot(10)), Reply::Accepted), Step::Wait);
    assert_eq!(
        proposer.on_reply(0, Asked::Accept(ballot(10)), Reply::Accepted),
        Step::Done(Outcome::Chosen(ours))
    );
}

#[test]
fn the_predecessor_is_the_one_with_the_highest_ballot() {
    let (older, newer) = (state(3), state(4));
    let mut proposer = prepared();
    proposer.on_reply(0, Asked::Prepare(ballot(10)), promised(Some((6, &newer))));
    let step = proposer.on_reply(2, Asked::Prepare(ballot(10)), promised(Some((5, &older))));
    assert_eq!(step, Step::Decide { predecessor: Some(newer) });
}

#[test]
fn repeated_late_and_misdirected_replies_change_nothing() {
    let mut proposer = prepared();
    let asked = Asked::Prepare(ballot(10));
    assert_eq!(proposer.on_reply(0, asked, promised(None)), Step::Wait);
    assert_eq!(proposer.on_reply(0, asked, promised(None)), Step::Wait);
    assert_eq!(proposer.on_reply(0, asked, Reply::Failed), Step::Wait);
    assert_eq!(proposer.on_reply(1, Asked::Prepare(ballot(9)), promised(None)), Step::Wait);
    assert_eq!(proposer.on_reply(1, Asked::Accept(ballot(10)), Reply::Accepted), Step::Wait);
    assert_eq!(proposer.on_reply(3, asked, promised(None)), Step::Wait);
    assert_eq!(proposer.on_reply(1, asked, promised(None)), Step::Decide { predecessor: None });
    assert_eq!(proposer.on_reply(2, asked, Reply::Refused { seen: ballot(99) }), Step::Wait);
}

#[test]
fn a_kept_predecessor_is_accepted_again_before_the_answer() {
    let theirs = state(3);
    let mut proposer = prepared();
    proposer.on_reply(0, Asked::Prepare(ballot(10)), promised(Some((3, &theirs))));
    proposer.on_reply(1, Asked::Prepare(ballot(10)), promised(None));
    let step = proposer.decide(Decision::Keep);
    assert_eq!(step, Step::Accept { ballot: ballot(10), state: theirs.clone() });
    proposer.on_reply(0, Asked::Accept(ballot(10)), Reply::Accepted);
    let step = proposer.on_reply(1, Asked::Accept(ballot(10)), Reply::Accepted);
    assert_eq!(step, Step::Done(Outcome::Kept(Some(theirs))));
}

#[test]
fn a_predecessor_known_to_be_chosen_is_kept_at_once() {
    let theirs = state(3);
    let mut proposer = prepared();
    proposer.on_reply(0, Asked::Prepare(ballot(10)), promised(Some((3, &theirs))));
    proposer.on_reply(1, Asked::Prepare(ballot(10)), promised(Some((3, &theirs))));
    assert_eq!(proposer.decide(Decision::Keep), Step::Done(Outcome::Kept(Some(theirs))));
}

#[test]
fn nothing_is_kept_at_once_when_a_majority_holds_nothing() {
    let mut proposer = prepared();
    proposer.on_reply(0, Asked::Prepare(ballot(10)), promised(None));
    proposer.on_reply(1, Asked::Prepare(ballot(10)), promised(None));
    assert_eq!(proposer.decide(Decision::Keep), Step::Done(Outcome::Kept(None)));
}

#[test]
fn a_refused_proposer_comes_back_above_what_was_seen() {
    let mut proposer = prepared();
    let asked = Asked::Prepare(ballot(10));
    assert_eq!(proposer.on_reply(0, asked, Reply::Refused { seen: ballot(30) }), Step::Wait);
    let step = proposer.on_reply(1, asked, Reply::Refused { seen: ballot(20) });
    assert_eq!(step, Step::Retry { above: ballot(30) });
    assert_eq!(proposer.retry(ballot(30)), Step::Retry { above: ballot(30) });
    assert_eq!(proposer.retry(ballot(31)), Step::Prepare { ballot: ballot(31) });
}

#[test]
fn nothing_was_applied_when_too_few_replicas_answer_the_prepare() {
    let mut proposer = prepared();
    proposer.on_reply(0, Asked::Prepare(ballot(10)), promised(None));
    assert_eq!(proposer.on_timeout(), Step::Done(Outcome::Unavailable));
}

#[test]
fn a_lost_answer_is_never_reported_as_failure() {
    let (mut proposer, _) = returned(None);
    assert_eq!(proposer.on_timeout(), Step::Done(Outcome::Unknown));
    let (mut proposer, _) = proposed(None);
    assert_eq!(proposer.give_up(), Outcome::Unknown);
}

#[test]
fn a_writer_that_finds_its_own_change_says_so() {
    let (mut proposer, ours) = returned(None);
    assert_eq!(hears(&mut proposer, Some((10, &ours))), Step::Done(Outcome::Chosen(ours)));
}

#[test]
fn a_writer_that_finds_its_change_among_the_ancestors_says_so_once_the_descendant_is_chosen() {
    let (mut proposer, ours) = returned(None);
    let later = ours.successor(ballot(15), "later");
    proposer.on_reply(0, Asked::Prepare(ballot(20)), promised(Some((15, &later))));
    let step = proposer.on_reply(1, Asked::Prepare(ballot(20)), promised(Some((10, &ours))));
    assert_eq!(step, Step::Accept { ballot: ballot(20), state: later });
    proposer.on_reply(0, Asked::Accept(ballot(20)), Reply::Accepted);
    let step = proposer.on_reply(1, Asked::Accept(ballot(20)), Reply::Accepted);
    assert_eq!(step, Step::Done(Outcome::Chosen(ours)));
}

#[test]
fn the_same_predecessor_gets_the_same_change_again() {
    let theirs = state(3);
    let (mut proposer, ours) = returned(Some((3, &theirs)));
    let step = hears(&mut proposer, Some((3, &theirs)));
    assert_eq!(step, Step::Accept { ballot: ballot(20), state: ours });
}

#[test]
fn a_new_predecessor_without_our_change_is_decided_on_anew() {
    let theirs = state(3);
    let (mut proposer, ours) = returned(Some((3, &theirs)));
    let rival = theirs.successor(ballot(12), "rival");
    let step = hears(&mut proposer, Some((12, &rival)));
    assert_eq!(step, Step::Decide { predecessor: Some(rival.clone()) });
    let Step::Accept { state, .. } = proposer.decide(Decision::Change("again")) else { panic!("sent out") };
    assert_eq!(state.ancestors.newest_first(), [ballot(12), ballot(3)]);
    assert_ne!(state.change, ours.change);
}

/// The rival is chosen under ballot 12, but our change may have reached a replica under ballot 10;
/// a lower one of the rival's would not have been safe to answer from.
#[test]
fn a_writer_with_a_change_about_buries_it_before_it_says_that_nothing_changed() {
    let theirs = state(3);
    let (mut proposer, _) = returned(Some((3, &theirs)));
    let rival = theirs.successor(ballot(12), "rival");
    hears(&mut proposer, Some((12, &rival)));
    assert_eq!(proposer.decide(Decision::Keep), Step::Accept { ballot: ballot(20), state: rival });
}

#[test]
fn a_truncated_lineage_means_unknown() {
    let (mut proposer, ours) = returned(None);
    let mut latest = ours;
    for change in 100..120 {
        latest = latest.successor(ballot(change), "later");
    }
    assert_eq!(hears(&mut proposer, Some((150, &latest))), Step::Done(Outcome::Unknown));
}

#[test]
fn a_forgotten_tombstone_above_our_change_means_unknown() {
    let (mut proposer, _) = returned(None);
    let forgetful = |forgotten| Reply::Promised { accepted: None, forgotten: ballot(forgotten) };
    proposer.on_reply(0, Asked::Prepare(ballot(20)), forgetful(0));
    let step = proposer.on_reply(1, Asked::Prepare(ballot(20)), forgetful(15));
    assert_eq!(step, Step::Done(Outcome::Unknown));
}

#[test]
fn a_proposer_gives_up_after_a_bounded_number_of_rounds() {
    let mut proposer = prepared();
    for round in 1..=u64::from(ROUNDS_MAX) {
        let asked = Asked::Prepare(ballot(10 * round));
        proposer.on_reply(0, asked, Reply::Refused { seen: ballot(10 * round + 5) });
        let step = proposer.on_reply(1, asked, Reply::Refused { seen: ballot(10 * round + 5) });
        if round < u64::from(ROUNDS_MAX) {
            assert_eq!(step, Step::Retry { above: ballot(10 * round + 5) });
            proposer.retry(ballot(10 * (round + 1)));
        } else {
            assert_eq!(step, Step::Done(Outcome::Unavailable));
        }
    }
}

#[test]
fn a_moving_partition_needs_a_majority_of_both_sets() {
    let (old, new) = (ReplicaSet::first(3), [2, 3, 4].into_iter().collect());
    let (mut proposer, _) = Proposer::<Value>::start(Quorum::joint(old, new), ballot(10));
    let asked = Asked::Prepare(ballot(10));
    assert_eq!(proposer.on_reply(0, asked, promised(None)), Step::Wait);
    assert_eq!(proposer.on_reply(1, asked, promised(None)), Step::Wait);
    assert_eq!(proposer.on_reply(2, asked, promised(None)), Step::Wait);
    assert_eq!(proposer.on_reply(4, asked, promised(None)), Step::Decide { predecessor: None });
}

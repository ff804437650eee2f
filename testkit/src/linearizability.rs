//! Whether what the callers of one object were told can be explained by doing their calls one after the other.
//!
//! Wing and Gong's search ("Testing and verifying concurrent objects", 1993), just in time as Lowe does it ("Testing for
//! linearizability", 2017): the history is gone through once, with every situation in which the object may be by then,
//! and calls take effect as late as answers allow. So a history may be as long as one likes, and only calls that
//! overlap, or whose outcome nobody knows, cost anything.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::Hash;

/// So many situations at one moment are more than a history should have that was made to be checked.
const SITUATIONS_COUNT_MAX: usize = 200_000;

/// What one caller asked, and was told.
pub trait Step {
    /// What the object holds.
    type State: Clone + Eq + Hash + fmt::Debug;

    /// What the object holds afterwards, if the call takes effect on `before`;
    /// `None`: what the caller was told can't be explained by that.
    /// Of a call whose outcome isn't known, any effect that it can have is explained, and none needn't be.
    fn apply(&self, before: &Self::State) -> Option<Self::State>;

    /// Whether the call never changes anything, whatever the object holds.
    fn is_read(&self) -> bool;
}

/// One call in a history. Times are of one clock; what returns at the moment at which another is invoked may be after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<S> {
    pub step: S,
    pub invoked: u64,
    /// `None`: nobody knows its outcome; it takes effect at any later time, or never.
    pub returned: Option<u64>,
}

/// A history that no order explains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("call {call} can't be explained: {situations}")]
pub struct Violation {
    /// The first one, by its return, whose answer can't be explained together with those before.
    pub call: usize,
    /// What the object may have held before it, for people.
    pub situations: String,
}

/// Looks for an order of the calls, in which none is before one that had returned when it was invoked,
/// that explains every answer. The object holds `first` at first.
pub fn check<S: Step>(first: S::State, calls: &[Call<S>]) -> Result<(), Violation> {
    let mut search = Search { calls, pending: BTreeSet::new() };
    let mut situations = vec![Situation { state: first, done: BTreeSet::new() }];
    for event in events(calls) {
        match event {
            Event::Invoked(call) => {
                search.pending.insert(call);
                for situation in &mut situations {
                    search.look_around(situation);
                }
            }
            Event::Returned(call) => {
                let after = search.after(call, &situations);
                if after.is_empty() {
                    return Err(Violation { call, situations: search.describe(&situations) });
                }
                search.pending.remove(&call);
                situations = after;
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Event {
    Invoked(usize),
    Returned(usize),
}

/// One way in which everything that was told so far can have come about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Situation<T> {
    state: T,
    /// Which of the pending calls have taken effect.
    done: BTreeSet<usize>,
}

struct Search<'a, S> {
    calls: &'a [Call<S>],
    /// Invoked and not returned, those included that never will.
    pending: BTreeSet<usize>,
}

/// Situations of which none is better than another: with the same state and the same answered calls done,
/// it is better to have fewer of those done whose outcome nobody knows.
struct Best<T> {
    known: HashMap<(T, BTreeSet<usize>), Vec<BTreeSet<usize>>>,
    count: usize,
}

impl<S: Step> Search<'_, S> {
    /// Every situation in which `call` has just returned.
    fn after(&self, call: usize, situations: &[Situation<S::State>]) -> Vec<Situation<S::State>> {
        let (mut seen, mut after) = (Best::new(), Best::new());
        let mut open: VecDeque<_> = situations.iter().cloned().collect();
        while let Some(situation) = open.pop_front() {
            if situation.done.contains(&call) {
                let mut situation = situation;
                situation.done.remove(&call);
                self.add(&mut after, &situation);
                continue;
            }
            if !self.add(&mut seen, &situation) {
                continue;
            }
            assert!(seen.count <= SITUATIONS_COUNT_MAX, "too many situations before call {call}");
            for &next in self.pending.difference(&situation.done) {
                let Some(state) = self.calls[next].step.apply(&situation.state) else { continue };
                let mut done = situation.done.clone();
                done.insert(next);
                let mut situation = Situation { state, done };
                self.look_around(&mut situation);
                open.push_back(situation);
            }
        }
        after.into_situations()
    }

    /// Whoever is told what is there now, and would change nothing later either, may as well be served at once.
    fn look_around(&self, situation: &mut Situation<S::State>) {
        for &call in &self.pending {
            let Call { step, returned, .. } = &self.calls[call];
            if returned.is_some() && step.is_read() && step.apply(&situation.state).is_some() {
                situation.done.insert(call);
            }
        }
    }

    fn add(&self, best: &mut Best<S::State>, situation: &Situation<S::State>) -> bool {
        let (answered, unknown) =
            situation.done.iter().partition(|call| self.calls[**call].returned.is_some());
        best.add((situation.state.clone(), answered), unknown)
    }

    fn describe(&self, situations: &[Situation<S::State>]) -> String {
        let states: HashSet<_> = situations.iter().map(|situation| &situation.state).collect();
        let pending: Vec<_> = self.pending.iter().collect();
        format!("the object held one of {states:?} before, and calls {pending:?} were under way")
    }
}

impl<T: Clone + Eq + Hash> Best<T> {
    fn new() -> Self {
        Self { known: HashMap::new(), count: 0 }
    }

    /// `false`: one that is as good is known.
    fn add(&mut self, what: (T, BTreeSet<usize>), unknown: BTreeSet<usize>) -> bool {
        let known = self.known.entry(what).or_default();
        if known.iter().any(|better| better.is_subset(&unknown)) {
            return false;
        }
        self.count += 1;
        known.retain(|other| !unknown.is_subset(other));
        known.push(unknown);
        true
    }

    fn into_situations(self) -> Vec<Situation<T>> {
        let each = |((state, answered), unknown): ((T, BTreeSet<usize>), Vec<BTreeSet<usize>>)| {
            let with = move |unknown: BTreeSet<usize>| Situation {
                state: state.clone(),
                done: answered.union(&unknown).copied().collect(),
            };
            unknown.into_iter().map(with).collect::<Vec<_>>()
        };
        self.known.into_iter().flat_map(each).collect()
    }
}

/// In the order of their times; at the same time, what is invoked comes first.
fn events<S>(calls: &[Call<S>]) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * calls.len());
    for (index, call) in calls.iter().enumerate() {
        events.push((call.invoked, 0, index));
        events.extend(call.returned.map(|when| (when.max(call.invoked), 1, index)));
    }
    events.sort_unstable();
    let event = |(_, kind, index)| if kind == 0 { Event::Invoked(index) } else { Event::Returned(index) };
    events.into_iter().map(event).collect()
}

//! What was chosen, seen from above: the replicas' writes as they happen.

use std::collections::BTreeMap;

use martlet_register::{Accepted, Ballot, Descent, Quorum, ReplicaSet, State};

use crate::operation::Cell;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    quorum: Quorum,
    proposals: BTreeMap<Ballot, Proposal>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Proposal {
    state: State<Cell>,
    accepted_by: ReplicaSet,
}

impl Ledger {
    pub(crate) fn new(quorum: Quorum) -> Self {
        Self { quorum, proposals: BTreeMap::new() }
    }

    pub(crate) fn accepted(&mut self, replica: usize, Accepted { ballot, state }: Accepted<Cell>) {
        let proposal = Proposal { state: state.clone(), accepted_by: ReplicaSet::EMPTY };
        let proposal = self.proposals.entry(ballot).or_insert(proposal);
        assert_eq!(proposal.state, state, "one ballot proposes one state");
        proposal.accepted_by = proposal.accepted_by.with(replica);
    }

    pub(crate) fn is_held_by_all(&self, ballot: Ballot) -> bool {
        let proposal = self.proposals.get(&ballot);
        proposal.is_some_and(|proposal| proposal.accepted_by == self.quorum.replicas())
    }

    pub(crate) fn chosen(&self) -> impl Iterator<Item = &State<Cell>> {
        let chosen = self.proposals.values().filter(|proposal| self.quorum.is_met_by(proposal.accepted_by));
        chosen.map(|proposal| &proposal.state)
    }

    /// Whether every chosen state descends from the one chosen before it: no change was lost, none was made twice.
    pub(crate) fn is_one_line(&self) -> bool {
        let mut chosen = self.chosen();
        let Some(mut earlier) = chosen.next() else { return true };
        for later in chosen {
            if later.descent_from(earlier.change) == Descent::Excluded {
                return false;
            }
            earlier = later;
        }
        true
    }
}

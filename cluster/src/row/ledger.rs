//! What a change decided, and what it answers once that is chosen.

use std::collections::HashSet;

use martlet_model::{Error, Result};
use martlet_protocol::{BlobRef, RowState, RowValue};
use martlet_register::{Ballot, Decision, Outcome};

use super::{Access, Verdict};

/// What was decided, and on what.
pub(super) struct Ledger<T> {
    candidates: Vec<Candidate<T>>,
    left: Option<Result<T>>,
    /// It is to be decided again, under a ballot above this one.
    pub(super) again: Option<Ballot>,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { candidates: Vec::new(), left: None, again: None }
    }
}

struct Candidate<T> {
    change: Ballot,
    garbage: Vec<BlobRef>,
    answer: T,
}

impl<T> Ledger<T> {
    pub(super) fn note(
        &mut self,
        change: Ballot,
        access: &Access,
        predecessor: Option<&RowState>,
        verdict: Verdict<T>,
    ) -> Decision<RowValue> {
        match verdict {
            Verdict::Write { value, answer } => {
                let garbage = released(access, predecessor, &value);
                self.candidates.push(Candidate { change, garbage, answer });
                Decision::Change(value)
            }
            Verdict::Supersede { value, answer } => {
                self.candidates.push(Candidate { change, garbage: Vec::new(), answer });
                Decision::Change(value)
            }
            Verdict::Repeat { answer } => {
                let Some(state) = predecessor else {
                    self.left = Some(Ok(answer));
                    return Decision::Keep;
                };
                self.candidates.push(Candidate { change, garbage: Vec::new(), answer });
                Decision::Change(state.value.clone())
            }
            Verdict::Leave(answer) => {
                self.left = Some(answer);
                Decision::Keep
            }
            Verdict::Again { above } => {
                self.again = Some(above);
                Decision::Keep
            }
        }
    }

    pub(super) fn garbage_of(&self, change: Ballot) -> Vec<BlobRef> {
        let own = self.candidates.iter().find(|candidate| candidate.change == change);
        own.map(|candidate| candidate.garbage.clone()).unwrap_or_default()
    }

    pub(super) fn conclude(mut self, outcome: Outcome<RowValue>) -> Result<T> {
        match outcome {
            Outcome::Chosen(state) => {
                let own = self.candidates.iter().position(|candidate| candidate.change == state.change);
                let own = own.map(|index| self.candidates.swap_remove(index).answer);
                own.ok_or(Error::OutcomeUnknown)
            }
            Outcome::Kept(_) if self.again.is_some() => Err(Error::Unavailable("a change took too long")),
            Outcome::Kept(_) => self.left.unwrap_or(Err(Error::OutcomeUnknown)),
            Outcome::Unavailable => Err(Error::Unavailable("too few replicas of a row answered")),
            Outcome::Unknown => Err(Error::OutcomeUnknown),
        }
    }
}

/// The blobs that `value` no longer refers to, without those that another row does.
fn released(access: &Access, predecessor: Option<&RowState>, value: &RowValue) -> Vec<BlobRef> {
    let before = predecessor.map_or(&[][..], |state| state.value.blobs());
    if before.is_empty() {
        return Vec::new();
    }
    let kept: HashSet<_> = value.blobs().iter().map(|blob| blob.id).collect();
    let is_spared = |id| access.spared.as_ref().is_some_and(|spared| spared.contains(id));
    before.iter().filter(|blob| !kept.contains(&blob.id) && !is_spared(&blob.id)).copied().collect()
}

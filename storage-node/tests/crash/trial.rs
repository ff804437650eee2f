//! A disk that fails in the middle of a workload: an error of a write, a sync, or a change of a name.

use martlet_protocol::ReplicaError;
use martlet_storage_node::disk::start::OpenError;

use crate::chance::Chance;
use crate::check::{Finding, check};
use crate::crash::{Platter, Survival};
use crate::disk::{Disk, Failure, FailureKind, Victim};
use crate::drive::{Standing, carry_out_round, open, runtime};
use crate::operation::{Answer, Operation};
use crate::plan::Plan;
use crate::tree::Tree;

/// From when on a disk may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Opening,
    Working,
}

/// What has been tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tried {
    pub(crate) failures: usize,
    pub(crate) devices_failed: usize,
    pub(crate) states: usize,
}

/// A device that holds something, and what it is going to be asked for.
pub(crate) struct Trial<'run> {
    pub(crate) content: &'run Disk,
    /// What the device holds.
    pub(crate) standing: &'run Standing,
    pub(crate) plan: &'run Plan,
    pub(crate) when: When,
}

/// How the device took it.
struct Outcome {
    /// What has to be there, and what may be: what was refused isn't there, whatever else went wrong is open.
    standing: Standing,
    /// As it was carried out.
    plan: Plan,
    answers: Vec<Result<Answer, ReplicaError>>,
    /// What it says to one small row at last; `None`: it wasn't opened.
    at_last: Option<Result<Answer, ReplicaError>>,
    closed: Result<(), ReplicaError>,
    /// What had failed before it was closed.
    victim_before_close: Option<Victim>,
}

impl Trial<'_> {
    /// Lets the device work on a disk that fails, and looks at what is left.
    /// `false`: the work was over before the disk failed.
    pub(crate) fn run(&self, failure: Failure, tried: &mut Tried) -> Result<bool, Finding> {
        let disk = Disk::new(&self.content.tree(), self.content.root());
        let before = disk.tree();
        let outcome = self.work(&disk, failure)?;
        if !disk.is_past_failure() {
            return Ok(false);
        }
        let Some(victim) = disk.victim() else { return Ok(true) };
        outcome.check(victim, failure).map_err(|finding| format!("{victim:?} failed: {finding}"))?;
        tried.failures += 1;
        tried.devices_failed += usize::from(outcome.has_failed());
        for survival in [Survival::Least, Survival::Some, Survival::Most] {
            let mut platter = Platter::new(before.clone());
            disk.log().iter().for_each(|event| platter.apply(event));
            let left = platter.crash(survival, &mut Chance::of(failure.number));
            let looked = runtime().block_on(look(left, &disk, &outcome));
            looked.map_err(|finding| {
                format!("{victim:?} failed; {survival:?} survives: {finding}\n{}", outcome.story(&disk))
            })?;
            tried.states += 1;
        }
        Ok(true)
    }

    fn work(&self, disk: &std::sync::Arc<Disk>, failure: Failure) -> Result<Outcome, Finding> {
        if self.when == When::Opening {
            disk.fail(failure);
        }
        let device = match open(disk) {
            Ok(device) => device,
            Err(error) if disk.victim().is_none() => return Err(format!("opening: {error:?}")),
            Err(_) => {
                let standing = self.standing.clone();
                return Ok(Outcome {
                    standing,
                    plan: Plan::default(),
                    answers: Vec::new(),
                    at_last: None,
                    closed: Ok(()),
                    victim_before_close: disk.victim(),
                });
            }
        };
        if self.when == When::Working {
            disk.fail(failure);
        }
        let runtime = runtime();
        let (mut standing, mut plan, mut answers) = (self.standing.clone(), self.plan.clone(), Vec::new());
        for round in 0..plan.rounds.len() {
            plan.spare_what_is_referred_to(round, &standing.model);
            for answer in runtime.block_on(carry_out_round(disk, &device, &plan, round)) {
                let number = answers.len();
                standing.ask(number, &plan);
                match &answer {
                    Ok(_) => standing.succeed(number, &plan),
                    Err(error) if is_refusal(&plan.operations[number], error) => standing.refuse(number),
                    Err(_) => {}
                }
                answers.push(answer);
            }
        }
        let victim_before_close = disk.victim();
        let closed = runtime.block_on(device.close());
        Ok(Outcome { standing, plan, at_last: answers.last().cloned(), answers, closed, victim_before_close })
    }
}

/// A device that has failed is opened all the same, once its mark is taken off: what it had answered is there.
async fn look(mut left: Tree, disk: &Disk, outcome: &Outcome) -> Result<(), Finding> {
    let mut again = Disk::new(&left, disk.root());
    let mut opened = open(&again);
    if let Err(OpenError::FailedBefore(_)) = opened {
        left.remove_name(&disk.root().join("failed"));
        again = Disk::new(&left, disk.root());
        opened = open(&again);
    }
    let device = opened.map_err(|error| format!("opening: {error:?}"))?;
    check(&device, &again, &outcome.standing, &outcome.plan.operations).await?;
    device.close().await.map_err(|error| format!("closing: {error}"))
}

impl Outcome {
    /// What was asked for and answered, and what happened on the disk.
    fn story(&self, disk: &Disk) -> String {
        let asked = self.plan.operations.iter().zip(&self.answers).enumerate();
        let asked =
            asked.map(|(number, (operation, answer))| format!("{number} {operation:.200?}\n  {answer:?}\n"));
        let happened = disk.log().into_iter().map(|event| format!("  {event:?}\n"));
        asked.chain(happened).collect()
    }

    fn has_failed(&self) -> bool {
        matches!(self.at_last, Some(Err(ReplicaError::Failed(_))))
    }

    /// A device that can't be trusted any more says so, and one that only had no room for once goes on.
    fn check(&self, victim: Victim, failure: Failure) -> Result<(), Finding> {
        let Some(at_last) = &self.at_last else { return Ok(()) };
        if victim.is_fatal(failure.kind) {
            match self.victim_before_close {
                Some(_) if !self.has_failed() => return Err(format!("the device answers {at_last:?}")),
                None if self.closed.is_ok() => {
                    return Err("the device was closed as if nothing had happened".to_owned());
                }
                _ => {}
            }
        }
        let had_no_room = failure.kind == FailureKind::Full && failure.count == 1 && victim == Victim::Write;
        if had_no_room && at_last.is_err() {
            return Err(format!("there was no room for one write, and the device answers {at_last:?}"));
        }
        Ok(())
    }
}

/// Whether the device has said that it doesn't do it, and not only that something went wrong.
fn is_refusal(operation: &Operation, error: &ReplicaError) -> bool {
    match error {
        ReplicaError::Refused { .. } | ReplicaError::MissingBlobs(_) | ReplicaError::Sealed => true,
        ReplicaError::Full => matches!(operation, Operation::Accept(_) | Operation::Stage { .. }),
        _ => false,
    }
}

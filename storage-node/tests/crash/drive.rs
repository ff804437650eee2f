//! Running a plan against a device, and remembering what happened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use martlet_protocol::{BlobId, ReplicaError};
use martlet_ring::DeviceId;
use martlet_storage_node::disk::start::OpenError;
use martlet_storage_node::{ClusterId, Device, DeviceIdentity, DeviceOptions, SteadyClock};
use martlet_testkit::SimulatedClock;

use crate::check::{self, Finding};
use crate::disk::{Disk, SimulatedFiles, VFS};
use crate::event::Event;
use crate::model::{Model, PARTITION_BITS};
use crate::operation::{Answer, Operation};
use crate::plan::Plan;

/// Time stands still: nothing here depends on it.
#[derive(Debug)]
struct StillClock;

impl SteadyClock for StillClock {
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) fn options(disk: &Arc<Disk>) -> DeviceOptions {
    DeviceOptions {
        identity: DeviceIdentity {
            cluster: ClusterId([7; 16]),
            device: DeviceId(3),
            partition_bits: PARTITION_BITS,
        },
        wall: Arc::new(SimulatedClock::default()),
        steady: Arc::new(StillClock),
        files: Arc::new(SimulatedFiles(disk.clone())),
        vfs: Some(VFS.to_owned()),
        garbage_grace: Duration::ZERO,
        reserve_bytes: 0,
        // So short that a workload sees many checkpoints.
        checkpoint_log_pages: 256,
        // And many times that changes are folded.
        unfolded_bytes_max: 600,
    }
}

pub(crate) fn create(disk: &Arc<Disk>) -> Result<Device, OpenError> {
    Device::create(disk.root(), options(disk))
}

pub(crate) fn open(disk: &Arc<Disk>) -> Result<Device, OpenError> {
    Device::open(disk.root(), options(disk))
}

/// A runtime for one thread: the device has its own.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O")
}

/// A workload as it was carried out.
pub(crate) struct Recording {
    pub(crate) plan: Plan,
    /// Everything from the empty disk on.
    pub(crate) log: Vec<Event>,
    /// What comes before this is the making of the device.
    pub(crate) created: usize,
    /// By operation.
    pub(crate) answers: Vec<Result<Answer, ReplicaError>>,
}

/// Makes a device on an empty disk, carries the plan out, and closes the device.
pub(crate) fn record(disk: &Arc<Disk>, plan: Plan) -> Recording {
    let mut device = create(disk).expect("a device on an empty disk");
    let created = disk.log().len();
    let runtime = runtime();
    let mut answers = Vec::new();
    for round in 0..plan.rounds.len() {
        if plan.restarts.contains(&round) {
            runtime.block_on(device.close()).expect("the device closes");
            end_segment(disk);
            device = open(disk).expect("the device opens");
        }
        answers.extend(runtime.block_on(carry_out_round(disk, &device, &plan, round)));
    }
    runtime.block_on(device.close()).expect("the device closes");
    Recording { plan, log: disk.log(), created, answers }
}

/// Asks for everything, round by round, without restarts.
pub(crate) async fn carry_out(
    disk: &Disk,
    device: &Device,
    plan: &Plan,
) -> Vec<Result<Answer, ReplicaError>> {
    let mut answers = Vec::new();
    for round in 0..plan.rounds.len() {
        answers.extend(carry_out_round(disk, device, plan, round).await);
    }
    answers
}

/// Asks for everything of one round at once.
pub(crate) async fn carry_out_round(
    disk: &Disk,
    device: &Device,
    plan: &Plan,
    round: usize,
) -> Vec<Result<Answer, ReplicaError>> {
    let asked = plan.round(round).map(|number| async move {
        disk.note(Event::Asked(number));
        let answer = plan.operations[number].perform(device).await;
        disk.note(Event::Answered(number));
        answer
    });
    join_all(asked).await
}

/// Has the next start begin a new segment, long before this one is full: by telling the index that this one
/// is longer than it is, by more than zeros are written ahead, which is taken for damage behind the last record.
fn end_segment(disk: &Disk) {
    let connection = check::connect(disk).expect("the index opens");
    let changed = connection
        .execute_batch("PRAGMA synchronous = FULL; UPDATE device SET tail_end = tail_end + 16777216");
    changed.expect("the index is written to");
}

impl Recording {
    /// The device has answered what the reference does, which begins with `model`.
    pub(crate) fn check_answers(&self, mut model: Model) -> Result<(), Finding> {
        for (number, operation) in self.plan.operations.iter().enumerate() {
            let answer = &self.answers[number];
            let verdict = model.verdict(operation);
            match (answer, &verdict) {
                (Ok(Answer::Promised(promise)), Ok(())) => {
                    let Operation::Prepare(prepare) = operation else {
                        return Err("an unasked promise".to_owned());
                    };
                    let accepted = model.rows.get(&prepare.row.row).map(|row| &row.accepted);
                    if promise.accepted.as_ref() != accepted {
                        return Err(format!("{operation:?}\n   found {promise:?}\nexpected {accepted:?}"));
                    }
                }
                // What it has seen may be higher than what the reference knows,
                // and of two reasons to refuse it may tell the other.
                (Ok(Answer::Done), Ok(()))
                | (
                    Err(ReplicaError::Refused { .. } | ReplicaError::Sealed),
                    Err(ReplicaError::Refused { .. }),
                ) => {}
                (Err(error), Err(expected)) if error == expected => {}
                _ => return Err(format!("{operation:?}\nanswered {answer:?}\nexpected {verdict:?}")),
            }
            if verdict.is_ok() {
                model.apply(operation);
            }
        }
        Ok(())
    }
}

/// What a device has to hold, and what it may hold besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Everything that was answered.
    pub(crate) model: Model,
    /// Asked for and not answered.
    pub(crate) under_way: Vec<usize>,
    /// Blobs that there ever were.
    pub(crate) blobs_seen: BTreeSet<BlobId>,
}

impl Standing {
    pub(crate) fn follow(&mut self, event: &Event, recording: &Recording) {
        match event {
            Event::Asked(number) => self.ask(*number, &recording.plan),
            Event::Answered(number) if recording.answers[*number].is_ok() => {
                self.succeed(*number, &recording.plan);
            }
            Event::Answered(number) => self.refuse(*number),
            _ => {}
        }
    }

    pub(crate) fn ask(&mut self, number: usize, plan: &Plan) {
        self.under_way.push(number);
        match &plan.operations[number] {
            Operation::Stage { new, .. } => {
                self.blobs_seen.insert(new.id);
            }
            Operation::Accept(accept) => {
                self.blobs_seen.extend(accept.body.as_ref().map(|body| body.blob.id));
            }
            _ => {}
        }
    }

    pub(crate) fn succeed(&mut self, number: usize, plan: &Plan) {
        self.under_way.retain(|other| *other != number);
        self.model.apply(&plan.operations[number]);
    }

    /// The device has said that it doesn't do it.
    pub(crate) fn refuse(&mut self, number: usize) {
        self.under_way.retain(|other| *other != number);
    }
}

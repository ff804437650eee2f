//! Running a plan against a device, and remembering what happened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use martlet_protocol::ReplicaError;
use martlet_ring::DeviceId;
use martlet_storage_node::disk::start::OpenError;
use martlet_storage_node::{ClusterId, Device, DeviceIdentity, DeviceOptions, SteadyClock};
use martlet_testkit::SimulatedClock;

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
    }
}

pub(crate) fn create(disk: &Arc<Disk>) -> Result<Device, OpenError> {
    Device::create(&device_path(disk.root()), options(disk))
}

pub(crate) fn open(disk: &Arc<Disk>) -> Result<Device, OpenError> {
    Device::open(&device_path(disk.root()), options(disk))
}

/// The disk's only directory.
pub(crate) fn device_path(root: &Path) -> std::path::PathBuf {
    root.to_owned()
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
    /// By operation; `None`: it wasn't asked for.
    pub(crate) answers: Vec<Option<Result<Answer, ReplicaError>>>,
}

/// Makes a device on an empty disk, carries the plan out, and closes the device.
pub(crate) fn record(disk: &Arc<Disk>, plan: Plan) -> Recording {
    let device = create(disk).expect("a device on an empty disk");
    let created = disk.log().len();
    let runtime = runtime();
    let answers = runtime.block_on(carry_out(disk, &device, &plan));
    runtime.block_on(device.close()).expect("the device closes");
    Recording { plan, log: disk.log(), created, answers }
}

/// Asks for everything, round by round.
pub(crate) async fn carry_out(
    disk: &Disk,
    device: &Device,
    plan: &Plan,
) -> Vec<Option<Result<Answer, ReplicaError>>> {
    let mut answers = Vec::new();
    for round in 0..plan.rounds.len() {
        let asked = plan.round(round).map(|number| async move {
            disk.note(Event::Asked(number));
            let answer = plan.operations[number].perform(device).await;
            disk.note(Event::Answered(number));
            answer
        });
        answers.extend(join_all(asked).await.into_iter().map(Some));
    }
    answers
}

impl Recording {
    /// The device has answered what the reference does.
    pub(crate) fn assert_answers(&self) {
        let mut model = Model::default();
        for (number, operation) in self.plan.operations.iter().enumerate() {
            let answer = self.answers[number].as_ref().expect("it was asked for");
            let verdict = model.verdict(operation);
            match (answer, &verdict) {
                (Ok(Answer::Promised(promise)), Ok(())) => {
                    let Operation::Prepare(prepare) = operation else { panic!("only a prepare is promised") };
                    let accepted = model.rows.get(&prepare.row.row).map(|row| &row.accepted);
                    assert_eq!(promise.accepted.as_ref(), accepted, "operation {number}: {operation:?}");
                }
                (Ok(Answer::Done), Ok(())) => {}
                (Err(error), Err(expected)) if error == expected => {}
                // What it has seen may be higher than what the reference knows.
                (Err(ReplicaError::Refused { .. }), Err(ReplicaError::Refused { .. })) => {}
                _ => panic!("operation {number}: {operation:?}\nanswered {answer:?}\nexpected {verdict:?}"),
            }
            if verdict.is_ok() {
                model.apply(operation);
            }
        }
    }

    /// What was under way and what was done when this much of the log had happened.
    pub(crate) fn standing(&self, until: usize) -> Standing {
        let mut standing = Standing::default();
        for event in &self.log[..until] {
            standing.follow(event, self);
        }
        standing
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
    pub(crate) blobs_seen: std::collections::BTreeSet<martlet_protocol::BlobId>,
}

impl Standing {
    pub(crate) fn follow(&mut self, event: &Event, recording: &Recording) {
        match event {
            Event::Asked(number) => {
                self.under_way.push(*number);
                match &recording.plan.operations[*number] {
                    Operation::Stage { new, .. } => drop(self.blobs_seen.insert(new.id)),
                    Operation::Accept(accept) => {
                        self.blobs_seen.extend(accept.body.as_ref().map(|body| body.blob.id));
                    }
                    _ => {}
                }
            }
            Event::Answered(number) => {
                self.under_way.retain(|other| other != number);
                if matches!(recording.answers[*number], Some(Ok(_))) {
                    self.model.apply(&recording.plan.operations[*number]);
                }
            }
            _ => {}
        }
    }
}

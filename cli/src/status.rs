//! `martlet status`: which devices answer, and whether that is enough.

use std::time::Duration;

use martlet_protocol::ReplicaError;
use martlet_ring::{DeviceId, Ring};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::join::{JoinError, Joined, Place, join};
use crate::process::{self, ProcessError};

/// How long a device may take to answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
}

/// Why there is nothing to say, or nothing good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusError {
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{lost} of {partitions} partitions have no majority of their replicas")]
    NoMajority { lost: usize, partitions: usize },
}

/// Fails unless every partition has a majority.
pub(crate) fn run(options: &Options) -> Result<(), StatusError> {
    process::prepare()?.block_on(async {
        let joined = join(&options.place).await?;
        let outcome = report(&joined).await;
        joined.leave().await;
        outcome
    })
}

async fn report(joined: &Joined) -> Result<(), StatusError> {
    let ring = joined.store.ring();
    println!("Ring version {}, {} devices", ring.version(), ring.devices().len());
    let answers = ask_all(joined).await;
    let mut there = Vec::new();
    for device in ring.devices() {
        let what = match answers.iter().find(|(id, _)| *id == device.id) {
            Some((_, Ok(took))) => {
                there.push(device.id);
                format!("answers in {:.1} ms", 1000.0 * took.as_secs_f64())
            }
            Some((_, Err(error))) => error.to_string(),
            None => "wasn't asked".to_owned(),
        };
        println!("{} on {} at {}: {what}", device.id, device.node, device.address);
    }
    match without_majority(&ring, &there) {
        0 => {
            println!("Every partition has a majority of its replicas.");
            Ok(())
        }
        lost => Err(StatusError::NoMajority { lost, partitions: ring.partition_count() }),
    }
}

async fn ask_all(joined: &Joined) -> Vec<(DeviceId, Result<Duration, ReplicaError>)> {
    let mut asking = JoinSet::new();
    for (id, replica) in joined.replicas() {
        asking.spawn(async move {
            let started = Instant::now();
            let late = |_| Err(ReplicaError::Unreachable("it took too long".to_owned()));
            let answer = timeout(ANSWER_DURATION_MAX, replica.counters(Vec::new())).await;
            (id, answer.unwrap_or_else(late).map(|_| started.elapsed()))
        });
    }
    asking.join_all().await
}

fn without_majority(ring: &Ring, there: &[DeviceId]) -> usize {
    let majority = usize::from(ring.replicas()) / 2 + 1;
    let has_majority = |partition| {
        ring.devices_of(partition).iter().filter(|device| there.contains(device)).count() >= majority
    };
    ring.partitions().filter(|partition| !has_majority(*partition)).count()
}

//! Which devices answer, and whether that is enough.

use std::time::Duration;

use martlet_protocol::ReplicaError;
use martlet_ring::{DeviceId, Ring};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::devices::Replicas;

/// How long a device may take to answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(3);

/// What devices answered, and how long each took.
pub(crate) type Answers = Vec<(DeviceId, Result<Duration, ReplicaError>)>;

/// Asks each device something that costs nothing.
pub(crate) async fn ask_all(replicas: Replicas) -> Answers {
    let mut asking = JoinSet::new();
    for (id, replica) in replicas {
        asking.spawn(async move {
            let started = Instant::now();
            let late = |_| Err(ReplicaError::Unreachable("it took too long".to_owned()));
            let answer = timeout(ANSWER_DURATION_MAX, replica.counters(Vec::new())).await;
            (id, answer.unwrap_or_else(late).map(|_| started.elapsed()))
        });
    }
    asking.join_all().await
}

/// The devices that did answer.
pub(crate) fn answering(answers: &Answers) -> Vec<DeviceId> {
    answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(id, _)| *id).collect()
}

/// How many partitions have no majority of their replicas among these devices.
pub(crate) fn without_majority(ring: &Ring, there: &[DeviceId]) -> usize {
    let majority = usize::from(ring.replicas()) / 2 + 1;
    let has_majority = |partition| {
        ring.devices_of(partition).iter().filter(|device| there.contains(device)).count() >= majority
    };
    ring.partitions().filter(|partition| !has_majority(*partition)).count()
}

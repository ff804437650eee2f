//! One question each to many devices.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use martlet_protocol::{Replica, ReplicaError};
use martlet_ring::DeviceId;
use tokio::time::timeout;

use crate::device::{Answered, Device};

/// Asks every device its own question, and gives what each answered. Who is late hasn't answered.
pub(super) async fn ask_each<Q, T, F>(
    questions: Vec<(Arc<Device>, Q)>,
    deadline: Duration,
    call: impl Fn(Arc<dyn Replica>, Q) -> F,
) -> Vec<(DeviceId, Answered<T>)>
where
    F: Future<Output = Answered<T>>,
{
    let calls = questions.into_iter().map(|(device, question)| {
        let answer = call(device.replica.clone(), question);
        async move { (device.id, answer_of(&device, deadline, answer).await) }
    });
    join_all(calls).await
}

/// One answer, with a deadline.
pub(super) async fn answer_of<T>(
    device: &Device,
    deadline: Duration,
    call: impl Future<Output = Answered<T>>,
) -> Answered<T> {
    if let Ok(outcome) = timeout(deadline, call).await {
        device.note(&outcome);
        return outcome;
    }
    device.note_lateness();
    Err(ReplicaError::Unreachable("no answer in time".to_owned()))
}

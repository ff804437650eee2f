//! Asking many, and knowing when enough have answered.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use martlet_protocol::{Replica, ReplicaError};
use martlet_ring::DeviceId;
use tokio::time::{Instant, sleep_until};

use crate::device::Device;

/// How long to wait for answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For those that aren't needed, once enough have answered.
    pub(crate) straggler_delay: Duration,
    /// For everybody.
    pub(crate) deadline: Duration,
}

/// Awaits the calls; `is_enough` is told each answer, and says whether the rest could be done without.
/// What isn't answered in time stays in `calls`.
pub(crate) async fn collect<F: Future>(
    calls: &mut FuturesUnordered<F>,
    patience: Patience,
    mut is_enough: impl FnMut(&F::Output) -> bool,
) -> Vec<F::Output> {
    let mut answers = Vec::with_capacity(calls.len());
    let started = Instant::now();
    let mut until = started + patience.deadline;
    let mut enough = false;
    loop {
        tokio::select! {
            biased;
            answer = calls.next() => {
                let Some(answer) = answer else { return answers };
                if !enough && is_enough(&answer) {
                    enough = true;
                    until = until.min(Instant::now() + patience.straggler_delay);
                }
                answers.push(answer);
            }
            () = sleep_until(until) => return answers,
        }
    }
}

/// Asks these devices, and gives what each answered; `None`: nothing in time.
/// `is_enough` is told whose answers are there.
pub(crate) async fn ask<T, F>(
    devices: &[Arc<Device>],
    patience: Patience,
    question: impl Fn(Arc<dyn Replica>) -> F,
    is_enough: impl Fn(&[bool]) -> bool,
) -> Vec<Option<Result<T, ReplicaError>>>
where
    F: Future<Output = Result<T, ReplicaError>>,
{
    let mut calls: FuturesUnordered<_> = devices
        .iter()
        .enumerate()
        .map(|(index, device)| {
            let call = question(device.replica.clone());
            async move { (index, call.await) }
        })
        .collect();
    let mut answered = vec![false; devices.len()];
    let answers = collect(&mut calls, patience, |(index, answer)| {
        answered[*index] = answer.is_ok();
        is_enough(&answered)
    })
    .await;
    let mut outcomes: Vec<_> = devices.iter().map(|_| None).collect();
    for (index, answer) in answers {
        devices[index].note(&answer);
        outcomes[index] = Some(answer);
    }
    for (device, _) in devices.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_none()) {
        device.note_lateness();
    }
    outcomes
}

/// Takes notice of those that were asked and not heard of.
pub(crate) fn note_silent(asked: &[Arc<Device>], heard: &[DeviceId]) {
    for device in asked.iter().filter(|device| !heard.contains(&device.id)) {
        device.note_lateness();
    }
}

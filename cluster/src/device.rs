//! The devices, and how well they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use martlet_protocol::{Replica, ReplicaError};
use martlet_ring::DeviceId;
use tokio::time::Instant;

/// Failures in a row after which a device is asked last.
const FAILURES_TOLERATED: u32 = 3;
/// How long it is asked last at first; twice as long after every further failure.
const AVOIDED_MIN: Duration = Duration::from_secs(1);
/// The longest that a device is asked last before it is tried again.
const AVOIDED_MAX: Duration = Duration::from_secs(30);

/// What a device answered.
pub(crate) type Answered<T> = Result<T, ReplicaError>;

/// A device and what is known of its health.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) replica: Arc<dyn Replica>,
    health: Health,
}

/// Remembers failures, so that a dead device doesn't slow every request.
#[derive(Debug)]
struct Health {
    failures: AtomicU32,
    started: Instant,
    avoided_until_micros: AtomicU64,
}

/// Which of these devices should be asked last; `None`: none of them, as nearly always.
pub(crate) fn suspects(devices: &[Arc<Device>]) -> Option<Vec<bool>> {
    if devices.iter().all(|device| device.health.is_spotless()) {
        return None;
    }
    // Asked once each: the answer may change from one moment to the next.
    Some(devices.iter().map(|device| device.is_suspect()).collect())
}

/// Puts suspect devices last, and leaves the order otherwise. Says how many aren't suspect.
pub(crate) fn healthy_first(devices: &mut Vec<Arc<Device>>) -> usize {
    let Some(suspects) = suspects(devices) else { return devices.len() };
    let (mut last, mut suspects) = (Vec::new(), suspects.into_iter());
    devices.retain(|device| {
        let is_suspect = suspects.next().unwrap_or_default();
        last.extend(is_suspect.then(|| device.clone()));
        !is_suspect
    });
    let healthy = devices.len();
    devices.extend(last);
    healthy
}

impl Device {
    pub(crate) fn new(id: DeviceId, replica: Arc<dyn Replica>) -> Self {
        let health = Health {
            failures: AtomicU32::new(0),
            started: Instant::now(),
            avoided_until_micros: AtomicU64::new(0),
        };
        Self { id, replica, health }
    }

    /// Whether it should be asked last. Once its time is over, one caller is let through to try it.
    fn is_suspect(&self) -> bool {
        self.health.is_suspect()
    }

    /// Takes notice of how a question ended.
    pub(crate) fn note<T>(&self, outcome: &Answered<T>) {
        match outcome {
            Err(ReplicaError::Unreachable(_) | ReplicaError::Failed(_)) => self.health.fail(),
            _ => self.health.recover(),
        }
    }

    /// It didn't answer when it should have.
    pub(crate) fn note_lateness(&self) {
        self.health.fail();
    }
}

impl Health {
    fn is_spotless(&self) -> bool {
        self.failures.load(Ordering::Relaxed) == 0
    }

    fn is_suspect(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) < FAILURES_TOLERATED {
            return false;
        }
        let (now, until) = (self.now_micros(), self.avoided_until_micros.load(Ordering::Relaxed));
        if now < until {
            return true;
        }
        let next = now + micros(AVOIDED_MIN);
        let tried_by_another =
            self.avoided_until_micros.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed);
        tried_by_another.is_err()
    }

    fn fail(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(further) = failures.checked_sub(FAILURES_TOLERATED) {
            let avoided = AVOIDED_MIN.saturating_mul(1 << further.min(16)).min(AVOIDED_MAX);
            self.avoided_until_micros.store(self.now_micros() + micros(avoided), Ordering::Relaxed);
        }
    }

    fn recover(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    fn now_micros(&self) -> u64 {
        micros(self.started.elapsed())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dead_device_is_tried_again_by_one_caller_at_a_time() {
        let health = Health {
            failures: AtomicU32::new(0),
            started: Instant::now(),
            avoided_until_micros: AtomicU64::new(0),
        };
        health.fail();
        health.fail();
        assert!(!health.is_suspect(), "that can happen");
        health.fail();
        assert!(health.is_suspect());
        advance(AVOIDED_MIN).await;
        assert!(!health.is_suspect(), "one tries");
        assert!(health.is_suspect(), "the others don't");
        health.recover();
        assert!(!health.is_suspect());
    }
}

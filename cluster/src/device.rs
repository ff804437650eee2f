//! The devices, and how well they answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use martlet_meter::Counter;
use martlet_protocol::{Replica, ReplicaError, SealToken, TableId};
use martlet_ring::DeviceId;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::figures::DeviceHealth;

/// Failures in a row after which a device is asked last.
const FAILURES_TOLERATED: u32 = 3;
/// How long it is asked last before it is probed. With a link that connects again within half a second,
/// a device that is back is used again within two seconds, as soon as somebody has a use for it.
const AVOIDED: Duration = Duration::from_millis(500);
/// How long the answer to a probe may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);
/// A seal that nobody holds: lifting it changes nothing, but has to pass by the device's writer.
const NO_SEAL: (TableId, SealToken) = (TableId::system(0), SealToken([0; 16]));

/// What a device answered.
pub(crate) type Answered<T> = Result<T, ReplicaError>;

/// A device and what is known of its health.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) replica: Arc<dyn Replica>,
    health: Arc<Health>,
}

/// Remembers failures, so that a dead device doesn't slow every request.
///
/// ```text
/// trusted ──failures──► avoided ──[`AVOIDED`] is over──► probed ──it answers──► trusted
///                          ◄──────────it doesn't────────────┘
/// ```
///
/// No request is ever the probe: while a device is probed, it still is asked last.
#[derive(Debug)]
struct Health {
    /// In a row.
    failures: AtomicU32,
    failures_since_start: Counter,
    started: Instant,
    avoided_until_micros: AtomicU64,
}

/// What its health means for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Trusted,
    Avoided,
    /// Avoided, and whoever was told so has to see to a probe.
    ToBeProbed,
}

/// Which of these devices should be asked last; `None`: none of them, as nearly always.
pub(crate) fn suspects(devices: &[Arc<Device>]) -> Option<Vec<bool>> {
    if devices.iter().all(|device| device.health.is_spotless()) {
        return None;
    }
    // Asked once each: the answer may change from one moment to the next.
    Some(devices.iter().map(Device::is_suspect).collect())
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
            failures_since_start: Counter::default(),
            started: Instant::now(),
            avoided_until_micros: AtomicU64::new(0),
        };
        Self { id, replica, health: Arc::new(health) }
    }

    /// The same device, reached in another way.
    pub(crate) fn reached_by(&self, replica: Arc<dyn Replica>) -> Self {
        Self { id: self.id, replica, health: self.health.clone() }
    }

    /// Whether it should be asked last. Once it has been for long enough, it is probed.
    fn is_suspect(self: &Arc<Self>) -> bool {
        match self.health.verdict() {
            Verdict::Trusted => false,
            Verdict::Avoided => true,
            Verdict::ToBeProbed => {
                // Without a runtime nobody is going to ask it anyway.
                if let Ok(runtime) = Handle::try_current() {
                    let device = self.clone();
                    runtime.spawn(async move { device.probe().await });
                }
                true
            }
        }
    }

    /// Asks something that costs nothing, of those who read and of who writes: one may hang while the others don't.
    async fn probe(&self) {
        let (table, token) = NO_SEAL;
        let questions = async {
            self.replica.counters(Vec::new()).await?;
            self.replica.unseal(table, token).await
        };
        let late = |_| Err(ReplicaError::Unreachable("a probe took too long".to_owned()));
        let outcome = timeout(PROBE_DEADLINE, questions).await.unwrap_or_else(late);
        if outcome.is_ok() {
            tracing::info!(device = %self.id, "the device answers again");
        }
        self.note(&outcome);
    }

    pub(crate) fn health(&self) -> DeviceHealth {
        DeviceHealth {
            device: self.id,
            is_trusted: self.health.failures.load(Ordering::Relaxed) < FAILURES_TOLERATED,
            failures: self.health.failures_since_start.get(),
        }
    }

    /// Takes notice of how a question ended.
    pub(crate) fn note<T>(&self, outcome: &Answered<T>) {
        match outcome {
            Err(error @ (ReplicaError::Unreachable(_) | ReplicaError::Failed(_))) => self.fail(error),
            _ => self.health.recover(),
        }
    }

    /// It didn't answer when it should have.
    pub(crate) fn note_lateness(&self) {
        self.fail(&"no answer in time");
    }

    fn fail(&self, why: &dyn fmt::Display) {
        tracing::debug!(device = %self.id, %why, "a device failed a call");
        if self.health.fail() {
            tracing::warn!(device = %self.id, %why, "the device is asked last until it answers again");
        }
    }
}

impl Health {
    fn is_spotless(&self) -> bool {
        self.failures.load(Ordering::Relaxed) == 0
    }

    fn verdict(&self) -> Verdict {
        if self.failures.load(Ordering::Relaxed) < FAILURES_TOLERATED {
            return Verdict::Trusted;
        }
        let (now, until) = (self.now_micros(), self.avoided_until_micros.load(Ordering::Relaxed));
        if now < until {
            return Verdict::Avoided;
        }
        let next = now + micros(AVOIDED + PROBE_DEADLINE);
        let claimed =
            self.avoided_until_micros.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_ok() { Verdict::ToBeProbed } else { Verdict::Avoided }
    }

    /// Whether it isn't trusted any more from now on.
    fn fail(&self) -> bool {
        self.failures_since_start.increment();
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= FAILURES_TOLERATED {
            self.avoided_until_micros.store(self.now_micros() + micros(AVOIDED), Ordering::Relaxed);
        }
        failures == FAILURES_TOLERATED
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
    async fn a_dead_device_is_probed_once_at_a_time() {
        let health = Health {
            failures: AtomicU32::new(0),
            failures_since_start: Counter::default(),
            started: Instant::now(),
            avoided_until_micros: AtomicU64::new(0),
        };
        health.fail();
        health.fail();
        assert_eq!(health.verdict(), Verdict::Trusted, "that can happen");
        health.fail();
        assert_eq!(health.verdict(), Verdict::Avoided);
        advance(AVOIDED).await;
        assert_eq!(health.verdict(), Verdict::ToBeProbed);
        assert_eq!(health.verdict(), Verdict::Avoided, "one probe is enough");
        health.recover();
        assert_eq!(health.verdict(), Verdict::Trusted);
    }
}

//! What is done when nobody waits for it, and how often.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use martlet_cluster::workers::{
    OrphanRule, ScrubBudget, clear_dropped, collect_garbage, expire, remove_tombstones, repair, repair_blobs,
    scrub, sweep_orphans,
};
use martlet_cluster::{ClusterStore, RandomSource, SystemRandom};
use martlet_model::Result;
use martlet_ring::DeviceId;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a worker rests at least when there was nothing to do. Up to as much again is added at random: the workers
/// of several nodes do no harm at once, but the work of one another.
const REST: Duration = Duration::from_secs(5);
/// How long it rests between two rounds that did something, so that requests go first.
const PAUSE: Duration = Duration::from_millis(20);
/// Into how many parts the age is divided from which on a blob that no row refers to is taken for lost:
/// once in each of them the devices are swept for such. With the standard age that is once an hour.
const SWEEPS: u32 = 24;
/// How much of a queue one round takes.
const ROUND_COUNT: usize = 200;
/// How often the replicas of a partition are compared, when they agreed the last time.
const REPAIR_PAUSE: Duration = Duration::from_secs(15);
/// How often all rows and their blobs are gone through for what was lost without anybody's notice.
const FULL_PASS_PAUSE: Duration = Duration::from_hours(6);
/// How often everything on a device is read, and how fast: a terabyte takes two days and a half.
const SCRUB_PAUSE: Duration = Duration::from_hours(24);
const SCRUB_BUDGET: ScrubBudget =
    ScrubBudget { bytes_per_second: NonZeroU64::new(5_000_000).unwrap(), bytes_max: 5_000_000 };
/// How long a stop waits for rounds that have begun. What is cut off there is begun again after the next start.
const STOP_DURATION_MAX: Duration = Duration::from_secs(5);

/// The running workers.
pub(crate) struct Workers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a worker knows.
#[derive(Clone)]
struct Worker {
    cluster: ClusterStore,
    devices: Arc<[DeviceId]>,
    orphans: OrphanRule,
    stopped: watch::Receiver<bool>,
}

impl Workers {
    /// Begins to look after these devices, which are the process's own.
    pub(crate) fn start(
        cluster: &ClusterStore,
        devices: impl Iterator<Item = DeviceId>,
        orphans: OrphanRule,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let worker = Worker { cluster: cluster.clone(), devices: devices.collect(), orphans, stopped };
        let tasks = vec![
            tokio::spawn(worker.clone().keep_collecting_garbage()),
            tokio::spawn(worker.clone().keep_removing_tombstones()),
            tokio::spawn(worker.clone().keep_clearing_tables()),
            tokio::spawn(worker.clone().keep_repairing()),
            tokio::spawn(worker.clone().keep_checking_blobs()),
            tokio::spawn(worker.clone().keep_scrubbing()),
            tokio::spawn(worker.clone().keep_removing_expired()),
            tokio::spawn(worker.keep_sweeping()),
        ];
        Self { stop, tasks }
    }

    /// Lets every worker finish its round, within limits.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let until = Instant::now() + STOP_DURATION_MAX;
        for mut task in self.tasks {
            match timeout_at(until, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("a worker ended badly: {error}"),
                Err(_) => task.abort(),
            }
        }
    }
}

impl Worker {
    async fn keep_collecting_garbage(mut self) {
        loop {
            let mut removed = 0;
            for device in self.devices_in_ring() {
                let round = collect_garbage(&self.cluster, device, ROUND_COUNT).await;
                removed +=
                    logged("collect garbage", device, round).map_or(0, |round| round.removed + round.kept);
            }
            if self.is_stopped_after(if removed == 0 { rest() } else { PAUSE }).await {
                return;
            }
        }
    }

    async fn keep_removing_tombstones(mut self) {
        loop {
            let mut removed = 0;
            for device in self.devices_in_ring() {
                let round = remove_tombstones(&self.cluster, device, ROUND_COUNT).await;
                removed += logged("remove tombstones", device, round).map_or(0, |round| round.removed);
            }
            if self.is_stopped_after(if removed == 0 { rest() } else { PAUSE }).await {
                return;
            }
        }
    }

    async fn keep_clearing_tables(mut self) {
        loop {
            let removed = match clear_dropped(&self.cluster, ROUND_COUNT).await {
                Ok(round) => round.removed,
                Err(error) => {
                    tracing::warn!("can't clear dropped tables: {error}");
                    0
                }
            };
            if self.is_stopped_after(if removed == 0 { rest() } else { PAUSE }).await {
                return;
            }
        }
    }

    async fn keep_removing_expired(mut self) {
        loop {
            let removed = match expire(&self.cluster, ROUND_COUNT).await {
                Ok(round) => round.removed,
                Err(error) => {
                    tracing::warn!("can't remove expired objects: {error}");
                    0
                }
            };
            if self.is_stopped_after(if removed == 0 { rest() } else { PAUSE }).await {
                return;
            }
        }
    }

    async fn keep_repairing(mut self) {
        loop {
            let mut leveled = 0;
            for device in self.devices_in_ring() {
                if let Some(round) = logged("repair", device, repair(&self.cluster, device).await) {
                    leveled += round.rows_leveled;
                    if round.rows_leveled > 0 {
                        tracing::info!(%device, rows = round.rows_leveled, "brought rows level");
                    }
                }
            }
            if self.is_stopped_after(if leveled == 0 { REPAIR_PAUSE } else { PAUSE }).await {
                return;
            }
        }
    }

    async fn keep_checking_blobs(mut self) {
        while !self.is_stopped_after(FULL_PASS_PAUSE).await {
            for device in self.devices_in_ring() {
                let mut after = None;
                loop {
                    let sweep = repair_blobs(&self.cluster, device, after, ROUND_COUNT).await;
                    let sweep = logged("look for blobs", device, sweep);
                    if let Some(round) =
                        sweep.as_ref().map(|sweep| sweep.round).filter(|round| round.lost > 0)
                    {
                        tracing::error!(%device, blobs = round.lost, "no device has bytes that a row refers to");
                    }
                    after = sweep.and_then(|sweep| sweep.next);
                    if after.is_none() || self.is_stopped_after(PAUSE).await {
                        break;
                    }
                }
            }
        }
    }

    async fn keep_scrubbing(mut self) {
        while !self.is_stopped_after(SCRUB_PAUSE).await {
            for device in self.devices_in_ring() {
                let mut after = None;
                loop {
                    // It keeps its pace by itself.
                    let sweep = scrub(&self.cluster, device, after, SCRUB_BUDGET).await;
                    after = logged("scrub", device, sweep).and_then(|sweep| sweep.next);
                    if after.is_none() || self.is_stopped_after(PAUSE).await {
                        break;
                    }
                }
            }
        }
    }

    async fn keep_sweeping(mut self) {
        loop {
            for device in self.devices_in_ring() {
                let mut after = None;
                loop {
                    let sweep = sweep_orphans(&self.cluster, device, after, ROUND_COUNT, self.orphans).await;
                    after = logged("sweep orphans", device, sweep).and_then(|sweep| sweep.next);
                    if after.is_none() || self.is_stopped_after(PAUSE).await {
                        break;
                    }
                }
            }
            if self.is_stopped_after(self.orphans.age_min / SWEEPS).await {
                return;
            }
        }
    }

    /// A device may be there before the ring has it.
    fn devices_in_ring(&self) -> Vec<DeviceId> {
        let ring = self.cluster.ring();
        self.devices.iter().copied().filter(|id| ring.device(*id).is_some()).collect()
    }

    /// Rests; `true`: it is time to stop.
    async fn is_stopped_after(&mut self, rest: Duration) -> bool {
        tokio::select! {
            _ = self.stopped.wait_for(|stopped| *stopped) => true,
            () = sleep(rest) => false,
        }
    }
}

fn rest() -> Duration {
    let mut random = [0];
    SystemRandom.fill(&mut random);
    REST + REST * u32::from(random[0]) / 256
}

fn logged<T>(action: &str, device: DeviceId, round: Result<T>) -> Option<T> {
    round.inspect_err(|error| tracing::warn!("can't {action} on device {}: {error}", device.0)).ok()
}

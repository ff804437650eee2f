//! Figures of the process as such, named as Prometheus' own libraries name them.

use std::sync::OnceLock;
use std::time::Duration;

use martlet_model::{Clock as _, Timestamp};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::exposition::Exposition;
use crate::clock::SystemClock;
use crate::log;

/// When the process began to serve.
static STARTED: OnceLock<Timestamp> = OnceLock::new();

/// The process begins to serve.
pub(super) fn note_start() -> Timestamp {
    *STARTED.get_or_init(|| SystemClock.now())
}

pub(super) fn collect(exposition: &mut Exposition) {
    let version = vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)];
    exposition.gauges("martlet_build_info", "The version of the program", version);
    exposition.gauge(
        "process_start_time_seconds",
        "When the process began to serve, in seconds since 1970",
        Duration::from_micros(note_start().as_micros()).as_secs_f64(),
    );
    let cpu_seconds = cpu_time().as_secs_f64();
    exposition.seconds("process_cpu_seconds", "CPU time that the process has used", cpu_seconds);
    if let Some(bytes) = resident_bytes() {
        exposition.gauge("process_resident_memory_bytes", "Memory that the process has", level(bytes));
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        let open = level(files.count() as u64);
        exposition.gauge("process_open_fds", "Files and connections that are open", open);
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        exposition.gauge("process_max_fds", "Files and connections that may be open", level(limit));
    }
    exposition.counter(
        "martlet_log_lines_lost",
        "Lines of the log that nobody took in time",
        log::lines_lost(),
    );
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}

/// As the kernel tells it; `None` where it doesn't.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "figures are shown to people")]
fn level(count: u64) -> f64 {
    count as f64
}

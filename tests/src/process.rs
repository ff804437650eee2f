//! What Linux accounts for a process.

use std::fs;
use std::time::Duration;

/// Kernel clock ticks a second: fixed at 100 in what Linux shows to programs.
const TICKS_PER_SECOND: u64 = 100;
const KIB_PER_MIB: f64 = 1024.0;

/// User and system time of the process and all its threads.
pub fn cpu(id: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("the process lives");
    // The second field is the command's name in parentheses, and may contain anything; utime and stime are 14 and 15.
    let (_, fields) = stat.rsplit_once(')').expect("a line of /proc/ID/stat");
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// Resident memory now.
pub fn resident_mib(id: u32) -> f64 {
    status_mib(id, "VmRSS:")
}

/// The most memory that was ever resident.
pub fn resident_peak_mib(id: u32) -> f64 {
    status_mib(id, "VmHWM:")
}

fn status_mib(id: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with(name)).expect("the line is there");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB");
    kib / KIB_PER_MIB
}

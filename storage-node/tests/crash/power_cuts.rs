//! The power fails.

use crate::event::{Event, NameEvent};
use crate::explore::{Depth, Seen, explore};
use crate::fault::Fault;
use crate::workload::{LONG, SHORT, Workload, depth, seed};

#[test]
fn a_power_cut_at_any_moment_takes_nothing_that_was_answered() {
    let mut seen = Seen::default();
    for workload in 0..2 {
        seen.add(Workload::of(seed() + 1000 * workload, SHORT).explore(depth(usize::MAX)));
    }
    eprintln!("seed {}: {seen}", seed());
}

#[test]
fn a_power_cut_takes_nothing_while_the_log_is_copied_and_segments_come_and_go() {
    let workload = Workload::of(seed() + 10_000, LONG);
    let segments = workload.disk.root().join("segments");
    let removes_segment = |event: &Event| matches!(event, Event::Name(NameEvent::Remove { path, .. }) if path.parent() == Some(&segments));
    assert!(workload.has(removes_segment), "no segment has died");
    assert!(workload.copies_log(), "the log hasn't been copied while the device was at work");
    eprintln!("seed {}: {}", workload.seed, workload.explore(depth(2000)));
}

#[test]
fn every_planted_fault_is_found() {
    let workloads: Vec<_> =
        (0..4).map(|workload| Workload::of(seed() + 20_000 + 1000 * workload, SHORT)).collect();
    let depth = Depth { states_max: usize::MAX, chances: 2, second_crash_percent: 0, going_on_percent: 0 };
    for fault in Fault::ALL {
        let found = workloads.iter().find_map(|workload| {
            let (recording, root) = (&workload.recording, workload.disk.root());
            let planted = fault.plant(recording, root);
            explore(&planted, root, fault.first_event(recording), workload.seed, depth).err()
        });
        let broken = found.unwrap_or_else(|| panic!("{fault:?} isn't found"));
        eprintln!(
            "{fault:?}: event {}: {}",
            broken.moment,
            broken.finding.lines().next().unwrap_or_default()
        );
    }
}

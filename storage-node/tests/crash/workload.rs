//! Workloads that tests begin with.

use std::sync::Arc;

use crate::disk::Disk;
use crate::drive::{self, Recording, Standing};
use crate::event::Event;
use crate::explore::{Depth, Seen, explore};
use crate::model::Model;
use crate::plan::{Plan, Shape};

/// Where all seeds begin, unless `MARTLET_SEED` says otherwise.
const SEED: u64 = 20_261_124;

/// A workload whose every moment can be looked at.
pub(crate) const SHORT: Shape =
    Shape { rounds: 14, restarts: 1, staged_bytes_max: 1_100_000, record_bytes_max: 9000 };

/// Long enough for the log of the index to be copied into the index while the writer goes on.
pub(crate) const LONG: Shape =
    Shape { rounds: 240, restarts: 3, staged_bytes_max: 1_100_000, record_bytes_max: 500_000 };

/// A few rounds, so that each of their writes can fail in turn.
pub(crate) const FEW: Shape =
    Shape { rounds: 6, restarts: 0, staged_bytes_max: 1_100_000, record_bytes_max: 2000 };

pub(crate) fn seed() -> u64 {
    setting("MARTLET_SEED").unwrap_or(SEED)
}

/// What `MARTLET_CRASHES` says, or else `states_max`.
pub(crate) fn depth(states_max: usize) -> Depth {
    let setting = setting("MARTLET_CRASHES").and_then(|states| usize::try_from(states).ok());
    let states_max = setting.unwrap_or(states_max);
    Depth { states_max, chances: 2, second_crash_percent: 20, going_on_percent: 8 }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a setting is a number"))
}

/// A workload that asks for everything, carried out on a disk that doesn't fail.
pub(crate) struct Workload {
    pub(crate) seed: u64,
    pub(crate) disk: Arc<Disk>,
    pub(crate) recording: Recording,
}

impl Workload {
    pub(crate) fn of(seed: u64, shape: Shape) -> Self {
        let (seed, plan) = Plan::of_everything(seed, shape, &Model::default());
        let disk = Disk::empty();
        let recording = drive::record(&disk, plan);
        if let Err(finding) = recording.check_answers(Model::default()) {
            panic!("seed {seed}: without any crash: {finding}");
        }
        Self { seed, disk, recording }
    }

    pub(crate) fn explore(&self, depth: Depth) -> Seen {
        let explored = explore(&self.recording, self.disk.root(), 0, self.seed, depth);
        explored.unwrap_or_else(|broken| panic!("with MARTLET_SEED={}: {broken}", seed()))
    }

    /// What the device holds at the end.
    pub(crate) fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        self.recording.log.iter().for_each(|event| standing.follow(event, &self.recording));
        standing
    }

    /// Whether this has happened once the device had been made.
    pub(crate) fn has(&self, is_it: impl Fn(&Event) -> bool) -> bool {
        self.recording.log[self.recording.created..].iter().any(is_it)
    }

    /// Whether the index has been synced while something was asked for.
    pub(crate) fn copies_log(&self) -> bool {
        let index = self.disk.tree().find(&self.disk.root().join("index.db"));
        let mut under_way = 0;
        self.recording.log.iter().any(|event| {
            match event {
                Event::Asked(_) => under_way += 1,
                Event::Answered(_) => under_way -= 1,
                _ => {}
            }
            under_way > 0 && matches!(event, Event::Sync(file) if Some(*file) == index)
        })
    }
}

//! What a power cut leaves of a disk.
//!
//! What has been synced is there. Of what hasn't, chance decides:
//!
//! - **Data.** Each sector of 512 bytes holds any of the versions that it had since the last sync of its file,
//!   whatever its neighbours hold: writes are lost, kept, torn, and applied out of order within and across files.
//!   The length is any that the file had. Cutting a file short is one step: either all of the tail is gone or none.
//! - **Names.** Each event in a directory is kept or lost, whatever the others are; a rename is one step.
//!
//! No file system loses so much in such ways. What stands here stands on all of them.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::event::{DataChange, DataEvent, Event, FileId, NameEvent};
use crate::tree::{Tree, position};

/// Disks write sectors as a whole.
pub(crate) const SECTOR_BYTES: usize = 512;

/// How much chance leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survival {
    /// Nothing that wasn't synced.
    Least,
    /// Everything that reached the operating system: what killing the process leaves.
    Most,
    /// Whatever chance decides.
    Some,
}

/// A disk, seen through its log: what is durable, and what may become so.
#[derive(Clone, Debug)]
pub(crate) struct Platter {
    durable: Tree,
    data: BTreeMap<FileId, Vec<DataEvent>>,
    names: Vec<NameEvent>,
}

/// How many of a file's events since its last sync a crash leaves.
struct Cuts {
    length: usize,
    sectors: Sectors,
}

enum Sectors {
    /// The same for all.
    Even(usize),
    /// For each its own.
    Uneven(Chance),
}

impl Platter {
    pub(crate) fn new(durable: Tree) -> Self {
        Self { durable, data: BTreeMap::new(), names: Vec::new() }
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Data(event) => self.data.entry(event.file).or_default().push(event.clone()),
            Event::Name(event) => self.names.push(event.clone()),
            Event::Sync(file) => {
                for event in self.data.remove(file).unwrap_or_default() {
                    self.durable.apply_data(&event);
                }
            }
            Event::SyncFailed(file) => {
                let mut chance = Chance::of(file.0);
                if let Some(events) = self.data.remove(file) {
                    survive(
                        &mut self.durable,
                        *file,
                        &events,
                        Cuts::of(Survival::Some, events.len(), &mut chance),
                    );
                }
            }
            Event::SyncDirectory(directory) => {
                let durable = &mut self.durable;
                self.names.retain(|event| {
                    let is_synced = event.is_in(directory);
                    if is_synced {
                        durable.apply_name(event);
                    }
                    !is_synced
                });
            }
            Event::Asked(_) | Event::Answered(_) => {}
        }
    }

    /// Whether chance has nothing to decide.
    pub(crate) fn is_settled(&self) -> bool {
        self.data.is_empty() && self.names.is_empty()
    }

    /// What is there after a power cut now.
    pub(crate) fn crash(&self, survival: Survival, chance: &mut Chance) -> Tree {
        let mut tree = self.durable.clone();
        for (file, events) in &self.data {
            survive(&mut tree, *file, events, Cuts::of(survival, events.len(), chance));
        }
        let kept_percent = match survival {
            Survival::Least => 0,
            Survival::Most => 100,
            Survival::Some => [0, 50, 50, 90, 100][chance.below(5)],
        };
        for event in &self.names {
            if chance.percent(kept_percent) {
                tree.apply_name(event);
            }
        }
        tree
    }
}

impl Cuts {
    fn of(survival: Survival, events: usize, chance: &mut Chance) -> Self {
        let even = |cut| Self { length: cut, sectors: Sectors::Even(cut) };
        match survival {
            Survival::Least => even(0),
            Survival::Most => even(events),
            Survival::Some => match chance.below(6) {
                0 => even(0),
                1 => even(events),
                2 => even(chance.below(events + 1)),
                // The length is there, the bytes are not or only in part: what file systems do that log metadata only.
                3 | 4 => Self { length: events, sectors: Sectors::Uneven(chance.branch(1)) },
                _ => Self { length: chance.below(events + 1), sectors: Sectors::Uneven(chance.branch(2)) },
            },
        }
    }
}

/// Applies to a file what is left of its events.
fn survive(tree: &mut Tree, file: FileId, events: &[DataEvent], cuts: Cuts) {
    let mut content = tree.content(file).to_vec();
    let lengths = lengths(content.len(), events);
    // Nothing after a cut that didn't happen can have happened to the file as it was before.
    let first_lost_cut = (cuts.length..events.len()).find(|at| lengths[*at + 1] < lengths[*at]);
    let last = first_lost_cut.unwrap_or(events.len());
    let longest = lengths.iter().copied().max().unwrap_or_default();
    content.resize(longest, 0);

    let mut sectors = cuts.sectors;
    for sector in 0..longest.div_ceil(SECTOR_BYTES) {
        let (start, end) = (sector * SECTOR_BYTES, longest.min((sector + 1) * SECTOR_BYTES));
        let cut = match &mut sectors {
            Sectors::Even(cut) => *cut,
            Sectors::Uneven(chance) => chance.below(events.len() + 1),
        };
        // A cut that did happen has taken the tail as a whole.
        let cut_short =
            (0..cuts.length).rfind(|at| lengths[*at + 1] < lengths[*at] && lengths[*at + 1] < end);
        let cut = cut.max(cut_short.map_or(0, |at| at + 1)).min(last);
        for event in &events[..cut] {
            overlay(&mut content[start..end], start, &event.change);
        }
    }
    content.truncate(lengths[cuts.length.min(last)]);
    tree.set_content(file, content);
}

/// The file's length before the first event and after each.
fn lengths(mut length: usize, events: &[DataEvent]) -> Vec<usize> {
    let mut lengths = vec![length];
    for event in events {
        length = match &event.change {
            DataChange::Write { offset, bytes } => length.max(position(*offset) + bytes.len()),
            DataChange::Truncate { bytes } => position(*bytes),
            DataChange::PunchHole { .. } => length,
        };
        lengths.push(length);
    }
    lengths
}

/// Applies the part of a change that falls on a sector.
fn overlay(sector: &mut [u8], start: usize, change: &DataChange) {
    let end = start + sector.len();
    let (from, to, source) = match change {
        DataChange::Write { offset, bytes } => {
            (position(*offset), position(*offset) + bytes.len(), Some(bytes))
        }
        DataChange::Truncate { bytes } => (position(*bytes), usize::MAX, None),
        DataChange::PunchHole { offset, bytes } => (position(*offset), position(*offset + *bytes), None),
    };
    let (first, last) = (from.max(start), to.min(end));
    if first >= last {
        return;
    }
    let target = &mut sector[first - start..last - start];
    match source {
        Some(bytes) => target.copy_from_slice(&bytes[first - from..last - from]),
        None => target.fill(0),
    }
}

/// What the simulation itself promises.
mod promises {
    use std::path::Path;

    use bytes::Bytes;

    use super::*;

    const FILE: FileId = FileId(1);
    const SEEDS: u64 = 300;

    fn data(change: DataChange) -> Event {
        Event::Data(DataEvent { file: FILE, change })
    }

    fn write(offset: u64, byte: u8, count: usize) -> Event {
        data(DataChange::Write { offset, bytes: Bytes::from(vec![byte; count]) })
    }

    fn after(events: &[Event]) -> Platter {
        let mut platter = Platter::new(Tree::with_root(Path::new("/")));
        for event in events {
            platter.apply(event);
        }
        platter
    }

    /// What the file holds after many a crash.
    fn contents(platter: &Platter) -> Vec<Vec<u8>> {
        let crash = |seed| platter.crash(Survival::Some, &mut Chance::of(seed)).content(FILE).to_vec();
        (0..SEEDS).map(crash).collect()
    }

    #[test]
    fn what_is_synced_is_there_and_what_is_not_may_be_torn() {
        let platter = after(&[write(0, 1, 2048), Event::Sync(FILE), write(0, 2, 2048)]);
        let mut torn = 0;
        for content in contents(&platter) {
            assert_eq!(content.len(), 2048);
            let sectors: Vec<_> = content.chunks(SECTOR_BYTES).collect();
            assert!(
                sectors.iter().all(|sector| **sector == [1; SECTOR_BYTES] || **sector == [2; SECTOR_BYTES])
            );
            torn += usize::from(sectors.iter().any(|sector| sector != &sectors[0]));
        }
        assert!(torn > 0, "no write is ever torn");
    }

    #[test]
    fn writes_may_be_kept_out_of_order() {
        let platter = after(&[write(0, 1, 512), write(512, 2, 512)]);
        let second_alone = [vec![0; 512], vec![2; 512]].concat();
        assert!(contents(&platter).contains(&second_alone));
    }

    #[test]
    fn a_cut_takes_the_whole_tail_or_nothing() {
        let cut = data(DataChange::Truncate { bytes: 0 });
        let platter = after(&[write(0, 1, 2048), Event::Sync(FILE), cut, write(0, 2, 512)]);
        for content in contents(&platter) {
            let is_before = content == [1; 2048];
            assert!(is_before || content.iter().all(|byte| *byte != 1), "{content:?}");
        }
    }

    #[test]
    fn a_rename_happens_or_does_not() {
        let (from, to) = (Path::new("/from").to_owned(), Path::new("/to").to_owned());
        let made = Event::Name(NameEvent::Add { path: from.clone(), file: FILE });
        let renamed = Event::Name(NameEvent::Rename { from: from.clone(), to: to.clone(), file: FILE });
        let platter = after(&[made, Event::SyncDirectory("/".into()), renamed]);
        let names = (0..SEEDS).map(|seed| {
            let tree = platter.crash(Survival::Some, &mut Chance::of(seed));
            (tree.find(&from).is_some(), tree.find(&to).is_some())
        });
        let names: std::collections::BTreeSet<_> = names.collect();
        assert_eq!(names, [(true, false), (false, true)].into());
    }

    #[test]
    fn what_was_written_before_a_failed_sync_is_not_made_durable_by_the_next() {
        let platter =
            after(&[write(0, 1, 512), Event::SyncFailed(FILE), write(512, 2, 512), Event::Sync(FILE)]);
        let lost_or_kept: Vec<_> = contents(&platter);
        assert!(lost_or_kept.iter().all(|content| content[512..] == [2; 512]));
        assert!(
            lost_or_kept.windows(2).all(|pair| pair[0] == pair[1]),
            "what is durable doesn't change any more"
        );
    }
}

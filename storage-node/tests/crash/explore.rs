//! Cutting the power at every moment of a recorded workload, and looking at what comes up again.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use martlet_storage_node::Device;
use martlet_storage_node::disk::identity_file::IdentityError;
use martlet_storage_node::disk::start::OpenError;
use tokio::runtime::Runtime;

use crate::chance::Chance;
use crate::check::{Finding, check, check_index};
use crate::crash::{Platter, Survival};
use crate::disk::Disk;
use crate::drive::{Recording, Standing, carry_out, create, open, runtime};
use crate::event::Event;
use crate::operation::Operation;
use crate::plan::{Plan, Shape};
use crate::tree::Tree;

/// How thoroughly to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    /// States of the disk after a crash, at most: moments are left out by chance when there would be more.
    pub(crate) states_max: usize,
    /// States that chance makes of one moment, besides the least and the most that can be left.
    pub(crate) chances: usize,
    /// Of the states, those in which the power fails a second time while the device comes up.
    pub(crate) second_crash_percent: usize,
    /// Of the states, those in which the device goes on working, and fails again.
    pub(crate) going_on_percent: usize,
}

/// What has been looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) operations: usize,
    pub(crate) moments: usize,
    pub(crate) states: usize,
    pub(crate) second_crashes: usize,
    pub(crate) went_on: usize,
}

/// A state that a device doesn't survive, and how to come to it again.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) seed: u64,
    /// The number of the log's event before which the power failed.
    pub(crate) moment: usize,
    pub(crate) survival: Survival,
    pub(crate) finding: Finding,
    /// The end of the log, and what was under way.
    pub(crate) story: String,
}

/// One disk after a power cut.
struct State<'run> {
    recording: &'run Recording,
    standing: &'run Standing,
    /// Whether the device had been made.
    created: bool,
    chance: Chance,
    depth: Depth,
}

/// Looks at the states that power cuts can leave of a recorded workload.
///
/// `first` is the number of the first event before which the power may fail.
pub(crate) fn explore(
    recording: &Recording,
    root: &Path,
    first: usize,
    seed: u64,
    depth: Depth,
) -> Result<Seen, Box<Broken>> {
    let chance = Chance::of(seed);
    let moments = recording.log[first..].iter().filter(|event| event.is_on_disk()).count() + 1;
    let states_of_moment = 2 + depth.chances;
    let share_percent = depth.states_max.saturating_mul(100).div_ceil(moments * states_of_moment);

    let runtime = runtime();
    let mut platter = Platter::new(Tree::with_root(root));
    let mut standing = Standing::default();
    let mut found = Seen { operations: recording.plan.operations.len(), ..Seen::default() };
    for moment in 0..=recording.log.len() {
        let event = recording.log.get(moment);
        let mut chance = chance.branch(moment as u64);
        if moment >= first && event.is_none_or(Event::is_on_disk) && chance.percent(share_percent) {
            let created = moment >= recording.created;
            let state = State { recording, standing: &standing, created, chance, depth };
            state.look(&runtime, &platter, root, &mut found).map_err(|(survival, finding)| {
                let story = story(recording, moment, &standing);
                Box::new(Broken { seed, moment, survival, finding, story })
            })?;
            found.moments += 1;
        }
        if let Some(event) = event {
            platter.apply(event);
            standing.follow(event, recording);
        }
    }
    Ok(found)
}

impl State<'_> {
    fn look(
        mut self,
        runtime: &Runtime,
        platter: &Platter,
        root: &Path,
        seen: &mut Seen,
    ) -> Result<(), (Survival, Finding)> {
        let mut survivals = vec![Survival::Most];
        if !platter.is_settled() {
            survivals.push(Survival::Least);
            survivals.extend((0..self.depth.chances).map(|_| Survival::Some));
        }
        for survival in survivals {
            let content = platter.crash(survival, &mut self.chance);
            let looked = runtime.block_on(self.survive(&content, root, seen));
            looked.map_err(|finding| (survival, finding))?;
            seen.states += 1;
        }
        Ok(())
    }

    /// Whether a device comes up from this content and is as it has to be.
    async fn survive(&mut self, content: &Tree, root: &Path, seen: &mut Seen) -> Result<(), Finding> {
        let disk = Disk::new(content, root);
        let before = disk.tree();
        let device = self.come_up(&disk)?;
        let recovery = disk.log();
        let model = check(&device, &disk, self.standing, &self.recording.plan.operations).await?;
        if self.chance.percent(self.depth.second_crash_percent) {
            self.crash_again(&before, disk.root(), &recovery).await?;
            seen.second_crashes += 1;
        }
        if self.chance.percent(self.depth.going_on_percent) {
            let standing =
                Standing { model, under_way: Vec::new(), blobs_seen: self.standing.blobs_seen.clone() };
            self.go_on(&device, &disk, standing, before).await?;
            seen.went_on += 1;
        }
        device.close().await.map_err(|error| format!("closing: {error}"))?;
        check_index(&disk)
    }

    /// A device whose making was cut off can be made again.
    fn come_up(&self, disk: &Arc<Disk>) -> Result<Device, Finding> {
        match open(disk) {
            Ok(device) => Ok(device),
            Err(OpenError::Identity(IdentityError::Absent)) if !self.created => {
                create(disk).map_err(|error| format!("making it again: {error:?}"))
            }
            Err(error) => Err(format!("opening: {error:?}")),
        }
    }

    /// The power fails while the device comes up.
    async fn crash_again(&mut self, before: &Tree, root: &Path, recovery: &[Event]) -> Result<(), Finding> {
        let mut platter = Platter::new(before.clone());
        let until = self.chance.below(recovery.len() + 1);
        recovery[..until].iter().for_each(|event| platter.apply(event));
        let disk = Disk::new(&platter.crash(Survival::Some, &mut self.chance), root);
        let again =
            |finding| format!("after a second crash, at event {until} of {}: {finding}", recovery.len());
        let device = self.come_up(&disk).map_err(again)?;
        check(&device, &disk, self.standing, &self.recording.plan.operations).await.map_err(again)?;
        device.close().await.map_err(|error| again(error.to_string()))
    }

    /// The device takes up its work, and the power fails for good.
    async fn go_on(
        &mut self,
        device: &Device,
        disk: &Arc<Disk>,
        mut standing: Standing,
        before: Tree,
    ) -> Result<(), Finding> {
        let shape = Shape { rounds: 4, restarts: 0, staged_bytes_max: 1_100_000, record_bytes_max: 2000 };
        let plan = Plan::continuing(self.chance.next(), shape, standing.model.clone());
        let answers = carry_out(disk, device, &plan).await;
        let recording = Recording { plan, log: Vec::new(), created: 0, answers };
        let going_on = |finding| format!("going on: {finding}");
        recording.check_answers(standing.model.clone()).map_err(going_on)?;
        for number in 0..recording.plan.operations.len() {
            standing.follow(&Event::Asked(number), &recording);
            standing.follow(&Event::Answered(number), &recording);
        }
        let mut platter = Platter::new(before);
        disk.log().iter().for_each(|event| platter.apply(event));
        let disk = Disk::new(&platter.crash(Survival::Least, &mut self.chance), disk.root());
        let device = open(&disk).map_err(|error| going_on(format!("opening: {error:?}")))?;
        check(&device, &disk, &standing, &recording.plan.operations).await.map_err(going_on)?;
        device.close().await.map_err(|error| going_on(error.to_string()))
    }
}

/// The end of the log.
fn story(recording: &Recording, moment: usize, standing: &Standing) -> String {
    let first = moment.saturating_sub(25);
    let events = recording.log[first..moment].iter().enumerate();
    let events: Vec<String> = events.map(|(at, event)| format!("  {:5} {event:?}", first + at)).collect();
    let under_way: Vec<&Operation> =
        standing.under_way.iter().map(|number| &recording.plan.operations[*number]).collect();
    format!("{}\nunder way: {under_way:#?}", events.join("\n"))
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.moments += other.moments;
        self.states += other.states;
        self.second_crashes += other.second_crashes;
        self.went_on += other.went_on;
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, moments, states, second_crashes, went_on } = self;
        write!(
            f,
            "{operations} operations, {moments} moments, {states} states, \
             {second_crashes} second crashes, {went_on} devices that went on"
        )
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, moment, survival, finding, story } = self;
        write!(f, "seed {seed}: power cut before event {moment}, {survival:?} survives\n{finding}\n{story}")
    }
}

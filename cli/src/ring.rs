//! `martlet ring`: makes and changes ring files, and says what a change would do before anything is written.

mod device;
mod push;
mod report;

use std::path::{Path, PathBuf};

use martlet_ring::ring::RingError;
use martlet_ring::{Device, DeviceId, Movement, NodeId, Ring, build, edit, partition_bits_for};

use self::device::DeviceArgument;
use self::push::{Fetch, Push, PushError, fetch, push};
use crate::files::{self, FileError};
use crate::process;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Show the devices, and how evenly the replicas lie on them.
    Show(File),
    /// Plan the first ring of a cluster.
    Create(Create),
    /// Plan to add devices.
    Add(Add),
    /// Plan to take devices out. What they hold goes to the others.
    Remove(Remove),
    /// Plan to change how much a device should hold relative to the others; 0 drains it.
    SetWeight(SetWeight),
    /// Plan to change where a node is reached. Moves nothing.
    SetAddress(SetAddress),
    /// Plan to go on where the last change has left something to settle.
    Rebalance(Plan),
    /// Plan to give a changed ring to a running cluster.
    Push(Push),
    /// Write the ring of a running cluster to a file.
    Fetch(Fetch),
}

#[derive(clap::Args)]
struct File {
    /// The ring file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// A change of a ring file.
#[derive(clap::Args)]
struct Plan {
    #[command(flatten)]
    file: File,
    /// Do it. Without it, only what would change is shown.
    #[arg(long)]
    yes: bool,
}

#[derive(clap::Args)]
struct Create {
    #[command(flatten)]
    plan: Plan,
    /// Replicas of everything.
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    replicas: u8,
    /// A device: id=NUMBER,node=NUMBER,zone=NUMBER,weight=NUMBER,address=HOST:PORT. Once for each.
    #[arg(long = "device", value_name = "DEVICE", required = true)]
    devices: Vec<DeviceArgument>,
}

#[derive(clap::Args)]
struct Add {
    #[command(flatten)]
    plan: Plan,
    /// A device: id=NUMBER,node=NUMBER,zone=NUMBER,weight=NUMBER,address=HOST:PORT. Once for each.
    /// A number that a device has had is never used again.
    #[arg(long = "device", value_name = "DEVICE", required = true)]
    devices: Vec<DeviceArgument>,
}

#[derive(clap::Args)]
struct Remove {
    #[command(flatten)]
    plan: Plan,
    /// A device's number. Once for each.
    #[arg(long = "device", value_name = "NUMBER", required = true)]
    devices: Vec<u32>,
}

#[derive(clap::Args)]
struct SetWeight {
    #[command(flatten)]
    plan: Plan,
    /// The device's number.
    #[arg(long, value_name = "NUMBER")]
    device: u32,
    #[arg(long, value_name = "NUMBER")]
    weight: u32,
}

#[derive(clap::Args)]
struct SetAddress {
    #[command(flatten)]
    plan: Plan,
    /// The node's number.
    #[arg(long, value_name = "NUMBER")]
    node: u32,
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
}

/// Why a ring file isn't what was wished for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RingCommandError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("no such ring can be")]
    Ring(#[from] RingError),
    #[error("{} exists already: a ring is made once, and changed afterwards", .0.display())]
    Exists(PathBuf),
    #[error("the ring has no {0}")]
    UnknownDevice(DeviceId),
    #[error("the ring has no {0}")]
    UnknownNode(NodeId),
    #[error("the ring has {0} already")]
    KnownDevice(DeviceId),
}

pub(crate) fn run(options: Options) -> Result<(), RingCommandError> {
    process::keep_files_private();
    match options.action {
        Action::Show(File { file }) => {
            print!("{}", report::ring(&files::read_ring(&file)?));
            Ok(())
        }
        Action::Create(create) => make(create),
        Action::Add(Add { plan, devices }) => change(&plan, |ring| with_more(ring, devices)),
        Action::Remove(Remove { plan, devices }) => change(&plan, |ring| without(ring, &devices)),
        Action::SetWeight(SetWeight { plan, device, weight }) => {
            change(&plan, |ring| with_weight(ring, DeviceId(device), weight))
        }
        Action::SetAddress(SetAddress { plan, node, address }) => {
            change(&plan, |ring| with_address(ring, NodeId(node), &address))
        }
        Action::Push(options) => Ok(push(&options)?),
        Action::Fetch(options) => Ok(fetch(&options)?),
        Action::Rebalance(plan) => change(&plan, |ring| Ok(ring.devices().to_vec())),
    }
}

fn make(Create { plan, replicas, devices }: Create) -> Result<(), RingCommandError> {
    let file = &plan.file.file;
    if file.exists() {
        return Err(RingCommandError::Exists(file.clone()));
    }
    let devices: Vec<Device> = devices.into_iter().map(|device| device.0).collect();
    let ring = build(partition_bits_for(replicas, &devices)?, replicas, devices)?;
    print!("{}", report::ring(&ring));
    conclude(&plan, file, &ring)
}

/// Shows what the ring of these devices would be and move, and writes it if that is wished.
fn change(
    plan: &Plan,
    devices: impl FnOnce(&Ring) -> Result<Vec<Device>, RingCommandError>,
) -> Result<(), RingCommandError> {
    let file = &plan.file.file;
    let previous = files::read_ring(file)?;
    let (next, movement): (Ring, Movement) = edit(&previous, devices(&previous)?)?;
    print!("{}\n{}", report::ring(&next), report::movement(&previous, &movement));
    conclude(plan, file, &next)
}

fn conclude(plan: &Plan, file: &Path, ring: &Ring) -> Result<(), RingCommandError> {
    if plan.yes {
        files::write_ring(file, ring)?;
        println!("Version {} is written to {}.", ring.version(), file.display());
    } else {
        println!("Nothing is written. To write it, say it again with --yes.");
    }
    Ok(())
}

fn with_more(ring: &Ring, more: Vec<DeviceArgument>) -> Result<Vec<Device>, RingCommandError> {
    let mut devices = ring.devices().to_vec();
    for DeviceArgument(device) in more {
        if ring.device(device.id).is_some() {
            return Err(RingCommandError::KnownDevice(device.id));
        }
        devices.push(device);
    }
    Ok(devices)
}

fn without(ring: &Ring, leaving: &[u32]) -> Result<Vec<Device>, RingCommandError> {
    if let Some(unknown) = leaving.iter().map(|id| DeviceId(*id)).find(|id| ring.device(*id).is_none()) {
        return Err(RingCommandError::UnknownDevice(unknown));
    }
    Ok(ring.devices().iter().filter(|device| !leaving.contains(&device.id.0)).cloned().collect())
}

fn with_weight(ring: &Ring, id: DeviceId, weight: u32) -> Result<Vec<Device>, RingCommandError> {
    let mut devices = ring.devices().to_vec();
    let device = devices.iter_mut().find(|device| device.id == id);
    device.ok_or(RingCommandError::UnknownDevice(id))?.weight = weight;
    Ok(devices)
}

fn with_address(ring: &Ring, node: NodeId, address: &str) -> Result<Vec<Device>, RingCommandError> {
    let mut devices = ring.devices().to_vec();
    if devices.iter().all(|device| device.node != node) {
        return Err(RingCommandError::UnknownNode(node));
    }
    for device in devices.iter_mut().filter(|device| device.node == node) {
        address.clone_into(&mut device.address);
    }
    Ok(devices)
}

//! `martlet node`: devices, for the proxies of a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use martlet_cluster::workers::{OrphanRule, Stagers};
use martlet_ring::{DeviceId, NodeId};
use martlet_storage_node::{ClusterId, OpenError};
use tokio::task::JoinHandle;

use crate::admin::{self, AdminError};
use crate::config::{ConfigError, Membership, Node};
use crate::devices::{Habits, OpenedDevice, replicas_of};
use crate::files::FileError;
use crate::keeper::{RingKeeper, Role};
use crate::link_tls::Renewal;
use crate::network::Network;
use crate::process::{self, ProcessError};
use crate::refill::{self, RefillError};
use crate::watch::Watched;
use crate::workers::Workers;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The node's file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Only say whether the node could be started with this file.
    #[arg(long, conflicts_with = "make_devices")]
    check: bool,
    /// Make the devices whose folders don't exist yet, and end. Never for a device that has been lost:
    /// an empty one would count towards majorities that it knows nothing of.
    #[arg(long)]
    make_devices: bool,
    /// Make this device anew in place of one that has been lost, and end. It is filled from its peers once the node
    /// runs, and counts only when it has everything.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["check", "make_devices"])]
    replace_device: Option<u32>,
}

/// Why the node ended, or didn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{0} is in use by another process")]
    InUse(DeviceId),
    #[error("none of the devices of {0} can be opened")]
    NoDevice(NodeId),
    #[error("{device} can't be made")]
    Make { device: DeviceId, source: OpenError },
    #[error("{0} isn't a device of this node")]
    NotOurs(DeviceId),
    #[error("{device} can't be replaced")]
    Replace { device: DeviceId, source: RefillError },
    #[error("can't listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Cluster(#[from] martlet_cluster::MissingReplica),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Serves until SIGTERM or SIGINT, and then finishes what it has been asked.
pub(crate) fn run(options: &Options) -> Result<(), NodeError> {
    let node = Node::load(&options.config)?;
    if options.check {
        println!("ok: {}, {} devices, ring version {}", node.id, node.devices.len(), node.ring_version());
        return Ok(());
    }
    let runtime = process::prepare()?;
    if options.make_devices {
        return runtime.block_on(make_devices(&node));
    }
    if let Some(device) = options.replace_device {
        return runtime.block_on(replace_device(&node, DeviceId(device)));
    }
    let devices = open_devices(&node)?;
    runtime.block_on(serve(node, devices))
}

async fn serve(node: Node, devices: Vec<(DeviceId, OpenedDevice)>) -> Result<(), NodeError> {
    // Before anything is announced, so that whoever has read the announcement can stop the node.
    let stop = process::stop_signal()?;
    let address = node.config.listen;
    let listen = |source| NodeError::Listen { address, source };
    let listener = process::listen(address).map_err(listen)?;
    let own = replicas_of(&devices);
    let Membership { ring, ring_file, cluster, identity, .. } = &node.membership;
    let role = Role::Node { file: ring_file.clone(), devices: own.clone() };
    let keeper = RingKeeper::start(ring.clone(), role)?;
    // Also the own devices are reached through the link: so whatever is asked of them comes by a ring that holds.
    let network = Network::new(identity, keeper.clone());
    let live = network.store(cluster)?;
    let devices: Arc<[_]> = devices.into();
    let parts = Watched::new(live.store.clone());
    let watched = Arc::new(Watched { network: Some(network), devices: devices.clone(), ..parts });
    let _admin = admin::open(node.config.admin, watched.clone()).await?;
    let refills = refill::start(&devices, &live.store);
    let workers = Workers::start(&live.store, own.keys().copied(), node.orphan_rule());
    let _renewal = Renewal::start(&node.membership);
    println!("Martlet serves {} at {address}", node.id);
    println!("ready");
    let served = martlet_link::Node { devices: own, identity: identity.clone(), rings: Some(keeper) };
    // The workers first: they need what is served.
    let stop = async {
        stop.await;
        watched.begin_to_stop();
        refills.iter().for_each(JoinHandle::abort);
        workers.stop().await;
        live.store.idle().await;
    };
    martlet_link::serve_node(listener, served, stop).await;
    for (_, device) in devices.iter() {
        device.close().await;
    }
    tracing::info!("stopped");
    Ok(())
}

fn open_devices(node: &Node) -> Result<Vec<(DeviceId, OpenedDevice)>, NodeError> {
    let habits = node.habits();
    let mut devices = Vec::new();
    for (&id, folder) in &node.devices {
        let opened = match habits.open(folder, id) {
            Ok(opened) => opened,
            Err(OpenError::InUse) => return Err(NodeError::InUse(id)),
            Err(error) => OpenedDevice::left_out(id, &error),
        };
        devices.push((id, opened));
    }
    if devices.iter().any(|(_, device)| device.device().is_ok()) {
        Ok(devices)
    } else {
        Err(NodeError::NoDevice(node.id))
    }
}

async fn replace_device(node: &Node, id: DeviceId) -> Result<(), NodeError> {
    let folder = node.devices.get(&id).ok_or(NodeError::NotOurs(id))?;
    let made = refill::make(&node.habits(), folder, id).await;
    made.map_err(|source| NodeError::Replace { device: id, source })?;
    println!("{id}: made anew in {}; start the node, and it is filled", folder.display());
    Ok(())
}

async fn make_devices(node: &Node) -> Result<(), NodeError> {
    let habits = node.habits();
    for (&id, folder) in &node.devices {
        if folder.exists() {
            println!("{id}: {} exists and is left alone", folder.display());
            continue;
        }
        let device = habits.create(folder, id).map_err(|source| NodeError::Make { device: id, source })?;
        OpenedDevice::Present(device).close().await;
        println!("{id}: made in {}", folder.display());
    }
    Ok(())
}

impl Node {
    fn habits(&self) -> Habits {
        Habits {
            cluster: ClusterId(self.membership.cluster.cluster_id.0),
            partition_bits: self.membership.ring.partition_bits(),
            garbage_grace: Duration::from_secs(self.config.garbage_grace_seconds),
            reserve_bytes: self.config.reserve_mib << 20,
        }
    }

    fn orphan_rule(&self) -> OrphanRule {
        let age_min = Duration::from_secs(self.config.orphan_age_seconds.get());
        let standard = OrphanRule::standard(Stagers::Anywhere);
        if age_min < standard.age_min {
            tracing::warn!(
                ?age_min,
                "an upload that takes longer than `orphan_age_seconds` may lose its bytes"
            );
        }
        OrphanRule { age_min, ..standard }
    }

    fn ring_version(&self) -> u64 {
        self.membership.ring.version()
    }
}

//! `martlet ring push`: gives a changed ring to a running cluster. `martlet ring fetch`: writes down the one it has.
//!
//! A ring that moves nothing is given to every node that can be reached, and passes on to the others when they are back.
//! One that moves partitions is given only if all nodes, old and new, have agreed to it first: see `keeper`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use martlet_link::{NodeLink, RingHolder as _, RingOrder, RingReport};
use martlet_protocol::ReplicaError;
use martlet_ring::{NodeId, Ring};
use tokio::time::{Instant, sleep, timeout};

use super::report;
use crate::config::{ConfigError, Membership};
use crate::files::{self, FileError};
use crate::keeper::{RingKeeper, Role, moved_partitions};
use crate::network::Network;
use crate::process::{self, ProcessError};

/// How long a node may take to answer an order; an agreement waits for requests that are under way.
const ORDER_DURATION_MAX: Duration = Duration::from_secs(30);
/// How long a node is looked for.
const SEARCH_DURATION_MAX: Duration = Duration::from_secs(3);
/// How long a ring may take to pass on to the nodes that can be reached.
const SPREAD_DURATION_MAX: Duration = Duration::from_secs(10);
const POLL_PAUSE: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub(super) struct Push {
    #[command(flatten)]
    plan: super::Plan,
    /// The file of a proxy or node of the running cluster.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct Fetch {
    #[command(flatten)]
    file: super::File,
    /// The file of a proxy or node of the running cluster.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Why a ring isn't given to the cluster, or isn't had from it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("no node can be reached")]
    NobodyThere,
    #[error(
        "the cluster has version {cluster} already, and the file has version {file}: `martlet ring fetch` the \
         cluster's ring, and change that"
    )]
    NotNewer { cluster: u64, file: u64 },
    #[error("the file's ring has another number of partitions or replicas than the cluster's")]
    OtherShape,
    #[error("the ring moves partitions, so all nodes have to agree to it: {}", said(.0))]
    NotAgreed(Vec<(NodeId, String)>),
    #[error("some nodes have taken the ring, and some haven't yet: push it again. {}", said(.0))]
    HalfTaken(Vec<(NodeId, String)>),
}

pub(super) fn fetch(Fetch { file, config }: &Fetch) -> Result<(), PushError> {
    let membership = Membership::of(config)?;
    process::prepare()?.block_on(async {
        let cluster = Cluster::of(&membership, None)?;
        let ring = cluster.newest().await?;
        files::write_ring(&file.file, &ring)?;
        print!("{}", report::ring(&ring));
        println!("Version {} is written to {}.", ring.version(), file.file.display());
        Ok(())
    })
}

pub(super) fn push(Push { plan, config }: &Push) -> Result<(), PushError> {
    let membership = Membership::of(config)?;
    let next = Arc::new(files::read_ring(&plan.file.file)?);
    process::prepare()?.block_on(async {
        let cluster = Cluster::of(&membership, Some(&next))?;
        let present = cluster.newest().await?;
        if present.partition_bits() != next.partition_bits() || present.replicas() != next.replicas() {
            return Err(PushError::OtherShape);
        }
        let is_known = *present == *next;
        if next.version() <= present.version() && !is_known {
            return Err(PushError::NotNewer { cluster: present.version(), file: next.version() });
        }
        let moved = moved_partitions(&present, &next);
        print!("{}", report::ring(&next));
        println!("\nAgainst the cluster's version {}, {} partitions move.", present.version(), moved.len());
        if !plan.yes {
            println!("Nothing is changed. To give it to the cluster, say it again with --yes.");
            return Ok(());
        }
        if !moved.is_empty() {
            cluster.agree(&next).await?;
        }
        cluster.spread(&next).await
    })
}

/// The running cluster, as this command reaches it.
struct Cluster {
    keeper: Arc<RingKeeper>,
    /// Of the ring that the configuration names, and of the one to be pushed.
    nodes: BTreeMap<NodeId, NodeLink>,
}

type Reports = BTreeMap<NodeId, Result<RingReport, String>>;

impl Cluster {
    fn of(membership: &Membership, next: Option<&Arc<Ring>>) -> Result<Self, PushError> {
        let keeper = RingKeeper::start(membership.ring.clone(), Role::Guest)?;
        let network = Network::new(&membership.identity, keeper.clone());
        let mut nodes = BTreeMap::new();
        // A node that moves to another address is still at the old one.
        for ring in next.into_iter().chain([&membership.ring]) {
            for device in ring.devices() {
                nodes.insert(device.node, network.link(&device.address));
            }
        }
        Ok(Self { keeper, nodes })
    }

    /// The newest ring that a node has taken; it has passed on to this process by then.
    async fn newest(&self) -> Result<Arc<Ring>, PushError> {
        let until = Instant::now() + SEARCH_DURATION_MAX;
        loop {
            let reports = self.order(&RingOrder::Report).await;
            let newest =
                reports.values().filter_map(|report| report.as_ref().ok()).map(|said| said.version).max();
            let own = self.keeper.current().borrow().clone();
            match newest {
                Some(version) if version <= own.version() => return Ok(own),
                None if until <= Instant::now() => return Err(PushError::NobodyThere),
                _ if until <= Instant::now() => return Ok(own),
                _ => sleep(POLL_PAUSE).await,
            }
        }
    }

    /// Has all nodes agree, and then has them take it.
    async fn agree(&self, next: &Arc<Ring>) -> Result<(), PushError> {
        let proposed = self.order(&RingOrder::Propose(next.to_bytes().into())).await;
        let refusals = refusals(&proposed);
        if !refusals.is_empty() {
            return Err(PushError::NotAgreed(self.give_up(next, refusals).await));
        }
        println!("All {} nodes have agreed.", self.nodes.len());
        let committed = self.order(&RingOrder::Commit(next.version())).await;
        let failures = self::refusals(&committed);
        if failures.is_empty() { Ok(()) } else { Err(PushError::HalfTaken(failures)) }
    }

    /// A node that hasn't agreed has undone that itself. The others may go on as well,
    /// unless somebody has taken the ring in the meantime.
    async fn give_up(&self, next: &Arc<Ring>, refusals: Vec<(NodeId, String)>) -> Vec<(NodeId, String)> {
        let reports = self.order(&RingOrder::Report).await;
        let has_all_reports = reports.values().all(Result::is_ok);
        let nobody_has_it = reports.values().flatten().all(|report| report.version < next.version());
        if has_all_reports && nobody_has_it {
            self.order(&RingOrder::Withdraw(next.version())).await;
        } else {
            println!(
                "Nodes that have agreed keep what would move from everybody until this ring is pushed again, \
                 with all nodes running."
            );
        }
        refusals
    }

    /// Waits until everybody who can be reached has it. Links offer it by themselves.
    async fn spread(&self, next: &Arc<Ring>) -> Result<(), PushError> {
        self.keeper.hear((**next).clone());
        let until = Instant::now() + SPREAD_DURATION_MAX;
        loop {
            let reports = self.order(&RingOrder::Report).await;
            let is_behind = |report: &RingReport| report.version < next.version();
            if !reports.values().flatten().any(is_behind) || until <= Instant::now() {
                return conclude(&reports, next);
            }
            sleep(POLL_PAUSE).await;
        }
    }

    async fn order(&self, order: &RingOrder) -> Reports {
        let asking = self.nodes.iter().map(|(node, link)| async { (*node, ask(link, order.clone()).await) });
        futures_util::future::join_all(asking).await.into_iter().collect()
    }
}

async fn ask(link: &NodeLink, order: RingOrder) -> Result<RingReport, String> {
    let answer = timeout(ORDER_DURATION_MAX, link.order(order)).await;
    let answer = answer.unwrap_or_else(|_| Err(ReplicaError::Unreachable("it took too long".to_owned())));
    answer.map_err(|error| error.to_string()).flatten()
}

fn refusals(reports: &Reports) -> Vec<(NodeId, String)> {
    reports.iter().filter_map(|(node, report)| Some((*node, report.as_ref().err()?.clone()))).collect()
}

fn conclude(reports: &Reports, next: &Arc<Ring>) -> Result<(), PushError> {
    let mut behind = Vec::new();
    for (node, report) in reports {
        match report {
            Ok(report) if next.version() <= report.version => {
                println!("{node} has version {}.", report.version);
            }
            Ok(report) => behind.push((*node, format!("it still has version {}", report.version))),
            Err(why) => println!("{node} will have it when it is back: {why}"),
        }
    }
    if behind.is_empty() { Ok(()) } else { Err(PushError::HalfTaken(behind)) }
}

fn said(nodes: &[(NodeId, String)]) -> String {
    nodes.iter().map(|(node, why)| format!("{node}: {why}")).collect::<Vec<_>>().join("; ")
}

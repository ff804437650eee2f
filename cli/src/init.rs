//! `martlet init`: the folder of a cluster, whose processes run on this machine or on others.
//!
//! ```text
//! DIR/node-1/node.toml      a node's file, and beside it all that the node needs:
//! DIR/node-1/cluster.toml   ids, secrets and the first user
//! DIR/node-1/cluster.ring   the ring
//! DIR/node-1/devices/1      its devices
//! DIR/proxy-1/proxy.toml    a proxy's file, with cluster.toml and cluster.ring beside it
//! DIR/credentials.env       for clients
//! DIR/authority             with --tls: who signs the certificates in DIR/node-1/tls, DIR/proxy-1/tls and so on
//! DIR/processes.txt         a line for each process: its name, a tabulator, its command
//! ```
//!
//! Unless hosts are given, node i listens on 127.0.0.(10+i) and proxy i on 127.0.0.(100+i), all at the same port:
//! each process has an address of its own, and two clusters only need different ports.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use martlet_ring::{Device, DeviceId, NodeId, Ring, ZoneId, build, partition_bits_for};
use martlet_storage_node::OpenError;
use serde::Serialize;

use crate::config::{self, NodeConfig, ProxyConfig, UrlScheme};
use crate::credentials::{REGION, environment};
use crate::devices::{Habits, OpenedDevice};
use crate::files::{self, FileError};
use crate::link_tls::{Authority, AuthorityError, TlsFiles};
use crate::log::LogFormat;
use crate::process::{self, ProcessError};
use crate::secrets::ClusterFile;

/// Replicas of everything.
const REPLICAS: u8 = 3;
/// What the last numbers of the nodes' addresses are above the nodes' numbers.
const NODE_ADDRESSES: u8 = 10;
const NODES_COUNT_MAX: i64 = 90;
/// The port at which a process tells how it is, above its own.
const ADMIN_PORT_ABOVE: u16 = 1000;
/// The same of the proxies.
const PROXY_ADDRESSES: u8 = 100;
const PROXIES_COUNT_MAX: i64 = 150;
const DEVICES_COUNT_MAX: i64 = 64;
/// There is a port for those who run a process above it.
const PORT_MAX: i64 = (u16::MAX - ADMIN_PORT_ABOVE) as i64;
/// By this file a folder is known to hold a whole cluster.
const LAST_FILE: &str = "processes.txt";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder to make. It must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Storage nodes.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=NODES_COUNT_MAX))]
    nodes: u8,
    /// Proxies.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=PROXIES_COUNT_MAX))]
    proxies: u8,
    /// Devices of each node.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=DEVICES_COUNT_MAX))]
    devices: u8,
    /// The port of every process.
    #[arg(long, value_name = "PORT", default_value_t = 8400, value_parser = clap::value_parser!(u16).range(1..=PORT_MAX))]
    port: u16,
    /// The port of every node, where it is to be another one.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=PORT_MAX))]
    node_port: Option<u16>,
    /// The names or addresses of the machines of the nodes, one a node; loopback addresses unless set.
    #[arg(long, value_name = "HOST,HOST...", value_delimiter = ',')]
    node_hosts: Vec<String>,
    /// The same of the proxies.
    #[arg(long, value_name = "HOST,HOST...", value_delimiter = ',')]
    proxy_hosts: Vec<String>,
    /// Where every process tells its figures and whether it is ready; its own loopback address unless set.
    #[arg(long, value_name = "IP")]
    admin_ip: Option<IpAddr>,
    /// Do nothing where the folder holds a cluster already.
    #[arg(long)]
    unless_made: bool,
    /// Let the processes speak TLS with each other.
    #[arg(long)]
    tls: bool,
}

/// Where a process listens, and where others reach it.
struct Place {
    listen: SocketAddr,
    reached: String,
}

/// Why there is no new cluster.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("{} isn't empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("there are {hosts} hosts for {processes} {kind}")]
    Hosts { kind: &'static str, hosts: usize, processes: u8 },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("no ring can be built")]
    Ring(#[from] martlet_ring::RingError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("no randomness can be had")]
    Random(#[from] getrandom::Error),
    #[error("a configuration can't be written")]
    Render(#[from] toml::ser::Error),
    #[error("{device} can't be made")]
    Device { device: DeviceId, source: OpenError },
    #[error("the path of this program isn't known")]
    Program(#[source] io::Error),
}

pub(crate) fn run(options: &Options) -> Result<(), InitError> {
    check_hosts("nodes", &options.node_hosts, options.nodes)?;
    check_hosts("proxies", &options.proxy_hosts, options.proxies)?;
    if options.unless_made && options.dir.join(LAST_FILE).exists() {
        println!("{} holds a cluster and is left alone", options.dir.display());
        return Ok(());
    }
    let runtime = process::prepare()?;
    let root = empty_folder(&options.dir)?;
    let plan = Plan::new(options)?;
    if let Some(authority) = &plan.authority {
        authority.write(&root.join("authority"))?;
    }
    for node in 1..=options.nodes {
        runtime.block_on(plan.make_node(&root, node))?;
    }
    for proxy in 1..=options.proxies {
        plan.make_proxy(&root, proxy)?;
    }
    let endpoints: Vec<_> = (1..=options.proxies)
        .map(|proxy| format!("http://{}", proxy_place(options, proxy).reached))
        .collect();
    files::write(&root.join("credentials.env"), environment(&plan.cluster.user, &endpoints).as_bytes())?;
    // Last: whoever finds it finds everything.
    files::write(&root.join(LAST_FILE), plan.processes(&root)?.as_bytes())?;
    println!(
        "{} nodes and {} proxies are ready to be started: see {}",
        options.nodes,
        options.proxies,
        root.join(LAST_FILE).display()
    );
    Ok(())
}

/// What the processes have in common.
struct Plan<'a> {
    options: &'a Options,
    cluster: ClusterFile,
    ring: Ring,
    /// `None`: the processes speak without TLS.
    authority: Option<Authority>,
}

impl<'a> Plan<'a> {
    fn new(options: &'a Options) -> Result<Self, InitError> {
        let mut cluster = ClusterFile::generate()?;
        cluster.devices_made = true;
        let devices: Vec<_> = (1..=options.nodes).flat_map(|node| devices_of(options, node)).collect();
        let ring = build(partition_bits_for(REPLICAS, &devices)?, REPLICAS, devices)?;
        let authority = options.tls.then(Authority::generate).transpose()?;
        Ok(Self { options, cluster, ring, authority })
    }

    async fn make_node(&self, root: &Path, node: u8) -> Result<(), InitError> {
        let folder = root.join(format!("node-{node}"));
        let habits = Habits::standard(self.cluster.cluster_id.0, self.ring.partition_bits());
        files::make_folder(&folder.join("devices"))?;
        let mut devices = BTreeMap::new();
        for Device { id: device, .. } in devices_of(self.options, node) {
            let path = PathBuf::from(format!("devices/{}", device.0));
            let made = habits.create(&folder.join(&path), device);
            let made = made.map_err(|source| InitError::Device { device, source })?;
            OpenedDevice::Present(made).close().await;
            devices.insert(device.0.to_string(), path);
        }
        let Place { listen, reached } = node_place(self.options, node);
        let config = NodeConfig {
            node: u32::from(node),
            listen,
            ring: "cluster.ring".into(),
            secrets: "cluster.toml".into(),
            garbage_grace_seconds: martlet_storage_node::GARBAGE_GRACE.as_secs(),
            orphan_age_seconds: config::orphan_age_seconds(),
            reserve_mib: martlet_storage_node::RESERVE_BYTES >> 20,
            admin: Some(admin_address(self.options, listen)),
            log_format: LogFormat::Text,
            devices,
            link_tls: self.certify(&folder, &reached)?,
        };
        self.write_configuration(&folder, "node.toml", &config)
    }

    fn make_proxy(&self, root: &Path, proxy: u8) -> Result<(), InitError> {
        let folder = root.join(format!("proxy-{proxy}"));
        files::make_folder(&folder)?;
        let Place { listen, reached } = proxy_place(self.options, proxy);
        let habits = martlet_proxy::Habits::default();
        let config = ProxyConfig {
            listen,
            ring: "cluster.ring".into(),
            secrets: "cluster.toml".into(),
            region: REGION.to_owned(),
            virtual_host_suffixes: Vec::new(),
            storage_url_scheme: UrlScheme::Http,
            healthcheck_disable_file: None,
            drain_seconds: config::drain_seconds(),
            connections_max: config::connections_max(),
            large_bodies_max: config::large_bodies_max(),
            admin: Some(admin_address(self.options, listen)),
            log_format: LogFormat::Text,
            access_log: habits.logs_every_request,
            slow_request_seconds: habits.slow.as_secs(),
            link_tls: self.certify(&folder, &reached)?,
        };
        self.write_configuration(&folder, "proxy.toml", &config)
    }

    /// Gives a process that is reached at this host and port its certificate, if processes have any.
    fn certify(&self, folder: &Path, reached: &str) -> Result<Option<TlsFiles>, InitError> {
        let Some(authority) = &self.authority else { return Ok(None) };
        files::make_folder(&folder.join("tls"))?;
        TlsFiles::within(folder.join("tls")).write(&authority.certify(&[host_of(reached).to_owned()])?)?;
        Ok(Some(TlsFiles::within("tls")))
    }

    fn write_configuration(
        &self,
        folder: &Path,
        name: &str,
        config: &impl Serialize,
    ) -> Result<(), InitError> {
        let text = format!("# docs/operations.md explains every key.\n{}", toml::to_string(config)?);
        files::write_cluster(&folder.join("cluster.toml"), &self.cluster)?;
        files::write_ring(&folder.join("cluster.ring"), &self.ring)?;
        Ok(files::write(&folder.join(name), text.as_bytes())?)
    }

    fn processes(&self, root: &Path) -> Result<String, InitError> {
        let program = std::env::current_exe().map_err(InitError::Program)?;
        let line = |kind: &str, number: u8| {
            let config = root.join(format!("{kind}-{number}/{kind}.toml"));
            let (program, config) = (quoted(&program), quoted(&config));
            format!("{kind}-{number}\t{program} {kind} --config {config}\n")
        };
        let nodes = (1..=self.options.nodes).map(|node| line("node", node));
        let proxies = (1..=self.options.proxies).map(|proxy| line("proxy", proxy));
        Ok(nodes.chain(proxies).collect())
    }
}

/// The host of a host and a port; an IPv6 address without its brackets.
fn host_of(reached: &str) -> &str {
    let host = reached.rsplit_once(':').map_or(reached, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

fn node_place(options: &Options, node: u8) -> Place {
    let port = options.node_port.unwrap_or(options.port);
    place(&options.node_hosts, (node, NODE_ADDRESSES), port)
}

fn proxy_place(options: &Options, proxy: u8) -> Place {
    place(&options.proxy_hosts, (proxy, PROXY_ADDRESSES), options.port)
}

/// A machine that is told by its name is listened on everywhere: only it knows its addresses.
fn place(hosts: &[String], (number, loopback): (u8, u8), port: u16) -> Place {
    let Some(host) = hosts.get(usize::from(number) - 1) else {
        let listen = SocketAddr::from((Ipv4Addr::new(127, 0, 0, loopback + number), port));
        return Place { listen, reached: listen.to_string() };
    };
    let ip: Option<IpAddr> = host.parse().ok();
    let listen = SocketAddr::new(ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port);
    let reached = ip.map_or_else(|| format!("{host}:{port}"), |_| listen.to_string());
    Place { listen, reached }
}

/// On a loopback address, unless options say otherwise: nobody is asked there who they are.
fn admin_address(options: &Options, listen: SocketAddr) -> SocketAddr {
    let own = if listen.ip().is_loopback() { listen.ip() } else { Ipv4Addr::LOCALHOST.into() };
    SocketAddr::new(options.admin_ip.unwrap_or(own), listen.port() + ADMIN_PORT_ABOVE)
}

fn check_hosts(kind: &'static str, hosts: &[String], processes: u8) -> Result<(), InitError> {
    if hosts.is_empty() || hosts.len() == usize::from(processes) {
        Ok(())
    } else {
        Err(InitError::Hosts { kind, hosts: hosts.len(), processes })
    }
}

/// A node's devices as the ring knows them: counted through over all nodes, all of one weight, and each node in a zone
/// of its own, as machines that fail one by one are.
fn devices_of(options: &Options, node: u8) -> impl Iterator<Item = Device> {
    let first = u32::from(node - 1) * u32::from(options.devices) + 1;
    let address = node_place(options, node).reached;
    (first..first + u32::from(options.devices)).map(move |id| Device {
        id: DeviceId(id),
        node: NodeId(u32::from(node)),
        zone: ZoneId(u32::from(node)),
        weight: 100,
        address: address.clone(),
    })
}

/// The folder's absolute path; it exists now and is empty, but for empty folders: disks are mounted on such.
fn empty_folder(path: &Path) -> Result<PathBuf, InitError> {
    files::make_folder(path)?;
    for entry in std::fs::read_dir(path).map_err(files::in_vain("read", path))? {
        let entry = entry.map_err(files::in_vain("read", path))?.path();
        let is_empty = std::fs::read_dir(&entry).is_ok_and(|mut inside| inside.next().is_none());
        if !is_empty {
            return Err(InitError::NotEmpty(path.to_owned()));
        }
    }
    Ok(std::fs::canonicalize(path).map_err(files::in_vain("find", path))?)
}

/// A path as one word of a shell's command.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/-_.+".contains(character);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

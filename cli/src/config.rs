//! The file that a process is started with: one small TOML, every key typed, unknown keys refused.
//!
//! Paths in it are relative to the folder that it lies in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use martlet_link::LinkIdentity;
use martlet_proxy::Habits;
use martlet_proxy::limits::{CONNECTIONS_COUNT_MAX, LARGE_BODIES_COUNT_MAX, SLOW_REQUEST};
use martlet_proxy::swift::Scheme;
use martlet_ring::{DeviceId, NodeId, Ring};
use serde::{Deserialize, Serialize};

use crate::credentials::REGION;
use crate::files::{self, FileError};
use crate::link_tls::{TlsError, TlsFiles};
use crate::log::LogFormat;
use crate::secrets::ClusterFile;

/// A storage node's file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeConfig {
    /// The node's number in the ring.
    pub(crate) node: u32,
    /// Where it listens for proxies and other nodes.
    pub(crate) listen: SocketAddr,
    pub(crate) ring: PathBuf,
    pub(crate) secrets: PathBuf,
    /// How long the bytes of deleted objects stay, in seconds.
    #[serde(default = "garbage_grace_seconds")]
    pub(crate) garbage_grace_seconds: u64,
    /// How long bytes that nothing refers to stay, in seconds: longer than any upload may take.
    #[serde(default = "orphan_age_seconds")]
    pub(crate) orphan_age_seconds: NonZeroU64,
    /// New data is refused when a disk has less than this free, in MiB.
    #[serde(default = "reserve_mib")]
    pub(crate) reserve_mib: u64,
    /// Where it tells those who run it its figures, and whether it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) log_format: LogFormat,
    /// The folder of each device, by the device's number in the ring.
    pub(crate) devices: BTreeMap<String, PathBuf>,
    /// TLS for the links between processes: in all files of a cluster, or in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) link_tls: Option<TlsFiles>,
}

/// A proxy's file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyConfig {
    /// Where it listens for clients.
    pub(crate) listen: SocketAddr,
    pub(crate) ring: PathBuf,
    pub(crate) secrets: PathBuf,
    /// The region that S3 buckets are in.
    #[serde(default = "region")]
    pub(crate) region: String,
    /// Domains whose subdomains are buckets.
    #[serde(default)]
    pub(crate) virtual_host_suffixes: Vec<String>,
    /// The scheme of Swift's storage URLs.
    #[serde(default)]
    pub(crate) storage_url_scheme: UrlScheme,
    /// As long as there is such a file, `/healthcheck` says `DISABLED BY FILE`, so that no requests are sent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck_disable_file: Option<PathBuf>,
    /// How long it goes on accepting requests when it is told to stop, while it tells balancers to stay away.
    #[serde(default = "drain_seconds")]
    pub(crate) drain_seconds: u64,
    /// Connections of clients that are served at once; further ones wait.
    #[serde(default = "connections_max")]
    pub(crate) connections_max: NonZeroU32,
    /// Bodies above 64 KiB that are on their way at once, in either direction; further ones wait, and are refused
    /// after a while.
    #[serde(default = "large_bodies_max")]
    pub(crate) large_bodies_max: NonZeroU32,
    /// Where it tells those who run it its figures, and whether it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) log_format: LogFormat,
    /// Whether every request gets a line in the log, or only those that somebody should look at.
    #[serde(default = "access_log")]
    pub(crate) access_log: bool,
    /// What takes longer to answer is told as slow.
    #[serde(default = "slow_request_seconds")]
    pub(crate) slow_request_seconds: u64,
    /// As a node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) link_tls: Option<TlsFiles>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UrlScheme {
    #[default]
    Http,
    /// Where clients come through something that ends TLS.
    Https,
    /// As `X-Forwarded-Proto` says, where everything comes through something that sets it.
    Forwarded,
}

/// Why a process can't be started with this file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{} can't be used: {source}", path.display())]
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    #[error("\"{0}\" isn't the number of a device")]
    DeviceNumber(String),
    #[error("{device} is on {node} in the ring")]
    DeviceElsewhere { device: DeviceId, node: NodeId },
    #[error("the ring says that {node} has {device}, and [devices] has no folder for it")]
    DeviceWithoutFolder { node: NodeId, device: DeviceId },
}

/// What both kinds of process have.
pub(crate) struct Membership {
    pub(crate) ring: Arc<Ring>,
    pub(crate) ring_file: PathBuf,
    pub(crate) cluster: ClusterFile,
    /// Who the process is to the others.
    pub(crate) identity: LinkIdentity,
    /// Where its TLS comes from, if it has any.
    pub(crate) tls_files: Option<TlsFiles>,
}

/// What the files of both kinds of process name.
struct Named<'a> {
    ring: &'a Path,
    secrets: &'a Path,
    link_tls: Option<&'a TlsFiles>,
}

/// A storage node, ready to be started.
pub(crate) struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) id: NodeId,
    pub(crate) membership: Membership,
    /// The folder of each device.
    pub(crate) devices: BTreeMap<DeviceId, PathBuf>,
}

/// A proxy, ready to be started.
pub(crate) struct Proxy {
    pub(crate) config: ProxyConfig,
    pub(crate) membership: Membership,
}

impl Node {
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: NodeConfig = parse(path)?;
        let NodeConfig { ring, secrets, link_tls, .. } = &config;
        let membership = Membership::load(path, &Named { ring, secrets, link_tls: link_tls.as_ref() })?;
        let id = NodeId(config.node);
        let devices = config
            .devices
            .iter()
            .map(|(number, folder)| Ok((device_id(number)?, beside(path, folder))))
            .collect::<Result<BTreeMap<_, _>, ConfigError>>()?;
        check_devices(&membership.ring, id, &devices)?;
        Ok(Self { config, id, membership, devices })
    }
}

impl Proxy {
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: ProxyConfig = parse(path)?;
        let ProxyConfig { ring, secrets, link_tls, .. } = &config;
        let membership = Membership::load(path, &Named { ring, secrets, link_tls: link_tls.as_ref() })?;
        Ok(Self { config, membership })
    }
}

impl ProxyConfig {
    /// How the front behaves towards those who run it.
    pub(crate) fn habits(&self) -> Habits {
        Habits {
            logs_every_request: self.access_log,
            slow: Duration::from_secs(self.slow_request_seconds),
            connections_max: usize::try_from(self.connections_max.get()).unwrap_or(usize::MAX),
            large_bodies_max: usize::try_from(self.large_bodies_max.get()).unwrap_or(usize::MAX),
            drain: Duration::from_secs(self.drain_seconds),
            healthcheck_disable_file: self.healthcheck_disable_file.clone(),
        }
    }
}

/// The admin address that the file of a proxy or node names.
pub(crate) fn admin_address(path: &Path) -> Result<Option<SocketAddr>, ConfigError> {
    let table: toml::Table = parse(path)?;
    Ok(if table.contains_key("node") {
        parse::<NodeConfig>(path)?.admin
    } else {
        parse::<ProxyConfig>(path)?.admin
    })
}

/// How the log of a process with this file reads. Whatever is wrong with the file is told when it is used.
pub(crate) fn log_format(path: &Path) -> LogFormat {
    let table = parse::<toml::Table>(path).ok();
    let format = table.and_then(|mut table| table.remove("log_format"));
    format.and_then(|format| format.try_into().ok()).unwrap_or_default()
}

impl Membership {
    /// What the file of a node or a proxy says of it.
    pub(crate) fn of(path: &Path) -> Result<Self, ConfigError> {
        let table: toml::Table = parse(path)?;
        if table.contains_key("node") {
            Node::load(path).map(|node| node.membership)
        } else {
            Proxy::load(path).map(|proxy| proxy.membership)
        }
    }

    fn load(config: &Path, named: &Named<'_>) -> Result<Self, ConfigError> {
        let ring_file = beside(config, named.ring);
        let ring = Arc::new(files::read_ring(&ring_file)?);
        let cluster = files::read_cluster(&beside(config, named.secrets))?;
        let tls_files = named.link_tls.map(|files| files.from(|file| beside(config, file)));
        let tls = tls_files.as_ref().map(TlsFiles::load).transpose()?;
        let identity = LinkIdentity { tls, ..cluster.link_identity() };
        Ok(Self { ring, ring_file, cluster, identity, tls_files })
    }
}

/// Devices that the ring doesn't have yet are fine: a node may be prepared before it joins.
fn check_devices(ring: &Ring, id: NodeId, folders: &BTreeMap<DeviceId, PathBuf>) -> Result<(), ConfigError> {
    let is_own = |device: &&martlet_ring::Device| device.node == id;
    for device in ring.devices().iter().filter(is_own) {
        if !folders.contains_key(&device.id) {
            return Err(ConfigError::DeviceWithoutFolder { node: id, device: device.id });
        }
    }
    for device in folders.keys() {
        let elsewhere = ring.device(*device).filter(|device| device.node != id);
        if let Some(elsewhere) = elsewhere {
            return Err(ConfigError::DeviceElsewhere { device: *device, node: elsewhere.node });
        }
    }
    Ok(())
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(files::in_vain("read", path))?;
    toml::from_str(&text)
        .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })
}

fn device_id(number: &str) -> Result<DeviceId, ConfigError> {
    number.parse().map(DeviceId).map_err(|_| ConfigError::DeviceNumber(number.to_owned()))
}

fn beside(config: &Path, path: &Path) -> PathBuf {
    config.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
}

impl From<UrlScheme> for Scheme {
    fn from(scheme: UrlScheme) -> Self {
        match scheme {
            UrlScheme::Http => Self::Http,
            UrlScheme::Https => Self::Https,
            UrlScheme::Forwarded => Self::Forwarded,
        }
    }
}

/// Enough for a balancer that looks once a second and believes it at once.
pub(crate) fn drain_seconds() -> u64 {
    2
}

pub(crate) fn connections_max() -> NonZeroU32 {
    u32::try_from(CONNECTIONS_COUNT_MAX).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}

pub(crate) fn large_bodies_max() -> NonZeroU32 {
    u32::try_from(LARGE_BODIES_COUNT_MAX).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}

fn access_log() -> bool {
    true
}

fn slow_request_seconds() -> u64 {
    SLOW_REQUEST.as_secs()
}

fn region() -> String {
    REGION.to_owned()
}

fn garbage_grace_seconds() -> u64 {
    martlet_storage_node::GARBAGE_GRACE.as_secs()
}

pub(crate) fn orphan_age_seconds() -> NonZeroU64 {
    NonZeroU64::new(martlet_cluster::ORPHAN_AGE_MIN.as_secs()).unwrap_or(NonZeroU64::MAX)
}

fn reserve_mib() -> u64 {
    martlet_storage_node::RESERVE_BYTES >> 20
}

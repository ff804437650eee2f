//! `martlet proxy`: both APIs, over the storage nodes of a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use martlet_model::NameError;
use martlet_proxy::serve;

use crate::admin::{self, AdminError};
use crate::config::{ConfigError, Membership, Proxy};
use crate::files::FileError;
use crate::front::{Face, gateway};
use crate::keeper::{RingKeeper, Role};
use crate::link_tls::Renewal;
use crate::network::Network;
use crate::process::{self, ProcessError};
use crate::watch::Watched;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The proxy's file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Only say whether the proxy could be started with this file.
    #[arg(long)]
    check: bool,
}

/// Why the proxy ended, or didn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("can't listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the first user's account has no valid name")]
    Account(#[from] NameError),
    #[error(transparent)]
    Cluster(#[from] martlet_cluster::MissingReplica),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Serves until SIGTERM or SIGINT, and then finishes what is in flight.
pub(crate) fn run(options: &Options) -> Result<(), ProxyError> {
    let proxy = Proxy::load(&options.config)?;
    if options.check {
        println!("ok: a proxy at {}, ring version {}", proxy.config.listen, proxy.membership.ring.version());
        return Ok(());
    }
    process::prepare()?.block_on(run_over(proxy))
}

/// Doesn't wait for any node: those that are down now are used once they are up.
async fn run_over(proxy: Proxy) -> Result<(), ProxyError> {
    // Before anything is announced, so that whoever has read the announcement can stop the proxy.
    let stop = process::stop_signal()?;
    let _renewal = Renewal::start(&proxy.membership);
    let Membership { ring, ring_file, cluster, identity, .. } = proxy.membership;
    let keeper = RingKeeper::start(ring, Role::Proxy { file: ring_file })?;
    let network = Network::new(&identity, keeper);
    let live = network.store(&cluster)?;
    let store = &live.store;
    let (address, habits) = (proxy.config.listen, proxy.config.habits());
    let face = Face {
        region: proxy.config.region,
        virtual_host_suffixes: proxy.config.virtual_host_suffixes,
        storage_url_scheme: proxy.config.storage_url_scheme.into(),
    };
    let gateway = gateway(&cluster, store.clone(), face, habits)?;
    let listen = |source| ProxyError::Listen { address, source };
    let listener = process::listen(address).map_err(listen)?;
    let front = Some(gateway.clone());
    let watched = Watched { gateway: front, network: Some(network), ..Watched::new(store.clone()) };
    let watched = Arc::new(watched);
    let _admin = admin::open(proxy.config.admin, watched.clone()).await?;
    println!("Martlet serves S3 and Swift at http://{}", listener.local_addr().map_err(listen)?);
    println!("ready");
    let stop = async {
        stop.await;
        watched.begin_to_stop();
    };
    serve(listener, gateway, stop).await;
    store.idle().await;
    tracing::info!("stopped");
    Ok(())
}

//! `martlet serve`: a proxy and three devices in one process.

pub(crate) mod data;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use martlet_cluster::workers::{OrphanRule, Stagers};
use martlet_model::NameError;
use martlet_proxy::swift::Scheme;
use martlet_proxy::{Habits, serve};
use martlet_ring::DeviceId;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::data::{Data, DataError};
use crate::admin::{self, AdminError};
use crate::devices::replicas_of;
use crate::front::{Face, gateway};
use crate::log::LogFormat;
use crate::process::{self, ProcessError};
use crate::watch::Watched;
use crate::workers::Workers;
use crate::{credentials, network, refill};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder that holds everything; made at the first start.
    #[arg(long, value_name = "DIR", default_value = "martlet-data")]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to tell its figures, and whether it is ready; nowhere unless set.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Make this device anew in place of one that has been lost, and end. Its folder in DIR/devices must be empty or
    /// gone. It is filled from the others once the server runs, and counts only when it has everything.
    #[arg(long, value_name = "NUMBER")]
    replace_device: Option<u32>,
    /// How the log reads.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// Why the server ended, or didn't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("can't listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("the first user's account has no valid name")]
    Account(#[from] NameError),
    #[error(transparent)]
    Cluster(#[from] martlet_cluster::MissingReplica),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Serves until SIGTERM or SIGINT, and then finishes what is in flight.
pub(crate) fn run(options: &Options) -> Result<(), ServeError> {
    let runtime = process::prepare()?;
    if let Some(device) = options.replace_device {
        return Ok(runtime.block_on(data::replace_device(&options.data, DeviceId(device)))?);
    }
    let data = Data::open(&options.data)?;
    runtime.block_on(run_over(data, options))
}

async fn run_over(data: Data, options: &Options) -> Result<(), ServeError> {
    // Before anything is announced, so that whoever has read the announcement can stop the server.
    let stop = process::stop_signal()?;
    let store = network::store(&data.cluster, &data.ring, replicas_of(&data.devices))?;
    let face = Face {
        region: credentials::REGION.to_owned(),
        virtual_host_suffixes: Vec::new(),
        storage_url_scheme: Scheme::Http,
    };
    let gateway = gateway(&data.cluster, store.clone(), face, Habits::default())?;
    let address = options.listen;
    let listen = |source| ServeError::Listen { address, source };
    let listener = process::listen(address).map_err(listen)?;
    let endpoint = format!("http://{}", listener.local_addr().map_err(listen)?);
    let link = open_link(&data)?;
    let watched = Watched {
        gateway: Some(gateway.clone()),
        devices: data.devices.clone(),
        ..Watched::new(store.clone())
    };
    let watched = Arc::new(watched);
    let _admin = admin::open(options.admin, watched.clone()).await?;
    let refills = refill::start(&data.devices, &store);
    let orphans = OrphanRule::standard(Stagers::ThisProcess);
    let workers = Workers::start(&store, data.devices.iter().map(|(id, _)| *id), orphans);
    announce(&data, &endpoint)?;
    let stop = async {
        stop.await;
        watched.begin_to_stop();
    };
    serve(listener, gateway, stop).await;
    refills.iter().for_each(JoinHandle::abort);
    workers.stop().await;
    link.close(&data).await;
    store.idle().await;
    for (_, device) in data.devices.iter() {
        device.close().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// The door for commands that join the server.
struct Link {
    close: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

fn open_link(data: &Data) -> Result<Link, ServeError> {
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let listen = |source| ServeError::Listen { address, source };
    let listener = process::listen(address).map_err(listen)?;
    data.write_link_address(listener.local_addr().map_err(listen)?)?;
    let (close, closed) = oneshot::channel();
    let shutdown = async {
        // Gone without a word is as good.
        let _ = closed.await;
    };
    let devices = replicas_of(&data.devices);
    let serving =
        tokio::spawn(martlet_link::serve(listener, devices, data.cluster.link_identity(), shutdown));
    Ok(Link { close, serving })
}

impl Link {
    /// Answers what commands have asked, and lets nobody in any more.
    async fn close(self, data: &Data) {
        data.remove_link_address();
        let _ = self.close.send(());
        if let Err(error) = self.serving.await {
            tracing::error!("the link ended badly: {error}");
        }
    }
}

/// Writes the clients' file, and tells the person who started the server how to get in.
fn announce(data: &Data, endpoint: &str) -> Result<(), ServeError> {
    let user = &data.cluster.user;
    let path = data.write_credentials(&credentials::environment(user, &[endpoint.to_owned()]))?;
    println!("{}", credentials::greeting(user, endpoint, &path.display().to_string()));
    println!("ready");
    Ok(())
}

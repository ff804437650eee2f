//! What is measured: a cluster of processes, or `martlet serve`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, Shape};
use martlet_tests::process;
use martlet_tests::server::Server;

/// After this, a process that has nothing to do is taken for idle.
const SETTLING: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(crate) struct TargetOptions {
    /// `martlet serve` in place of a cluster.
    #[arg(long, global = true)]
    serve: bool,
    /// Storage nodes of the cluster.
    #[arg(long, global = true, default_value_t = 3)]
    nodes: u8,
    /// Devices of each node.
    #[arg(long, global = true, default_value_t = 1)]
    devices: u8,
    /// Proxies; the clients are spread over them.
    #[arg(long, global = true, default_value_t = 1)]
    proxies: u8,
    /// Where a temporary folder for the data is made.
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Running servers. They end and their data is removed when it is dropped.
pub(crate) struct Target {
    servers: Servers,
    _folder: tempfile::TempDir,
}

enum Servers {
    One(Server),
    Many(Cluster),
}

/// CPU time since the processes were started.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) all: Duration,
    /// The proxies' part of it; where all is one process, nothing.
    pub(crate) proxies: Duration,
}

impl Target {
    /// Makes and starts it, and says how long that took and what it needs while idle.
    pub(crate) fn start(options: &TargetOptions) -> Self {
        let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
        let folder = tempfile::tempdir_in(parent).expect("a temporary folder can be made");
        let data = folder.path().join("data");
        let servers = if options.serve {
            let start = Instant::now();
            let server = Server::start(&data);
            println!("first start to ready: {:.3} s", start.elapsed().as_secs_f64());
            Servers::One(server)
        } else {
            let shape = Shape { nodes: options.nodes, proxies: options.proxies, devices: options.devices };
            Servers::Many(Cluster::make(&data, shape))
        };
        let mut target = Self { servers, _folder: folder };
        target.start_again();
        std::thread::sleep(SETTLING);
        println!("idle: {}", target.memory());
        target
    }

    /// Stops a cluster if it runs, and starts it; says how long the start took. A single server just goes on.
    pub(crate) fn start_again(&mut self) {
        let Servers::Many(cluster) = &mut self.servers else { return };
        stop(cluster);
        let start = Instant::now();
        cluster.launch_all();
        let slowest = start.elapsed().as_secs_f64();
        println!("start to ready, one process after the other: {slowest:.3} s");
    }

    /// The cluster with its processes stopped, so that its devices can be opened.
    pub(crate) fn stopped(&mut self) -> &Cluster {
        match &mut self.servers {
            Servers::One(_) => panic!("only a cluster's devices are filled directly"),
            Servers::Many(cluster) => {
                stop(cluster);
                cluster
            }
        }
    }

    /// Hosts and ports of the proxies.
    pub(crate) fn addresses(&self) -> Vec<String> {
        match &self.servers {
            Servers::One(server) => vec![server.address().to_owned()],
            Servers::Many(cluster) => {
                let address = |endpoint: &&str| endpoint.trim_start_matches("http://").to_owned();
                cluster.endpoints().iter().map(address).collect()
            }
        }
    }

    pub(crate) fn variable(&self, name: &str) -> &str {
        match &self.servers {
            Servers::One(server) => server.variable(name),
            Servers::Many(cluster) => cluster.variable(name),
        }
    }

    pub(crate) fn cpu(&self) -> Cpu {
        let of = |kind: &str| {
            let ids = self.processes().into_iter().filter(|(name, _)| name.starts_with(kind));
            ids.map(|(_, id)| process::cpu(id)).sum()
        };
        Cpu { all: of(""), proxies: of("proxy") }
    }

    /// Resident memory of all processes together, in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        self.processes().iter().map(|(_, id)| process::resident_mib(*id)).sum()
    }

    /// The sum of what each process had at its own peak, in MiB.
    pub(crate) fn resident_peak_mib(&self) -> f64 {
        self.processes().iter().map(|(_, id)| process::resident_peak_mib(*id)).sum()
    }

    /// Resident memory as a sentence.
    pub(crate) fn memory(&self) -> String {
        let mut text = format!("{:.1} MiB resident", self.resident_mib());
        let processes = self.processes();
        for (index, (name, id)) in processes.iter().enumerate() {
            let separator = if index == 0 { " (" } else { ", " };
            // Writing to a string can't fail.
            let _ = write!(text, "{separator}{name} {:.1}", process::resident_mib(*id));
        }
        text + ")"
    }

    fn processes(&self) -> Vec<(String, u32)> {
        match &self.servers {
            Servers::One(server) => vec![("serve".to_owned(), server.id())],
            Servers::Many(cluster) => cluster.ids().map(|(name, id)| (name.to_owned(), id)).collect(),
        }
    }
}

impl std::ops::Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            all: self.all.saturating_sub(earlier.all),
            proxies: self.proxies.saturating_sub(earlier.proxies),
        }
    }
}

/// Where a device of the cluster lies.
pub(crate) fn device_folder(cluster: &Cluster, node: u8, device: u32) -> PathBuf {
    let folder: &Path = &cluster.folder;
    folder.join(format!("node-{node}/devices/{device}"))
}

fn stop(cluster: &mut Cluster) {
    let running: Vec<String> = cluster.ids().map(|(name, _)| name.to_owned()).collect();
    // Proxies first: they stop at once, and nobody misses the nodes.
    for name in running.iter().rev() {
        assert!(cluster.terminate(name).success(), "{name} stops well");
    }
}

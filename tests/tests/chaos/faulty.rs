//! A cluster whose links, disks and clocks can be made to fail, by means that the program itself doesn't know of.
//!
//! Links go through relays of ours. Disks fail by libfiu and clocks by libfaketime, which both come before the C library:
//! `fiu-ctrl` has calls of a running process fail, and each process reads from a file of its own by how much its clock
//! is wrong.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use martlet_tests::client;
use martlet_tests::cluster::{Cluster, Shape, martlet};
use martlet_tests::relay::{Condition, Relay};

const FIU_LIBRARIES: [&str; 2] = ["fiu_run_preload.so", "fiu_posix_preload.so"];
/// ENOSPC
const NO_SPACE: u32 = 28;
/// More than any disk has free.
const RESERVE_MIB_HUGE: u64 = 1 << 40;

/// How a node's disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// Every fsync and fdatasync.
    Syncs,
    /// What is written to the index finds no room.
    Room,
}

/// Processes, with a relay before each node.
pub(crate) struct FaultyCluster {
    pub(crate) cluster: Cluster,
    relays: Vec<Relay>,
}

impl FaultyCluster {
    /// Makes a cluster in `folder` and starts all of it.
    pub(crate) fn start(folder: &Path, shape: Shape) -> Self {
        client::install();
        let mut cluster = Cluster::make(folder, shape);
        let mut relays = Vec::new();
        for node in 1..=shape.nodes {
            let address = format!("127.0.0.{}:{}", 200 + node, cluster.port);
            relays.push(Relay::start(&address, &cluster.node_address(node)));
            for name in cluster.names() {
                set_address(&cluster.folder.join(&name).join("cluster.ring"), node, &address);
            }
        }
        for name in cluster.names() {
            let variables = variables(&cluster.folder, &name);
            cluster.set_variables(&name, variables);
        }
        let mut faulty = Self { cluster, relays };
        for name in faulty.cluster.names() {
            faulty.set_clock(&name, 0);
        }
        faulty.cluster.launch_all();
        faulty
    }

    /// How everybody reaches this node.
    pub(crate) fn set_link(&self, node: u8, condition: Condition) {
        self.relays[usize::from(node - 1)].set(condition);
    }

    /// From now on the disks of this node fail like this. The node has to run.
    pub(crate) fn break_disk(&self, node: u8, fault: DiskFault) {
        let command = match fault {
            DiskFault::Syncs => "enable name=posix/io/sync/*,failinfo=5".to_owned(),
            DiskFault::Room => format!("enable name=posix/io/rw/pwrite,failinfo={NO_SPACE}"),
        };
        self.control(node, &command);
    }

    /// The disks work again. What the node has concluded from their failure, it goes on believing.
    pub(crate) fn mend_disk(&self, node: u8, fault: DiskFault) {
        let name = match fault {
            DiskFault::Syncs => "posix/io/sync/*",
            DiskFault::Room => "posix/io/rw/pwrite",
        };
        self.control(node, &format!("disable name={name}"));
    }

    /// Takes the mark from devices that failed, as nobody may who can't be sure that the disk has kept everything:
    /// here the disk never lost a byte, but only said so. The node mustn't run.
    pub(crate) fn trust_devices_again(&self, node: u8) {
        let folder = self.cluster.folder.join(format!("node-{node}")).join("devices");
        for device in fs::read_dir(folder).unwrap() {
            // It may never have noticed.
            let _ = fs::remove_file(device.unwrap().path().join("failed"));
        }
    }

    /// At its next start the node takes its disks for full, or not any more.
    pub(crate) fn set_is_full(&self, node: u8, is_full: bool) {
        let path = self.cluster.config(&format!("node-{node}"));
        let text = fs::read_to_string(&path).unwrap();
        let reserve = if is_full { RESERVE_MIB_HUGE } else { 1 };
        let line = |line: &str| match line.split_once(" = ") {
            Some(("reserve_mib", _)) => format!("reserve_mib = {reserve}\n"),
            _ => format!("{line}\n"),
        };
        fs::write(&path, text.lines().map(line).collect::<String>()).unwrap();
    }

    /// The process's clock is this far ahead, or behind.
    pub(crate) fn set_clock(&self, name: &str, seconds: i64) {
        // In place and always of one length: somebody may be reading it.
        let path = clock_file(&self.cluster.folder, name);
        let mut file = fs::File::options().create(true).write(true).truncate(false).open(path).unwrap();
        file.write_all(format!("{seconds:+010}\n").as_bytes()).unwrap();
    }

    fn control(&self, node: u8, command: &str) {
        let name = format!("node-{node}");
        let output = Command::new("timeout")
            .args(["10", "fiu-ctrl", "-f", &control_base(&self.cluster.folder, &name), "-c", command])
            .arg(self.cluster.id(&name).to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {command}: {output:?}");
    }
}

fn set_address(ring: &Path, node: u8, address: &str) {
    let (ring, node) = (ring.to_string_lossy(), node.to_string());
    let changed = martlet(&["ring", "set-address", &ring, "--node", &node, "--address", address, "--yes"]);
    assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
}

fn variables(folder: &Path, name: &str) -> Vec<(String, String)> {
    let fiu = FIU_LIBRARIES.map(|library| Path::new("/usr/lib/fiu").join(library));
    let libraries: Vec<_> =
        [faketime()].into_iter().chain(fiu).map(|path| path.display().to_string()).collect();
    let variables = vec![
        ("LD_PRELOAD", libraries.join(":")),
        ("FIU_CTRL_FIFO", control_base(folder, name)),
        ("FAKETIME_TIMESTAMP_FILE", clock_file(folder, name).display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        // Only the time of day is wrong; what measures durations goes on.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Debian puts it into a folder named after the machine's kind.
fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map_while(Result::ok);
    folders
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
        .expect("libfaketime is installed")
}

fn clock_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.clock"))
}

fn control_base(folder: &Path, name: &str) -> String {
    folder.join(format!("{name}.fiu")).display().to_string()
}

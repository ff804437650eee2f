//! A changed ring reaches a running cluster, or is refused with a reason.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, martlet};

use crate::work::Work;

/// How long a ring may take to reach every process.
const SPREAD_MAX: Duration = Duration::from_secs(3);

#[test]
fn a_ring_that_moves_nothing_reaches_every_process_while_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let mut work = Work::begin(&cluster);
    work.round();
    cluster.kill("node-3");
    let ring = Copy::of(&cluster);
    ring.change(&["set-weight", "--device", "1", "--weight", "50"]);
    let said = ring.push(&cluster, true);
    assert!(said.contains("0 partitions move"), "{said}");
    await_version(&cluster, &["node-1", "node-2", "proxy-1", "proxy-2"], 2);
    work.rounds_for(Duration::from_secs(1));
    // Who was away hears of it from the others.
    cluster.launch("node-3");
    await_version(&cluster, &["node-3"], 2);
    work.round();
}

#[test]
fn an_empty_cluster_takes_a_fourth_node_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    cluster.prepare_node(4);
    cluster.launch("node-4");
    let ring = Copy::of(&cluster);
    let device = format!("id=4,node=4,zone=4,weight=100,address={}", cluster.node_address(4));
    ring.change(&["add", "--device", &device]);
    // Readers of a row that isn't there notice nothing, wherever it would lie.
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|proxy| {
            let (session, is_over) = (cluster.session(proxy), is_over.clone());
            std::thread::spawn(move || {
                let mut statuses = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    statuses.push(session.get("box").status());
                }
                statuses
            })
        })
        .collect();
    let said = ring.push(&cluster, true);
    assert!(said.contains("All 4 nodes have agreed"), "{said}");
    is_over.store(true, Ordering::Relaxed);
    for statuses in readers.into_iter().map(|reader| reader.join().unwrap()) {
        assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 404), "{statuses:?}");
    }
    await_version(&cluster, &["node-1", "node-2", "node-3", "node-4", "proxy-1", "proxy-2"], 2);
    let mut work = Work::begin(&cluster);
    work.rounds_for(Duration::from_secs(1));
    // The new node carries its part: with another one gone, some partitions have no majority without it.
    cluster.kill("node-2");
    work.rounds_for(Duration::from_secs(3));
    cluster.kill("node-4");
    let session = cluster.session(0);
    let statuses: Vec<_> =
        (0..40).map(|key| session.put(&format!("box/key-{key}"), b"content").status()).collect();
    assert!(statuses.contains(&503) && !statuses.contains(&500), "{statuses:?}");
}

#[test]
fn a_ring_that_would_move_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let mut work = Work::begin(&cluster);
    let session = cluster.session(0);
    for key in 0..30 {
        assert_eq!(session.put(&format!("box/{key}"), b"content").status(), 201);
    }
    cluster.prepare_node(4);
    cluster.launch("node-4");
    let ring = Copy::of(&cluster);
    let device = format!("id=4,node=4,zone=4,weight=100,address={}", cluster.node_address(4));
    ring.change(&["add", "--device", &device]);
    let said = ring.push(&cluster, false);
    assert!(said.contains("moving data isn't offered yet"), "{said}");
    // Whoever had agreed has let go of it: everything may be written again.
    for key in 0..30 {
        assert_eq!(session.delete(&format!("box/{key}")).status(), 204);
    }
    work.round();
    assert_eq!(version(&cluster, "node-1"), 1);
    assert_eq!(version(&cluster, "proxy-1"), 1);
}

#[test]
fn a_ring_that_moves_partitions_needs_all_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    cluster.prepare_node(4);
    cluster.launch("node-4");
    let ring = Copy::of(&cluster);
    let device = format!("id=4,node=4,zone=4,weight=100,address={}", cluster.node_address(4));
    ring.change(&["add", "--device", &device]);
    cluster.kill("node-2");
    let said = ring.push(&cluster, false);
    assert!(said.contains("node 2: "), "{said}");
    assert_eq!(version(&cluster, "node-1"), 1);
    cluster.launch("node-2");
    ring.push(&cluster, true);
    await_version(&cluster, &["node-1", "node-2", "node-3", "node-4", "proxy-1", "proxy-2"], 2);
    Work::begin(&cluster).round();
}

#[test]
fn a_plan_is_shown_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ring");
    let file = file.to_string_lossy();
    let device = |id: u8| format!("id={id},node={id},zone={id},weight=100,address=127.0.0.1:{id}");
    let [one, two, three, four] = [1, 2, 3, 4].map(device);
    let create = ["ring", "create", &file, "--device", &one, "--device", &two, "--device", &three];
    let said = martlet(&create);
    assert!(said.status.success() && !Path::new(&*file).exists(), "nothing is written yet");
    assert!(martlet(&[&create[..], &["--yes"]].concat()).status.success());
    assert!(!martlet(&[&create[..], &["--yes"]].concat()).status.success(), "a ring is made once");
    let add = ["ring", "add", &file, "--device", &four];
    let said = String::from_utf8(martlet(&add).stdout).unwrap();
    for expected in ["768 of 3072 replicas move (25.0 %)", "Balance: ", "Dispersion: ", "Nothing is written"]
    {
        assert!(said.contains(expected), "{said}");
    }
    assert!(martlet(&[&add[..], &["--yes"]].concat()).status.success());
    let shown = String::from_utf8(martlet(&["ring", "show", &file]).stdout).unwrap();
    assert!(shown.starts_with("Version 2: 1024 partitions, 3 replicas, 4 devices"), "{shown}");
    for wrong in [
        &["ring", "remove", &file, "--device", "9", "--yes"][..],
        &["ring", "add", &file, "--device", &four, "--yes"],
        &["ring", "set-address", &file, "--node", "9", "--address", "a:1", "--yes"],
    ] {
        assert!(!martlet(wrong).status.success(), "{wrong:?}");
    }
}

/// An operator's copy of the cluster's ring.
struct Copy(PathBuf);

impl Copy {
    fn of(cluster: &Cluster) -> Self {
        let copy = cluster.folder.join("copy.ring");
        let config = cluster.config("proxy-1");
        let fetched =
            martlet(&["ring", "fetch", &copy.to_string_lossy(), "--config", &config.to_string_lossy()]);
        assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
        Self(copy)
    }

    fn change(&self, arguments: &[&str]) {
        let file = self.0.to_string_lossy();
        let changed = martlet(&[&["ring", arguments[0], &file], &arguments[1..], &["--yes"]].concat());
        assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    }

    /// What the command says; it must succeed or fail as expected.
    fn push(&self, cluster: &Cluster, expected: bool) -> String {
        let config = cluster.config("proxy-2");
        let (file, config) = (self.0.to_string_lossy(), config.to_string_lossy());
        let pushed = martlet(&["ring", "push", &file, "--config", &config, "--yes"]);
        let said = String::from_utf8_lossy(&[pushed.stdout, pushed.stderr].concat()).into_owned();
        assert_eq!(pushed.status.success(), expected, "{said}");
        said
    }
}

fn await_version(cluster: &Cluster, processes: &[&str], expected: u64) {
    let until = Instant::now() + SPREAD_MAX;
    for process in processes {
        while version(cluster, process) != expected {
            assert!(Instant::now() < until, "{process} still has another version");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// As the process has it on its disk.
fn version(cluster: &Cluster, process: &str) -> u64 {
    let file = cluster.folder.join(process).join("cluster.ring");
    let shown = String::from_utf8(martlet(&["ring", "show", &file.to_string_lossy()]).stdout).unwrap();
    let version = shown.strip_prefix("Version ").and_then(|rest| rest.split(':').next());
    version.and_then(|version| version.parse().ok()).unwrap_or_else(|| panic!("{process}: {shown}"))
}

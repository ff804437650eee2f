//! Starting and stopping, in any order.

use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, Shape};

use crate::work::Work;

#[test]
fn a_proxy_starts_before_the_nodes_and_finds_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { proxies: 1, ..Shape::STANDARD });
    cluster.launch("proxy-1");
    let session = cluster.session(0);
    assert_eq!(session.put("box", b"").status(), 503);
    cluster.launch("node-1");
    cluster.launch("node-3");
    let up = Instant::now();
    while session.put("box", b"").status() != 201 {
        assert!(up.elapsed() < Duration::from_secs(2), "the nodes aren't found");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_rolling_restart_of_the_nodes_loses_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let mut work = Work::begin(&cluster);
    for node in ["node-1", "node-2", "node-3"] {
        assert!(cluster.terminate(node).success(), "{node}");
        work.rounds_for(Duration::from_millis(500));
        cluster.launch(node);
        work.rounds_for(Duration::from_secs(2));
    }
}

#[test]
fn every_process_stops_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    Work::begin(&cluster).round();
    for process in ["proxy-1", "node-2", "node-1", "proxy-2", "node-3"] {
        let started = Instant::now();
        assert!(cluster.terminate(process).success(), "{process}");
        assert!(started.elapsed() < Duration::from_secs(10), "{process} took {:?}", started.elapsed());
    }
}

#[test]
fn nodes_have_several_devices() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { nodes: 4, proxies: 1, devices: 2 });
    cluster.launch_all();
    let mut work = Work::begin(&cluster);
    work.round();
    cluster.kill("node-4");
    work.rounds_for(Duration::from_secs(1));
}

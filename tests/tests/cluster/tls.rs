//! Processes that speak TLS with each other, and what they say to those that don't.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, Shape, martlet};

use crate::work::Work;

/// How long a process may take to notice that its files are others.
const NOTICE_DURATION_MAX: Duration = Duration::from_secs(30);

fn make(folder: &Path) -> Cluster {
    Cluster::make_with(folder, Shape::STANDARD, &["--tls"])
}

fn status(cluster: &Cluster) -> String {
    let config = cluster.config("proxy-1");
    let status = martlet(&["status", "--config", &config.to_string_lossy()]);
    String::from_utf8_lossy(&status.stdout).into_owned()
}

#[track_caller]
fn wait_for_log(cluster: &Cluster, name: &str, what: &str) {
    let started = Instant::now();
    while !cluster.log(name).contains(what) {
        assert!(started.elapsed() < NOTICE_DURATION_MAX, "{name}: {}", cluster.log(name));
        sleep(Duration::from_millis(50));
    }
}

/// `martlet certificate`.
fn certify(authority: &Path, host: &str, out: &Path) {
    let (authority, out) = (authority.to_string_lossy(), out.to_string_lossy());
    let made = martlet(&["certificate", "--authority", &authority, "--host", host, "--out", &out]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn a_cluster_with_tls_does_what_one_without_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = make(folder.path());
    cluster.launch_all();
    let mut work = Work::begin(&cluster);
    work.rounds_for(Duration::from_secs(1));
    let said = status(&cluster);
    assert_eq!(said.matches("answers in").count(), 3, "{said}");
    cluster.kill("node-2");
    work.rounds_for(Duration::from_secs(3));
    cluster.launch("node-2");
    work.rounds_for(Duration::from_secs(1));
}

#[test]
fn a_process_that_has_no_tls_is_told_so_and_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = make(folder.path());
    let config = cluster.config("node-1");
    let with_tls = fs::read_to_string(&config).unwrap();
    let (without, _) = with_tls.split_once("[link_tls]").unwrap();
    fs::write(&config, without).unwrap();
    cluster.launch_all();
    Work::begin(&cluster).round();
    wait_for_log(&cluster, "node-1", "the other side speaks only with TLS, and this one only without it");
    wait_for_log(&cluster, "node-2", "the other side speaks only without TLS, and this one only with it");
    let said = status(&cluster);
    assert_eq!(said.matches("answers in").count(), 2, "{said}");
    assert!(said.contains("all processes of a cluster have [link_tls], or none"), "{said}");
    cluster.terminate("node-1");
    fs::write(&config, with_tls).unwrap();
    cluster.launch("node-1");
    let said = status(&cluster);
    assert_eq!(said.matches("answers in").count(), 3, "{said}");
}

#[test]
fn new_certificates_are_taken_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = make(folder.path());
    cluster.launch_all();
    let mut work = Work::begin(&cluster);
    work.round();
    let processes = ["node-1", "node-2", "node-3", "proxy-1", "proxy-2"];
    for (name, last) in processes.into_iter().zip([11, 12, 13, 101, 102]) {
        let (authority, out) = (folder.path().join("new-authority"), folder.path().join(name).join("tls"));
        fs::remove_file(out.join("authority.pem")).unwrap();
        certify(&authority, &format!("127.0.0.{last}"), &out);
    }
    for name in processes {
        wait_for_log(&cluster, name, "links use the new certificate from now on");
    }
    // Whoever is new knows the new authority alone.
    assert!(cluster.terminate("node-1").success());
    cluster.launch("node-1");
    cluster.kill("node-2");
    sleep(Duration::from_secs(2));
    work.rounds_for(Duration::from_secs(1));
    assert_eq!(status(&cluster).matches("answers in").count(), 2);
}

#[test]
fn a_process_does_not_start_with_a_certificate_that_nobody_takes() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = make(folder.path());
    let other = folder.path().join("other");
    certify(&other, "127.0.0.11", &other.join("out"));
    fs::copy(other.join("out/authority.pem"), folder.path().join("node-1/tls/authority.pem")).unwrap();
    let config = cluster.config("node-1");
    let checked = martlet(&["node", "--check", "--config", &config.to_string_lossy()]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && said.contains("the others wouldn't take the certificate"), "{said}");
    fs::remove_file(folder.path().join("node-1/tls/key.pem")).unwrap();
    let checked = martlet(&["node", "--check", "--config", &config.to_string_lossy()]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && said.contains("can't read"), "{said}");
}

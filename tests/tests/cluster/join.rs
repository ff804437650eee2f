//! Commands join whatever runs: a cluster, a server, or nothing at all.

use martlet_tests::cluster::{Cluster, martlet};
use martlet_tests::server::Server;

#[test]
fn a_command_joins_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    for process in ["proxy-1", "node-3"] {
        let config = cluster.config(process);
        let status = martlet(&["status", "--config", &config.to_string_lossy()]);
        let said = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(status.status.success(), "{said}");
        assert_eq!(said.matches("answers in").count(), 3, "{said}");
    }
    cluster.kill("node-1");
    let config = cluster.config("proxy-1");
    let status = |expected: bool| {
        let status = martlet(&["status", "--config", &config.to_string_lossy()]);
        assert_eq!(status.status.success(), expected);
        String::from_utf8_lossy(&status.stdout).into_owned()
    };
    assert_eq!(status(true).matches("answers in").count(), 2);
    cluster.kill("node-2");
    assert_eq!(status(false).matches("answers in").count(), 1);
}

#[test]
fn a_command_joins_a_server_and_does_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let status = || martlet(&["status", "--data", &data.to_string_lossy()]);
    assert!(!status().status.success(), "there is no cluster yet");
    assert!(!data.exists(), "and none was made by asking");
    let server = Server::start(&data);
    check(&status());
    // What a killed server leaves behind leads nobody astray.
    server.kill();
    assert!(data.join("link.address").exists());
    check(&status());
    let server = Server::start(&data);
    check(&status());
    assert!(server.terminate().success());
    assert!(!data.join("link.address").exists());
    check(&status());
}

fn check(status: &std::process::Output) {
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.success(), "{said}");
    assert_eq!(said.matches("answers in").count(), 3, "{said}");
}

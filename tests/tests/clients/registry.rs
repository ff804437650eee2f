//! A Docker registry that keeps its images in Martlet: pushed and pulled by `skopeo`, through both drivers.

use std::path::Path;
use std::process::{Command, Stdio};

use martlet_tests::client;
use martlet_tests::server::Server;

#[track_caller]
fn images_come_back_through(driver: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&folder.path().join("data"));
    client::run(&server, "aws s3 mb s3://images");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations/docker_registry.sh");
    let output = Command::new("bash")
        .arg(script)
        .arg(driver)
        .arg(folder.path())
        .envs(&server.environment)
        .stdin(Stdio::null())
        .output()
        .expect("the script runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{driver}: {}\n{out}\n{err}", output.status);
}

#[test]
fn a_registry_keeps_its_images_through_the_swift_driver() {
    images_come_back_through("swift");
}

#[test]
fn a_registry_keeps_its_images_through_the_s3_driver() {
    images_come_back_through("s3");
}

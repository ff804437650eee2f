//! What `martlet init` makes, and what the processes make of wrong files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use martlet_tests::cluster::{Cluster, Shape, martlet};

#[test]
fn secrets_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cluster");
    Cluster::make(&root, Shape::STANDARD);
    let mut folders = vec![root];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} is {mode:o}", entry.path().display());
            seen += 1;
            if entry.path().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    assert!(seen > 30, "only {seen} files were looked at");
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "precious").unwrap();
    let refused = martlet(&["init", "--dir", &folder.path().to_string_lossy()]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("isn't empty"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn three_replicas_need_three_devices() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("cluster");
    let root = root.to_string_lossy();
    let refused = martlet(&["init", "--dir", &root, "--nodes", "2"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("3 replicas need as many devices"), "{}", text(&refused.stderr));
    assert!(martlet(&["init", "--dir", &root, "--nodes", "2", "--devices", "2"]).status.success());
}

#[test]
fn a_check_says_whether_a_process_could_start() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::make(folder.path(), Shape::STANDARD);
    for (kind, name) in [("node", "node-1"), ("proxy", "proxy-2")] {
        let config = cluster.config(name);
        let checked = check(kind, &config);
        assert!(checked.status.success(), "{}", text(&checked.stderr));
        assert!(text(&checked.stdout).starts_with("ok: "), "{}", text(&checked.stdout));
        let good = fs::read_to_string(&config).unwrap();
        for (change, complaint) in [
            (good.replace("listen", "liston"), "unknown field `liston`"),
            (format!("colour = \"blue\"\n{good}"), "unknown field `colour`"),
            (good.replace("127.0.0.", "nowhere."), "invalid socket address"),
            (good.replace("cluster.ring", "absent.ring"), "No such file"),
            (good.replace("cluster.toml", "cluster.ring"), "UTF-8"),
        ] {
            fs::write(&config, change).unwrap();
            let refused = check(kind, &config);
            let said = text(&refused.stderr);
            assert!(!refused.status.success() && said.contains(complaint), "{complaint}: {said}");
        }
    }
}

#[test]
fn a_node_knows_its_devices() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::make(folder.path(), Shape::STANDARD);
    let config = cluster.config("node-1");
    let good = fs::read_to_string(&config).unwrap();
    for (change, complaint) in [
        (good.replace("1 = \"devices/1\"", ""), "[devices] has no folder for it"),
        (good.replace("1 = \"devices/1\"", "1 = \"devices/1\"\n2 = \"devices/2\""), "is on node 2"),
        (good.replace("1 = \"devices/1\"", "one = \"devices/1\""), "isn't the number of a device"),
    ] {
        fs::write(&config, change).unwrap();
        let refused = check("node", &config);
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains(complaint), "{complaint}: {said}");
    }
    // The folder of another device is no device of this node, and an empty one isn't made into one.
    for folder in ["../node-2/devices/2", "devices/none"] {
        fs::write(&config, good.replace("devices/1", folder)).unwrap();
        let started = martlet(&["node", "--config", &config.to_string_lossy()]);
        let said = text(&started.stderr);
        assert!(!started.status.success() && said.contains("none of the devices"), "{said}");
    }
}

fn check(kind: &str, config: &Path) -> std::process::Output {
    martlet(&[kind, "--config", &config.to_string_lossy(), "--check"])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

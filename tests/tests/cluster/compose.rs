//! `docker-compose.yml` and `Dockerfile`, as far as they can be tried without an engine for containers:
//! exactly their commands are run as processes, with other addresses and folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use martlet_tests::client;
use martlet_tests::cluster::{Cluster, free_port, martlet};
use serde_json::Value;

/// The folder that the containers know.
const FOLDER: &str = "/cluster";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The file, read by the YAML parser of the clients' Python.
fn compose() -> Value {
    let python = client::folder().join("python");
    let program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let read =
        Command::new(python).args(["-c", program]).arg(root().join("docker-compose.yml")).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|word| word.as_str().expect("a word")).collect()
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let services = compose["services"].as_object().expect("services").iter();
    services.map(|(name, service)| (name.as_str(), service)).filter(|(name, _)| *name != "init")
}

#[test]
fn the_commands_of_the_containers_make_and_run_a_cluster() {
    let compose = compose();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_string_lossy().into_owned();
    let port = free_port();
    let init: Vec<String> = words(&compose["services"]["init"]["command"])
        .into_iter()
        // One machine has one address for everybody where containers have one each.
        .filter(|word| !word.starts_with("--admin-ip"))
        .map(|word| {
            word.replace(FOLDER, &place)
                .replace("node-1,node-2,node-3", "127.0.0.11,127.0.0.12,127.0.0.13")
                .replace("proxy-1,proxy-2", "127.0.0.101,127.0.0.102")
                .replace("--port=8400", &format!("--port={port}"))
        })
        .collect();
    // Volumes are mounted on folders that are empty at first.
    for mount in words(&compose["services"]["init"]["volumes"]) {
        fs::create_dir_all(mount.split(':').nth(1).unwrap().replace(FOLDER, &place)).unwrap();
    }
    let init: Vec<&str> = init.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let made = martlet(&init);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let mut cluster = Cluster::adopt(folder.path(), port);
    for (name, service) in services(&compose) {
        let command = words(&service["command"]).join(" ").replace(FOLDER, &place);
        assert!(cluster.command(name).ends_with(&format!(" {command}")), "{name}: {command}");
        cluster.launch(name);
    }
    for (name, service) in services(&compose) {
        let check = words(&service["healthcheck"]["test"]);
        assert_eq!(check[..2], ["CMD", "martlet"]);
        let check: Vec<String> = check[2..].iter().map(|word| word.replace(FOLDER, &place)).collect();
        let check: Vec<&str> = check.iter().map(String::as_str).collect();
        let since = Instant::now();
        while !martlet(&check).status.success() {
            assert!(since.elapsed() < Duration::from_secs(20), "{name} isn't healthy");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    assert_eq!(cluster.session(0).put("box", b"").status(), 201);
    assert_eq!(cluster.session(1).put("box/key", b"x").status(), 201);
    assert_eq!(cluster.session(0).get("box/key").status(), 200);
}

#[test]
fn hosts_that_have_names_are_reached_by_them() {
    let compose = compose();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cluster").to_string_lossy().into_owned();
    let init: Vec<String> = words(&compose["services"]["init"]["command"])
        .iter()
        .map(|word| word.replace(FOLDER, &place))
        .collect();
    let init: Vec<&str> = init.iter().map(String::as_str).collect();
    assert!(martlet(&init).status.success());
    let shown = martlet(&["ring", "show", &format!("{place}/node-1/cluster.ring")]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for host in ["node-1:8400", "node-2:8400", "node-3:8400"] {
        assert!(shown.contains(host), "{shown}");
    }
    let file = |name: &str| fs::read_to_string(format!("{place}/{name}")).unwrap();
    assert!(file("proxy-2/proxy.toml").contains("listen = \"0.0.0.0:8400\""));
    assert!(file("node-3/node.toml").contains("admin = \"0.0.0.0:9400\""));
    assert!(file("credentials.env").contains("MARTLET_ENDPOINTS=http://proxy-1:8400,http://proxy-2:8400"));
}

#[test]
fn everything_that_the_containers_name_is_there() {
    let compose = compose();
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let volumes = compose["volumes"].as_object().expect("volumes");
    for (name, service) in services(&compose) {
        assert_eq!(words(&service["networks"]), ["cluster"], "{name}");
        assert_eq!(service["depends_on"]["init"]["condition"], "service_completed_successfully", "{name}");
        let mounts = words(&service["volumes"]);
        let [mount] = mounts[..] else { panic!("{name} has a volume of its own") };
        assert_eq!(mount, format!("{name}:{FOLDER}/{name}"));
        assert!(volumes.contains_key(name), "{name}");
        assert!(
            words(&compose["services"]["init"]["volumes"]).contains(&mount),
            "init fills the volume of {name}"
        );
        assert!(dockerfile.contains(&format!("{FOLDER}/{name}")), "the image has no folder for {name}");
    }
    assert_eq!(services(&compose).count(), 5);
    let copied = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--"));
    for line in copied {
        let source = line.split(' ').next().unwrap();
        assert!(root().join(source).exists(), "{source}");
    }
    assert!(dockerfile.contains("\nUSER martlet\n") && dockerfile.contains("ENTRYPOINT [\"martlet\"]"));
}

//! What those who run a cluster see of it: figures, readiness, and a log without secrets.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, Shape, martlet};
use martlet_tests::raw::{Answer, send_to};

use crate::s3::S3;
use crate::work::Work;

/// What the admin address of a process answers.
pub(crate) fn ask(cluster: &Cluster, process: &str, path: &str) -> Answer {
    let address = cluster.admin_address(process);
    send_to(
        &address,
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

/// Waits until the process says that it is ready; fails if it doesn't soon.
pub(crate) fn await_ready(cluster: &Cluster, process: &str) {
    let since = Instant::now();
    while ask(cluster, process, "/ready").status != 200 {
        assert!(
            since.elapsed() < Duration::from_secs(30),
            "{process}: {:?}",
            ask(cluster, process, "/ready")
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The figures of a process by name and labels, as they are written; fails if the text isn't in Prometheus' format.
fn figures(cluster: &Cluster, process: &str) -> BTreeMap<String, f64> {
    let answer = ask(cluster, process, "/metrics");
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.to_lowercase().contains("content-type: text/plain; version=0.0.4"),
        "{}",
        answer.head
    );
    let (mut figures, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    for line in answer.body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            assert!(help.split_once(' ').is_some_and(|(_, text)| !text.is_empty()), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is announced twice");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no figure: {line:?}"));
            let family = name.split('{').next().unwrap_or(name);
            let parts = ["_bucket", "_sum", "_count"];
            let of_histogram = parts.iter().find_map(|part| family.strip_suffix(part));
            let is_announced = kinds.contains_key(family)
                || of_histogram
                    .is_some_and(|family| kinds.get(family).is_some_and(|kind| kind == "histogram"));
            assert!(is_announced, "{line} has no headline");
            let labels =
                name.split_once('{').map(|(_, labels)| labels.strip_suffix("\"}").expect("labels end"));
            for label in labels.iter().flat_map(|labels| labels.split("\",")) {
                let (key, _) =
                    label.split_once("=\"").unwrap_or_else(|| panic!("a label without value: {line}"));
                assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            }
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(figures.insert(name.to_owned(), value).is_none(), "{name} is there twice");
        }
    }
    assert!(kinds.len() > 10, "{}", answer.body);
    figures
}

fn figure(figures: &BTreeMap<String, f64>, name: &str) -> f64 {
    *figures.get(name).unwrap_or_else(|| panic!("there is no {name}: {:#?}", figures.keys()))
}

fn sum(figures: &BTreeMap<String, f64>, beginning: &str) -> f64 {
    figures.iter().filter(|(name, _)| name.starts_with(beginning)).map(|(_, figure)| figure).sum()
}

#[test]
fn a_proxy_and_a_node_tell_their_figures() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    let session = cluster.session(0);
    assert_eq!(session.put("box", b"").status(), 201);
    assert_eq!(session.put("box/key", &[7; 10_000]).status(), 201);
    assert_eq!(session.get("box/key").status(), 200);
    let s3 = S3::of(&cluster, 0);
    assert_eq!(s3.get("box/none").status(), 404);

    let proxy = figures(&cluster, "proxy-1");
    let of = |name: &str, dialect: &str, operation: &str, more: &str| {
        figure(&proxy, &format!("{name}{{dialect=\"{dialect}\",operation=\"{operation}\"{more}}}"))
    };
    assert!((of("martlet_requests_total", "swift", "PutObject", ",status=\"2xx\"") - 1.0).abs() < 0.1);
    assert!((of("martlet_requests_total", "s3", "GetObject", ",status=\"4xx\"") - 1.0).abs() < 0.1);
    assert!((of("martlet_received_bytes_total", "swift", "PutObject", "") - 10_000.0).abs() < 0.1);
    assert!((of("martlet_sent_bytes_total", "swift", "GetObject", "") - 10_000.0).abs() < 0.1);
    assert!((of("martlet_request_seconds_count", "swift", "GetObject", "") - 1.0).abs() < 0.1);
    assert!(figure(&proxy, "martlet_ring_version") >= 1.0);
    assert!((sum(&proxy, "martlet_link_up{") - 3.0).abs() < 0.1, "three nodes are connected");
    assert!((sum(&proxy, "martlet_device_trusted{") - 3.0).abs() < 0.1);
    assert!(figure(&proxy, "process_resident_memory_bytes") > 1e6);
    assert!(sum(&proxy, "martlet_quorum_failures_total{").abs() < 0.1);

    let node = figures(&cluster, "node-1");
    assert!((figure(&node, "martlet_device_up{device=\"1\"}") - 1.0).abs() < 0.1);
    assert!(figure(&node, "martlet_device_group_jobs_count{device=\"1\"}") >= 2.0);
    assert!(figure(&node, "martlet_device_sync_seconds_sum{device=\"1\"}") > 0.0);
    assert!(figure(&node, "martlet_device_free_bytes{device=\"1\"}") > 1e6);
    assert!(figure(&node, "martlet_device_queue{device=\"1\",queue=\"write\"}") < 100.0);
    assert!(!node.keys().any(|name| name.starts_with("martlet_requests_total")), "a node has no front");
    for (process, figures) in [("proxy-1", &proxy), ("node-1", &node)] {
        let names = figures.keys().filter(|name| name.contains("AUTH_") || name.contains("box"));
        assert_eq!(names.count(), 0, "{process} tells names of clients");
    }

    cluster.kill("node-2");
    cluster.kill("node-3");
    assert_eq!(session.put("box/key", b"x").status(), 503);
    let proxy = figures(&cluster, "proxy-1");
    assert!(sum(&proxy, "martlet_quorum_failures_total{") >= 1.0);
    assert!((sum(&proxy, "martlet_link_up{") - 1.0).abs() < 0.1, "one node is left");
    assert!(
        sum(&proxy, "martlet_link_connections_total{event=\"ended\"") >= 2.0
            || sum(&proxy, "martlet_device_failures_total{") >= 1.0
    );
}

#[test]
fn a_process_says_whether_it_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { proxies: 1, ..Shape::STANDARD });
    cluster.launch("proxy-1");
    let answer = ask(&cluster, "proxy-1", "/ready");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("have no majority"), "{}", answer.body);
    assert_eq!(ask(&cluster, "proxy-1", "/healthcheck").status, 200, "it lives, though");
    cluster.launch("node-1");
    cluster.launch("node-2");
    await_ready(&cluster, "proxy-1");
    await_ready(&cluster, "node-1");
    let config = cluster.config("proxy-1");
    let health = martlet(&["health", "--config", &config.to_string_lossy()]);
    assert!(health.status.success(), "{}", String::from_utf8_lossy(&health.stderr));
    cluster.kill("node-1");
    let health = martlet(&["health", "--config", &config.to_string_lossy()]);
    assert!(!health.status.success());
    assert!(String::from_utf8_lossy(&health.stderr).contains("have no majority"));
}

#[test]
fn a_node_without_one_of_its_devices_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { nodes: 3, proxies: 1, devices: 2 });
    fs::remove_dir_all(cluster.folder.join("node-1/devices/2")).unwrap();
    cluster.launch("node-1");
    let answer = ask(&cluster, "node-1", "/ready");
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("device 2"), "{}", answer.body);
    assert!(figure(&figures(&cluster, "node-1"), "martlet_device_up{device=\"2\"}").abs() < 0.1);
}

#[test]
fn a_request_is_found_in_the_log_by_the_id_that_its_answer_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { proxies: 1, ..Shape::STANDARD });
    let config = cluster.config("proxy-1");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("log_format = \"text\"", "log_format = \"json\"")).unwrap();
    cluster.launch_all();
    let answer = send_to(
        cluster.endpoints()[0].trim_start_matches("http://"),
        b"GET /v1/AUTH_nobody/box?secret=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    let id = |line: &str| line.to_lowercase().strip_prefix("x-trans-id: ").map(str::to_owned);
    let id = answer.head.lines().find_map(id).expect("the answer has an id");
    let log = await_line(&cluster, "proxy-1", &id);
    let line = log.lines().find(|line| line.contains(&id)).unwrap();
    for part in [
        &format!("\"request\":\"{id}\""),
        "\"dialect\":\"swift\"",
        "\"operation\":\"ListObjects\"",
        "\"method\":\"GET\"",
        "\"path\":\"/v1/AUTH_nobody/box\"",
        "\"status\":401",
        "\"client\":\"127.0.0.1\"",
    ] {
        assert!(line.contains(part), "{part} isn't in {line}");
    }
    assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    assert!(!log.contains("secret=1"), "queries aren't told");

    cluster.kill("node-1");
    cluster.kill("node-2");
    assert_eq!(S3::of(&cluster, 0).put("box/key", b"x").status(), 503);
    let log = await_line(&cluster, "proxy-1", "a request was refused for now");
    let line = log.lines().find(|line| line.contains("a request was refused for now")).unwrap();
    assert!(
        line.contains("\"level\":\"WARN\"") && line.contains("\"cause\":\"") && line.contains("too few"),
        "{line}"
    );
}

/// The log, once the words are in it.
fn await_line(cluster: &Cluster, process: &str, words: &str) -> String {
    let since = Instant::now();
    loop {
        let log = cluster.log(process);
        if log.contains(words) {
            return log;
        }
        assert!(since.elapsed() < Duration::from_secs(10), "{words} isn't in the log of {process}:\n{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_stops_says_so_before_it_refuses_anything() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(folder.path());
    Work::begin(&cluster).round();
    let address = cluster.endpoints()[0].trim_start_matches("http://").to_owned();
    let health = "GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(send_to(&address, health.as_bytes()).status, 200);
    cluster.begin_to_terminate("proxy-1");
    let since = Instant::now();
    while send_to(&address, health.as_bytes()).status != 503 {
        assert!(since.elapsed() < Duration::from_secs(2), "balancers aren't told");
    }
    assert_eq!(ask(&cluster, "proxy-1", "/ready").status, 503);
    assert_eq!(cluster.session(0).get("box").status(), 204, "requests are answered as ever");
    assert!(cluster.terminate("proxy-1").success());
}

#[test]
fn the_id_of_an_answer_is_found_in_the_logs_of_the_nodes_that_were_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { proxies: 1, ..Shape::STANDARD });
    for node in ["node-1", "node-2", "node-3"] {
        let variables = vec![("MARTLET_LOG".to_owned(), "info,martlet_link=debug".to_owned())];
        cluster.set_variables(node, variables);
    }
    cluster.launch_all();
    let session = cluster.session(0);
    assert_eq!(session.put("told", b"").status(), 201);
    let proxy = cluster.endpoints()[0].trim_start_matches("http://").to_owned();
    let account = cluster.variable("ST_USER").split(':').next().unwrap().to_owned();
    let request = format!(
        "PUT /v1/AUTH_{account}/told/key HTTP/1.1\r\nHost: {proxy}\r\nX-Auth-Token: {}\r\nContent-Length: 4\r\n\
         Connection: close\r\n\r\nbody",
        session.token()
    );
    let answer = send_to(&proxy, request.as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer
        .head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("x-trans-id: ").map(str::to_owned));
    let id = id.expect("an answer has an id");
    // Lines are written a moment after they were logged.
    let accepts = || {
        let logs = ["node-1", "node-2", "node-3"].map(|node| cluster.log(node));
        let is_accept =
            |line: &&str| line.contains("call=\"accept\"") && line.ends_with(&format!("request={id}"));
        logs.iter().filter(|log| log.lines().any(|line| is_accept(&line))).count()
    };
    let since = Instant::now();
    while accepts() < 2 {
        assert!(since.elapsed() < Duration::from_secs(5), "{id}: {}", cluster.log("node-1"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let foreign = cluster.log("node-1").lines().filter(|line| line.contains("request=tx")).count();
    let own = cluster.log("node-1").lines().filter(|line| line.contains(&format!("request={id}"))).count();
    assert!(own < foreign, "other requests have other ids");
}

//! Restarting everything behind a balancer, while clients notice nothing.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use martlet_tests::client;
use martlet_tests::cluster::Cluster;
use martlet_tests::files;
use martlet_tests::raw::send_to;
use martlet_tests::swift::Session;

use crate::operating::await_ready;
use crate::s3::S3;

/// Clients of each dialect.
const CLIENTS: u64 = 2;
/// How long everybody has to notice that somebody is back.
const NOTICED: Duration = Duration::from_secs(3);

/// haproxy before all proxies, as docs/operations.md has it. Killed when dropped.
struct Balancer {
    child: Child,
    endpoint: String,
}

impl Balancer {
    fn start(cluster: &Cluster, folder: &Path) -> Self {
        // Installs it where it isn't there.
        client::folder();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut servers = String::new();
        for (number, endpoint) in cluster.endpoints().iter().enumerate() {
            let address = endpoint.trim_start_matches("http://");
            writeln!(servers, "    server proxy-{} {address}", number + 1).unwrap();
        }
        let config = format!(
            "defaults\n    mode http\n    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n    \
             option redispatch\n    retries 3\n\
             frontend clients\n    bind 127.0.0.1:{port}\n    default_backend proxies\n\
             backend proxies\n    balance roundrobin\n    option httpchk GET /healthcheck\n    \
             default-server check inter 500ms fall 1 rise 2\n{servers}"
        );
        let path = folder.join("haproxy.cfg");
        fs::write(&path, config).unwrap();
        let log = fs::File::create(folder.join("haproxy.log")).unwrap();
        let child =
            Command::new("haproxy").arg("-db").arg("-f").arg(&path).stdout(Stdio::null()).stderr(log).spawn();
        let endpoint = format!("http://127.0.0.1:{port}");
        let balancer = Self { child: child.expect("haproxy starts"), endpoint };
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(since.elapsed() < Duration::from_secs(10), "haproxy doesn't start");
            sleep(Duration::from_millis(50));
        }
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts and gets until it is told to stop; gives how many requests there were, and those that failed.
fn load(
    number: u64,
    stop: &Arc<AtomicBool>,
    request: impl Fn(&str, Option<&[u8]>) -> (u16, Vec<u8>) + Send + 'static,
) -> JoinHandle<(usize, Vec<String>)> {
    let stop = stop.clone();
    thread::spawn(move || {
        let (mut count, mut failed) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            let path = format!("box/{number}-{}", count % 50);
            let size = if count % 20 == 0 { 1_500_000 } else { 4_000 };
            let body = files::bytes(number * 1_000_000 + count as u64, size);
            let (put, _) = request(&path, Some(&body));
            let (got, read) = request(&path, None);
            if !(200..300).contains(&put) {
                failed.push(format!("PUT {path}: {put}"));
            } else if got != 200 || read != body {
                failed.push(format!("GET {path}: {got}, {} of {size} bytes", read.len()));
            }
            count += 1;
        }
        (2 * count, failed)
    })
}

#[test]
fn everything_is_restarted_behind_a_balancer_without_a_failed_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(&folder.path().join("cluster"));
    let balancer = Balancer::start(&cluster, folder.path());
    let session = cluster.session(0).through(&balancer.endpoint);
    assert_eq!(session.put("box", b"").status(), 201);
    let stop = Arc::new(AtomicBool::new(false));
    let mut loads = Vec::new();
    for number in 0..CLIENTS {
        let session: Session = session.clone();
        loads.push(load(number, &stop, move |path, body| match body {
            Some(body) => session.put(path, body).parts(),
            None => session.get(path).parts(),
        }));
        let s3 = S3::of(&cluster, 0).through(&balancer.endpoint);
        loads.push(load(CLIENTS + number, &stop, move |path, body| match body {
            Some(body) => s3.put(path, body).parts(),
            None => s3.get(path).parts(),
        }));
    }
    sleep(Duration::from_secs(1));
    for process in ["proxy-1", "node-1", "proxy-2", "node-2", "node-3"] {
        assert!(cluster.terminate(process).success(), "{process}");
        sleep(Duration::from_millis(500));
        cluster.launch(process);
        await_ready(&cluster, process);
        sleep(NOTICED);
    }
    stop.store(true, Ordering::Relaxed);
    let (mut requests, mut failed) = (0, Vec::new());
    for load in loads {
        let (count, failures) = load.join().expect("the load doesn't panic");
        requests += count;
        failed.extend(failures);
    }
    assert!(failed.is_empty(), "{} of {requests} requests failed: {failed:#?}", failed.len());
    assert!(requests > 200, "only {requests} requests were made");
    let health = send_to(
        balancer.endpoint.trim_start_matches("http://"),
        b"GET /healthcheck HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(health.status, 200);
}

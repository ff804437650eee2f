//! A proxy that is killed in the middle of a write leaves the old object or the new one, and after the sweep nothing else.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use martlet_protocol::Replica;
use martlet_ring::DeviceId;
use martlet_storage_node::{
    CHECKPOINT_LOG_PAGES, ClusterId, Device, DeviceIdentity, DeviceOptions, SystemFiles, SystemSteadyClock,
    UNFOLDED_BYTES_MAX,
};
use martlet_testkit::SimulatedClock;
use martlet_tests::cluster::{Cluster, Shape, martlet};
use martlet_tests::files;
use martlet_tests::swift::Reply;

use crate::s3::S3;

const NODES: u8 = 3;
/// After this, bytes that nothing refers to are taken for lost. No write of this test takes as long.
const ORPHAN_AGE: Duration = Duration::from_secs(24);
const GARBAGE_GRACE_SECONDS: u64 = 1;
/// How long workers may take once it is time.
const SWEEP_MAX: Duration = Duration::from_mins(1);
/// Carried with its row, kept in a segment, and kept in a file.
const SIZES: [usize; 3] = [3_000, 400_000, 5_000_000];
const ROUNDS: u64 = 4;
/// By how much later the proxy dies in each round.
const LATER: Duration = Duration::from_millis(11);
/// More than a blob holds, and how much of it is sent: the first blob is whole, and no row refers to it.
const HUGE_BYTES: usize = 150_000_000;
const SENT_BYTES: usize = 90_000_000;

#[test]
fn nothing_is_left_of_writes_whose_proxy_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::make(folder.path(), Shape { nodes: NODES, ..Shape::STANDARD });
    for node in 1..=NODES {
        hurry(&cluster.config(&format!("node-{node}")));
    }
    cluster.launch_all();
    assert_eq!(cluster.session(1).put("box", b"").status(), 201);
    kill_amid_puts(&mut cluster);
    kill_amid_parts(&mut cluster);
    kill_after_a_whole_blob(&mut cluster);
    let last_kill = Instant::now();
    let other = cluster.session(1);
    for bytes in SIZES {
        assert_eq!(other.delete(&object(bytes)).status(), 204);
    }
    assert_eq!(other.delete("box").status(), 204);
    await_empty(folder.path(), last_kill + ORPHAN_AGE + SWEEP_MAX);
    // What lies in segments can't be seen from outside.
    sleep((last_kill + ORPHAN_AGE + SWEEP_MAX / 4).saturating_duration_since(Instant::now()));
    let checked = martlet(&["fsck", "--config", &cluster.config("proxy-2").to_string_lossy()]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    for node in 1..=NODES {
        assert!(cluster.terminate(&format!("node-{node}")).success());
        let devices = cluster.folder.join(format!("node-{node}/devices"));
        check_holds_nothing(&devices.join(node.to_string()));
    }
}

/// Small and large objects, each replacing an older one.
fn kill_amid_puts(cluster: &mut Cluster) {
    let other = cluster.session(1);
    for (index, bytes) in SIZES.into_iter().enumerate() {
        let path = object(bytes);
        let mut present = files::bytes(bytes as u64, bytes);
        assert_eq!(other.put(&path, &present).status(), 201);
        for round in 0..ROUNDS {
            let token = cluster.session(0).token().to_owned();
            let new = files::bytes(1 + round, bytes + 1);
            let target = format!("/v1/AUTH_main/{path}");
            kill_amid(cluster, &put(&target, &token, new.len()), &new, later(round, index));
            let Reply::Answer { status: 200, body } = other.get(&path) else {
                panic!("{path} can't be read")
            };
            assert!(body == new || body == present, "{path}, round {round}: a mixture");
            present = body;
            cluster.launch("proxy-1");
        }
    }
}

/// Parts of an upload, which is completed afterwards, and of one that is aborted.
fn kill_amid_parts(cluster: &mut Cluster) {
    let other = S3::of(cluster, 1);
    let uploads = ["box/completed", "box/aborted"].map(|path| (path, begin_upload(&other, path)));
    for (index, (path, upload)) in uploads.iter().enumerate() {
        for round in 0..ROUNDS {
            let part = format!("{path}?partNumber=1&uploadId={upload}");
            let link = S3::of(cluster, 0).link("PUT", &part);
            let address = cluster.endpoints()[0].trim_start_matches("http://").to_owned();
            let target = link.trim_start_matches("http://").trim_start_matches(&address);
            let body = files::bytes(100 + round, SIZES[2]);
            let head =
                format!("PUT {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
            kill_amid(cluster, &head, &body, later(round, 1 + index));
            cluster.launch("proxy-1");
        }
    }
    let [(path, upload), (aborted_path, aborted)] = &uploads;
    let body = files::bytes(200, SIZES[1]);
    let (status, _) = other.put(&format!("{path}?partNumber=1&uploadId={upload}"), &body).parts();
    assert_eq!(status, 200);
    let etag = etag_of(&body);
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let (status, said) = other.post(&format!("{path}?uploadId={upload}"), list.as_bytes()).parts();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&said));
    assert_eq!(other.get(path), Reply::Answer { status: 200, body }, "a mixture");
    assert_eq!(other.delete(&format!("{aborted_path}?uploadId={aborted}")).status(), 204);
    assert_eq!(other.delete(path).status(), 204);
}

/// An upload of which a whole blob is durable already, so that it takes the sweep to find it.
fn kill_after_a_whole_blob(cluster: &mut Cluster) {
    let (other, path) = (cluster.session(1), object(SIZES[0]));
    let before = other.get(&path);
    let token = cluster.session(0).token().to_owned();
    let mut stream = connect(cluster);
    stream.write_all(put(&format!("/v1/AUTH_main/{path}"), &token, HUGE_BYTES).as_bytes()).unwrap();
    stream.write_all(&files::bytes(1, SENT_BYTES)).unwrap();
    let until = Instant::now() + SWEEP_MAX;
    let is_large = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| SIZES[2] as u64 * 2 < file.len());
    let published = |folder: &Path| blob_files(folder, &["blobs"]).iter().any(is_large);
    while !published(&cluster.folder) {
        assert!(Instant::now() < until, "no blob is whole");
        sleep(Duration::from_millis(20));
    }
    cluster.kill("proxy-1");
    assert!(other.get(&path) == before, "a mixture");
    cluster.launch("proxy-1");
}

/// Begins a request to the first proxy, and kills it that much later.
fn kill_amid(cluster: &mut Cluster, head: &str, body: &[u8], later: Duration) {
    let mut stream = connect(cluster);
    stream.write_all(head.as_bytes()).unwrap();
    let body = body.to_vec();
    let sending = spawn(move || {
        // The proxy is killed under it.
        let _ = stream.write_all(&body);
        stream
    });
    sleep(later);
    cluster.kill("proxy-1");
    drop(sending.join().unwrap());
}

fn later(round: u64, index: usize) -> Duration {
    LATER * u32::try_from(round * (1 + index as u64)).unwrap()
}

fn connect(cluster: &Cluster) -> TcpStream {
    TcpStream::connect(cluster.endpoints()[0].trim_start_matches("http://")).unwrap()
}

fn put(target: &str, token: &str, bytes: usize) -> String {
    format!("PUT {target} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nContent-Length: {bytes}\r\n\r\n")
}

fn object(bytes: usize) -> String {
    format!("box/{bytes}")
}

fn begin_upload(s3: &S3, path: &str) -> String {
    let (status, said) = s3.post(&format!("{path}?uploads"), b"").parts();
    assert_eq!(status, 200);
    let said = String::from_utf8(said).unwrap();
    let (_, rest) = said.split_once("<UploadId>").unwrap();
    rest.split_once("</UploadId>").unwrap().0.to_owned()
}

fn etag_of(body: &[u8]) -> String {
    use md5::{Digest as _, Md5};
    hex::encode(Md5::digest(body))
}

/// What nothing refers to goes soon.
fn hurry(config: &Path) {
    let text = fs::read_to_string(config).unwrap();
    let line = |line: &str| match line.split_once(" = ") {
        Some((key @ "garbage_grace_seconds", _)) => format!("{key} = {GARBAGE_GRACE_SECONDS}\n"),
        Some((key @ "orphan_age_seconds", _)) => format!("{key} = {}\n", ORPHAN_AGE.as_secs()),
        _ => format!("{line}\n"),
    };
    fs::write(config, text.lines().map(line).collect::<String>()).unwrap();
}

fn await_empty(folder: &Path, until: Instant) {
    while let Some(left) = blob_files(folder, &["blobs", "staging"]).pop() {
        assert!(Instant::now() < until, "{} is left over", left.display());
        sleep(Duration::from_millis(500));
    }
}

/// Files of all devices below folders with these names.
fn blob_files(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // It may be removed meanwhile.
        for entry in fs::read_dir(folder).into_iter().flatten().map_while(Result::ok) {
            let path = entry.path();
            let is_below = |name: &&str| path.components().any(|part| part.as_os_str() == *name);
            if path.is_dir() {
                folders.push(path);
            } else if names.iter().any(is_below) {
                files.push(path);
            }
        }
    }
    files
}

/// A device whose node has stopped: it has no blob, wherever it keeps them.
fn check_holds_nothing(folder: &Path) {
    let identity: toml::Table = fs::read_to_string(folder.join("device.toml")).unwrap().parse().unwrap();
    let number = |name: &str| identity[name].as_integer().unwrap();
    let mut cluster = [0; 16];
    hex::decode_to_slice(identity["cluster"].as_str().unwrap(), &mut cluster).unwrap();
    let identity = DeviceIdentity {
        cluster: ClusterId(cluster),
        device: DeviceId(u32::try_from(number("device")).unwrap()),
        partition_bits: u8::try_from(number("partition_bits")).unwrap(),
    };
    let device = Device::open(folder, options(identity)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert_eq!(device.held(None, 10).await.unwrap(), [], "blobs are left over");
        assert_eq!(device.unreferenced(None, 10).await.unwrap(), [], "blobs are left over");
    });
}

fn options(identity: DeviceIdentity) -> DeviceOptions {
    DeviceOptions {
        identity,
        wall: Arc::new(SimulatedClock::default()),
        steady: Arc::new(SystemSteadyClock::start()),
        files: Arc::new(SystemFiles),
        vfs: None,
        garbage_grace: Duration::ZERO,
        reserve_bytes: 0,
        checkpoint_log_pages: CHECKPOINT_LOG_PAGES,
        unfolded_bytes_max: UNFOLDED_BYTES_MAX,
    }
}

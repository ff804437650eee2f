//! The clients that people have: what they upload comes back equal, also after a kill in the middle.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use martlet_tests::server::Server;
use martlet_tests::swift::{Reply, Session};
use martlet_tests::{client, files};

use crate::work::Work;

/// What a client moves with `MARTLET_FULL=1`: a file of 1 GiB and ten thousand small ones.
const FULL: Sources = Sources { large_bytes: 1 << 30, small_count: 10_000 };
/// What it moves otherwise: the clients spend some 10 ms of their own on every file.
const SHORT: Sources = Sources { large_bytes: 200 << 20, small_count: 800 };

struct Sources {
    large_bytes: usize,
    small_count: usize,
}

fn write_sources(work: &Work) {
    let sources = if std::env::var_os("MARTLET_FULL").is_some() { FULL } else { SHORT };
    files::write_large(&work.folder("source").join("large.bin"), 1, sources.large_bytes);
    files::write_many(&work.folder("source/many"), sources.small_count);
    files::write_odd_tree(&work.folder("source/odd"));
}

/// Kills the server when some of a client's upload has arrived, and ends the client.
fn upload_through_a_kill(server: Server, mut client: Child, container: &str) -> std::path::PathBuf {
    let session = Session::open(&server);
    let deadline = Instant::now() + Duration::from_mins(2);
    while listed(&session, container) < 20 {
        assert!(Instant::now() < deadline, "nothing arrives");
        std::thread::sleep(Duration::from_millis(50));
    }
    let data = server.data.clone();
    server.kill();
    client.kill().expect("the client can be killed");
    client.wait().expect("the client ends");
    data
}

fn listed(session: &Session, container: &str) -> usize {
    match session.get(container) {
        Reply::Answer { status: 200, body } => String::from_utf8_lossy(&body).lines().count(),
        _ => 0,
    }
}

fn start(server: &Server, folder: &Path, line: &str) -> Child {
    let mut words = line.split(' ');
    let mut command = client::command(server, words.next().expect("a client"));
    command
        .args(words)
        .current_dir(folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command.spawn().expect("the client starts")
}

fn run_in(server: &Server, folder: &Path, line: &str) {
    let mut words = line.split(' ');
    let mut command = client::command(server, words.next().expect("a client"));
    let output = command.args(words).current_dir(folder).output().expect("the client runs");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn aws_syncs_a_tree_back_equal_also_through_a_kill() {
    let work = Work::new();
    write_sources(&work);
    let server = Server::start(&work.data());
    client::run(&server, "aws s3 mb s3://tree");
    let sync = start(&server, &work.path("source"), "aws s3 sync --only-show-errors . s3://tree");
    let data = upload_through_a_kill(server, sync, "tree");

    let server = Server::start(&data);
    run_in(&server, &work.path("source"), "aws s3 sync --only-show-errors . s3://tree");
    run_in(&server, &work.folder("copy"), "aws s3 sync --only-show-errors s3://tree .");
    files::assert_equal(&work.path("source"), &work.path("copy"));

    run_in(&server, &work.path("copy"), "aws s3 rm --only-show-errors --recursive s3://tree");
    assert_eq!(client::run(&server, "aws s3 ls s3://tree"), "");
    client::run(&server, "aws s3 rb s3://tree");
}

#[test]
fn s3cmd_syncs_a_tree_back_equal_also_through_a_kill() {
    let work = Work::new();
    write_sources(&work);
    let server = Server::start(&work.data());
    client::run(&server, "s3cmd mb s3://tree");
    let sync = start(&server, &work.path("source"), "s3cmd --quiet sync ./ s3://tree/");
    let data = upload_through_a_kill(server, sync, "tree");

    let server = Server::start(&data);
    run_in(&server, &work.path("source"), "s3cmd --quiet sync ./ s3://tree/");
    run_in(&server, &work.folder("copy"), "s3cmd --quiet sync s3://tree/ ./");
    files::assert_equal(&work.path("source"), &work.path("copy"));

    client::run(&server, "s3cmd --quiet del --recursive --force s3://tree");
    client::run(&server, "s3cmd rb s3://tree");
}

#[test]
fn swift_uploads_a_tree_back_equal_also_through_a_kill() {
    let work = Work::new();
    write_sources(&work);
    let server = Server::start(&work.data());
    let upload = start(&server, &work.path("source"), "swift upload tree .");
    let data = upload_through_a_kill(server, upload, "tree");

    let server = Server::start(&data);
    run_in(&server, &work.path("source"), "swift upload --changed tree .");
    run_in(&server, &work.folder("copy"), "swift download tree");
    files::assert_equal(&work.path("source"), &work.path("copy"));

    client::run(&server, "swift delete tree");
    assert_eq!(client::run(&server, "swift list"), "");
}

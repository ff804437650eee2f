//! Command-line tools: `rclone` through both APIs, `restic`, `swift` with large objects, `curl`.

use std::path::Path;
use std::process::Command;

use martlet_tests::server::Server;
use martlet_tests::{client, files};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

fn start() -> (TempDir, Server) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&folder.path().join("data"));
    (folder, server)
}

/// A tree with a file that takes several parts, small files, and odd names.
fn source(folder: &Path) -> std::path::PathBuf {
    let source = folder.join("source");
    std::fs::create_dir(&source).expect("the folder can be made");
    files::write_large(&source.join("large.bin"), 1, 25 * MIB);
    files::write_many(&source.join("many"), 50);
    files::write_odd_tree(&source.join("odd"));
    source
}

/// Runs a system command with the environment that the server wrote, and gives what it prints.
fn run(server: &Server, folder: &Path, variables: &[(&str, &str)], line: &str) -> String {
    client::run_line(server, folder, variables, line)
}

fn rclone_variables(server: &Server) -> Vec<(String, String)> {
    let remote = |name: &str, value: &str| (format!("RCLONE_CONFIG_{name}"), value.to_owned());
    vec![
        remote("AMZ_TYPE", "s3"),
        remote("AMZ_PROVIDER", "Other"),
        remote("AMZ_ENV_AUTH", "true"),
        remote("AMZ_ENDPOINT", server.endpoint()),
        remote("SW_TYPE", "swift"),
        remote("SW_AUTH", server.variable("ST_AUTH")),
        remote("SW_USER", server.variable("ST_USER")),
        remote("SW_KEY", server.variable("ST_KEY")),
        ("RCLONE_CONFIG".to_owned(), "/dev/null".to_owned()),
    ]
}

#[track_caller]
fn rclone_syncs_a_tree_back_equal(remote: &str, options: &str) {
    let (folder, server) = start();
    let source = source(folder.path());
    let variables = rclone_variables(&server);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let rclone = |line: &str| run(&server, folder.path(), &variables, &format!("rclone {options} {line}"));
    rclone(&format!("mkdir {remote}:tree"));
    rclone(&format!("sync source {remote}:tree"));
    rclone(&format!("check source {remote}:tree"));
    rclone(&format!("sync {remote}:tree copy"));
    files::assert_equal(&source, &folder.path().join("copy"));
    rclone(&format!("moveto {remote}:tree/large.bin {remote}:tree/moved.bin"));
    assert!(rclone(&format!("lsf {remote}:tree")).contains("moved.bin"));
    // Only times differ: nothing is sent again, metadata alone changes.
    files::touch_all(&source);
    rclone(&format!("copy source/many {remote}:tree/many"));
    rclone(&format!("purge {remote}:tree"));
    assert!(!rclone(&format!("lsf {remote}:")).contains("tree/"));
}

#[test]
fn rclone_syncs_a_tree_over_s3() {
    rclone_syncs_a_tree_back_equal("amz", "--s3-upload-cutoff 5M --s3-chunk-size 5M --s3-force-path-style");
}

#[test]
fn rclone_syncs_a_tree_over_swift() {
    rclone_syncs_a_tree_back_equal("sw", "--swift-chunk-size 5M");
}

#[test]
fn restic_backs_up_checks_and_restores() {
    let (folder, server) = start();
    let source = source(folder.path());
    let repository = format!("s3:{}/backup", server.endpoint());
    let variables = [("RESTIC_REPOSITORY", repository.as_str()), ("RESTIC_PASSWORD", "secret")];
    let restic = |line: &str| run(&server, folder.path(), &variables, &format!("restic --quiet {line}"));
    restic("init");
    restic("backup source");
    std::fs::write(source.join("new"), "new").expect("a file can be written");
    restic("backup source");
    restic("forget --keep-last 1 --prune");
    restic("check --read-data");
    restic("restore latest --target copy");
    files::assert_equal(&source, &folder.path().join("copy/source"));
}

#[test]
fn swift_uploads_in_segments_and_downloads_them_as_one() {
    let (folder, server) = start();
    let source = source(folder.path());
    let swift = |line: &str| client::run(&server, &format!("swift {line}"));
    let upload = |options: &str| {
        let line = format!("upload tree large.bin --segment-size {} {options}", 4 * MIB);
        let mut words = line.split_whitespace();
        let output = client::command(&server, "swift")
            .args(words.by_ref())
            .current_dir(&source)
            .output()
            .expect("swift runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    upload("--use-slo");
    let copy = folder.path().join("copy.bin");
    swift(&format!("download tree large.bin --output {}", copy.display()));
    let read = |path: &Path| std::fs::read(path).expect("the file is there");
    assert!(read(&source.join("large.bin")) == read(&copy), "the file came back changed");
    assert!(swift("stat tree large.bin").contains(&(25 * MIB).to_string()));
    // A second upload of what hasn't changed sends nothing.
    assert!(!upload("--use-slo --changed --skip-identical").contains("segment"));
    swift("delete tree large.bin");
    swift("delete tree");
    assert!(!swift("list").lines().any(|name| name == "tree"));
}

#[test]
fn curl_signs_uploads_and_downloads() {
    let (folder, server) = start();
    client::run(&server, "aws s3 mb s3://box");
    std::fs::write(folder.path().join("body"), "by curl").expect("a file can be written");
    let curl = |arguments: &[&str]| {
        let keys =
            format!("{}:{}", server.variable("AWS_ACCESS_KEY_ID"), server.variable("AWS_SECRET_ACCESS_KEY"));
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail",
                "--aws-sigv4",
                "aws:amz:us-east-1:s3",
                "--user",
                &keys,
            ])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("curl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let url = format!("{}/box/key", server.endpoint());
    curl(&["--upload-file", "body", &url]);
    assert_eq!(curl(&[&url]), "by curl");
    assert_eq!(curl(&["--range", "3-6", &url]), "curl");
    curl(&["--request", "DELETE", &url]);
}

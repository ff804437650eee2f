//! Client libraries: each session is a script of the library's own language, in `tests/clients`.

use std::path::Path;

use martlet_tests::client;
use martlet_tests::server::Server;

/// Runs a Python script with the environment that the server wrote.
fn run_script(server: &Server, name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name);
    let output = client::command(server, "python3").arg(script).output().expect("python runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{out}\n{err}", output.status);
}

pub(crate) fn with_server(name: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&folder.path().join("data"));
    run_script(&server, name);
}

#[test]
fn boto3_does_everything_that_applications_do_with_it() {
    with_server("boto3_session.py");
}

#[test]
fn minio_py_does_everything_that_applications_do_with_it() {
    with_server("minio_session.py");
}

#[test]
fn python_swiftclient_does_everything_that_applications_do_with_it() {
    with_server("swiftclient_session.py");
}

//! The clients that people have.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::server::Server;

/// A client with the environment that `server` wrote for it, ready for arguments.
pub fn command(server: &Server, name: &str) -> Command {
    let mut command = Command::new(folder().join(name));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", server.data.parent().unwrap_or(&server.data))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(&server.environment)
        .current_dir(server.data.parent().unwrap_or(&server.data));
    if name == "s3cmd" {
        let address = server.address();
        command
            .arg(format!("--host={address}"))
            .arg(format!("--host-bucket={address}"))
            .args(["--no-ssl", "--no-progress"])
            .arg(format!("--access_key={}", server.variable("AWS_ACCESS_KEY_ID")))
            .arg(format!("--secret_key={}", server.variable("AWS_SECRET_ACCESS_KEY")));
    }
    command
}

/// Runs `NAME ARGUMENT…`, where `line` is split at spaces, and fails the test if the client does.
pub fn run(server: &Server, line: &str) -> String {
    let output = attempt(server, line);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{line}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// As [`run`], for a client that may fail.
pub fn attempt(server: &Server, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let name = words.next().expect("a line begins with the client's name");
    command(server, name).args(words).output().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs a command of the system with the server's environment and these variables in `folder`,
/// and fails the test if it fails. `line` is split at spaces.
pub fn run_line(server: &Server, folder: &Path, variables: &[(&str, &str)], line: &str) -> String {
    // Installs what isn't there.
    self::folder();
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().expect("a line begins with a command"))
        .args(words)
        // Go's SDK ends where this is set and the connection isn't TLS.
        .env_remove("AWS_CA_BUNDLE")
        .env("HOME", folder)
        .envs(&server.environment)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{line}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{line}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// Installs whatever `tests/client-packages.txt` and `tests/clients.txt` name, if it isn't there.
pub fn install() {
    folder();
}

/// The folder of the installed clients; installs them when they aren't there.
pub fn folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let root =
                Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
            let installed = Command::new(root.join("scripts/install-clients.sh"))
                .status()
                .expect("the install script runs");
            assert!(installed.success(), "the clients can't be installed");
            root.join(".tools/clients/bin")
        })
        .clone()
}

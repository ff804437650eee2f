//! `martlet serve` as a process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a start or a stop may take before the test fails.
const START_SECONDS_MAX: u64 = 30;

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    /// The variables of its `credentials.env`.
    pub environment: BTreeMap<String, String>,
    /// What it printed before it was ready.
    pub greeting: String,
    pub data: PathBuf,
}

impl Server {
    /// Starts the server on a free port over `data`, and waits until it says that it is ready.
    /// What it logs is appended to `server.log` beside `data`.
    pub fn start(data: &Path) -> Self {
        let log = data.with_extension("log");
        let log =
            File::options().create(true).append(true).open(log).expect("the server's log can be opened");
        let mut child = Command::new(binary())
            .arg("serve")
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let greeting = read_greeting(&mut child);
        let environment = read_environment(&data.join("credentials.env"));
        Self { child, environment, greeting, data: data.to_owned() }
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        self.variable("AWS_ENDPOINT_URL")
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> &str {
        self.endpoint().trim_start_matches("http://")
    }

    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).unwrap_or_else(|| panic!("credentials.env has no {name}"))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As a power cut would: no warning, no last words.
    pub fn kill(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }

    /// SIGTERM, and then waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(sent.success());
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        loop {
            if let Some(status) = self.child.try_wait().expect("the server can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server doesn't stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already: then there is nothing to kill and nothing to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `martlet ARGUMENT…`, where `line` is split at spaces, and gives what it prints; fails the test if it fails.
pub fn martlet(line: &str) -> String {
    let output = Command::new(binary()).args(line.split_whitespace()).output().expect("the program runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "martlet {line}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// The binary beside the running test, which `cargo build` or a run of the whole workspace's tests has made.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let binary = profile.join("martlet");
    assert!(binary.exists(), "{} is missing: run `cargo build` first", binary.display());
    binary
}

pub(crate) fn read_greeting(child: &mut Child) -> String {
    let stdout = child.stdout.take().expect("stdout is piped");
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut greeting = String::new();
        let mut lines = BufReader::new(stdout).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            greeting.push_str(&line);
            greeting.push('\n');
            if line.starts_with("ready") {
                break;
            }
        }
        // The test may have given up waiting.
        let _ = send.send(greeting);
        lines.for_each(drop);
    });
    let greeting =
        receive.recv_timeout(Duration::from_secs(START_SECONDS_MAX)).expect("the server gets ready");
    assert!(greeting.lines().any(|line| line.starts_with("ready")), "the server ended early:\n{greeting}");
    greeting
}

pub(crate) fn read_environment(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).expect("the server writes credentials.env");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

//! A cluster of processes, made by `martlet init`, whose processes fail one by one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::server::{binary, read_environment, read_greeting};
use crate::swift::Session;

/// How long a process may take to stop before the test fails.
const STOP_SECONDS_MAX: u64 = 30;

/// Every address that a process of a cluster may have, or a relay before a node, within reason.
const ADDRESSES: [u8; 13] = [11, 12, 13, 14, 15, 101, 102, 103, 201, 202, 203, 204, 205];

/// How many processes of each kind there are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub nodes: u8,
    pub proxies: u8,
    /// Of each node.
    pub devices: u8,
}

/// Processes, all killed when dropped.
pub struct Cluster {
    pub folder: PathBuf,
    /// The variables of its `credentials.env`.
    pub environment: BTreeMap<String, String>,
    pub port: u16,
    running: BTreeMap<String, Child>,
    /// What each process finds in its environment besides the test's own.
    variables: BTreeMap<String, Vec<(String, String)>>,
}

impl Shape {
    /// What `martlet init` makes when nothing else is said.
    pub const STANDARD: Self = Self { nodes: 3, proxies: 2, devices: 1 };
}

impl Cluster {
    /// Makes a cluster in `folder` and starts all of it.
    pub fn start(folder: &Path) -> Self {
        let mut cluster = Self::make(folder, Shape::STANDARD);
        cluster.launch_all();
        cluster
    }

    /// Makes a cluster in `folder`, and starts nothing yet.
    pub fn make(folder: &Path, shape: Shape) -> Self {
        Self::make_with(folder, shape, &[])
    }

    /// As [`Self::make`], with further arguments for `martlet init`.
    pub fn make_with(folder: &Path, shape: Shape, arguments: &[&str]) -> Self {
        let port = free_port();
        let (folder_name, port_number) = (folder.to_string_lossy(), port.to_string());
        let counts = [shape.nodes, shape.proxies, shape.devices].map(|count| count.to_string());
        let [nodes, proxies, devices] = &counts;
        let shaped = ["--nodes", nodes, "--proxies", proxies, "--devices", devices];
        let placed = ["init", "--dir", &folder_name, "--port", &port_number];
        let made = martlet(&[&placed, &shaped[..], arguments].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::adopt(folder, port)
    }

    /// A cluster that `martlet init` has made already, with this port; nothing is started yet.
    pub fn adopt(folder: &Path, port: u16) -> Self {
        let environment = read_environment(&folder.join("credentials.env"));
        let (running, variables) = (BTreeMap::new(), BTreeMap::new());
        Self { folder: folder.to_owned(), environment, port, running, variables }
    }

    /// From its next start on, the process finds these variables in its environment.
    pub fn set_variables(&mut self, name: &str, variables: Vec<(String, String)>) {
        self.variables.insert(name.to_owned(), variables);
    }

    /// Prepares a further node with one device, which bears its number, and doesn't start it.
    /// The ring doesn't know it yet.
    pub fn prepare_node(&self, number: u8) {
        let name = format!("node-{number}");
        let folder = self.folder.join(&name);
        fs::create_dir_all(folder.join("devices")).expect("the folder can be made");
        for file in ["cluster.toml", "cluster.ring"] {
            let source = self.folder.join("node-1").join(file);
            fs::copy(source, folder.join(file)).expect("the file can be copied");
        }
        let config = format!(
            "node = {number}\nlisten = \"{}\"\nring = \"cluster.ring\"\nsecrets = \"cluster.toml\"\n\
             [devices]\n{number} = \"devices/{number}\"\n",
            self.node_address(number)
        );
        let file = folder.join("node.toml");
        fs::write(&file, config).expect("the file can be written");
        let made = martlet(&["node", "--make-devices", "--config", &file.to_string_lossy()]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let first = self.command("node-1");
        let line = format!("{name}\t{}\n", first.replace("node-1", &name));
        let processes = self.processes() + &line;
        fs::write(self.folder.join("processes.txt"), processes).expect("the list can be written");
    }

    /// Where the node with this number listens.
    pub fn node_address(&self, number: u8) -> String {
        format!("127.0.0.{}:{}", 10 + number, self.port)
    }

    /// Starts every process of `processes.txt`, nodes first, as they stand there.
    pub fn launch_all(&mut self) {
        for name in self.names() {
            self.launch(&name);
        }
    }

    /// Starts one process, and waits until it says that it is ready.
    /// What it logs is appended to `NAME.log` in the cluster's folder.
    pub fn launch(&mut self, name: &str) {
        let log = self.folder.join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log).expect("the log can be opened");
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("exec env {}{}", self.assignments(name), self.command(name)))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the process starts");
        read_greeting(&mut child);
        assert!(self.running.insert(name.to_owned(), child).is_none(), "{name} runs already");
    }

    /// As a power cut would: no warning, no last words.
    pub fn kill(&mut self, name: &str) {
        let mut child = self.running.remove(name).expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// SIGTERM, without waiting for the end.
    pub fn begin_to_terminate(&self, name: &str) {
        self.signal(name, "TERM");
    }

    /// SIGTERM, and then waits for the end.
    pub fn terminate(&mut self, name: &str) -> ExitStatus {
        self.signal(name, "TERM");
        let mut child = self.running.remove(name).expect("it runs");
        let deadline = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "{name} doesn't stop");
            sleep(Duration::from_millis(10));
        }
    }

    /// Lets the process stand still: its connections stay, and nobody answers.
    pub fn freeze(&self, name: &str) {
        self.signal(name, "STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self, name: &str) {
        self.signal(name, "CONT");
    }

    /// The processes that run, by name.
    pub fn ids(&self) -> impl Iterator<Item = (&str, u32)> {
        self.running.iter().map(|(name, child)| (name.as_str(), child.id()))
    }

    /// Where the clients go.
    pub fn endpoints(&self) -> Vec<&str> {
        self.variable("MARTLET_ENDPOINTS").split(',').collect()
    }

    /// A session at the proxy with this number, counted from 0.
    pub fn session(&self, proxy: usize) -> Session {
        let auth_url = format!("{}/auth/v1.0", self.endpoints()[proxy]);
        Session::log_in(&auth_url, self.variable("ST_USER"), self.variable("ST_KEY"))
    }

    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).unwrap_or_else(|| panic!("credentials.env has no {name}"))
    }

    /// The file that the process is started with.
    pub fn config(&self, name: &str) -> PathBuf {
        let kind = name.split('-').next().unwrap_or(name);
        self.folder.join(name).join(format!("{kind}.toml"))
    }

    /// Where the process tells those who run it how it is.
    pub fn admin_address(&self, name: &str) -> String {
        let config = fs::read_to_string(self.config(name)).expect("the process has a file");
        let admin = config.lines().find_map(|line| line.strip_prefix("admin = \"")?.strip_suffix('"'));
        admin.expect("martlet init gives each an admin address").to_owned()
    }

    /// What the process has logged since the cluster was made.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{name}.log"))).expect("the process has a log")
    }

    /// Of the running process.
    pub fn id(&self, name: &str) -> u32 {
        self.running.get(name).expect("it runs").id()
    }

    /// The names of all processes, nodes first.
    pub fn names(&self) -> Vec<String> {
        self.processes().lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect()
    }

    /// The process's variables as words of a shell.
    fn assignments(&self, name: &str) -> String {
        let variables = self.variables.get(name).map_or(&[][..], Vec::as_slice);
        variables.iter().fold(String::new(), |words, (name, value)| format!("{words}{name}='{value}' "))
    }

    /// The line by which the process is started.
    pub fn command(&self, name: &str) -> String {
        let processes = self.processes();
        let of_name = |line: &str| {
            let (known, command) = line.split_once('\t')?;
            (known == name).then(|| command.to_owned())
        };
        processes.lines().find_map(of_name).unwrap_or_else(|| panic!("there is no process {name}"))
    }

    fn processes(&self) -> String {
        fs::read_to_string(self.folder.join("processes.txt")).expect("the cluster has a list of processes")
    }

    fn signal(&self, name: &str, signal: &str) {
        let id = self.running.get(name).expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().expect("kill runs");
        assert!(sent.success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // It may have ended already: then there is nothing to kill and nothing to wait for.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs the program with these arguments to its end.
pub fn martlet(arguments: &[&str]) -> std::process::Output {
    Command::new(binary()).args(arguments).output().expect("the program runs")
}

/// A port that is free at every address of a cluster.
pub fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("some port is free");
        let port = listener.local_addr().expect("it is bound").port();
        // The port for those who run a process lies above its own.
        let Some(admin) = port.checked_add(1000) else { continue };
        let is_free = |last: &u8| {
            let binds = |port| TcpListener::bind((format!("127.0.0.{last}"), port)).is_ok();
            binds(port) && binds(admin)
        };
        if ADDRESSES.iter().all(is_free) {
            return port;
        }
    }
}

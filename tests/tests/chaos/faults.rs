//! What is done to the cluster, chosen by chance, and how it is undone.

use std::thread::sleep;
use std::time::Duration;

use martlet_testkit::Seeded;
use martlet_tests::relay::{Condition, Way};

use crate::faulty::{DiskFault, FaultyCluster};
use crate::history::{Incident, Stopwatch};

/// How far a clock may be wrong: less than the 15 minutes after which a signature of S3 isn't taken.
const CLOCK_SECONDS_MAX: i64 = 400;
const SLOW_MILLIS: [u64; 3] = [20, 150, 700];

/// Something that fails. Processes are named, nodes numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9, and started again when it is undone.
    Killed(String),
    /// SIGSTOP and SIGCONT.
    Frozen(String),
    Link(u8, Condition),
    Disk(u8, DiskFault),
    /// Below its reserve; it is restarted for that.
    FullDisk(u8),
    Clock(String, i64),
    /// SIGTERM, and started again at once.
    Restarted(String),
}

/// Breaks and mends, and keeps a diary.
pub(crate) struct Breaker {
    pub(crate) faulty: FaultyCluster,
    pub(crate) watch: Stopwatch,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) kills: usize,
}

impl Fault {
    /// One for this process, which is in no other trouble.
    fn choose(random: &mut Seeded, process: &str) -> Self {
        let name = process.to_owned();
        let node = process.strip_prefix("node-").and_then(|number| number.parse().ok());
        let Some(node) = node else {
            return match random.below(10) {
                0..5 => Self::Killed(name),
                5..7 => Self::Frozen(name),
                7..9 => Self::Clock(name, clock(random)),
                _ => Self::Restarted(name),
            };
        };
        match random.below(24) {
            0..7 => Self::Killed(name),
            7..10 => Self::Frozen(name),
            10 => Self::Link(node, Condition::SEVERED),
            11..13 => Self::Link(node, Condition::both(Way::Stalled)),
            13 => Self::Link(node, Condition { to_process: Way::Stalled, ..Condition::OPEN }),
            14 => Self::Link(node, Condition { from_process: Way::Stalled, ..Condition::OPEN }),
            15..17 => {
                let millis = random.pick(&SLOW_MILLIS).copied().unwrap_or_default();
                Self::Link(node, Condition::both(Way::Slow(Duration::from_millis(millis))))
            }
            17 => Self::Link(node, Condition::both(Way::Garbled)),
            18 => Self::Disk(node, DiskFault::Syncs),
            19 => Self::Disk(node, DiskFault::Room),
            20 => Self::FullDisk(node),
            21..23 => Self::Clock(name, clock(random)),
            _ => Self::Restarted(name),
        }
    }
}

fn clock(random: &mut Seeded) -> i64 {
    let seconds = i64::try_from(random.below(2 * 400)).unwrap_or_default();
    seconds - CLOCK_SECONDS_MAX
}

impl Breaker {
    pub(crate) fn new(faulty: FaultyCluster, watch: Stopwatch) -> Self {
        Self { faulty, watch, incidents: Vec::new(), kills: 0 }
    }

    /// One to three things fail, for a while, and are mended in some order. Sometimes too many fail at once.
    pub(crate) fn episode(&mut self, random: &mut Seeded) {
        if random.one_in(12) {
            self.note("rolling restart".to_owned());
            return self.roll();
        }
        let mut processes = self.faulty.cluster.names();
        let count = 1 + [0, 0, 0, 1, 1, 2][random.below(6)];
        let mut faults = Vec::new();
        for _ in 0..count {
            let process = processes.swap_remove(random.below(processes.len()));
            let fault = Fault::choose(random, &process);
            self.begin(&fault);
            faults.push(fault);
            pause(random, 0, 700);
        }
        pause(random, 300, 4000);
        while !faults.is_empty() {
            let fault = faults.swap_remove(random.below(faults.len()));
            self.end(&fault);
            pause(random, 0, 1000);
        }
        pause(random, 200, 2500);
    }

    pub(crate) fn begin(&mut self, fault: &Fault) {
        self.note(format!("begin {fault:?}"));
        match fault {
            Fault::Killed(name) => self.kill(name),
            Fault::Frozen(name) => self.faulty.cluster.freeze(name),
            Fault::Link(node, condition) => self.faulty.set_link(*node, *condition),
            Fault::Disk(node, fault) => self.faulty.break_disk(*node, *fault),
            Fault::FullDisk(node) => {
                self.faulty.set_is_full(*node, true);
                self.restart(&format!("node-{node}"));
            }
            Fault::Clock(name, seconds) => self.faulty.set_clock(name, *seconds),
            Fault::Restarted(name) => self.restart(name),
        }
    }

    pub(crate) fn end(&mut self, fault: &Fault) {
        match fault {
            Fault::Killed(name) => self.faulty.cluster.launch(name),
            Fault::Frozen(name) => self.faulty.cluster.thaw(name),
            Fault::Link(node, _) => self.faulty.set_link(*node, Condition::OPEN),
            Fault::Disk(node, fault) => {
                self.faulty.mend_disk(*node, *fault);
                let name = format!("node-{node}");
                self.kill(&name);
                self.faulty.trust_devices_again(*node);
                self.faulty.cluster.launch(&name);
            }
            Fault::FullDisk(node) => {
                self.faulty.set_is_full(*node, false);
                self.restart(&format!("node-{node}"));
            }
            // A clock that was wrong is set right, or stays wrong until another one comes.
            Fault::Clock(name, seconds) if seconds % 2 == 0 => self.faulty.set_clock(name, 0),
            Fault::Clock(..) | Fault::Restarted(_) => {}
        }
        self.note(format!("ended {fault:?}"));
    }

    pub(crate) fn note(&mut self, what: String) {
        self.incidents.push(Incident { when: self.watch.now(), what });
    }

    fn kill(&mut self, name: &str) {
        self.faulty.cluster.kill(name);
        self.kills += 1;
    }

    fn roll(&mut self) {
        for name in self.faulty.cluster.names() {
            self.restart(&name);
            sleep(Duration::from_secs(1));
        }
        self.note("rolling restart is over".to_owned());
    }

    fn restart(&mut self, name: &str) {
        // It ends by itself, or after its patience with clients.
        self.faulty.cluster.terminate(name);
        self.faulty.cluster.launch(name);
    }
}

fn pause(random: &mut Seeded, millis_min: usize, millis_max: usize) {
    let millis = millis_min + random.below(millis_max - millis_min);
    sleep(Duration::from_millis(u64::try_from(millis).unwrap_or_default()));
}

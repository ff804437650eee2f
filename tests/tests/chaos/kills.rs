//! kill -9 of one process after the other, and how long that silences the cluster.
//!
//! How long requests take is told, and held against the goal of two seconds by `tests/cluster/lost_nodes.rs` alone:
//! a machine that does much else at a time can't be held to it under a load like this.
//!
//! `MARTLET_CHAOS_KILLS` is how many processes are killed.

use std::thread::sleep;
use std::time::Duration;

use martlet_testkit::Seeded;
use martlet_tests::cluster::Shape;

use crate::aftermath;
use crate::faults::{Breaker, Fault};
use crate::faulty::FaultyCluster;
use crate::history::{History, seconds};
use crate::load::Load;
use crate::mixed::{SEED, check, make_containers, variable};

const KILLS: u64 = 3;
const CLIENTS: u64 = 8;
/// How long a killed process stays away, and how long it is back before the next one is killed.
const AWAY: Duration = Duration::from_secs(4);
const BACK: Duration = Duration::from_secs(3);
/// After this nobody should be delayed any more by a process that is gone.
const KNOWN_AFTER_NANOS: u64 = 2_000_000_000;
/// When a process was away.
struct Absence {
    from: u64,
    to: u64,
}

#[test]
fn a_process_that_is_killed_is_hardly_missed() {
    let seed = variable("MARTLET_CHAOS_SEED").unwrap_or(SEED);
    eprintln!("MARTLET_CHAOS_SEED={seed}");
    let mut folder = tempfile::tempdir().unwrap();
    let faulty = FaultyCluster::start(folder.path(), Shape::STANDARD);
    make_containers(&faulty.cluster);
    let names = faulty.cluster.names();
    let load = Load::start(&faulty.cluster, seed, variable("MARTLET_CHAOS_CLIENTS").unwrap_or(CLIENTS));
    let mut breaker = Breaker::new(faulty, load.shared.watch);
    let mut random = Seeded::new(seed);
    let mut absences = Vec::new();
    sleep(BACK);
    for _ in 0..variable("MARTLET_CHAOS_KILLS").unwrap_or(KILLS) {
        let fault = Fault::Killed(random.pick(&names).unwrap().clone());
        let from = breaker.watch.now();
        breaker.begin(&fault);
        sleep(AWAY);
        let to = breaker.watch.now();
        breaker.end(&fault);
        absences.push(Absence { from, to });
        sleep(BACK);
    }
    let (shared, mut history) = load.stop();
    let (caught, later) = silences(&history, &absences);
    let refused = history.refusals.iter().filter(|refusal| 500 <= refusal.how.status).count();
    aftermath::read_everything(&breaker.faulty.cluster, &shared, &mut history);
    history.incidents.append(&mut breaker.incidents);
    eprintln!(
        "seed {seed}: {} kills, {} acknowledged changes, {refused} requests refused, longest request at a kill \
         {caught:.2} s, later {later:.2} s",
        breaker.kills,
        history.acknowledged_count(),
    );
    if let Some(slowest) = history.records.iter().max_by_key(|record| record.ended - record.invoked) {
        eprintln!("the slowest: {slowest}");
    }
    check(&history, seed, &mut folder);
}

/// The longest request that was under way, or began, when a process had just been killed, and the longest that began
/// while everybody knew.
fn silences(history: &History, absences: &[Absence]) -> (f64, f64) {
    let (mut caught, mut later) = (0, 0);
    let answered = history.records.iter().map(|record| (record.invoked, record.ended));
    let listed = history.pages.iter().map(|page| (page.invoked, page.returned));
    let refused = history.refusals.iter().map(|refusal| (refusal.invoked, refusal.ended));
    for (invoked, ended) in answered.chain(listed).chain(refused) {
        for absence in absences {
            let known = absence.from + KNOWN_AFTER_NANOS;
            if absence.from <= ended && invoked < known {
                caught = caught.max(ended - invoked);
            } else if (known..absence.to).contains(&invoked) {
                later = later.max(ended - invoked);
            }
        }
    }
    (seconds(caught), seconds(later))
}

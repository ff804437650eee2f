//! kill -9 of one process after the other, and how long that silences the cluster.
//!
//! A request that is under way when a process is killed or returns may take two seconds longer than others, and none
//! that begins while everybody knows: longer than the longest while nobody was away, in this very run.
//! So a machine that is busy with something else isn't taken for a cluster that hesitates.
//!
//! - `MARTLET_CHAOS_KILLS` is how many processes are killed.
//! - `MARTLET_CHAOS_AWAY_MILLIS` and `MARTLET_CHAOS_BACK_MILLIS` are how long each stays away, and is back before the
//!   next one is killed; with less than 2 s back there is nothing to compare with, and nothing is said of durations.

use std::ops::Range;
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
const AWAY_MILLIS: u64 = 4000;
const BACK_MILLIS: u64 = 3000;
/// After this everybody knows that a process is gone, or that it is back.
const KNOWN_AFTER: Duration = Duration::from_secs(2);
/// By how much longer a request may take that is caught in the act.
const CAUGHT_MAX: Duration = Duration::from_secs(2);
/// The same for one that begins while everybody knows: what chance does to the longest of so many.
const UNDELAYED_MAX: Duration = Duration::from_millis(700);
/// How many of the slowest requests are told of.
const TOLD: usize = 10;

/// When a process was away.
type Absence = Range<u64>;

/// The longest requests, in nanoseconds.
#[derive(Debug, Default)]
struct Longest {
    /// Under way, or begun, while not everybody knew that a process was gone, or back.
    caught: u64,
    /// Begun and ended while everybody knew that one was away.
    later: u64,
    /// While nobody was away.
    calm: u64,
}

/// A request, whatever came of it.
struct Span {
    invoked: u64,
    ended: u64,
    what: String,
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
    let millis = |name, standard| Duration::from_millis(variable(name).unwrap_or(standard));
    let away = millis("MARTLET_CHAOS_AWAY_MILLIS", AWAY_MILLIS);
    let back = millis("MARTLET_CHAOS_BACK_MILLIS", BACK_MILLIS);
    sleep(back);
    for _ in 0..variable("MARTLET_CHAOS_KILLS").unwrap_or(KILLS) {
        let fault = Fault::Killed(random.pick(&names).unwrap().clone());
        let from = breaker.watch.now();
        breaker.begin(&fault);
        sleep(away);
        breaker.end(&fault);
        absences.push(from..breaker.watch.now());
        sleep(back);
    }
    let (shared, mut history) = load.stop();
    let refused = history.refusals.iter().filter(|refusal| 500 <= refusal.how.status).count();
    history.incidents.append(&mut breaker.incidents);
    let spans = spans(&history);
    let longest = longest(&spans, &absences);
    let Longest { caught, later, calm } = &longest;
    eprintln!(
        "seed {seed}: {} kills, {} acknowledged changes, {refused} requests refused, longest request at a kill or \
         return {:.2} s, later {:.2} s, with nobody away {:.2} s",
        breaker.kills,
        history.acknowledged_count(),
        seconds(*caught),
        seconds(*later),
        seconds(*calm),
    );
    tell_slowest(spans, &history);
    aftermath::read_everything(&breaker.faulty.cluster, &shared, &mut history);
    check(&history, seed, &mut folder);
    if KNOWN_AFTER < back {
        assert!(caught.saturating_sub(*calm) <= nanos(CAUGHT_MAX), "MARTLET_CHAOS_SEED={seed}: {longest:?}");
        assert!(
            later.saturating_sub(*calm) <= nanos(UNDELAYED_MAX),
            "MARTLET_CHAOS_SEED={seed}: {longest:?}"
        );
    }
}

fn spans(history: &History) -> Vec<Span> {
    let record = |(invoked, ended, what)| Span { invoked, ended, what };
    let answered = history.records.iter().map(|record| (record.invoked, record.ended, record.to_string()));
    let listed = history.pages.iter().map(|page| (page.invoked, page.returned, page.how.to_string()));
    let refused =
        history.refusals.iter().map(|refusal| (refusal.invoked, refusal.ended, refusal.to_string()));
    answered.chain(listed).chain(refused).map(record).collect()
}

fn longest(spans: &[Span], absences: &[Absence]) -> Longest {
    let unsure = |moment: u64| moment..moment + nanos(KNOWN_AFTER);
    let mut longest = Longest::default();
    for span in spans {
        let meets = |time: Range<u64>| span.invoked < time.end && time.start <= span.ended;
        let is_caught = |absence: &Absence| meets(unsure(absence.start)) || meets(unsure(absence.end));
        let one = if absences.iter().any(is_caught) {
            &mut longest.caught
        } else if absences.iter().any(|absence| absence.contains(&span.invoked)) {
            &mut longest.later
        } else {
            &mut longest.calm
        };
        *one = (*one).max(span.ended - span.invoked);
    }
    longest
}

/// What took longest, and what had been done to the cluster before it ended.
fn tell_slowest(mut spans: Vec<Span>, history: &History) {
    spans.sort_unstable_by_key(|span| span.ended - span.invoked);
    for Span { invoked, ended, what } in spans.iter().rev().take(TOLD) {
        let before = history.incidents.iter().filter(|incident| incident.when <= *ended);
        let last = before.max_by_key(|incident| incident.when).map(ToString::to_string).unwrap_or_default();
        eprintln!("{:.3} s: {what}; {last}", seconds(ended - invoked));
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

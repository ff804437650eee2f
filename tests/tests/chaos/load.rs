//! Clients at work, each with what it saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use martlet_testkit::Seeded;
use martlet_tests::cluster::Cluster;

use crate::acts::{Act, Outcome, Speaker};
use crate::clients::{Client, Signing};
use crate::content::{CLASSES, Dialect, PLAIN_CLASSES, Tag, Tags};
use crate::field::{Field, Spot};
use crate::history::{History, How, Page, Record, Refusal, Stopwatch, Told};
use crate::listing::Query;

/// What the paths of objects have in common that are written once.
pub(crate) const ONCE: &str = "box/once-";
/// How long a client waits after it got no answer, or was told to come back.
const TROUBLE_PAUSE: Duration = Duration::from_millis(40);
const THINK_MILLIS_MAX: usize = 8;

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) tags: Tags,
    pub(crate) watch: Stopwatch,
    field: Field,
    is_over: AtomicBool,
}

/// Clients at work until they are stopped.
pub(crate) struct Load {
    pub(crate) shared: Arc<Shared>,
    workers: Vec<JoinHandle<History>>,
}

/// One of them.
struct Worker {
    shared: Arc<Shared>,
    /// One of each proxy.
    clients: Vec<Client>,
    random: Seeded,
    history: History,
}

impl Load {
    /// `count` clients, whose choices follow from `seed`.
    pub(crate) fn start(cluster: &Cluster, seed: u64, count: u64) -> Self {
        let shared = Arc::new(Shared {
            tags: Tags::default(),
            watch: Stopwatch::start(),
            field: Field::new(),
            is_over: AtomicBool::new(false),
        });
        let begin = |number| {
            let worker = Worker {
                shared: shared.clone(),
                clients: clients(cluster),
                random: Seeded::new(seed ^ (number << 32)),
                history: History::default(),
            };
            std::thread::spawn(move || worker.run())
        };
        let workers = (1..=count).map(begin).collect();
        Self { shared, workers }
    }

    /// What all of them saw.
    pub(crate) fn stop(self) -> (Arc<Shared>, History) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let mut history = History::default();
        for worker in self.workers {
            history.extend(worker.join().expect("a client doesn't panic"));
        }
        (self.shared, history)
    }
}

/// One of each proxy.
pub(crate) fn clients(cluster: &Cluster) -> Vec<Client> {
    let session = cluster.session(0);
    (0..cluster.endpoints().len()).map(|proxy| Client::new(cluster, proxy, &session)).collect()
}

impl Worker {
    fn run(mut self) -> History {
        while !self.shared.is_over.load(Ordering::Relaxed) {
            let is_troubled = match self.random.below(100) {
                0..15 => self.write_once(),
                15..23 => self.list(),
                _ => self.work(),
            };
            let think = u64::try_from(self.random.below(THINK_MILLIS_MAX)).unwrap_or_default();
            sleep(if is_troubled { TROUBLE_PAUSE } else { Duration::from_millis(think) });
        }
        self.history
    }

    /// Something with an object that others work on as well.
    fn work(&mut self) -> bool {
        let spot = self.shared.field.choose(&mut self.random);
        let act = self.choose(spot.seen);
        self.call(act, &spot.path(), Some(&spot))
    }

    /// Nobody ever writes there again.
    fn write_once(&mut self) -> bool {
        let tag = self.fresh();
        self.call(Act::Put(tag), &format!("{ONCE}{tag:012x}"), None)
    }

    fn choose(&mut self, seen: Option<Tag>) -> Act {
        match (self.random.below(100), seen) {
            (0..20, _) => Act::Get,
            (20..24, _) => Act::GetRange,
            (24..34, _) => Act::Head,
            (34..58, _) => Act::Put(self.fresh()),
            (58..68, _) | (68..90, None) => Act::Create(self.fresh()),
            (68..86, Some(from)) => Act::Update { from, to: self.fresh() },
            (86..90, Some(from)) => Act::DeleteIf { from },
            _ => Act::Delete,
        }
    }

    fn fresh(&mut self) -> Tag {
        let class = match self.random.below(100) {
            0..70 => self.random.below(8),
            70..97 => self.random.below(PLAIN_CLASSES),
            97..99 => PLAIN_CLASSES,
            _ => self.random.below(CLASSES),
        };
        self.shared.tags.fresh(class)
    }

    fn call(&mut self, act: Act, path: &str, spot: Option<&Spot>) -> bool {
        let (proxy, dialect, signing) = self.tongue();
        let dialect = if act.uploaded().is_some() { Dialect::S3 } else { dialect };
        let shared = self.shared.clone();
        let speaker = Speaker { client: &self.clients[proxy], dialect, signing, tags: &shared.tags };
        let invoked = shared.watch.now();
        let outcome = speaker.act(act, path);
        let ended = shared.watch.now();
        let how = |status| How { what: act.name(dialect), proxy, status };
        let (told, returned, status) = match outcome {
            Outcome::Told { told, status } => (told, Some(ended), status),
            Outcome::Perhaps { told, status } => (told, None, status),
            Outcome::Nothing { status } => {
                self.history.refusals.push(Refusal { invoked, ended, how: how(status) });
                return true;
            }
            Outcome::NotSent => return true,
            Outcome::Odd(what) => {
                self.history.oddities.push(what);
                return true;
            }
        };
        if let Some(spot) = spot {
            shared.field.note(spot, returned.is_some(), returned.and_then(|_| seen(told)));
        }
        if returned.is_none() {
            self.history.refusals.push(Refusal { invoked, ended, how: how(status) });
        }
        let path = path.to_owned();
        self.history.records.push(Record { path, told, invoked, returned, how: how(status), ended });
        returned.is_none()
    }

    fn list(&mut self) -> bool {
        let spot = self.shared.field.choose(&mut self.random);
        let (proxy, dialect, signing) = self.tongue();
        let shared = self.shared.clone();
        let query = if self.random.one_in(4) {
            let after = self.history.records.iter().rev().find(|record| record.path.starts_with(ONCE));
            let after = after.map(|record| record.path.clone()).unwrap_or_default();
            Query { prefix: ONCE.to_owned(), after, limit: 50 }
        } else {
            let limit = 1 + self.random.below(60);
            Query { prefix: Field::prefix(spot.slot), after: String::new(), limit }
        };
        let speaker = Speaker { client: &self.clients[proxy], dialect, signing, tags: &shared.tags };
        match page(&speaker, shared.watch, query, proxy, &mut self.history) {
            Ok(_) => return false,
            Err(Outcome::Odd(what)) => self.history.oddities.push(what),
            Err(_) => {}
        }
        true
    }

    fn tongue(&mut self) -> (usize, Dialect, Signing) {
        let proxy = self.random.below(self.clients.len());
        let dialect = if self.random.one_in(2) { Dialect::S3 } else { Dialect::Swift };
        let signing = match self.random.below(3) {
            0 => Signing::Link,
            1 => Signing::Header,
            _ => Signing::HeaderAndBody,
        };
        (proxy, dialect, signing)
    }
}

/// Asks for one page and notes it; gives the last path that it is about. `Err`: why there was no page.
pub(crate) fn page(
    speaker: &Speaker<'_>,
    watch: Stopwatch,
    query: Query,
    proxy: usize,
    history: &mut History,
) -> Result<Option<String>, Outcome> {
    let invoked = watch.now();
    let shown = speaker.list(&query)?;
    let returned = watch.now();
    let what = if speaker.dialect == Dialect::S3 { "S3 LIST" } else { "LIST" };
    let how = How { what, proxy, status: shown.status };
    let Query { prefix, after, .. } = query;
    let (through, entries) = (shown.through.clone(), shown.entries);
    history.pages.push(Page { prefix, after, through, entries, invoked, returned, how });
    Ok(shown.through)
}

/// What is known to be there after this; `None`: nothing new.
#[expect(clippy::option_option, reason = "whether something is known, and what: there or not")]
fn seen(told: Told) -> Option<Option<Tag>> {
    match told {
        Told::Found(found) => Some(found),
        Told::Deleted | Told::NothingToDelete | Told::Gone | Told::DeletedIf { .. } | Told::GoneIf { .. } => {
            Some(None)
        }
        Told::NotCreated | Told::NotUpdated { .. } => None,
        written => written.written().map(Some),
    }
}

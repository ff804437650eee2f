//! What clients were told, and when.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use martlet_testkit::linearizability::Step;

use crate::content::Tag;

/// What a client was told about one object; where it was told nothing, what may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Found(Option<Tag>),
    Written(Tag),
    /// `If-None-Match: *`
    Created(Tag),
    NotCreated,
    /// `If-Match`
    Updated {
        from: Tag,
        to: Tag,
    },
    NotUpdated {
        from: Tag,
    },
    Deleted,
    NothingToDelete,
    /// S3 says the same whether there was something or not.
    Gone,
    /// With `If-Match`.
    DeletedIf {
        from: Tag,
    },
    /// The same through S3, which is content with nothing as well.
    GoneIf {
        from: Tag,
    },
}

impl Step for Told {
    /// Which write's object is there.
    type State = Option<Tag>;

    fn apply(&self, before: &Option<Tag>) -> Option<Option<Tag>> {
        match *self {
            Self::Found(found) => (found == *before).then_some(*before),
            Self::Written(tag) => Some(Some(tag)),
            Self::Created(tag) => before.is_none().then_some(Some(tag)),
            Self::NotCreated => before.is_some().then_some(*before),
            Self::Updated { from, to } => (*before == Some(from)).then_some(Some(to)),
            Self::NotUpdated { from } => (*before != Some(from)).then_some(*before),
            Self::Deleted => before.is_some().then_some(None),
            Self::NothingToDelete => before.is_none().then_some(None),
            Self::Gone => Some(None),
            Self::DeletedIf { from } => (*before == Some(from)).then_some(None),
            Self::GoneIf { from } => (*before == Some(from) || before.is_none()).then_some(None),
        }
    }

    fn is_read(&self) -> bool {
        !self.is_change()
    }
}

impl Told {
    /// Whether the object was changed.
    pub(crate) fn is_change(self) -> bool {
        self.written().is_some()
            || matches!(self, Self::Deleted | Self::Gone | Self::DeletedIf { .. } | Self::GoneIf { .. })
    }

    pub(crate) fn written(self) -> Option<Tag> {
        match self {
            Self::Written(tag) | Self::Created(tag) | Self::Updated { to: tag, .. } => Some(tag),
            _ => None,
        }
    }
}

/// One request about one object. Times are in nanoseconds since the history began.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// With its container.
    pub(crate) path: String,
    pub(crate) told: Told,
    pub(crate) invoked: u64,
    /// `None`: nobody knows what became of it.
    pub(crate) returned: Option<u64>,
    pub(crate) how: How,
    /// When its client stopped waiting.
    pub(crate) ended: u64,
}

/// For people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) what: &'static str,
    pub(crate) proxy: usize,
    /// 0: there was no answer.
    pub(crate) status: u16,
}

/// One page of a listing.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Of the paths that it is about, with the container.
    pub(crate) prefix: String,
    /// It shows what comes after this path,
    pub(crate) after: String,
    /// and up to this one; `None`: to the end.
    pub(crate) through: Option<String>,
    pub(crate) entries: Vec<(String, Tag)>,
    pub(crate) invoked: u64,
    pub(crate) returned: u64,
    pub(crate) how: How,
}

/// A request that was answered with an error of the server's, or not at all.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) invoked: u64,
    pub(crate) ended: u64,
    pub(crate) how: How,
}

/// Something that was done to the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) when: u64,
    pub(crate) what: String,
}

/// Everything that was seen.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) records: Vec<Record>,
    pub(crate) pages: Vec<Page>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) incidents: Vec<Incident>,
    /// Answers that no client should ever get.
    pub(crate) oddities: Vec<String>,
}

/// Counts from when it was made.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// In nanoseconds.
    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl History {
    pub(crate) fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.pages.extend(other.pages);
        self.refusals.extend(other.refusals);
        self.incidents.extend(other.incidents);
        self.oddities.extend(other.oddities);
    }

    /// Changes that a client was told of.
    pub(crate) fn acknowledged_count(&self) -> usize {
        let is_acknowledged = |record: &&Record| record.returned.is_some() && record.told.is_change();
        self.records.iter().filter(is_acknowledged).count()
    }

    pub(crate) fn unknown_count(&self) -> usize {
        self.records.iter().filter(|record| record.returned.is_none()).count()
    }

    /// Writes it down, in the order of time, and says where.
    pub(crate) fn keep(&self, name: &str) -> PathBuf {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut lines: Vec<(u64, String)> = Vec::new();
        lines.extend(self.records.iter().map(|record| (record.invoked, record.to_string())));
        lines.extend(self.pages.iter().map(|page| (page.invoked, page.to_string())));
        lines.extend(self.refusals.iter().map(|refusal| (refusal.invoked, refusal.to_string())));
        lines.extend(self.incidents.iter().map(|incident| (incident.when, incident.to_string())));
        lines.sort();
        let mut file = BufWriter::new(File::create(&path).expect("the history can be kept"));
        for line in lines.iter().map(|(_, line)| line).chain(&self.oddities) {
            writeln!(file, "{line}").expect("the history can be kept");
        }
        path
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, told, invoked, returned, how, ended } = self;
        let known = if returned.is_some() { "" } else { " perhaps" };
        let (invoked, ended) = (seconds(*invoked), seconds(*ended));
        write!(f, "{invoked:.4}-{ended:.4} {path}{known} {told:x?}, {how}")
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, after, through, entries, invoked, returned, how } = self;
        let (invoked, returned) = (seconds(*invoked), seconds(*returned));
        let (after, through) = (&after, through.as_deref().unwrap_or("the end"));
        write!(f, "{invoked:.4}-{returned:.4} {prefix} from {after:?} to {through} {entries:x?}, {how}")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (invoked, ended) = (seconds(self.invoked), seconds(self.ended));
        write!(f, "{invoked:.4}-{ended:.4} in vain: {}", self.how)
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} through proxy {}: {}", self.what, self.proxy, self.status)
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} ** {}", seconds(self.when), self.what)
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

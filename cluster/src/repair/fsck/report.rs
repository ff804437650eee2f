//! What was found, in figures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use martlet_model::ContainerId;
use martlet_protocol::{BlobId, BlobRef, RowKey, TableId, TableKind};
use martlet_ring::DeviceId;

use super::names::names_of;
use crate::cluster::Shared;

/// Containers that get figures of their own.
const CONTAINERS_MAX: usize = 100_000;

/// How the cluster stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    pub accounts_and_buckets: KindCount,
    pub containers: KindCount,
    /// Current versions.
    pub objects: KindCount,
    /// Older versions.
    pub versions: KindCount,
    pub uploads: KindCount,
    pub parts: KindCount,
    /// Rows that have been removed, and that not all replicas have forgotten yet.
    pub tombstones: KindCount,
    /// References of live rows to blobs, and their bytes; each is expected on as many devices as there are replicas.
    pub blobs: u64,
    pub bytes: u64,
    /// How often each kind of problem was met.
    pub problems: BTreeMap<&'static str, u64>,
    /// Devices that didn't say which tables or rows they have: whatever only they hold wasn't seen.
    pub devices_unheard: BTreeSet<DeviceId>,
    /// The first problems, up to the number that was asked for.
    pub findings: Vec<Finding>,
    /// Problems beyond these.
    pub findings_omitted: u64,
    /// By container, those with the most problems first; containers beyond a hundred thousand are left out.
    pub by_container: Vec<ContainerFigures>,
}

/// Rows of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCount {
    pub rows: u64,
    /// Of these: rows that aren't on all of their replicas in one state, or of whose blobs a device lacks one.
    pub not_redundant: u64,
    /// Of these: rows about which something couldn't be asked, and nothing worse is known.
    pub unknown: u64,
}

/// The objects of one container, older versions included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFigures {
    pub table: TableId,
    /// `None`: no container has this table any more, or it couldn't be found out.
    pub container: Option<ContainerId>,
    pub rows: KindCount,
}

/// One problem of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub table: TableId,
    pub container: Option<ContainerId>,
    pub key: Bytes,
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not all replicas hold the row under one ballot.
    ReplicasDiffer,
    /// A device's copy of the row doesn't match its checksum.
    RowDamaged {
        device: DeviceId,
    },
    BlobMissing {
        device: DeviceId,
        blob: BlobId,
    },
    BlobDamaged {
        device: DeviceId,
        blob: BlobId,
    },
    /// A replica of the row didn't answer.
    RowUnknown,
    /// The device didn't answer.
    BlobUnknown {
        device: DeviceId,
        blob: BlobId,
    },
}

impl FsckReport {
    /// Rows, tombstones included, that aren't fully redundant.
    pub fn not_redundant(&self) -> u64 {
        self.kinds().map(|kind| kind.not_redundant).sum()
    }

    /// Rows and devices about which something couldn't be asked.
    pub fn unknown(&self) -> u64 {
        self.kinds().map(|kind| kind.unknown).sum::<u64>() + self.devices_unheard.len() as u64
    }

    /// Everything was asked, and nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.not_redundant() == 0 && self.unknown() == 0
    }

    fn kinds(&self) -> impl Iterator<Item = &KindCount> {
        [
            &self.accounts_and_buckets,
            &self.containers,
            &self.objects,
            &self.versions,
            &self.uploads,
            &self.parts,
            &self.tombstones,
        ]
        .into_iter()
    }

    fn kind_mut(&mut self, kind: TableKind, is_live: bool) -> &mut KindCount {
        match kind {
            _ if !is_live => &mut self.tombstones,
            TableKind::System => &mut self.accounts_and_buckets,
            TableKind::Containers => &mut self.containers,
            TableKind::Objects => &mut self.objects,
            TableKind::Versions => &mut self.versions,
            TableKind::Uploads => &mut self.uploads,
            TableKind::Parts => &mut self.parts,
        }
    }
}

impl Problem {
    /// One word for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ReplicasDiffer => "replicas differ",
            Self::RowDamaged { .. } => "row damaged",
            Self::BlobMissing { .. } => "blob missing",
            Self::BlobDamaged { .. } => "blob damaged",
            Self::RowUnknown => "row unknown",
            Self::BlobUnknown { .. } => "blob unknown",
        }
    }

    fn is_certain(&self) -> bool {
        !matches!(self, Self::RowUnknown | Self::BlobUnknown { .. })
    }
}

/// What is known of one row.
pub(super) struct Verdict {
    row: RowKey,
    pub(super) is_live: bool,
    /// At the first look.
    pub(super) seems_different: bool,
    problems: Vec<Problem>,
}

impl Verdict {
    pub(super) fn of(row: RowKey) -> Self {
        Self { row, is_live: false, seems_different: false, problems: Vec::new() }
    }

    pub(super) fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

/// Figures while they are gathered.
pub(super) struct Tally {
    report: FsckReport,
    findings_max: usize,
    /// By the table of objects.
    containers: BTreeMap<TableId, KindCount>,
}

impl Tally {
    pub(super) fn new(findings_max: usize) -> Self {
        Self { report: FsckReport::default(), findings_max, containers: BTreeMap::new() }
    }

    pub(super) fn unheard(&mut self, devices: &[DeviceId]) {
        self.report.devices_unheard.extend(devices);
    }

    pub(super) fn count(&mut self, verdict: Verdict, blobs: &[BlobRef]) {
        let Verdict { row, is_live, problems, .. } = verdict;
        self.report.blobs += blobs.len() as u64;
        self.report.bytes += blobs.iter().map(|blob| blob.bytes).sum::<u64>();
        let kind = row.table.kind();
        self.report.kind_mut(kind, is_live).count(&problems);
        if is_live && matches!(kind, TableKind::Objects | TableKind::Versions) {
            let objects = row.table.sibling(TableKind::Objects);
            if self.containers.len() < CONTAINERS_MAX || self.containers.contains_key(&objects) {
                self.containers.entry(objects).or_default().count(&problems);
            }
        }
        for problem in problems {
            *self.report.problems.entry(problem.name()).or_default() += 1;
            if self.report.findings.len() < self.findings_max {
                let (table, key) = (row.table, row.key.clone());
                self.report.findings.push(Finding { table, container: None, key, problem });
            } else {
                self.report.findings_omitted += 1;
            }
        }
    }

    /// Puts names to the tables.
    pub(super) async fn report(self, shared: &Arc<Shared>) -> FsckReport {
        let Self { mut report, containers, .. } = self;
        let names = names_of(shared, &containers).await;
        for finding in &mut report.findings {
            finding.container = names.get(&finding.table.sibling(TableKind::Objects)).cloned();
        }
        let figures = containers.into_iter().map(|(table, rows)| ContainerFigures {
            table,
            container: names.get(&table).cloned(),
            rows,
        });
        report.by_container = figures.collect();
        report.by_container.sort_by_key(|figures| {
            std::cmp::Reverse((figures.rows.not_redundant, figures.rows.unknown, figures.rows.rows))
        });
        report
    }
}

impl KindCount {
    fn count(&mut self, problems: &[Problem]) {
        self.rows += 1;
        if problems.iter().any(Problem::is_certain) {
            self.not_redundant += 1;
        } else if !problems.is_empty() {
            self.unknown += 1;
        }
    }
}

//! `martlet fsck`: counts what isn't fully redundant, and says 0 only when it is 0:
//! as the indexes of all devices have it, or, with `--deep`, as every byte on them is.

use martlet_cluster::{Finding, FsckDepth, FsckOptions, FsckReport, KindCount, Problem, fsck};

use crate::join::{JoinError, Place, join};
use crate::process::{self, ProcessError};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    /// Read every byte of every blob, instead of asking the devices' indexes.
    #[arg(long)]
    deep: bool,
    /// How many problems to tell one by one; all are counted.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    findings: usize,
    /// How many containers to give figures of, those with the most problems first.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    containers: usize,
}

/// Why the cluster isn't known to be sound.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FsckError {
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{not_redundant} rows aren't fully redundant, and {unknown} couldn't be asked about")]
    NotSound { not_redundant: u64, unknown: u64 },
}

/// Fails unless everything is fully redundant.
pub(crate) fn run(options: &Options) -> Result<(), FsckError> {
    process::prepare()?.block_on(async {
        let joined = join(&options.place).await?;
        let depth = if options.deep { FsckDepth::Bytes } else { FsckDepth::Index };
        let report = fsck(&joined.store, FsckOptions { depth, findings_max: options.findings }).await;
        joined.leave().await;
        show(&report, options);
        if report.is_sound() {
            return Ok(());
        }
        Err(FsckError::NotSound { not_redundant: report.not_redundant(), unknown: report.unknown() })
    })
}

fn show(report: &FsckReport, options: &Options) {
    println!("{:<22}{:>12}{:>16}{:>12}", "", "rows", "not redundant", "unknown");
    for (name, count) in [
        ("accounts and buckets", report.accounts_and_buckets),
        ("containers", report.containers),
        ("objects", report.objects),
        ("older versions", report.versions),
        ("uploads", report.uploads),
        ("parts", report.parts),
        ("removed rows", report.tombstones),
    ] {
        let KindCount { rows, not_redundant, unknown } = count;
        println!("{name:<22}{rows:>12}{not_redundant:>16}{unknown:>12}");
    }
    println!("{} references to blobs, {} bytes", report.blobs, report.bytes);
    for (problem, count) in &report.problems {
        println!("{problem}: {count}");
    }
    for device in &report.devices_unheard {
        println!("{device} didn't say what it has");
    }
    let troubled = report.by_container.iter().filter(|figures| figures.rows.not_redundant > 0);
    for figures in troubled.take(options.containers) {
        let name = match &figures.container {
            Some(container) => format!("{}/{}", container.account, container.name),
            None => format!("{:?}", figures.table),
        };
        println!(
            "{name}: {} of {} rows aren't fully redundant",
            figures.rows.not_redundant, figures.rows.rows
        );
    }
    for finding in &report.findings {
        println!("{}", told(finding));
    }
    if report.findings_omitted > 0 {
        println!("and {} more", report.findings_omitted);
    }
    // An index may have what the disk has not.
    let as_told = if options.deep {
        "every byte was read"
    } else {
        "as the devices' indexes say; --deep reads every byte"
    };
    println!("not fully redundant: {}, {as_told}", report.not_redundant());
}

fn told(finding: &Finding) -> String {
    let place = match &finding.container {
        Some(container) => format!("{}/{}", container.account, container.name),
        None => format!("{:?}", finding.table),
    };
    let key = finding.key.escape_ascii();
    let problem = match finding.problem {
        Problem::ReplicasDiffer => "not all replicas hold it in one state".to_owned(),
        Problem::RowDamaged { device } => format!("its row on {device} is damaged"),
        Problem::BlobMissing { device, blob } => format!("{device} lacks its blob {blob:?}"),
        Problem::BlobDamaged { device, blob } => format!("its blob {blob:?} on {device} is damaged"),
        Problem::RowUnknown => "a replica of its row didn't answer".to_owned(),
        Problem::BlobUnknown { device, blob } => {
            format!("{device} didn't say whether it has its blob {blob:?}")
        }
    };
    format!("{place}/{key}: {problem}")
}

//! After everything is mended: everything acknowledged is there, at every proxy, and in time on every replica.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use martlet_tests::cluster::{Cluster, martlet};

use crate::acts::{Act, Outcome, Speaker, between};
use crate::clients::{Ask, Client, Reply, Signing};
use crate::content::{self, Dialect, Tag};
use crate::field::CONTAINERS;
use crate::history::{History, How, Record};
use crate::listing::Query;
use crate::load::{Shared, clients, page};

/// How long everything may take to work again.
const RECOVERY_MAX: Duration = Duration::from_secs(30);
/// How long the replicas may take to be level again, and as much longer for every thousand objects.
const LEVEL_SECONDS_MAX: u64 = 60;
const PAGE_COUNT: usize = 1000;

/// Reads every object that anybody ever wrote, lists all containers, and looks for every version,
/// through every proxy.
pub(crate) fn read_everything(cluster: &Cluster, shared: &Shared, history: &mut History) {
    let paths: BTreeSet<_> = history.records.iter().map(|record| record.path.clone()).collect();
    for (proxy, client) in clients(cluster).iter().enumerate() {
        for (index, path) in paths.iter().enumerate() {
            let dialect = if (index + proxy).is_multiple_of(2) { Dialect::S3 } else { Dialect::Swift };
            let speaker = Speaker { client, dialect, signing: Signing::Header, tags: &shared.tags };
            read(&speaker, shared, (proxy, path), history);
        }
        for container in CONTAINERS {
            for dialect in [Dialect::S3, Dialect::Swift] {
                let speaker = Speaker { client, dialect, signing: Signing::Link, tags: &shared.tags };
                list(&speaker, shared, (proxy, container), history);
            }
        }
        check_versions(client, shared, history);
    }
}

fn read(speaker: &Speaker<'_>, shared: &Shared, (proxy, path): (usize, &String), history: &mut History) {
    let until = Instant::now() + RECOVERY_MAX;
    loop {
        let invoked = shared.watch.now();
        let outcome = speaker.act(Act::Get, path);
        let ended = shared.watch.now();
        match outcome {
            Outcome::Told { told, status } => {
                let how = How { what: "GET at the end", proxy, status };
                let (path, returned) = (path.clone(), Some(ended));
                history.records.push(Record { path, told, invoked, returned, how, ended });
                return;
            }
            Outcome::Odd(what) => {
                history.oddities.push(what);
                return;
            }
            other => {
                assert!(Instant::now() < until, "{path} can't be read through proxy {proxy}: {other:?}");
                sleep(Duration::from_millis(100));
            }
        }
    }
}

fn list(speaker: &Speaker<'_>, shared: &Shared, (proxy, container): (usize, &str), history: &mut History) {
    let until = Instant::now() + RECOVERY_MAX;
    let mut after = String::new();
    loop {
        let query = Query { prefix: format!("{container}/"), after: after.clone(), limit: PAGE_COUNT };
        match page(speaker, shared.watch, query, proxy, history) {
            Ok(Some(through)) => after = through,
            Ok(None) => return,
            Err(Outcome::Odd(what)) => {
                history.oddities.push(what);
                return;
            }
            Err(other) => {
                assert!(
                    Instant::now() < until,
                    "{container} can't be listed through proxy {proxy}: {other:?}"
                );
                sleep(Duration::from_millis(100));
            }
        }
    }
}

/// In a container that keeps versions, every write that was acknowledged is there once, with its bytes,
/// and every other at most once.
fn check_versions(client: &Client, shared: &Shared, history: &mut History) {
    let container = CONTAINERS[1];
    let mut found: BTreeMap<(String, Tag), usize> = BTreeMap::new();
    for (path, version, etag) in versions(client, container) {
        let Some(tag) = shared.tags.of_etag(&etag) else {
            history.oddities.push(format!("{path}: a version that nobody wrote: {etag}"));
            continue;
        };
        let Reply::Answer(answer) = client.s3(Ask::get(format!("{path}?versionId={version}")), Signing::Link)
        else {
            panic!("a version can't be read");
        };
        if answer.status != 200 || answer.body != content::body(tag) {
            history.oddities.push(format!("{path}: version {version} of {tag:x}: {}", answer.status));
        }
        *found.entry((path, tag)).or_default() += 1;
    }
    let written = history.records.iter().filter(|record| record.path.starts_with(container));
    let mut oddities = Vec::new();
    for record in written {
        let Some(tag) = record.told.written() else { continue };
        let count = found.get(&(record.path.clone(), tag)).copied().unwrap_or_default();
        if 1 < count || (count == 0 && record.returned.is_some()) {
            oddities.push(format!("there are {count} versions of {record}"));
        }
    }
    history.oddities.append(&mut oddities);
}

/// Path, id and `ETag` of every version that isn't a delete marker.
fn versions(client: &Client, container: &str) -> Vec<(String, String, String)> {
    let mut versions = Vec::new();
    let mut marker = String::new();
    loop {
        let ask = Ask::get(format!("{container}?versions&max-keys={PAGE_COUNT}{marker}"));
        let Reply::Answer(answer) = client.s3(ask, Signing::Link) else { panic!("versions can't be listed") };
        let text = answer.text();
        assert_eq!(answer.status, 200, "{text}");
        for entry in text.split("<Version>").skip(1) {
            let field = |name| between(entry, &format!("<{name}>"), "<").unwrap_or_default().to_owned();
            let path = format!("{container}/{}", field("Key"));
            versions.push((path, field("VersionId"), field("ETag").replace("&quot;", "")));
        }
        let next = |name| between(&text, &format!("<{name}>"), "<").unwrap_or_default();
        if next("IsTruncated") != "true" {
            return versions;
        }
        marker = format!(
            "&key-marker={}&version-id-marker={}",
            next("NextKeyMarker"),
            next("NextVersionIdMarker")
        );
    }
}

/// Waits until everything is fully redundant, and says how long that took.
pub(crate) fn await_level(cluster: &Cluster, objects: usize) -> Duration {
    let most = Duration::from_secs(LEVEL_SECONDS_MAX + objects as u64 / 1000);
    let started = Instant::now();
    loop {
        let (is_level, said) = fsck(cluster);
        if is_level {
            return started.elapsed();
        }
        assert!(started.elapsed() < most, "after {most:?} not everything is level:\n{said}");
        sleep(Duration::from_secs(1));
    }
}

/// Whether nothing is left to do, and what was said.
pub(crate) fn fsck(cluster: &Cluster) -> (bool, String) {
    let config = cluster.config("proxy-1");
    let output = martlet(&["fsck", "--config", &config.to_string_lossy()]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

//! Comparing a device that has come up again with the reference.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobFact, BlobId, ListRows, ListedItem, Prepare, ReadBlob, ReadRow, Replica,
    ReplicaError, RowReply, Scope, SealToken, TableId, Want,
};
use martlet_register::{Ballot, State};
use martlet_storage_node::Device;
use martlet_storage_node::disk::segment::SEGMENT_BODY_BYTES_MAX;
use rusqlite::{Connection, OpenFlags};

use crate::disk::{Disk, VFS};
use crate::drive::Standing;
use crate::model::Model;
use crate::operation::{Operation, StageEnd};

/// What isn't as it has to be.
pub(crate) type Finding = String;

type Checked = Result<(), Finding>;

const EVERYTHING: usize = 100_000;

/// A token that no plan uses.
const PROBE: SealToken = SealToken([0xee; 16]);

macro_rules! expect_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err(format!("{}\n   found {found:?}\nexpected {expected:?}", format!($($what)+)));
        }
    }};
}

/// Everything that was answered is there, whole; what was under way is there entirely or not at all.
/// Answers what the device holds.
pub(crate) async fn check(
    device: &Device,
    disk: &Arc<Disk>,
    standing: &Standing,
    operations: &[Operation],
) -> Result<Model, Finding> {
    // Freed space is given back in the background; this waits until it is.
    device.reclaim(Vec::new()).await.map_err(|error| format!("giving back: {error}"))?;
    let mut model = standing.model.clone();
    for number in &standing.under_way {
        let operation = &operations[*number];
        match operation {
            // Sealed or not is right; from here on it isn't.
            Operation::Seal(table, token) | Operation::Unseal(table, token) => {
                device.unseal(*table, *token).await.map_err(|error| format!("unsealing: {error}"))?;
                model.apply(&Operation::Unseal(*table, *token));
            }
            _ if has_happened(device, &model, operation).await? => model.apply(operation),
            _ => {}
        }
    }
    check_rows(device, &model).await?;
    check_blobs(device, &model, &standing.blobs_seen).await?;
    check_queues(device, &model).await?;
    check_files(disk, &model)?;
    check_promises(device, &model).await?;
    check_seals(device, &model).await?;
    Ok(model)
}

/// `model` is what the device held when it was asked.
async fn has_happened(device: &Device, model: &Model, operation: &Operation) -> Result<bool, Finding> {
    Ok(match operation {
        Operation::Accept(accept) => ballot_of(device, accept).await? == Some(accept.ballot),
        Operation::Stage { new, end: StageEnd::Finish, .. } => blob(device, new.id).await?.is_some(),
        Operation::Settle(ids) => {
            let queue = device.garbage(EVERYTHING).await.map_err(|error| format!("garbage: {error}"))?;
            let queued = ids.iter().find(|id| model.garbage.contains_key(id));
            queued.is_some_and(|id| !queue.iter().any(|garbage| garbage.blob.id == *id))
        }
        Operation::Reclaim(ids) => match ids.iter().find(|id| model.blobs.contains_key(id)) {
            Some(id) => blob(device, *id).await?.is_none(),
            None => false,
        },
        Operation::Forget(tombstones) => {
            let left = device.tombstones(EVERYTHING).await.map_err(|error| format!("tombstones: {error}"))?;
            let held = model.tombstones();
            let held = tombstones.iter().find(|tombstone| held.contains(tombstone));
            held.is_some_and(|tombstone| !left.contains(tombstone))
        }
        Operation::Prepare(_)
        | Operation::Stage { end: StageEnd::Abandon(_), .. }
        | Operation::Seal(..)
        | Operation::Unseal(..) => false,
    })
}

async fn ballot_of(device: &Device, accept: &Accept) -> Result<Option<Ballot>, Finding> {
    let request = ReadRow { row: accept.row.clone(), want: Want::Ballot };
    match device.read(request).await.map_err(|error| format!("reading {:?}: {error}", accept.row))? {
        RowReply::Ballot(ballot) => Ok(ballot),
        RowReply::Value { .. } => Err("a ballot was asked for, and a value came".to_owned()),
    }
}

/// Rows one by one, as listings show them, and as the counters count them.
async fn check_rows(device: &Device, model: &Model) -> Checked {
    for row in model.rows.values() {
        let want = Want::ValueAndBody { bytes_max: u64::MAX };
        let reply = device.read(ReadRow { row: row.address.clone(), want }).await;
        let reply = reply.map_err(|error| format!("reading {:?}: {error}", row.address))?;
        let body = match row.accepted.state.value.blobs() {
            [blob] if blob.hash == row.address.hash => {
                let stored = model.blobs.get(&blob.id);
                Some(
                    stored
                        .ok_or_else(|| format!("{:?} refers to what isn't there", row.address))?
                        .bytes
                        .clone(),
                )
            }
            _ => None,
        };
        let expected = RowReply::Value { accepted: Some(row.accepted.clone()), body };
        expect_eq!(reply, expected, "row {:?}", row.address);
    }
    for table in model.tables() {
        let request = ListRows {
            table,
            partition: None,
            prefix: Bytes::new(),
            delimiter: None,
            after: None,
            before: None,
            limit: EVERYTHING,
            scope: Scope::All,
        };
        let page = device.list(request).await.map_err(|error| format!("listing: {error}"))?;
        let listed: Vec<_> = page
            .items
            .iter()
            .map(|item| match item {
                ListedItem::Row(row) => (row.key.clone(), row.ballot, row.entry.is_some()),
                ListedItem::Prefix(prefix) => (prefix.prefix.clone(), prefix.ballot, false),
            })
            .collect();
        let rows = model.rows.iter().filter(|(key, _)| key.table == table);
        let expected: Vec<_> = rows
            .map(|(key, row)| (key.key.clone(), row.accepted.ballot, row.accepted.state.value.is_live()))
            .collect();
        expect_eq!(listed, expected, "listing of {table:?}");
        let counters = device.counters(vec![table]).await.map_err(|error| format!("counters: {error}"))?;
        expect_eq!(counters, vec![model.counters(table)], "counters of {table:?}");
    }
    Ok(())
}

/// Each blob byte by byte, and those that aren't to be there.
async fn check_blobs(device: &Device, model: &Model, seen: &BTreeSet<BlobId>) -> Checked {
    for id in seen {
        let found = blob(device, *id).await?;
        let expected = model.blobs.get(id).map(|stored| stored.bytes.clone());
        if found != expected {
            let bytes = |blob: &Option<Bytes>| blob.as_ref().map(Bytes::len);
            return Err(format!(
                "blob {id:?}: found {:?} bytes, expected {:?}",
                bytes(&found),
                bytes(&expected)
            ));
        }
    }
    Ok(())
}

/// `None`: it isn't there. Whatever can't be read is a finding.
async fn blob(device: &Device, id: BlobId) -> Result<Option<Bytes>, Finding> {
    let mut stream = match device.read_blob(ReadBlob { id, first: 0, count: u32::MAX }).await {
        Ok(stream) => stream,
        Err(ReplicaError::MissingBlobs(_)) => return Ok(None),
        Err(error) => return Err(format!("blob {id:?}: {error}")),
    };
    let mut bytes = Vec::new();
    while let Some(block) = stream.next().await {
        let block = block.map_err(|error| format!("blob {id:?}: {error}"))?;
        if !block.is_intact() || bytes.len() % BLOCK_BYTES != 0 {
            return Err(format!("blob {id:?}: a damaged block was served"));
        }
        bytes.extend_from_slice(&block.bytes);
    }
    Ok(Some(bytes.into()))
}

/// What waits for the workers.
async fn check_queues(device: &Device, model: &Model) -> Checked {
    let mut garbage = device.garbage(EVERYTHING).await.map_err(|error| format!("garbage: {error}"))?;
    garbage.sort_by_key(|garbage| garbage.blob.id);
    expect_eq!(garbage, model.garbage.values().cloned().collect::<Vec<_>>(), "garbage queue");

    let tombstones = device.tombstones(EVERYTHING).await.map_err(|error| format!("tombstones: {error}"))?;
    expect_eq!(tombstones, model.tombstones(), "tombstones");

    let lonely =
        device.unreferenced(None, EVERYTHING).await.map_err(|error| format!("unreferenced: {error}"))?;
    // The model doesn't know when the device was opened.
    let lonely: Vec<_> =
        lonely.into_iter().map(|fact| BlobFact { predates_opening: false, ..fact }).collect();
    expect_eq!(lonely, model.unreferenced(), "unreferenced blobs");
    Ok(())
}

/// No file is there that nothing refers to.
fn check_files(disk: &Disk, model: &Model) -> Checked {
    let tree = disk.tree();
    let mut files = BTreeSet::new();
    for (path, _) in tree.paths() {
        let name = path.strip_prefix(disk.root()).map_err(|_| format!("{} is astray", path.display()))?;
        files.insert(name.to_str().unwrap_or_default().to_owned());
    }
    let expected: BTreeSet<String> = model
        .blobs
        .values()
        .filter(|stored| stored.blob.bytes > SEGMENT_BODY_BYTES_MAX)
        .map(|stored| format!("blobs/{:02x}/{}", stored.blob.id.0[15], hex::encode(stored.blob.id.0)))
        .collect();
    let blobs: BTreeSet<String> = files.iter().filter(|name| name.starts_with("blobs/")).cloned().collect();
    expect_eq!(blobs, expected, "blob files");

    check_segments(&files, disk)?;
    let known = ["device.toml", "lock", "open", "index.db", "index.db-wal"];
    let stray: Vec<_> = files
        .iter()
        .filter(|name| {
            !known.contains(&name.as_str()) && !name.starts_with("blobs/") && !name.starts_with("segments/")
        })
        .collect();
    if stray.is_empty() { Ok(()) } else { Err(format!("stray files: {stray:?}")) }
}

/// The segments are those that hold something, and the newest.
fn check_segments(files: &BTreeSet<String>, disk: &Disk) -> Checked {
    let read = || {
        let connection = connect(disk)?;
        let newest: u32 = connection.query_row("SELECT tail_segment FROM device", [], |row| row.get(0))?;
        let mut statement = connection.prepare("SELECT number FROM segments WHERE live_bytes > 0")?;
        let numbers = statement.query_map([], |row| row.get(0))?;
        Ok((newest, numbers.collect::<rusqlite::Result<BTreeSet<u32>>>()?))
    };
    let (newest, alive) = read().map_err(|error: rusqlite::Error| format!("segments: {error}"))?;
    let name = |number: u32| format!("segments/{number:08x}");
    let mut found: BTreeSet<String> =
        files.iter().filter(|name| name.starts_with("segments/")).cloned().collect();
    if !alive.contains(&newest) {
        found.remove(&name(newest));
    }
    expect_eq!(found, alive.into_iter().map(name).collect::<BTreeSet<_>>(), "segments");
    Ok(())
}

/// What was promised, accepted or forgotten refuses everything below it.
async fn check_promises(device: &Device, model: &Model) -> Checked {
    let promised = model.promises.values().cloned();
    let accepted = model.rows.values().map(|row| (row.address.clone(), row.accepted.ballot));
    for (row, ballot) in promised.chain(accepted) {
        let lower = Ballot { time: ballot.time - 1, ..ballot };
        let state = State::first(lower, Ballot::ZERO, martlet_protocol::RowValue::Tombstone);
        let seal = model.seals.get(&row.row.table).copied();
        let accept = Accept { row: row.clone(), ballot: lower, state, body: None, garbage: Vec::new(), seal };
        let refused = |answer: Result<(), ReplicaError>| match answer {
            Err(ReplicaError::Refused { .. }) => Ok(()),
            answer => Err(format!("{row:?} is taken at {ballot:?}, and {lower:?} is answered {answer:?}")),
        };
        refused(device.accept(accept).await)?;
        refused(device.prepare(Prepare { row: row.clone(), ballot: lower }).await.map(drop))?;
    }
    Ok(())
}

async fn check_seals(device: &Device, model: &Model) -> Checked {
    let sealed: BTreeSet<TableId> = model.seals.keys().copied().collect();
    for table in model.tables().into_iter().chain(sealed.clone()) {
        match device.seal(table, PROBE).await {
            Ok(()) if !sealed.contains(&table) => {}
            Err(ReplicaError::Sealed) if sealed.contains(&table) => {}
            answer => {
                return Err(format!("seal of {table:?}: {answer:?}, expected {:?}", model.seals.get(&table)));
            }
        }
        device.unseal(table, PROBE).await.map_err(|error| format!("unsealing: {error}"))?;
    }
    Ok(())
}

/// The index of a closed device, as SQLite itself judges it.
pub(crate) fn check_index(disk: &Disk) -> Checked {
    let judge = || connect(disk)?.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    match judge() {
        Ok(verdict) if verdict == "ok" => Ok(()),
        verdict => Err(format!("index.db: {verdict:?}")),
    }
}

/// A connection to the index of a closed device.
pub(crate) fn connect(disk: &Disk) -> rusqlite::Result<Connection> {
    let path = disk.root().join("index.db");
    Connection::open_with_flags_and_vfs(path, OpenFlags::SQLITE_OPEN_READ_WRITE, VFS)
}

//! Random sequences of everything a device is asked, reopenings included, against a model in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use martlet_protocol::{
    Accept, BlobRef, Garbage, ListRows, ListedItem, ListedPrefix, ListedRow, PartitionCounters, Replica,
    ReplicaError, RowAddress, RowPage, RowValue, Scope, SealToken, TableId, Tombstone, Weight,
};
use martlet_register::{Accepted, Ballot, Standing};
use martlet_ring::Partition;
use martlet_storage_node::Device;
use martlet_storage_node::disk::digest::row_digest;
use proptest::prelude::*;

use crate::support::{
    Bench, PARTITION_BITS, accept, accept_with_body, accepted, ballot, blob_id, blob_ref, bytes, new_blob,
    prepare, read_blob, row_in, stage, table,
};

const KEYS: [&str; 8] = ["a", "a/", "a/1", "a/2", "a/b/1", "b", "b/1", "c"];
const BLOBS: u64 = 6;
const SIZES: [usize; 6] = [0, 100, 1000, 70_000, 300_000, 1_500_000];

/// Ballots after a reopening are above whatever may have been promised before.
const EPOCH: u64 = 1_000_000_000_000;

#[derive(Clone, Debug)]
enum Operation {
    Prepare { row: Row, time: u64 },
    AcceptLive { row: Row, time: u64, blob: Option<u64>, carried: bool, seal: Option<u8> },
    Remove { row: Row, time: u64, garbage: Option<u64> },
    Stage { blob: u64, row: Row },
    Seal { table: u8, token: u8 },
    Unseal { table: u8, token: u8 },
    Forget { row: Row, time: u64 },
    List(Question),
    Reclaim { blob: u64 },
    Settle { blob: u64 },
    Wait { seconds: u64 },
    Compare,
    Reopen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    table: u8,
    key: usize,
}

#[derive(Clone, Debug)]
struct Question {
    table: u8,
    partition: Option<u32>,
    prefix: &'static str,
    delimited: bool,
    after: Option<usize>,
    before: Option<usize>,
    limit: usize,
    counted: bool,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let row = || (0..2_u8, 0..KEYS.len()).prop_map(|(table, key)| Row { table, key });
    let time = || 1..12_u64;
    let optional = |count: u64| prop::option::of(0..count);
    let question =
        (
            0..2_u8,
            prop::option::weighted(0.2, 0..1_u32 << PARTITION_BITS),
            prop::sample::select(vec!["", "a", "a/", "b/", "z"]),
            any::<bool>(),
            prop::option::of(0..KEYS.len()),
            prop::option::weighted(0.2, 0..KEYS.len()),
            1..6_usize,
            any::<bool>(),
        )
            .prop_map(|(table, partition, prefix, delimited, after, before, limit, counted)| {
                Question { table, partition, prefix, delimited, after, before, limit, counted }
            });
    let operation = prop_oneof![
        4 => (row(), time()).prop_map(|(row, time)| Operation::Prepare { row, time }),
        8 => (row(), time(), optional(BLOBS), any::<bool>(), prop::option::weighted(0.2, 0..2_u8)).prop_map(
            |(row, time, blob, carried, seal)| Operation::AcceptLive { row, time, blob, carried, seal }
        ),
        4 => (row(), time(), optional(BLOBS)).prop_map(|(row, time, garbage)| Operation::Remove { row, time, garbage }),
        3 => (0..BLOBS, row()).prop_map(|(blob, row)| Operation::Stage { blob, row }),
        1 => (0..2_u8, 0..2_u8).prop_map(|(table, token)| Operation::Seal { table, token }),
        2 => (0..2_u8, 0..2_u8).prop_map(|(table, token)| Operation::Unseal { table, token }),
        2 => (row(), time()).prop_map(|(row, time)| Operation::Forget { row, time }),
        6 => question.prop_map(Operation::List),
        2 => (0..BLOBS).prop_map(|blob| Operation::Reclaim { blob }),
        1 => (0..BLOBS).prop_map(|blob| Operation::Settle { blob }),
        1 => (1..100_u64).prop_map(|seconds| Operation::Wait { seconds }),
        2 => Just(Operation::Compare),
        1 => Just(Operation::Reopen),
    ];
    prop::collection::vec(operation, 1..80)
}

/// What a device should hold, in the most naive way.
#[derive(Default)]
struct Model {
    epoch: u64,
    rows: BTreeMap<(TableId, Bytes), (RowAddress, Accepted<RowValue>)>,
    promised: HashMap<RowAddress, Ballot>,
    forgotten: HashMap<Partition, Ballot>,
    blobs: BTreeMap<u64, (BlobRef, RowAddress)>,
    seals: HashMap<TableId, SealToken>,
    /// And how many seconds of this session they have waited.
    garbage: BTreeMap<u64, (Garbage, u64)>,
}

impl Model {
    fn ballot(&self, time: u64) -> Ballot {
        ballot(self.epoch * EPOCH + time)
    }

    fn standing(&self, row: &RowAddress) -> Standing {
        Standing {
            floor: self.forgotten.get(&row.hash.partition(PARTITION_BITS)).copied().unwrap_or_default(),
            promised: self.promised.get(row).copied(),
            accepted: self.accepted(row).map(|accepted| accepted.ballot),
        }
    }

    fn accepted(&self, row: &RowAddress) -> Option<&Accepted<RowValue>> {
        self.rows.get(&(row.row.table, row.row.key.clone())).map(|(_, accepted)| accepted)
    }

    fn accept(&mut self, request: &Accept) -> Result<(), ReplicaError> {
        let standing = self.standing(&request.row);
        if standing.accepted == Some(request.ballot) {
            return Ok(());
        }
        Standing { accepted: None, ..standing }.accept(request.ballot)?;
        let is_write = request.state.value.is_live();
        if is_write
            && self.seals.get(&request.row.row.table).is_some_and(|token| request.seal != Some(*token))
        {
            return Err(ReplicaError::Sealed);
        }
        standing.accept(request.ballot)?;
        let carried = request.body.as_ref().map(|body| body.blob);
        let missing: Vec<_> =
            request.state.value.blobs().iter().filter(|blob| blob.hash == request.row.hash).collect();
        let is_here = |blob: &BlobRef| {
            self.blobs.values().any(|(here, _)| here.id == blob.id) || carried == Some(*blob)
        };
        let missing: Vec<_> = missing.into_iter().filter(|blob| !is_here(blob)).map(|blob| blob.id).collect();
        if !missing.is_empty() {
            return Err(ReplicaError::MissingBlobs(missing));
        }
        if let Some(blob) = carried {
            self.blobs.entry(number_of(&blob)).or_insert((blob, request.row.clone()));
        }
        for blob in &request.garbage {
            if !request.state.value.blobs().contains(blob) {
                let garbage = Garbage { blob: *blob, row: request.row.clone(), ballot: request.ballot };
                self.garbage.insert(number_of(blob), (garbage, 0));
            }
        }
        let stored = Accepted { ballot: request.ballot, state: request.state.clone() };
        self.rows.insert((request.row.row.table, request.row.row.key.clone()), (request.row.clone(), stored));
        Ok(())
    }

    fn list(&self, request: &ListRows) -> Vec<ListedItem> {
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        for ((table, key), (address, accepted)) in &self.rows {
            let elsewhere =
                request.partition.is_some_and(|part| address.hash.partition(PARTITION_BITS) != part);
            let outside = request.after.as_ref().is_some_and(|after| key <= after)
                || request.before.as_ref().is_some_and(|before| key >= before);
            if *table != request.table || elsewhere || outside || !key.starts_with(&request.prefix) {
                continue;
            }
            let (ballot, hash, key) = (accepted.ballot, address.hash, key.clone());
            let slash = key[request.prefix.len()..].iter().position(|byte| *byte == b'/');
            let value = &accepted.state.value;
            let entry = match (request.scope, value) {
                (Scope::Counted, value) if value.weight().objects == 0 => None,
                (_, value) => value.entry().cloned(),
            };
            match (slash.filter(|_| request.delimiter.is_some()), entry) {
                (None, entry) => {
                    items.push(ListedItem::Row(ListedRow { key, hash, ballot, entry }));
                }
                (Some(_), None) => {}
                (Some(at), Some(_)) => {
                    let prefix = key.slice(..=request.prefix.len() + at);
                    if request.after.as_ref() != Some(&prefix) && seen.insert(prefix.clone()) {
                        items.push(ListedItem::Prefix(ListedPrefix { prefix, key, hash, ballot }));
                    }
                }
            }
        }
        items
    }

    fn counters(&self, table: TableId) -> Vec<PartitionCounters> {
        let mut sums = BTreeMap::<Partition, (Weight, u64)>::new();
        for ((_, key), (address, accepted)) in self.rows.iter().filter(|((of, _), _)| *of == table) {
            let (weight, digest) = sums.entry(address.hash.partition(PARTITION_BITS)).or_default();
            weight.objects += accepted.state.value.weight().objects;
            weight.bytes += accepted.state.value.weight().bytes;
            *digest = digest.wrapping_add(row_digest(key, accepted.ballot));
        }
        sums.into_iter()
            .map(|(partition, (weight, digest))| PartitionCounters { partition, weight, digest })
            .collect()
    }

    fn tombstones(&self) -> Vec<Tombstone> {
        let removed = self.rows.values().filter(|(_, accepted)| !accepted.state.value.is_live());
        removed.map(|(row, accepted)| Tombstone { row: row.clone(), ballot: accepted.ballot }).collect()
    }

    fn is_referenced(&self, number: u64, owner: &RowAddress) -> bool {
        self.accepted(owner).is_some_and(|accepted| {
            accepted.state.value.blobs().iter().any(|blob| blob.id == blob_id(number))
        })
    }
}

fn number_of(blob: &BlobRef) -> u64 {
    u64::from_be_bytes(*blob.id.0.last_chunk().unwrap())
}

fn address(row: Row) -> RowAddress {
    row_in(table(row.table), KEYS[row.key])
}

fn body_of(blob: u64) -> Bytes {
    bytes(SIZES[usize::try_from(blob).unwrap()])
}

fn weighing(weight: Weight) -> RowValue {
    RowValue::Live { entry: "entry".into(), record: Bytes::new(), weight, blobs: Vec::new() }
}

fn token(number: u8) -> SealToken {
    SealToken([number; 16])
}

/// The same outcome, but for how much higher the ballot that stands against it is.
fn same<T: PartialEq + std::fmt::Debug>(
    found: &Result<T, ReplicaError>,
    expected: &Result<T, ReplicaError>,
    asked: Ballot,
) {
    match (found, expected) {
        (Err(ReplicaError::Refused { seen }), Err(ReplicaError::Refused { .. })) => assert!(*seen >= asked),
        // Where both reasons hold, a device that has dropped the promise tells of the seal.
        (Err(ReplicaError::Sealed), Err(ReplicaError::Refused { .. })) => {}
        _ => assert_eq!(found, expected),
    }
}

async fn run(operations: Vec<Operation>) {
    let bench = Bench::new();
    let (mut device, mut model) = (bench.create(), Model::default());
    for operation in operations {
        match operation {
            Operation::Reopen => {
                device = bench.reopen(device).await;
                model.epoch += 1;
                model.promised.clear();
                model.garbage.values_mut().for_each(|(_, waited)| *waited = 0);
            }
            Operation::Wait { seconds } => {
                bench.clock.forward(seconds);
                model.garbage.values_mut().for_each(|(_, waited)| *waited += seconds);
            }
            Operation::Compare => compare(&device, &model).await,
            Operation::List(question) => list(&device, &model, &question).await,
            operation => change(&device, &mut model, operation).await,
        }
    }
    compare(&device, &model).await;
    let device = bench.reopen(device).await;
    model.garbage.clear();
    compare(&device, &model).await;
    device.close().await.unwrap();
}

async fn change(device: &Device, model: &mut Model, operation: Operation) {
    match operation {
        Operation::Prepare { row, time } => {
            let (row, ballot) = (address(row), model.ballot(time));
            let expected = model.standing(&row).prepare(ballot).map_err(ReplicaError::from).map(|()| {
                model.promised.insert(row.clone(), ballot);
                model.accepted(&row).cloned()
            });
            let found = prepare(device, &row, ballot).await.map(|promise| promise.accepted);
            same(&found, &expected, ballot);
        }
        Operation::AcceptLive { row, time, blob, carried, seal } => {
            let (row, ballot) = (address(row), model.ballot(time));
            let body = blob.map(body_of).unwrap_or_default();
            // Half of the rows without a body count for nothing.
            let weight = Weight { objects: time % 2, bytes: 0 };
            let mut request = match blob {
                Some(number) => accept_with_body(&row, ballot, number, &body),
                None => accept(&row, ballot, weighing(weight)),
            };
            if !carried || body.len() > 1024 * 1024 {
                request.body = None;
            }
            request.seal = seal.map(token);
            accept_both(device, model, request).await;
        }
        Operation::Remove { row, time, garbage } => {
            let (row, ballot) = (address(row), model.ballot(time));
            let mut request = accept(&row, ballot, RowValue::Tombstone);
            request.garbage =
                garbage.map(|number| blob_ref(number, row.hash, &body_of(number))).into_iter().collect();
            accept_both(device, model, request).await;
        }
        Operation::Stage { blob, row } => {
            let row = address(row);
            stage(device, new_blob(blob, &row), &body_of(blob)).await.unwrap();
            let stored = blob_ref(blob, row.hash, &body_of(blob));
            model.blobs.entry(blob).or_insert((stored, row));
        }
        Operation::Seal { table: number, token: by } => {
            let held = *model.seals.entry(table(number)).or_insert(token(by));
            let expected = if held == token(by) { Ok(()) } else { Err(ReplicaError::Sealed) };
            assert_eq!(device.seal(table(number), token(by)).await, expected);
        }
        Operation::Unseal { table: number, token: by } => {
            if model.seals.get(&table(number)) == Some(&token(by)) {
                model.seals.remove(&table(number));
            }
            device.unseal(table(number), token(by)).await.unwrap();
        }
        Operation::Forget { row, time } => {
            let (row, ballot) = (address(row), model.ballot(time));
            forget_both(device, model, Tombstone { row, ballot }).await;
        }
        Operation::Reclaim { blob } => {
            model.blobs.remove(&blob);
            device.reclaim(vec![blob_id(blob)]).await.unwrap();
        }
        Operation::Settle { blob } => {
            model.garbage.remove(&blob);
            device.settle_garbage(vec![blob_id(blob)]).await.unwrap();
        }
        Operation::List(_) | Operation::Wait { .. } | Operation::Compare | Operation::Reopen => {}
    }
}

async fn forget_both(device: &Device, model: &mut Model, tombstone: Tombstone) {
    if model.tombstones().contains(&tombstone) {
        let Tombstone { row, ballot } = &tombstone;
        model.rows.remove(&(row.row.table, row.row.key.clone()));
        let floor = model.forgotten.entry(row.hash.partition(PARTITION_BITS)).or_default();
        *floor = (*ballot).max(*floor);
    }
    device.forget(vec![tombstone]).await.unwrap();
}

async fn accept_both(device: &Device, model: &mut Model, request: Accept) {
    let asked = request.ballot;
    let expected = model.accept(&request);
    same(&device.accept(request).await, &expected, asked);
}

async fn list(device: &Device, model: &Model, question: &Question) {
    let request = ListRows {
        table: table(question.table),
        partition: question.partition.map(Partition),
        prefix: Bytes::from_static(question.prefix.as_bytes()),
        delimiter: question.delimited.then(|| Bytes::from_static(b"/")),
        after: question.after.map(|key| Bytes::from_static(KEYS[key].as_bytes())),
        before: question.before.map(|key| Bytes::from_static(KEYS[key].as_bytes())),
        limit: question.limit,
        scope: if question.counted { Scope::Counted } else { Scope::All },
    };
    let mut expected = model.list(&request);
    let RowPage { items, through } = device.list(request).await.unwrap();
    if let Some(through) = through {
        expected.truncate(question.limit);
        let last = items.last().map(|item| match item {
            ListedItem::Row(row) => row.key.clone(),
            ListedItem::Prefix(prefix) => prefix.prefix.clone(),
        });
        assert_eq!((items.len(), Some(through)), (question.limit, last));
    }
    assert_eq!(items, expected);
}

async fn compare(device: &Device, model: &Model) {
    for number in 0..2 {
        for key in 0..KEYS.len() {
            let row = address(Row { table: number, key });
            assert_eq!(accepted(device, &row).await.as_ref(), model.accepted(&row));
        }
        let counters = device.counters(vec![table(number)]).await.unwrap();
        assert_eq!(counters[0].partitions, model.counters(table(number)));
    }
    for number in 0..BLOBS {
        let expected = match model.blobs.get(&number) {
            Some(_) => Ok(body_of(number)),
            None => Err(ReplicaError::MissingBlobs(vec![blob_id(number)])),
        };
        assert_eq!(read_blob(device, number).await, expected);
    }
    let found: Vec<_> =
        device.unreferenced(None, 100).await.unwrap().into_iter().map(|fact| fact.blob.id).collect();
    let lost = model.blobs.iter().filter(|(number, (_, owner))| !model.is_referenced(**number, owner));
    assert_eq!(found, lost.map(|(number, _)| blob_id(*number)).collect::<Vec<_>>());

    let sorted = |mut tombstones: Vec<Tombstone>| {
        tombstones.sort_by_key(|tombstone| (tombstone.ballot, tombstone.row.row.clone()));
        tombstones
    };
    assert_eq!(sorted(device.tombstones(100).await.unwrap()), sorted(model.tombstones()));
    let mut garbage = device.garbage(100).await.unwrap();
    garbage.sort_by_key(|garbage| garbage.blob.id);
    let due = model.garbage.values().filter(|(_, waited)| *waited >= 60).map(|(garbage, _)| garbage.clone());
    assert_eq!(garbage, due.collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_device_is_what_the_model_says(operations in operations()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(operations));
    }
}

//! What the double of a storage device promises, where a wrong double would hide a wrong cluster.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use martlet_protocol::{
    Accept, BlobId, BlobRef, CarriedBody, Checksum, ListRows, ListedItem, Prepare, ReadBlob, ReadRow,
    Replica, ReplicaError, RowAddress, RowKey, RowReply, RowValue, Scope, SealToken, TableId, TableKind,
    Want, Weight,
};
use martlet_register::{Ballot, ProposerId, State};
use martlet_ring::{PlacementHash, PlacementKey};
use martlet_testkit::{Faults, MemoryReplica, Reach, SimulatedClock};

const PARTITION_BITS: u8 = 4;

fn replica() -> MemoryReplica {
    MemoryReplica::new(PARTITION_BITS, Arc::new(SimulatedClock::default()))
}

fn table() -> TableId {
    TableId::new(TableKind::Objects, [1; 15])
}

fn row(key: &str) -> RowAddress {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RowKey { table: table(), key }.address(&PlacementKey::new([7; 16]))
}

fn ballot(time: u64) -> Ballot {
    Ballot { time, proposer: ProposerId(1) }
}

fn live(blobs: Vec<BlobRef>) -> RowValue {
    let weight = Weight { objects: 1, bytes: blobs.iter().map(|blob| blob.bytes).sum() };
    RowValue::Live { entry: Bytes::from("entry"), record: Bytes::new(), weight, blobs }
}

fn accept(row: RowAddress, time: u64, value: RowValue) -> Accept {
    let state = State::first(ballot(time), Ballot::ZERO, value);
    Accept { row, ballot: ballot(time), state, body: None, garbage: Vec::new(), seal: None }
}

fn blob(hash: PlacementHash, bytes: &Bytes) -> BlobRef {
    BlobRef { id: BlobId([3; 16]), hash, bytes: bytes.len() as u64, checksum: Checksum::of(bytes) }
}

#[tokio::test]
async fn a_restart_forgets_promises_but_not_what_they_refuse() {
    let replica = replica();
    replica.prepare(Prepare { row: row("a"), ballot: ballot(100) }).await.unwrap();
    replica.accept(accept(row("b"), 10, live(vec![]))).await.unwrap();
    replica.restart();
    let refused = replica.accept(accept(row("a"), 99, live(vec![]))).await;
    assert!(matches!(refused, Err(ReplicaError::Refused { seen }) if ballot(100) <= seen), "{refused:?}");
    let late = replica.prepare(Prepare { row: row("c"), ballot: ballot(100) }).await;
    assert!(matches!(late, Err(ReplicaError::Refused { .. })), "{late:?}");
    let kept = replica.read(ReadRow { row: row("b"), want: Want::Ballot }).await.unwrap();
    assert_eq!(kept, RowReply::Ballot(Some(ballot(10))));
}

#[tokio::test]
async fn a_value_is_not_accepted_without_its_bytes() {
    let (replica, bytes) = (replica(), Bytes::from("body"));
    let own = blob(row("a").hash, &bytes);
    let refused = replica.accept(accept(row("a"), 10, live(vec![own]))).await;
    assert_eq!(refused, Err(ReplicaError::MissingBlobs(vec![own.id])));
    let elsewhere = BlobRef { hash: PlacementHash(!own.hash.0), ..own };
    replica.accept(accept(row("b"), 10, live(vec![elsewhere]))).await.unwrap();
    let body = Some(CarriedBody { blob: own, bytes: bytes.clone() });
    replica.accept(Accept { body, ..accept(row("a"), 11, live(vec![own])) }).await.unwrap();
    let want = Want::ValueAndBody { bytes_max: 4 };
    match replica.read(ReadRow { row: row("a"), want }).await.unwrap() {
        RowReply::Value { body, .. } => assert_eq!(body, Some(bytes)),
        other @ RowReply::Ballot(_) => panic!("{other:?}"),
    }
    replica.damage_blob(own.id);
    let refused = replica.read(ReadRow { row: row("a"), want }).await;
    assert!(matches!(refused, Err(ReplicaError::Damaged(_))), "{refused:?}");
    let mut blocks = replica.read_blob(ReadBlob { id: own.id, first: 0, count: 1 }).await.unwrap();
    assert!(matches!(blocks.next().await, Some(Err(ReplicaError::Damaged(_)))));
}

#[tokio::test]
async fn a_sealed_table_takes_only_its_sealer() {
    let (replica, token) = (replica(), SealToken([1; 16]));
    replica.seal(table(), token).await.unwrap();
    assert_eq!(replica.seal(table(), SealToken([2; 16])).await, Err(ReplicaError::Sealed));
    assert_eq!(replica.accept(accept(row("a"), 10, live(vec![]))).await, Err(ReplicaError::Sealed));
    replica.accept(Accept { seal: Some(token), ..accept(row("a"), 10, live(vec![])) }).await.unwrap();
    replica.unseal(table(), SealToken([2; 16])).await.unwrap();
    assert_eq!(replica.accept(accept(row("a"), 11, live(vec![]))).await, Err(ReplicaError::Sealed));
    replica.unseal(table(), token).await.unwrap();
    replica.accept(accept(row("a"), 11, live(vec![]))).await.unwrap();
}

#[tokio::test]
async fn a_page_says_how_far_it_goes() {
    let replica = replica();
    for (time, key) in (10..).zip(["a", "b/1", "b/2", "c"]) {
        replica.accept(accept(row(key), time, live(vec![]))).await.unwrap();
    }
    replica.accept(accept(row("b/1"), 20, RowValue::Tombstone)).await.unwrap();
    let question = ListRows {
        table: table(),
        partition: None,
        prefix: Bytes::new(),
        delimiter: Some("/".into()),
        after: None,
        before: None,
        limit: 2,
        scope: Scope::All,
    };
    let page = replica.list(question.clone()).await.unwrap();
    assert_eq!(page.through, Some("b/".into()));
    match &page.items[..] {
        [ListedItem::Row(row), ListedItem::Prefix(prefix)] => {
            assert_eq!(
                (&row.key[..], &prefix.prefix[..], &prefix.key[..]),
                (&b"a"[..], &b"b/"[..], &b"b/2"[..])
            );
        }
        other => panic!("{other:?}"),
    }
    let rest = replica.list(ListRows { after: page.through, ..question.clone() }).await.unwrap();
    assert_eq!((rest.items.len(), rest.through), (1, None));
    let flat = replica.list(ListRows { delimiter: None, limit: 10, ..question }).await.unwrap();
    let dead = flat.items.iter().filter(|item| matches!(item, ListedItem::Row(row) if row.entry.is_none()));
    assert_eq!((flat.items.len(), dead.count(), flat.through), (4, 1, None));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_work_done() {
    let replica = replica();
    replica.set_faults(Faults { answers_lost_one_in: Some(1), ..Faults::NONE });
    let lost = replica.accept(accept(row("a"), 10, live(vec![]))).await;
    assert!(matches!(lost, Err(ReplicaError::Unreachable(_))));
    replica.set_faults(Faults::NONE);
    assert_eq!(replica.row_count(), 1);
    replica.set_faults(Faults::reaching(Reach::Down));
    let down = replica.accept(accept(row("b"), 10, live(vec![]))).await;
    assert!(matches!(down, Err(ReplicaError::Unreachable(_))));
    assert_eq!(replica.row_count(), 1);
}

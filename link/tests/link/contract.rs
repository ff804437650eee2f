//! What a device promises, asked of the device itself and of the device behind a link.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobId, BlobRef, Block, CARRIED_BYTES_MAX, CarriedBody, Checksum, Garbage, ListRows,
    ListedItem, Prepare, ReadBlob, ReadRow, Replica, ReplicaError, RowReply, RowValue, Scope, SealToken,
    Tombstone, Want,
};
use martlet_register::Ballot;
use martlet_ring::PlacementHash;
use martlet_testkit::{Faults, Reach};

use crate::harness::{Subject, accept, ballot, blob, blocks, body, live, new_blob, row, stage, table};

/// Makes three tests of each promise: without a link, with one, and with one through TLS.
macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        mod without_a_link {
            use super::Subject;
            $(#[tokio::test] async fn $promise() { super::$promise(Subject::direct()).await; })+
        }
        mod over_a_link {
            use super::Subject;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $promise() {
                super::$promise(Subject::linked().await).await;
            })+
        }
        mod over_a_link_through_tls {
            use super::Subject;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $promise() {
                super::$promise(Subject::linked_through_tls().await).await;
            })+
        }
    };
}

promises! {
    a_change_is_promised_accepted_and_read,
    a_low_ballot_learns_which_are_taken,
    a_body_rides_along_whatever_its_size,
    a_value_is_not_accepted_without_its_bytes,
    a_row_with_many_blobs_comes_back_whole,
    a_page_says_how_far_it_goes,
    a_long_page_comes_whole,
    counters_count,
    a_staged_blob_is_read_back_block_by_block,
    an_abandoned_blob_leaves_nothing,
    a_blob_with_a_wrong_block_is_not_stored,
    a_full_device_says_so,
    damage_is_told_from_absence,
    a_reader_may_stop_early,
    a_sealed_table_takes_only_its_sealer,
    garbage_is_listed_and_settled,
    unreferenced_blobs_are_found_and_reclaimed,
    tombstones_are_listed_and_forgotten,
    many_calls_at_once_each_get_their_own_answer,
    many_streams_at_once_each_get_their_own_blocks,
    a_device_that_is_down_is_unreachable,
}

async fn a_change_is_promised_accepted_and_read(subject: Subject) {
    let replica = &subject.replica;
    let promise = replica.prepare(Prepare { row: row("a"), ballot: ballot(10) }).await.unwrap();
    assert_eq!((promise.accepted, promise.forgotten), (None, Ballot::ZERO));
    let change = accept(row("a"), 10, live(vec![]));
    replica.accept(change.clone()).await.unwrap();
    let reply = replica.read(ReadRow { row: row("a"), want: Want::Value }).await.unwrap();
    let RowReply::Value { accepted: Some(accepted), body: None } = reply else { panic!("{reply:?}") };
    assert_eq!((accepted.ballot, accepted.state), (change.ballot, change.state));
    let reply = replica.read(ReadRow { row: row("a"), want: Want::Ballot }).await.unwrap();
    assert_eq!(reply, RowReply::Ballot(Some(ballot(10))));
    let reply = replica.read(ReadRow { row: row("b"), want: Want::Ballot }).await.unwrap();
    assert_eq!(reply, RowReply::Ballot(None));
}

async fn a_low_ballot_learns_which_are_taken(subject: Subject) {
    subject.replica.prepare(Prepare { row: row("a"), ballot: ballot(10) }).await.unwrap();
    let refused = subject.replica.accept(accept(row("a"), 9, live(vec![]))).await;
    assert_eq!(refused, Err(ReplicaError::Refused { seen: ballot(10) }));
}

async fn a_body_rides_along_whatever_its_size(subject: Subject) {
    let sizes = [0, 1, 4096, 8192, 8193, 32 * 1024, BLOCK_BYTES, 300_000, CARRIED_BYTES_MAX];
    for (number, size) in (1_u8..).zip(sizes) {
        let (row, bytes) = (row(&format!("row {number}")), body(size));
        let blob = blob(number, &row, &bytes);
        let carried = Some(CarriedBody { blob, bytes: bytes.clone() });
        let change = Accept { body: carried, ..accept(row.clone(), 10, live(vec![blob])) };
        subject.replica.accept(change).await.unwrap();
        let want = Want::ValueAndBody { bytes_max: CARRIED_BYTES_MAX as u64 };
        let reply = subject.replica.read(ReadRow { row, want }).await.unwrap();
        let RowReply::Value { body: Some(read), .. } = reply else { panic!("{reply:?}") };
        assert!(read == bytes, "{size} bytes come back as they were");
    }
}

async fn a_value_is_not_accepted_without_its_bytes(subject: Subject) {
    let own = blob(3, &row("a"), b"body");
    let refused = subject.replica.accept(accept(row("a"), 10, live(vec![own]))).await;
    assert_eq!(refused, Err(ReplicaError::MissingBlobs(vec![own.id])));
}

async fn a_row_with_many_blobs_comes_back_whole(subject: Subject) {
    let elsewhere = BlobRef { hash: PlacementHash(!row("a").hash.0), ..blob(3, &row("a"), b"part") };
    let value = live(vec![elsewhere; 10_000]);
    subject.replica.accept(accept(row("a"), 10, value.clone())).await.unwrap();
    let promise = subject.replica.prepare(Prepare { row: row("a"), ballot: ballot(11) }).await.unwrap();
    assert!(promise.accepted.unwrap().state.value == value);
}

fn question() -> ListRows {
    ListRows {
        table: table(),
        partition: None,
        prefix: Bytes::new(),
        delimiter: None,
        after: None,
        before: None,
        limit: 10_000,
        scope: Scope::All,
    }
}

async fn a_page_says_how_far_it_goes(subject: Subject) {
    let replica = &subject.replica;
    for (time, key) in (10..).zip(["a", "b/1", "b/2", "c"]) {
        replica.accept(accept(row(key), time, live(vec![]))).await.unwrap();
    }
    replica.accept(accept(row("b/1"), 20, RowValue::Tombstone)).await.unwrap();
    let question = ListRows { delimiter: Some("/".into()), limit: 2, ..question() };
    let page = replica.list(question.clone()).await.unwrap();
    assert_eq!(page.through, Some("b/".into()));
    let [ListedItem::Row(first), ListedItem::Prefix(prefix)] = &page.items[..] else { panic!("{page:?}") };
    assert_eq!((&first.key[..], &prefix.prefix[..], &prefix.key[..]), (&b"a"[..], &b"b/"[..], &b"b/2"[..]));
    let rest = replica.list(ListRows { after: page.through, ..question }).await.unwrap();
    assert_eq!((rest.items.len(), rest.through), (1, None));
}

async fn a_long_page_comes_whole(subject: Subject) {
    let keys: Vec<_> = (0..3000).map(|number| format!("{number:04}-{}", "x".repeat(200))).collect();
    for key in &keys {
        subject.memory.accept(accept(row(key), 10, live(vec![]))).await.unwrap();
    }
    let page = subject.replica.list(question()).await.unwrap();
    let listed: Vec<_> = page
        .items
        .iter()
        .map(|item| match item {
            ListedItem::Row(row) => row.key.clone(),
            ListedItem::Prefix(prefix) => panic!("{prefix:?}"),
        })
        .collect();
    assert!(listed == keys, "every key in order");
}

async fn counters_count(subject: Subject) {
    subject.replica.accept(accept(row("a"), 10, live(vec![]))).await.unwrap();
    let counters = subject.replica.counters(vec![table()]).await.unwrap();
    assert_eq!(counters, subject.memory.counters(vec![table()]).await.unwrap());
    assert_eq!(counters[0].partitions[0].weight.objects, 1);
}

async fn a_staged_blob_is_read_back_block_by_block(subject: Subject) {
    for (number, size) in (1_u8..).zip([1, BLOCK_BYTES, 4 * BLOCK_BYTES, 40 * BLOCK_BYTES + 5]) {
        let body = body(size);
        stage(&subject.replica, number, &body).await.unwrap();
        let whole = ReadBlob { id: BlobId([number; 16]), first: 0, count: u32::MAX };
        let read: Vec<Block> = subject.replica.read_blob(whole).await.unwrap().try_collect().await.unwrap();
        assert!(read == blocks(&body), "{size} bytes come back in the same blocks");
    }
    let middle = ReadBlob { id: BlobId([4; 16]), first: 3, count: 2 };
    let read: Vec<Block> = subject.replica.read_blob(middle).await.unwrap().try_collect().await.unwrap();
    assert!(read == blocks(&body(40 * BLOCK_BYTES + 5))[3..5]);
}

async fn an_abandoned_blob_leaves_nothing(subject: Subject) {
    let mut writer = subject.replica.stage(new_blob(1)).await.unwrap();
    writer.write(Block::new(body(BLOCK_BYTES))).await.unwrap();
    drop(writer);
    // Whatever comes after finds the device able to take the same blob.
    stage(&subject.replica, 1, &body(10)).await.unwrap();
    let read = ReadBlob { id: BlobId([1; 16]), first: 0, count: 2 };
    let read: Vec<Block> = subject.replica.read_blob(read).await.unwrap().try_collect().await.unwrap();
    assert_eq!(read, blocks(&body(10)));
}

async fn a_blob_with_a_wrong_block_is_not_stored(subject: Subject) {
    let wrong = Block { checksum: Checksum(1), bytes: body(BLOCK_BYTES) };
    let mut writer = subject.replica.stage(new_blob(1)).await.unwrap();
    // The device may say so at once, at a later block, or at the end.
    let mut outcome = writer.write(wrong).await;
    for _ in 0..3 {
        if outcome.is_ok() {
            outcome = writer.write(Block::new(body(BLOCK_BYTES))).await;
        }
    }
    if outcome.is_ok() {
        outcome = writer.finish().await;
    }
    assert!(matches!(outcome, Err(ReplicaError::Damaged(_))), "{outcome:?}");
    assert_eq!(subject.memory.blob_ids(), []);
}

async fn a_full_device_says_so(subject: Subject) {
    subject.memory.set_faults(Faults { is_full: true, ..Faults::NONE });
    let refused = subject.replica.stage(new_blob(1)).await.map(|_| ());
    assert_eq!(refused, Err(ReplicaError::Full));
}

async fn damage_is_told_from_absence(subject: Subject) {
    let id = BlobId([1; 16]);
    let whole = ReadBlob { id, first: 0, count: u32::MAX };
    let absent = subject.replica.read_blob(whole.clone()).await.map(|_| ());
    assert_eq!(absent, Err(ReplicaError::MissingBlobs(vec![id])));
    stage(&subject.replica, 1, &body(3 * BLOCK_BYTES)).await.unwrap();
    subject.memory.damage_blob(id);
    let mut read = subject.replica.read_blob(whole).await.unwrap();
    assert!(read.next().await.unwrap().is_ok());
    assert!(read.next().await.unwrap().is_ok());
    let damaged = read.next().await.unwrap();
    assert!(matches!(damaged, Err(ReplicaError::Damaged(_))), "{damaged:?}");
}

async fn a_reader_may_stop_early(subject: Subject) {
    stage(&subject.replica, 1, &body(100 * BLOCK_BYTES)).await.unwrap();
    for _ in 0..300 {
        let whole = ReadBlob { id: BlobId([1; 16]), first: 0, count: u32::MAX };
        let mut read = subject.replica.read_blob(whole).await.unwrap();
        assert!(read.next().await.unwrap().is_ok());
    }
}

async fn a_sealed_table_takes_only_its_sealer(subject: Subject) {
    let (replica, token) = (&subject.replica, SealToken([1; 16]));
    replica.seal(table(), token).await.unwrap();
    assert_eq!(replica.seal(table(), SealToken([2; 16])).await, Err(ReplicaError::Sealed));
    assert_eq!(replica.accept(accept(row("a"), 10, live(vec![]))).await, Err(ReplicaError::Sealed));
    replica.accept(Accept { seal: Some(token), ..accept(row("a"), 10, live(vec![])) }).await.unwrap();
    replica.unseal(table(), token).await.unwrap();
    replica.accept(accept(row("a"), 11, live(vec![]))).await.unwrap();
}

async fn garbage_is_listed_and_settled(subject: Subject) {
    let replica = &subject.replica;
    let blob = blob(1, &row("a"), b"old");
    replica.accept(Accept { garbage: vec![blob], ..accept(row("a"), 10, live(vec![])) }).await.unwrap();
    let garbage = Garbage { blob, row: row("a"), ballot: ballot(10) };
    assert_eq!(replica.garbage(10).await.unwrap(), [garbage]);
    replica.settle_garbage(vec![blob.id]).await.unwrap();
    assert_eq!(replica.garbage(10).await.unwrap(), []);
}

async fn unreferenced_blobs_are_found_and_reclaimed(subject: Subject) {
    let replica = &subject.replica;
    for number in 1..=3 {
        stage(replica, number, &body(10)).await.unwrap();
    }
    let facts = replica.unreferenced(Some(BlobId([1; 16])), 10).await.unwrap();
    assert_eq!(facts.iter().map(|fact| fact.blob.id.0[0]).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(facts[0].owner, new_blob(2).owner);
    replica.reclaim(vec![BlobId([2; 16]), BlobId([9; 16])]).await.unwrap();
    assert_eq!(subject.memory.blob_ids(), [BlobId([1; 16]), BlobId([3; 16])]);
}

async fn tombstones_are_listed_and_forgotten(subject: Subject) {
    let replica = &subject.replica;
    replica.accept(accept(row("a"), 10, RowValue::Tombstone)).await.unwrap();
    let tombstones = replica.tombstones(10).await.unwrap();
    assert_eq!(tombstones, [Tombstone { row: row("a"), ballot: ballot(10) }]);
    replica.forget(tombstones).await.unwrap();
    assert_eq!(subject.memory.row_count(), 0);
    let promise = replica.prepare(Prepare { row: row("a"), ballot: ballot(11) }).await.unwrap();
    assert_eq!(promise.forgotten, ballot(10));
}

async fn many_calls_at_once_each_get_their_own_answer(subject: Subject) {
    let calls = (1..3000_u64).map(|time| {
        let replica = subject.replica.clone();
        tokio::spawn(async move {
            let row = row(&format!("row {time}"));
            replica.accept(accept(row.clone(), time, live(vec![]))).await.unwrap();
            let reply = replica.read(ReadRow { row, want: Want::Ballot }).await.unwrap();
            assert_eq!(reply, RowReply::Ballot(Some(ballot(time))));
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

async fn many_streams_at_once_each_get_their_own_blocks(subject: Subject) {
    let streams = (0..=255_u8).map(|number| {
        let replica = subject.replica.clone();
        tokio::spawn(async move {
            let body = body(usize::from(number) * 3000 + 1);
            stage(&replica, number, &body).await.unwrap();
            let whole = ReadBlob { id: BlobId([number; 16]), first: 0, count: u32::MAX };
            let read: Vec<Block> = replica.read_blob(whole).await.unwrap().try_collect().await.unwrap();
            assert!(read == blocks(&body));
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        stream.await.unwrap();
    }
}

async fn a_device_that_is_down_is_unreachable(subject: Subject) {
    subject.memory.set_faults(Faults::reaching(Reach::Down));
    let outcome = subject.replica.accept(accept(row("a"), 10, live(vec![]))).await;
    crate::harness::assert_unreachable(&outcome);
}

//! What happens to calls when the connection, the node or the device fails.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use martlet_link::NodeLink;
use martlet_link::limits::{
    BACKOFF_MAX, BULK_CONNECTIONS, CONNECT_TIMEOUT, REQUESTS_IN_FLIGHT_MAX, SILENCE_MAX,
};
use martlet_link::server::Devices;
use martlet_protocol::{
    BLOCK_BYTES, BlobId, Block, Prepare, ReadBlob, ReadRow, Replica, ReplicaError, RowReply, Want,
};
use martlet_ring::DeviceId;
use martlet_testkit::{Faults, Reach};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::harness::{
    DEVICE, Node, PATIENCE, Subject, accept, assert_unreachable, ballot, body, devices, eventually, identity,
    live, memory, new_blob, reached, row, stage,
};
use crate::relay::Relay;

/// How long a caller may wait after a cut, on a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_millis(500);

fn link_to(node: &Node) -> NodeLink {
    NodeLink::open(&node.address.to_string(), &identity())
}

#[tokio::test]
async fn a_killed_node_fails_every_waiting_call_at_once() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let replica = link_to(&node).replica(DEVICE);
    reached(&replica).await;
    memory.set_faults(Faults::reaching(Reach::Silent));
    let waiting: Vec<_> = (1..100)
        .map(|time| {
            let replica = replica.clone();
            tokio::spawn(async move { replica.accept(accept(row("a"), time, live(vec![]))).await })
        })
        .collect();
    sleep(Duration::from_millis(100)).await;
    node.kill().await;
    let killed = Instant::now();
    for call in waiting {
        assert_unreachable(&call.await.unwrap());
    }
    assert!(killed.elapsed() < AT_ONCE, "{:?}", killed.elapsed());
    let later = Instant::now();
    assert_unreachable(&replica.prepare(Prepare { row: row("a"), ballot: ballot(1) }).await);
    assert!(later.elapsed() < AT_ONCE, "no later call is delayed");
}

#[tokio::test]
async fn a_node_that_is_back_is_used_again_within_two_seconds() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let (address, replica) = (node.address, link_to(&node).replica(DEVICE));
    reached(&replica).await;
    node.kill().await;
    // Long enough for the longest wait between attempts.
    sleep(BACKOFF_MAX * 2).await;
    let _node = Node::start_at(address, devices(&memory)).await;
    let back = Instant::now();
    reached(&replica).await;
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
}

#[tokio::test]
async fn a_stopping_node_answers_what_it_was_asked() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let replica = link_to(&node).replica(DEVICE);
    reached(&replica).await;
    memory.set_faults(Faults::reaching(Reach::Slow(Duration::from_millis(300))));
    let waiting = {
        let replica = replica.clone();
        tokio::spawn(async move { replica.accept(accept(row("a"), 10, live(vec![]))).await })
    };
    sleep(Duration::from_millis(100)).await;
    let stopping = Instant::now();
    node.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(2), "it waits for nobody but the asked");
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_unreachable(&replica.prepare(Prepare { row: row("a"), ballot: ballot(11) }).await);
}

#[tokio::test]
async fn the_first_call_of_a_process_waits_for_the_connection() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let replica = link_to(&node).replica(DEVICE);
    replica.prepare(Prepare { row: row("a"), ballot: ballot(1) }).await.unwrap();
}

#[tokio::test]
async fn a_node_that_nobody_runs_is_unreachable_within_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let replica = NodeLink::open(&address.to_string(), &identity()).replica(DEVICE);
    let started = Instant::now();
    assert_unreachable(&replica.prepare(Prepare { row: row("a"), ballot: ballot(1) }).await);
    assert!(started.elapsed() < CONNECT_TIMEOUT, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_device_that_the_node_has_not_is_unreachable() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let replica = link_to(&node).replica(DeviceId(8));
    let outcome = replica.prepare(Prepare { row: row("a"), ballot: ballot(1) }).await;
    assert_unreachable(&outcome);
}

#[tokio::test]
async fn a_silent_connection_is_given_up_in_its_time() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let relay = Relay::start(node.address).await;
    let replica = NodeLink::open(&relay.address.to_string(), &identity()).replica(DEVICE);
    reached(&replica).await;
    relay.hold();
    let held = Instant::now();
    assert_unreachable(&replica.prepare(Prepare { row: row("a"), ballot: ballot(1) }).await);
    assert!(held.elapsed() < SILENCE_MAX + AT_ONCE, "{:?}", held.elapsed());
    relay.release();
    reached(&replica).await;
}

#[tokio::test]
async fn an_idle_connection_lives_on() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let relay = Relay::start(node.address).await;
    let link = NodeLink::open(&relay.address.to_string(), &identity());
    reached(&link.replica(DEVICE)).await;
    let connections = relay.connections();
    sleep(SILENCE_MAX * 2).await;
    assert!(link.is_connected());
    assert_eq!(relay.connections(), connections, "none was given up");
}

/// A connection that is cut after every number of bytes: the call is done or unreachable, and nothing hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_any_byte_is_either_done_or_unreachable() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    for (bytes, time) in (0..700).step_by(7).zip(1..) {
        let relay = Relay::start(node.address).await;
        relay.cut_after(bytes);
        let replica = NodeLink::open(&relay.address.to_string(), &identity()).replica(DEVICE);
        let key = format!("row {bytes}");
        let call = replica.accept(accept(row(&key), time, live(vec![])));
        let outcome = timeout(PATIENCE, call).await.expect("no call hangs");
        let held = memory.read(ReadRow { row: row(&key), want: Want::Ballot }).await.unwrap();
        match outcome {
            Ok(()) => assert_eq!(held, RowReply::Ballot(Some(ballot(time)))),
            outcome => assert_unreachable(&outcome),
        }
    }
}

/// The same for streams: a blob is whole, or it isn't there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_cut_at_any_byte_is_whole_or_absent() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let body = body(3 * BLOCK_BYTES + 100);
    for (bytes, number) in (0..240_000).step_by(9000).zip(1_u8..) {
        let relay = Relay::start(node.address).await;
        relay.cut_after(bytes);
        let replica = NodeLink::open(&relay.address.to_string(), &identity()).replica(DEVICE);
        let outcome = timeout(PATIENCE, stage(&replica, number, &body)).await.expect("nothing hangs");
        let is_there = memory.blob_ids().contains(&BlobId([number; 16]));
        match outcome {
            Ok(()) => assert!(is_there),
            outcome => assert_unreachable(&outcome),
        }
        if bytes < body.len() {
            assert!(!is_there, "it can't have come whole in {bytes} bytes");
        }
    }
}

#[tokio::test]
async fn a_reader_of_a_cut_stream_learns_it() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let replica = link_to(&node).replica(DEVICE);
    stage(&replica, 1, &body(40 * BLOCK_BYTES)).await.unwrap();
    let whole = ReadBlob { id: BlobId([1; 16]), first: 0, count: u32::MAX };
    let mut read = replica.read_blob(whole).await.unwrap();
    read.next().await.unwrap().unwrap();
    node.kill().await;
    let mut blocks = 1;
    let outcome = loop {
        match read.next().await.expect("the end isn't taken for the blob's") {
            Ok(_) => blocks += 1,
            error => break error,
        }
    };
    assert_unreachable(&outcome);
    assert!(blocks < 40);
    assert!(read.next().await.is_none());
}

#[tokio::test]
async fn a_writer_of_a_cut_stream_learns_it() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let replica = link_to(&node).replica(DEVICE);
    let mut writer = replica.stage(new_blob(1)).await.unwrap();
    writer.write(Block::new(body(BLOCK_BYTES))).await.unwrap();
    node.kill().await;
    let mut outcome = Ok(());
    for _ in 0..10 {
        if outcome.is_ok() {
            outcome = writer.write(Block::new(body(BLOCK_BYTES))).await;
        }
    }
    assert_unreachable(&outcome);
    assert_eq!(memory.blob_ids(), []);
}

#[tokio::test]
async fn dropped_calls_give_their_places_back() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let replica = link_to(&node).replica(DEVICE);
    reached(&replica).await;
    memory.set_faults(Faults::reaching(Reach::Silent));
    for _ in 0..3 {
        let calls = (0..REQUESTS_IN_FLIGHT_MAX).map(|_| {
            let call = Prepare { row: row("a"), ballot: ballot(1) };
            timeout(Duration::from_millis(50), replica.prepare(call))
        });
        let outcomes = futures_util::future::join_all(calls).await;
        assert!(outcomes.iter().all(Result::is_err), "nobody is answered");
    }
    memory.set_faults(Faults::NONE);
    let call = replica.prepare(Prepare { row: row("a"), ballot: ballot(1) });
    timeout(PATIENCE, call).await.expect("there is a place").unwrap();
}

#[tokio::test]
async fn a_hung_device_does_not_keep_the_others_waiting() {
    let (hung, well) = (memory(), memory());
    let served = Devices::from([
        (DeviceId(1), Arc::new(hung.clone()) as Arc<dyn Replica>),
        (DeviceId(2), Arc::new(well) as Arc<dyn Replica>),
    ]);
    let node = Node::start(served).await;
    let link = link_to(&node);
    let (hung_replica, well_replica) = (link.replica(DeviceId(1)), link.replica(DeviceId(2)));
    reached(&well_replica).await;
    hung.set_faults(Faults::reaching(Reach::Silent));
    let waiting: Vec<_> = (0..2 * REQUESTS_IN_FLIGHT_MAX)
        .map(|_| {
            let replica = hung_replica.clone();
            tokio::spawn(async move { replica.prepare(Prepare { row: row("a"), ballot: ballot(1) }).await })
        })
        .collect();
    sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    well_replica.prepare(Prepare { row: row("a"), ballot: ballot(1) }).await.unwrap();
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_nobody_and_fills_no_memory() {
    let subject = Subject::linked().await;
    let replica = &subject.replica;
    stage(replica, 1, &body(200 * BLOCK_BYTES)).await.unwrap();
    let whole = ReadBlob { id: BlobId([1; 16]), first: 0, count: u32::MAX };
    // More idle readers than connections, none of which takes anything.
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(replica.read_blob(whole.clone()).await.unwrap());
    }
    let started = Instant::now();
    replica.accept(accept(row("a"), 10, live(vec![]))).await.unwrap();
    assert!(started.elapsed() < AT_ONCE);
    let mut read = replica.read_blob(whole).await.unwrap();
    let mut blocks = 0;
    while let Some(block) = timeout(PATIENCE, read.next()).await.expect("others' slowness isn't felt") {
        assert!(block.unwrap().is_intact());
        blocks += 1;
    }
    assert_eq!(blocks, 200);
    for mut reader in idle {
        assert!(timeout(PATIENCE, reader.next()).await.unwrap().unwrap().unwrap().is_intact());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_device_holds_its_writer_back() {
    let subject = Subject::linked().await;
    let mut writer = subject.replica.stage(new_blob(1)).await.unwrap();
    subject.memory.set_faults(Faults::reaching(Reach::Silent));
    let block = Block::new(body(BLOCK_BYTES));
    let mut written = 0;
    while let Ok(outcome) = timeout(Duration::from_millis(300), writer.write(block.clone())).await {
        outcome.unwrap();
        written += 1;
    }
    assert!(written <= martlet_link::limits::STREAM_WINDOW_BLOCKS, "{written} blocks are on their way");
    // Row operations go on.
    subject.memory.set_faults(Faults::NONE);
    subject.replica.accept(accept(row("a"), 10, live(vec![]))).await.unwrap();
}

#[tokio::test]
async fn an_abandoned_upload_is_abandoned_at_the_device() {
    let subject = Subject::linked().await;
    let mut writer = subject.replica.stage(new_blob(1)).await.unwrap();
    writer.write(Block::new(body(10))).await.unwrap();
    drop(writer);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(subject.memory.blob_ids(), []);
    assert_eq!(subject.replica.stage(new_blob(1)).await.map(|_| ()), Ok(()));
}

#[tokio::test]
async fn a_closed_link_ends_its_connections() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let relay = Relay::start(node.address).await;
    let link = NodeLink::open(&relay.address.to_string(), &identity());
    reached(&link.replica(DEVICE)).await;
    eventually(|| relay.open() == 3).await;
    drop(link);
    eventually(|| relay.open() == 0).await;
}

#[tokio::test]
async fn a_request_above_the_limit_is_refused_before_it_is_sent() {
    let subject = Subject::linked().await;
    let blobs = vec![BlobId([1; 16]); martlet_link::limits::MESSAGE_BYTES_MAX / 16];
    let outcome = subject.replica.reclaim(blobs).await;
    assert!(matches!(outcome, Err(ReplicaError::Invalid(_))), "{outcome:?}");
    subject.replica.accept(accept(row("a"), 10, live(vec![]))).await.unwrap();
}

#[tokio::test]
async fn connections_that_were_opened_that_ended_and_that_failed_are_counted() {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    let link = link_to(&node);
    let figures = link.figures().clone();
    eventually(|| figures.opened.get() == 1 + BULK_CONNECTIONS as u64).await;
    assert_eq!((figures.ended.get(), figures.failed.get()), (0, 0));
    node.kill().await;
    eventually(|| figures.ended.get() == 1 + BULK_CONNECTIONS as u64 && figures.failed.get() > 0).await;
    assert_eq!(figures.opened.get(), 1 + BULK_CONNECTIONS as u64);
}

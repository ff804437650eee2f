//! Those who don't know the secret, and what they could do to a connection: nothing is carried out, and the node lives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use martlet_link::frame::Kind;
use martlet_link::handshake::{Channel, HandshakeError, greet, receive};
use martlet_link::limits::{RECORD_BYTES_MAX, STREAM_WINDOW_BLOCKS};
use martlet_link::mac::RecordMac;
use martlet_link::message::{Addressee, Message, Request, encode_block};
use martlet_link::record::Record;
use martlet_link::{LinkIdentity, LinkSecret, NodeLink};
use martlet_protocol::{Block, Prepare};
use martlet_testkit::MemoryReplica;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{
    DEVICE, Node, PATIENCE, accept, assert_unreachable, ballot, body, devices, identity, live, memory,
    new_blob, row,
};
use crate::relay::Relay;

/// A connection whose client is the test itself.
struct Peer {
    stream: Tape,
    mac: RecordMac,
}

/// Remembers what was written.
struct Tape {
    stream: TcpStream,
    written: Vec<u8>,
}

impl Peer {
    async fn connect(node: &Node) -> Self {
        let mut stream =
            Tape { stream: TcpStream::connect(node.address).await.unwrap(), written: Vec::new() };
        let keys = greet(&mut stream, &identity(), [3; 32], Channel::Plain).await.unwrap();
        Self { stream, mac: RecordMac::new(keys.from_client) }
    }

    async fn send(&mut self, frames: &[(Kind, u64, Message)]) {
        let mut record = Record::default();
        record.clear();
        for (kind, id, message) in frames {
            record.add(*kind, *id, message);
        }
        record.write_to(&mut self.mac, &mut self.stream).await.unwrap();
    }

    /// Waits until the node has closed the connection.
    async fn assert_closed(mut self) {
        assert_closed(&mut self.stream.stream).await;
    }
}

async fn assert_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is as good as an end.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the node closes the connection");
}

async fn assert_lives(node: &Node) {
    let replica = NodeLink::open(&node.address.to_string(), &identity()).replica(DEVICE);
    replica.prepare(Prepare { row: row("lives"), ballot: ballot(1) }).await.unwrap();
}

async fn node() -> (MemoryReplica, Node) {
    let memory = memory();
    let node = Node::start(devices(&memory)).await;
    (memory, node)
}

const TO: Addressee = Addressee { device: DEVICE, ring: 0, request: None };

fn change(key: &str) -> Message {
    Request::Accept(accept(row(key), 10, live(vec![]))).encode(TO)
}

async fn shake(client: &LinkIdentity, server: &LinkIdentity) -> [Option<HandshakeError>; 2] {
    let (mut near, mut far) = duplex(1024);
    let (greeted, received) = tokio::join!(
        async {
            let outcome = greet(&mut near, client, [3; 32], Channel::Plain).await;
            drop(near);
            outcome
        },
        async {
            let outcome = receive(&mut far, server, [4; 32], Channel::Plain).await;
            drop(far);
            outcome
        },
    );
    if let (Ok(client), Ok(server)) = (&greeted, &received) {
        assert!(client == server, "both have the same keys");
    }
    [greeted.err(), received.err()]
}

#[tokio::test]
async fn those_with_the_same_secret_agree() {
    assert!(matches!(shake(&identity(), &identity()).await, [None, None]));
}

#[tokio::test]
async fn another_secret_is_noticed_by_the_client_first() {
    let other = LinkIdentity { secret: LinkSecret::new([9; 32]), ..identity() };
    let outcome = shake(&other, &identity()).await;
    assert!(
        matches!(outcome, [Some(HandshakeError::Secret), Some(HandshakeError::BrokenOff)]),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn another_cluster_is_refused_by_name() {
    let other = LinkIdentity { cluster: [9; 16], ..identity() };
    let outcome = shake(&other, &identity()).await;
    assert!(matches!(outcome, [Some(HandshakeError::Cluster), Some(HandshakeError::Cluster)]), "{outcome:?}");
}

#[tokio::test]
async fn another_version_is_refused_by_number() {
    let (mut near, mut far) = duplex(1024);
    let mut hello = b"martlink".to_vec();
    hello.extend_from_slice(&[7, 0, 9, 0]);
    hello.extend_from_slice(&[1; 48]);
    near.write_all(&hello).await.unwrap();
    let outcome = receive(&mut far, &identity(), [4; 32], Channel::Plain).await;
    assert!(matches!(outcome, Err(HandshakeError::Version { newest: 9 })), "{outcome:?}");
    let mut answer = [0; 75];
    near.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[8..11], [1, 4, 0], "refused, and which version would do");
}

#[tokio::test]
async fn a_client_that_keeps_silent_is_not_waited_for() {
    let (_near, mut far) = duplex(1024);
    let outcome = receive(&mut far, &identity(), [4; 32], Channel::Plain).await;
    assert!(matches!(outcome, Err(HandshakeError::Late)), "{outcome:?}");
}

#[tokio::test]
async fn a_client_without_the_secret_gets_nothing_done() {
    let (memory, node) = node().await;
    let other = LinkIdentity { secret: LinkSecret::new([9; 32]), ..identity() };
    let replica = NodeLink::open(&node.address.to_string(), &other).replica(DEVICE);
    assert_unreachable(&replica.accept(accept(row("a"), 10, live(vec![]))).await);
    // One that doesn't stop when the server's proof is wrong, but guesses.
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    let hello = [&b"martlink"[..], &[1, 0, 1, 0], &[1; 16], &[3; 32]].concat();
    stream.write_all(&hello).await.unwrap();
    let mut answer = [0; 75];
    stream.read_exact(&mut answer).await.unwrap();
    // The server's own proof, sent back.
    stream.write_all(&answer[43..]).await.unwrap();
    assert_closed(&mut stream).await;
    assert_eq!(memory.row_count(), 0);
    assert_lives(&node).await;
}

#[tokio::test]
async fn a_recorded_connection_is_worth_nothing() {
    let (first_memory, first) = node().await;
    let (second_memory, second) = node().await;
    let mut peer = Peer::connect(&first).await;
    peer.send(&[(Kind::Request, 1, change("a"))]).await;
    crate::harness::eventually(|| first_memory.row_count() == 1).await;
    let mut stream = TcpStream::connect(second.address).await.unwrap();
    stream.write_all(&peer.stream.written).await.unwrap();
    assert_closed(&mut stream).await;
    assert_eq!(second_memory.row_count(), 0);
    assert_lives(&second).await;
}

#[tokio::test]
async fn a_repeated_record_ends_the_connection() {
    let (memory, node) = node().await;
    let mut peer = Peer::connect(&node).await;
    let before = peer.stream.written.len();
    peer.send(&[(Kind::Request, 1, change("a"))]).await;
    let record = peer.stream.written[before..].to_vec();
    crate::harness::eventually(|| memory.row_count() == 1).await;
    peer.stream.stream.write_all(&record).await.unwrap();
    peer.assert_closed().await;
    assert_lives(&node).await;
}

#[tokio::test]
async fn a_record_out_of_its_order_is_not_carried_out() {
    let (memory, node) = node().await;
    let mut peer = Peer::connect(&node).await;
    // The first record is lost.
    peer.mac.next_tag(std::iter::empty());
    peer.send(&[(Kind::Request, 1, change("a"))]).await;
    peer.assert_closed().await;
    assert_eq!(memory.row_count(), 0);
    assert_lives(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_anywhere_keeps_the_change_from_being_made() {
    let (memory, node) = node().await;
    // Hello and proof, then one record: length, frame, request, tag.
    let bytes = 92 + 4 + 13 + change("a").len() + 16;
    for position in (0..bytes).step_by(3) {
        let relay = Relay::start(node.address).await;
        relay.flip_at(position);
        let replica = NodeLink::open(&relay.address.to_string(), &identity()).replica(DEVICE);
        let call = replica.accept(accept(row("a"), 10, live(vec![])));
        let outcome = timeout(PATIENCE, call).await.expect("no call hangs");
        assert_unreachable(&outcome);
        assert_eq!(memory.row_count(), 0, "byte {position}");
    }
    assert_lives(&node).await;
}

#[tokio::test]
async fn garbage_before_and_after_the_handshake_ends_the_connection() {
    let (memory, node) = node().await;
    for garbage in
        [&[0xff; 200][..], b"GET / HTTP/1.1\r\nHost: node\r\n\r\n........................................"]
    {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        assert_closed(&mut stream).await;
        let mut peer = Peer::connect(&node).await;
        peer.stream.write_all(garbage).await.unwrap();
        peer.assert_closed().await;
    }
    assert_eq!(memory.row_count(), 0);
    assert_lives(&node).await;
}

#[tokio::test]
async fn a_record_above_the_limit_ends_the_connection_before_it_is_read() {
    let (_memory, node) = node().await;
    let mut peer = Peer::connect(&node).await;
    let length = u32::try_from(RECORD_BYTES_MAX + 1).unwrap();
    peer.stream.write_all(&length.to_le_bytes()).await.unwrap();
    peer.assert_closed().await;
    assert_lives(&node).await;
}

/// Even one who knows the secret is held to the protocol.
#[tokio::test]
async fn a_broken_protocol_ends_the_connection() {
    let (memory, node) = node().await;
    let nothing = Message::default;
    let some = |bytes: &[u8]| Message { head: bytes.to_vec().into(), ..Message::default() };
    let stage = Request::Stage(new_blob(1)).encode(TO);
    let block = encode_block(&Block::new(body(10)));
    let mut flood = vec![(Kind::Request, 1, stage)];
    flood.extend((0..=STREAM_WINDOW_BLOCKS + 1).map(|_| (Kind::Block, 1, block.clone())));
    let broken = [
        vec![(Kind::Request, 1, nothing())],
        vec![(Kind::Request, 0, change("a"))],
        vec![(Kind::Request, 1, some(b"\x07\0\0\0\x63"))],
        vec![(Kind::Reply, 1, some(b"\x01"))],
        vec![(Kind::Leaving, 0, nothing())],
        vec![(Kind::Part, 1, some(b"part"))],
        vec![(Kind::Begin, 1, some(b"\x01\xff\xff\xff\xff"))],
        vec![(Kind::Credit, 1, some(b"\x01"))],
        flood,
    ];
    for frames in broken {
        let mut peer = Peer::connect(&node).await;
        peer.send(&frames).await;
        peer.assert_closed().await;
    }
    assert_eq!((memory.row_count(), memory.blob_ids()), (0, vec![]));
    assert_lives(&node).await;
}

impl AsyncRead for Tape {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tape {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

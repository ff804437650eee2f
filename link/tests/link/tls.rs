//! Links through TLS: who is spoken to, who isn't, and that both sides say why.

use std::time::Duration;

use martlet_link::handshake::{Channel, HandshakeError, greet, receive};
use martlet_link::{Credentials, CredentialsError, LinkIdentity, LinkSecret, LinkTls, NodeLink};
use martlet_protocol::{Prepare, ReplicaError};
use martlet_testkit::MemoryReplica;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::authority::Authority;
use crate::harness::{DEVICE, Node, PATIENCE, ballot, devices, identity, memory, reached, row};
use crate::relay::Relay;

fn with(tls: LinkTls) -> LinkIdentity {
    LinkIdentity { tls: Some(tls), ..identity() }
}

async fn node(identity: LinkIdentity) -> (MemoryReplica, Node) {
    let memory = memory();
    let node = Node::start_as(identity, devices(&memory)).await;
    (memory, node)
}

/// What a client with this identity is told when it asks the node for something.
async fn refusal(node: &Node, identity: &LinkIdentity) -> String {
    let replica = NodeLink::open(&node.address.to_string(), identity).replica(DEVICE);
    let asked = replica.prepare(Prepare { row: row("a"), ballot: ballot(1) });
    match timeout(PATIENCE, asked).await.expect("no call hangs") {
        Err(ReplicaError::Unreachable(why)) => why,
        outcome => panic!("{outcome:?}"),
    }
}

async fn assert_reached(node: &Node, identity: &LinkIdentity) {
    reached(&NodeLink::open(&node.address.to_string(), identity).replica(DEVICE)).await;
}

#[track_caller]
fn assert_says(why: &str, what: &str) {
    assert!(why.contains(what), "{why}");
}

#[tokio::test]
async fn a_client_without_tls_is_told_that_the_node_has_it() {
    let tls = Authority::new().tls();
    let (memory, node) = node(with(tls.clone())).await;
    assert_says(&refusal(&node, &identity()).await, "the other side speaks only with TLS");
    assert_eq!(memory.row_count(), 0);
    assert_reached(&node, &with(tls)).await;
}

#[tokio::test]
async fn a_client_with_tls_is_told_that_the_node_has_none() {
    let (_memory, node) = node(identity()).await;
    let why = refusal(&node, &with(Authority::new().tls())).await;
    assert_says(&why, "the other side speaks only without TLS");
    assert_reached(&node, &identity()).await;
}

#[tokio::test]
async fn a_node_with_the_certificate_of_another_authority_is_not_spoken_to() {
    let (_memory, node) = node(with(Authority::new().tls())).await;
    let why = refusal(&node, &with(Authority::new().tls())).await;
    assert_says(&why, "the other side's certificate isn't good: invalid peer certificate");
}

/// The client takes the node's certificate, but not the other way round.
#[tokio::test]
async fn a_client_with_the_certificate_of_another_authority_is_not_served() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (memory, node) = node(with(ours.tls())).await;
    let both = [ours.credentials("127.0.0.1").authority, theirs.credentials("127.0.0.1").authority].concat();
    let stranger = Credentials { authority: both, ..theirs.credentials("127.0.0.1") };
    let why = refusal(&node, &with(LinkTls::new(&stranger).unwrap())).await;
    assert_says(&why, "the other side doesn't take this side's certificate");
    assert_eq!(memory.row_count(), 0);
    assert_reached(&node, &with(ours.tls())).await;
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_taken() {
    let authority = Authority::new();
    let (_memory, node) = node(with(LinkTls::new(&authority.credentials("127.0.0.2")).unwrap())).await;
    assert_says(&refusal(&node, &with(authority.tls())).await, "the other side's certificate isn't good");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_taken_by_neither_side() {
    let authority = Authority::new();
    let short = authority.certify("127.0.0.1", Duration::from_secs(4));
    let expiring = with(LinkTls::new(&short).unwrap());
    let (_memory, old) = node(expiring.clone()).await;
    let (_memory, fresh) = node(with(authority.tls())).await;
    let link = NodeLink::open(&old.address.to_string(), &with(authority.tls()));
    reached(&link.replica(DEVICE)).await;
    assert!(expiring.tls.as_ref().unwrap().lasts(Duration::ZERO));
    assert!(!expiring.tls.as_ref().unwrap().lasts(Duration::from_mins(1)));
    sleep(Duration::from_secs(5)).await;
    assert_says(&refusal(&old, &with(authority.tls())).await, "certificate expired");
    let why = refusal(&fresh, &expiring).await;
    assert_says(&why, "doesn't take this side's certificate: CertificateExpired");
    // What is connected stays so.
    link.replica(DEVICE).counters(Vec::new()).await.unwrap();
    let outcome = LinkTls::new(&short);
    assert!(matches!(outcome, Err(CredentialsError::Refused(_))), "{outcome:?}");
}

#[tokio::test]
async fn renewed_certificates_are_used_from_the_next_connection_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let tls = old.tls();
    let (_memory, node) = node(with(tls.clone())).await;
    let link = NodeLink::open(&node.address.to_string(), &with(old.tls()));
    reached(&link.replica(DEVICE)).await;
    tls.renew(&new.credentials("127.0.0.1")).unwrap();
    assert_reached(&node, &with(new.tls())).await;
    link.replica(DEVICE).counters(Vec::new()).await.unwrap();
    assert_says(&refusal(&node, &with(old.tls())).await, "certificate");
    // What can't be used changes nothing.
    tls.renew(&Credentials { key: b"none".to_vec(), ..new.credentials("127.0.0.1") }).unwrap_err();
    assert_reached(&node, &with(new.tls())).await;
}

#[tokio::test]
async fn a_certificate_is_worth_nothing_without_the_secret() {
    let authority = Authority::new();
    let (memory, node) = node(with(authority.tls())).await;
    let other = LinkIdentity { secret: LinkSecret::new([9; 32]), ..with(authority.tls()) };
    assert_says(&refusal(&node, &other).await, "doesn't know the cluster's secret");
    assert_eq!(memory.row_count(), 0);
}

/// Somebody with a certificate and without the secret, who has a connection to each and passes the handshake on.
#[tokio::test]
async fn a_handshake_is_worth_nothing_on_another_connection() {
    let (mut near, mut far) = duplex(1024);
    let (identity, channel) = (identity(), |number| Channel::Tls { exported: [number; 32] });
    let (greeted, received) = tokio::join!(
        async {
            let outcome = greet(&mut near, &identity, [3; 32], channel(1)).await;
            drop(near);
            outcome
        },
        receive(&mut far, &identity, [4; 32], channel(2)),
    );
    assert!(matches!(greeted, Err(HandshakeError::Secret)), "{greeted:?}");
    assert!(received.is_err());
    let (mut near, mut far) = duplex(1024);
    let (greeted, received) = tokio::join!(
        greet(&mut near, &identity, [3; 32], channel(1)),
        receive(&mut far, &identity, [4; 32], channel(1)),
    );
    assert!(greeted.unwrap() == received.unwrap());
}

#[tokio::test]
async fn credentials_that_do_not_fit_are_refused_at_once() {
    let (one, other) = (Authority::new(), Authority::new());
    let good = one.credentials("127.0.0.1");
    for (bad, what) in [
        (
            Credentials { authority: other.credentials("127.0.0.1").authority, ..good.clone() },
            "wouldn't take",
        ),
        (Credentials { key: other.credentials("127.0.0.1").key, ..good.clone() }, "certificate and key"),
        (Credentials { certificate: Vec::new(), ..good.clone() }, "no certificate for the certificate"),
        (Credentials { authority: b"-----BEGIN CERTIFICATE-----".to_vec(), ..good.clone() }, "the authority"),
        (Credentials { key: Vec::new(), ..good.clone() }, "the key isn't"),
    ] {
        assert_says(&LinkTls::new(&bad).unwrap_err().to_string(), what);
    }
    LinkTls::new(&good).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_readable_and_nothing_changeable_on_the_way() {
    let tls = Authority::new().tls();
    let (memory, node) = node(with(tls.clone())).await;
    // In how TLS begins, and in the certificate. What changes its keys in between is a word that means nothing.
    for position in [0, 3, 8, 60, 120, 400, 600, 800] {
        let relay = Relay::start(node.address).await;
        relay.flip_at(position);
        let replica = NodeLink::open(&relay.address.to_string(), &with(tls.clone())).replica(DEVICE);
        let asked = replica.prepare(Prepare { row: row("a"), ballot: ballot(1) });
        let outcome = timeout(PATIENCE, asked).await.expect("no call hangs");
        assert!(matches!(outcome, Err(ReplicaError::Unreachable(_))), "byte {position}: {outcome:?}");
    }
    assert_eq!(memory.row_count(), 0);
    let relay = Relay::start(node.address).await;
    assert_reached_through(&relay, &with(tls)).await;
    assert!(!relay.has_passed(b"martlink"), "the handshake can't be read");
    let plain = self::node(identity()).await.1;
    let relay = Relay::start(plain.address).await;
    assert_reached_through(&relay, &identity()).await;
    assert!(relay.has_passed(b"martlink"), "without TLS it can");
}

async fn assert_reached_through(relay: &Relay, identity: &LinkIdentity) {
    reached(&NodeLink::open(&relay.address.to_string(), identity).replica(DEVICE)).await;
}

#[tokio::test]
async fn garbage_ends_the_connection() {
    let tls = Authority::new().tls();
    let (_memory, node) = node(with(tls.clone())).await;
    for garbage in [&[0xff; 200][..], &[0x16; 200], b"martlet, or what? ", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        // A reset is as good as an end.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("the node closes it");
    }
    assert_reached(&node, &with(tls)).await;
}

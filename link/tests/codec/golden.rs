//! Bytes of version 4. A change here is a change of the protocol, and needs a new version.

use std::num::NonZeroU64;

use bytes::Bytes;
use martlet_link::frame::{Frame, Kind};
use martlet_link::handshake::{Channel, greet, receive};
use martlet_link::mac::RecordMac;
use martlet_link::message::{Addressee, Answer, Request, encode_block, encode_reply};
use martlet_link::{LinkIdentity, LinkSecret};
use martlet_protocol::{
    Accept, BlobId, BlobRef, Block, CarriedBody, Checksum, Prepare, ReadRow, ReplicaError, RowAddress,
    RowKey, RowValue, TableId, TableKind, Want, Weight,
};
use martlet_register::{Ballot, ProposerId, State};
use martlet_request::RequestId;
use martlet_ring::{DeviceId, PlacementHash};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const ROW: &str = "02111111111111111111111111111111\
                   03000000 6b6579 0807060504030201";
const BALLOT: &str = "0a00000000000000 0b00000000000000";
const BLOB: &str = "33333333333333333333333333333333 0807060504030201 0400000000000000 4d00000000000000";

fn row() -> RowAddress {
    let key = RowKey { table: TableId::new(TableKind::Objects, [0x11; 15]), key: Bytes::from("key") };
    RowAddress { row: key, hash: PlacementHash(0x0102_0304_0506_0708) }
}

fn ballot() -> Ballot {
    Ballot { time: 10, proposer: ProposerId(11) }
}

fn blob() -> BlobRef {
    BlobRef { id: BlobId([0x33; 16]), hash: row().hash, bytes: 4, checksum: Checksum(77) }
}

const TO: Addressee = Addressee {
    device: DeviceId(7),
    ring: 3,
    request: Some(RequestId::new(NonZeroU64::new(0x0102_0304_0506_0708).unwrap())),
};

#[track_caller]
fn check(bytes: &[u8], expected: &[&str]) {
    let expected: String = expected.concat().split_whitespace().collect();
    assert_eq!(hex::encode(bytes), expected);
}

#[test]
fn a_prepare_is_these_bytes() {
    let prepare = Request::Prepare(Prepare { row: row(), ballot: ballot() });
    check(&prepare.encode(TO).joined(), &["07000000 0300000000000000 0807060504030201 01", ROW, BALLOT]);
}

#[test]
fn an_accept_is_these_bytes() {
    let value = RowValue::Live {
        entry: Bytes::from("e"),
        record: Bytes::from("re"),
        weight: Weight { objects: 1, bytes: 4 },
        blobs: vec![blob()],
    };
    let first = State::first(ballot(), Ballot::ZERO, RowValue::Tombstone);
    let change = Ballot { time: 12, ..ballot() };
    let body = Some(CarriedBody { blob: blob(), bytes: Bytes::from("body") });
    let state = first.successor(change, value);
    let accept = Accept { row: row(), ballot: change, state, body, garbage: vec![blob()], seal: None };
    let expected = [
        "07000000 0300000000000000 0807060504030201 02",
        ROW,
        "0c00000000000000 0b00000000000000",
        "0c00000000000000 0b00000000000000",
        "0000000000000000 0000000000000000 01000000",
        BALLOT,
        "01 01000000 65 02000000 7265 0100000000000000 0400000000000000 01000000",
        BLOB,
        "01000000",
        BLOB,
        "00 01",
        BLOB,
        "626f6479",
    ];
    check(&Request::Accept(accept).encode(TO).joined(), &expected);
}

#[test]
fn a_read_is_these_bytes() {
    let read = Request::Read(ReadRow { row: row(), want: Want::ValueAndBody { bytes_max: 4096 } });
    check(
        &read.encode(TO).joined(),
        &["07000000 0300000000000000 0807060504030201 03", ROW, "02 0010000000000000"],
    );
}

#[test]
fn replies_are_these_bytes() {
    check(&encode_reply(&Ok(Answer::Done)).joined(), &["01"]);
    check(&encode_reply(&Err(ReplicaError::Refused { seen: ballot() })).joined(), &["00 00", BALLOT]);
    check(&encode_reply(&Err(ReplicaError::Invalid("no"))).joined(), &["00 07 02000000 6e6f"]);
}

#[test]
fn a_block_is_these_bytes() {
    let block = Block { checksum: Checksum(77), bytes: Bytes::from("body") };
    check(&encode_block(&block).joined(), &["4d00000000000000 626f6479"]);
}

#[test]
fn a_frame_begins_with_these_bytes() {
    check(&Frame::head(Kind::Block, 5, 4), &["03 0500000000000000 04000000"]);
}

/// The tag of two records with the same bytes, under a key of the test.
#[test]
fn a_tag_is_these_bytes() {
    let mut mac = RecordMac::new([5; 16]);
    let record: &[u8] = b"\x05\0\0\0bytes";
    let tags = [mac.next_tag([record].into_iter()), mac.next_tag([record].into_iter())];
    check(&tags.concat(), &[TAGS]);
    let mut pieces = RecordMac::new([5; 16]);
    assert_eq!(pieces.next_tag(record.chunks(2)), tags[0], "however the record is cut");
}

const TAGS: &str = "e416c46762015493fd9c0e7158018c340e4addbdde7b2d36f2689eb992d145ed";

fn identity() -> LinkIdentity {
    LinkIdentity { cluster: [1; 16], secret: LinkSecret::new([2; 32]), tls: None }
}

#[tokio::test]
async fn a_handshake_is_these_bytes() {
    let (mut client, mut wire) = duplex(1024);
    let (mut server, mut other) = duplex(1024);
    let (client_keys, server_keys, ()) = tokio::join!(
        async { greet(&mut client, &identity(), [3; 32], Channel::Plain).await.unwrap() },
        async { receive(&mut server, &identity(), [4; 32], Channel::Plain).await.unwrap() },
        async {
            let mut hello = [0; 60];
            wire.read_exact(&mut hello).await.unwrap();
            other.write_all(&hello).await.unwrap();
            let mut answer = [0; 75];
            other.read_exact(&mut answer).await.unwrap();
            wire.write_all(&answer).await.unwrap();
            let mut proof = [0; 32];
            wire.read_exact(&mut proof).await.unwrap();
            other.write_all(&proof).await.unwrap();
            check(&hello, &["6d6172746c696e6b 0400 0400", &"01".repeat(16), &"03".repeat(32)]);
            check(&answer[..43], &["6d6172746c696e6b 00 0400", &"04".repeat(32)]);
            check(&[&answer[43..], &proof].concat(), &[PROOFS]);
        },
    );
    assert!(client_keys == server_keys);
    check(&[client_keys.from_client, client_keys.from_server].concat(), &[KEYS]);
}

const PROOFS: &str = "52d917b855d85afcfd9540e2e08843360bf7f096fe8daf2c0ecc35c2e962e393\
                      5654c0afb866a410fb30ac62297666b397d4919ebc7b76ee57d757333d8326b2";
const KEYS: &str = "1b262360c0b744729a434b2c8ea1bbfc2566348a4986eba58b46b43ad3d66cdb";

//! The bytes of every record, held: what an earlier release wrote must stay readable.

use std::fmt::Write;

use bytes::Bytes;
use martlet_model::{
    AccountName, Content, Digest, Md5, ObjectInfo, ObjectMetadata, PartInfo, PartNumber, Timestamp, UploadId,
    UserMetadata,
};
use martlet_protocol::{BlobId, BlobRef, Checksum, RowKey, RowValue, SealToken, TableId, TableKind};
use martlet_ring::PlacementHash;

use super::account::AccountRow;
use super::container::{ContainerRow, SealState};
use super::dropped::Dropped;
use super::object::{ObjectRow, Origin};
use super::part::PartRow;
use super::upload::UploadRow;
use super::{Live, RecordError, directory};

const CREATED: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const MODIFIED: Timestamp = Timestamp::from_micros(1_767_225_600_000_001);

fn table(kind: TableKind) -> TableId {
    TableId::new(kind, [0xaa; 15])
}

fn user() -> UserMetadata {
    UserMetadata::collect([("colour".to_owned(), "blü".to_owned())]).unwrap()
}

fn metadata() -> ObjectMetadata {
    ObjectMetadata {
        content_type: Some("text/plain".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        content_disposition: None,
        content_language: Some("de".to_owned()),
        cache_control: Some("no-store".to_owned()),
        expires: Some("0".to_owned()),
        delete_at: None,
        dynamic_manifest: None,
        user: user(),
    }
}

fn blob() -> BlobRef {
    BlobRef {
        id: BlobId([0xbb; 16]),
        hash: PlacementHash(0x0102_0304_0506_0708),
        bytes: 300,
        checksum: Checksum(0x1112_1314_1516_1718),
    }
}

fn parts_of(value: &RowValue) -> (Bytes, Bytes) {
    match value {
        RowValue::Live { entry, record, .. } => (entry.clone(), record.clone()),
        RowValue::Tombstone => panic!("a live row"),
    }
}

fn live<'a>((entry, record): &'a (Bytes, Bytes), blobs: &'a [BlobRef]) -> Live<'a> {
    Live { entry, record, blobs }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[track_caller]
fn check((entry, record): &(Bytes, Bytes), expected_entry: &str, expected_record: &str) {
    let expected = (expected_entry.replace(' ', ""), expected_record.replace(' ', ""));
    assert_eq!((hexadecimal(entry), hexadecimal(record)), expected);
}

#[test]
fn account() {
    let row = AccountRow { containers: table(TableKind::Containers), created: CREATED, metadata: user() };
    let bytes = parts_of(&row.to_value());
    check(&bytes, "", "0101aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa808081b184e991030106636f6c6f757204626cc3bc");
    assert_eq!(AccountRow::read(live(&bytes, &[])), Ok(row));
}

#[test]
fn bucket() {
    let account = AccountName::parse(b"AUTH_test").unwrap();
    let bytes = parts_of(&directory::claimed_by(&account));
    check(&bytes, "", "0109415554485f74657374");
    assert_eq!(directory::owner(live(&bytes, &[])), Ok(account));
}

#[test]
fn container() {
    let row = ContainerRow {
        objects: table(TableKind::Objects),
        uploads: table(TableKind::Uploads),
        created: CREATED,
        modified: MODIFIED,
        metadata: user(),
        seal: SealState::Sealed { token: SealToken([0xcc; 16]), lifted: vec![SealToken([0xdd; 16])] },
    };
    let bytes = parts_of(&row.to_value());
    check(
        &bytes,
        "01808081b184e99103818081b184e9910302aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0103aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0106636f6c6f757204626cc3bc01cccccccccccccccccccccccccccccccc01dddddddddddddddddddddddddddddddd",
    );
    assert_eq!(ContainerRow::read(live(&bytes, &[])), Ok(row.clone()));
    let open = ContainerRow { seal: row.seal.opened(), ..row };
    let bytes = parts_of(&open.to_value());
    assert_eq!(ContainerRow::read(live(&bytes, &[])), Ok(open));
}

#[test]
fn object_of_one_body() {
    let content = Content { bytes: 300, digest: Digest::Whole(Md5([0xee; 16])) };
    let info = ObjectInfo::new(content, metadata(), MODIFIED);
    let row = ObjectRow { info, origin: None, blobs: vec![blob()] };
    let bytes = parts_of(&row.clone().into_value());
    check(
        &bytes,
        "01ac0200eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee010a746578742f706c61696e818081b184e99103",
        "010104677a6970000102646501086e6f2d73746f72650101300106636f6c6f757204626cc3bc00",
    );
    assert_eq!(ObjectRow::read(live(&bytes, &row.blobs)), Ok(row.clone()));
}

#[test]
fn object_of_parts() {
    let digest = Digest::Parts { of_binary: Md5([1; 16]), of_hex: Md5([2; 16]), count: 2 };
    let content = Content { bytes: 6_000_000, digest };
    let info = ObjectInfo::new(content, ObjectMetadata::default(), MODIFIED);
    let origin =
        Some(Origin { upload: UploadId([0xff; 16]), parts: vec![(1, 5_242_880), (10_000, 757_120)] });
    let row = ObjectRow { info, origin, blobs: Vec::new() };
    let bytes = parts_of(&row.clone().into_value());
    check(
        &bytes,
        "01809bee020101010101010101010101010101010101020202020202020202020202020202020200818081b184e99103",
        "0100000000000001ffffffffffffffffffffffffffffffff02018080c002904e809b2e",
    );
    assert_eq!(ObjectRow::read(live(&bytes, &[])), Ok(row));
}

#[test]
fn upload() {
    let row = UploadRow {
        initiated: CREATED,
        metadata: metadata(),
        parts: table(TableKind::Parts),
        seal: SealState::NEW,
    };
    let bytes = parts_of(&row.to_value());
    check(
        &bytes,
        "01808081b184e99103",
        "01010a746578742f706c61696e0104677a6970000102646501086e6f2d73746f72650101300106636f6c6f757204626cc3bc04aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000",
    );
    assert_eq!(UploadRow::read(live(&bytes, &[])), Ok(row));
    let key = super::upload::row_key(b"a/b", UploadId([3; 16]));
    assert_eq!(hexadecimal(&key), "612f620003030303030303030303030303030303");
    let (name, id) = super::upload::of_row_key(&key).unwrap();
    assert_eq!((name.as_str(), id), ("a/b", UploadId([3; 16])));
}

#[test]
fn part() {
    let number = PartNumber::new(258).unwrap();
    let info = PartInfo { number, bytes: 300, md5: Md5([0xee; 16]), modified: MODIFIED, checksum: None };
    let row = PartRow { info, blobs: vec![blob()] };
    let bytes = parts_of(&row.to_value());
    check(
        &bytes,
        "01ac02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee818081b184e9910301bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0807060504030201ac021817161514131211",
        "",
    );
    let key = super::part::row_key(number);
    assert_eq!(hexadecimal(&key), "0102");
    assert_eq!(PartRow::read(&key, &bytes.0), Ok(row));
}

#[test]
fn dropped_tables() {
    let row = |kind, key: &'static str| RowKey { table: table(kind), key: key.into() };
    let uploads = Dropped::Uploads {
        uploads: table(TableKind::Uploads),
        token: SealToken([0xcc; 16]),
        container: row(TableKind::Containers, "bucket"),
        objects: table(TableKind::Objects),
    };
    let parts = Dropped::Parts {
        parts: table(TableKind::Parts),
        token: SealToken([0xcc; 16]),
        upload: row(TableKind::Uploads, "u"),
        object: row(TableKind::Objects, "o"),
    };
    for (dropped, expected) in [
        (
            uploads,
            "0100cccccccccccccccccccccccccccccccc01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa066275636b657402aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        (
            parts,
            "0101cccccccccccccccccccccccccccccccc03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa017502aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa016f",
        ),
    ] {
        let bytes = parts_of(&dropped.to_value());
        check(&bytes, expected, "");
        assert_eq!(Dropped::read(dropped.table().as_bytes(), &bytes.0), Ok(dropped));
    }
}

#[test]
fn what_a_later_release_wrote_is_not_guessed_at() {
    let record = parts_of(&directory::claimed_by(&AccountName::parse(b"a").unwrap())).1;
    let read = |record: Vec<u8>| directory::owner(live(&(Bytes::new(), record.into()), &[]));
    let mut later = record.to_vec();
    later[0] = 2;
    assert_eq!(read(later), Err(RecordError::UnknownVersion("bucket")));
    assert_eq!(read([&record[..], &[0]].concat()), Err(RecordError::Broken("bucket")));
    assert_eq!(read(record[..record.len() - 1].to_vec()), Err(RecordError::Broken("bucket")));
    assert_eq!(read(Vec::new()), Err(RecordError::Broken("bucket")));
}

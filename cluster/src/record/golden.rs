//! The bytes of every record, held: what an earlier release wrote must stay readable.

mod first;

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{
    AccountName, Annotations, ChecksumAlgorithm, ChecksumKind, ChecksumPlan, ContainerId, ContainerInfo,
    ContainerName, Content, Digest, DocumentKind, Link, Md5, NewUpload, ObjectInfo, ObjectKey,
    ObjectMetadata, PartInfo, PartNumber, Pin, Setting, Shape, StoredChecksum, Timestamp, UploadId,
    UserMetadata, VersionId, Versioning,
};
use martlet_protocol::{BlobId, BlobRef, Checksum, RowKey, RowValue, SealToken, TableId, TableKind, Weight};
use martlet_ring::PlacementHash;

use super::account::AccountRow;
use super::container::{ContainerRow, SealState};
use super::dropped::Dropped;
use super::expiry::Expiry;
use super::object::{Layout, ObjectRow, Origin, StoredObject, StoredVersion, archived};
use super::part::PartRow;
use super::upload::UploadRow;
use super::version::{History, Place, id_of_order};
use super::{Live, RecordError, directory};

const CREATED: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const CONTENT: Content = Content { bytes: 300, digest: Digest::Whole(Md5([0xee; 16])) };
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
        delete_at: Some(MODIFIED),
        dynamic_manifest: Some("c/p".to_owned()),
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

fn info_of_container() -> ContainerInfo {
    ContainerInfo {
        metadata: user(),
        created: CREATED,
        modified: MODIFIED,
        settings: [(Setting::SwiftRead, ".r:*".into()), (Setting::HistoryLocation, "h".into())]
            .into_iter()
            .collect(),
        versioning: Versioning::Suspended,
    }
}

#[test]
fn container() {
    let row = ContainerRow {
        objects: table(TableKind::Objects),
        uploads: table(TableKind::Uploads),
        info: Arc::new(info_of_container()),
        seal: SealState::Sealed { token: SealToken([0xcc; 16]), lifted: vec![SealToken([0xdd; 16])] },
    };
    let bytes = parts_of(&row.to_value());
    check(
        &bytes,
        "02808081b184e99103818081b184e9910302aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa02",
        "0203aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0106636f6c6f757204626cc3bc01cccccccccccccccccccccccccccccccc01dddddddddddddddddddddddddddddddd0200042e723a2a090168",
    );
    assert_eq!(ContainerRow::read(live(&bytes, &[])), Ok(row.clone()));
    let open = ContainerRow { seal: row.seal.opened(), ..row };
    let bytes = parts_of(&open.to_value());
    assert_eq!(ContainerRow::read(live(&bytes, &[])), Ok(open));
}

fn checksum() -> StoredChecksum {
    StoredChecksum {
        algorithm: ChecksumAlgorithm::Crc32c,
        kind: ChecksumKind::FullObject,
        value: [1, 2, 3, 4].into(),
    }
}

fn annotations() -> Annotations {
    let tags = [("a".to_owned(), "b".to_owned())].into_iter().collect();
    Annotations { acl: Some("acl".into()), tags }
}

fn history() -> History {
    let removed = Place { order: 6, id: VersionId::Id([5; 16]) };
    History { order: 300, since: 5, null_at: Some(7), removing: vec![removed] }
}

#[test]
fn object_of_one_body() {
    let info = ObjectInfo {
        version: Some(VersionId::Id([4; 16])),
        annotations: annotations(),
        checksum: Some(checksum()),
        ..ObjectInfo::new(CONTENT, metadata(), MODIFIED)
    };
    let object = StoredObject { info, origin: None, blobs: vec![blob()] };
    let row = ObjectRow { version: StoredVersion::Object(object), history: Some(history()) };
    let bytes = parts_of(&row.clone().into_value());
    check(
        &bytes,
        "02ac0200eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee010a746578742f706c61696e818081b184e9910301010404040404040404040404040404040401818081b184e9910300",
        "020104677a6970000102646501086e6f2d73746f72650101300106636f6c6f757204626cc3bc01818081b184e991030103632f70010361636c010161016201010004010203040001ac0205010701060105050505050505050505050505050505",
    );
    assert_eq!(ObjectRow::read(live(&bytes, &[blob()])), Ok(row));
}

#[test]
fn object_of_parts() {
    let digest = Digest::Parts { of_binary: Md5([1; 16]), of_hex: Md5([2; 16]), count: 2 };
    let content = Content { bytes: 6_000_000, digest };
    let info = ObjectInfo::new(content, ObjectMetadata::default(), MODIFIED);
    let part = |number, bytes, checksum| PartInfo {
        number: PartNumber::new(number).unwrap(),
        bytes,
        md5: Md5([3; 16]),
        modified: CREATED,
        checksum,
    };
    let parts = [part(1, 5_242_880, Some(checksum())), part(10_000, 757_120, None)];
    let layout = Layout::of_parts(&parts);
    assert_eq!(layout.parts(), Ok(parts.iter().map(PartInfo::layout).collect()));
    let origin = Some(Origin { upload: UploadId([0xff; 16]), layout });
    let object = StoredObject { info, origin, blobs: Vec::new() };
    let row = ObjectRow { version: StoredVersion::Object(object), history: None };
    let bytes = parts_of(&row.clone().into_value());
    check(
        &bytes,
        "02809bee020101010101010101010101010101010101020202020202020202020202020202020200818081b184e99103000000",
        "02000000000000000000000001ffffffffffffffffffffffffffffffff00018080c0020101000401020304904e809b2e00",
    );
    assert_eq!(ObjectRow::read(live(&bytes, &[])), Ok(row));
}

#[test]
fn list_of_segments() {
    check_list(None, "02ac0200eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee00818081b184e991030000014d");
    check_list(
        Some(Md5([3; 16])),
        "02ac0200eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee00818081b184e991030000034d03030303030303030303030303030303",
    );
}

#[track_caller]
fn check_list(list_md5: Option<Md5>, entry: &str) {
    let shape = Shape::SegmentList { list_bytes: 77, list_md5 };
    let info = ObjectInfo { shape, ..ObjectInfo::new(CONTENT, ObjectMetadata::default(), MODIFIED) };
    let object = StoredObject { info, origin: None, blobs: vec![blob()] };
    let row = ObjectRow { version: StoredVersion::Object(object), history: None };
    let value = row.clone().into_value();
    assert_eq!(value.weight(), Weight { objects: 1, bytes: 77 });
    let bytes = parts_of(&value);
    check(&bytes, entry, "0200000000000000000000000000");
    assert_eq!(ObjectRow::read(live(&bytes, &[blob()])), Ok(row));
}

#[test]
fn link() {
    let link = Link {
        account: Some(AccountName::parse(b"acc").unwrap()),
        container: ContainerName::parse(b"con").unwrap(),
        key: ObjectKey::parse("key").unwrap(),
        pin: Some(Pin { md5: Md5([5; 16]), bytes: 300, joined: Some(Md5([6; 16])) }),
    };
    let open = Link { account: None, pin: None, ..link.clone() };
    for (link, bytes_of_link) in [
        (open, "00 03 636f6e 03 6b6579 00".to_owned()),
        (
            link,
            format!("01 03 616363 03 636f6e 03 6b6579 01 {} ac02 01 {}", "05".repeat(16), "06".repeat(16)),
        ),
    ] {
        let content = Content { bytes: 0, digest: Digest::Whole(Md5([0xee; 16])) };
        let shape = Shape::Link(Box::new(link));
        let info = ObjectInfo { shape, ..ObjectInfo::new(content, ObjectMetadata::default(), MODIFIED) };
        let object = StoredObject { info, origin: None, blobs: Vec::new() };
        let row = ObjectRow { version: StoredVersion::Object(object), history: None };
        let value = row.clone().into_value();
        assert_eq!(value.weight(), Weight { objects: 1, bytes: 0 });
        let bytes = parts_of(&value);
        check(
            &bytes,
            &format!("020000{}00818081b184e991030000 04 {bytes_of_link}", "ee".repeat(16)).replace(' ', ""),
            "0200000000000000000000000000",
        );
        assert_eq!(ObjectRow::read(live(&bytes, &[])), Ok(row));
    }
}

#[test]
fn delete_marker() {
    let version = StoredVersion::DeleteMarker { id: VersionId::Null, modified: MODIFIED };
    let row = ObjectRow { version, history: Some(history()) };
    let value = row.clone().into_value();
    assert_eq!(value.weight(), Weight::default());
    let bytes = parts_of(&value);
    check(
        &bytes,
        "0200000000000000000000000000000000000000818081b184e9910301000002",
        "0200000000000000000000000001ac0205010701060105050505050505050505050505050505",
    );
    assert_eq!(ObjectRow::read(live(&bytes, &[])), Ok(row));
}

#[test]
fn older_versions() {
    let object = StoredObject {
        info: ObjectInfo::new(CONTENT, ObjectMetadata::default(), MODIFIED),
        origin: None,
        blobs: vec![blob()],
    };
    let version = StoredVersion::Object(object);
    let value = archived(version.clone());
    assert_eq!(value.weight(), Weight { objects: 0, bytes: 300 });
    let bytes = parts_of(&value);
    assert_eq!(ObjectRow::read(live(&bytes, &[blob()])), Ok(ObjectRow { version, history: None }));
    for (id, suffix) in [
        (VersionId::Null, "00 fffffffffffffefd 00 00000000000000000000000000000000"),
        (VersionId::Id([4; 16]), "00 fffffffffffffefd 01 04040404040404040404040404040404"),
    ] {
        let place = Place { order: 258, id };
        let key = place.row_key(b"a/b");
        assert_eq!(hexadecimal(&key), format!("612f62{suffix}").replace(' ', ""));
        let (name, same) = Place::of_row_key(&key).unwrap();
        assert_eq!((name.as_str(), same), ("a/b", place));
    }
    assert_eq!(id_of_order(258, [9; 8]).to_string(), "00000000000001020909090909090909");
}

#[test]
fn upload() {
    let plan = ChecksumPlan { algorithm: ChecksumAlgorithm::Sha256, kind: ChecksumKind::Composite };
    let row = UploadRow {
        initiated: CREATED,
        new: NewUpload { metadata: metadata(), annotations: annotations(), checksum: Some(plan) },
        parts: table(TableKind::Parts),
        seal: SealState::NEW,
    };
    let bytes = parts_of(&row.to_value());
    check(
        &bytes,
        "01808081b184e99103",
        "02010a746578742f706c61696e0104677a6970000102646501086e6f2d73746f72650101300106636f6c6f757204626cc3bc01818081b184e991030103632f7004aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000010361636c0101610162010401",
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
    let info =
        PartInfo { number, bytes: 300, md5: Md5([0xee; 16]), modified: MODIFIED, checksum: Some(checksum()) };
    let row = PartRow { info, blobs: vec![blob()] };
    let bytes = parts_of(&row.to_value());
    check(
        &bytes,
        "02ac02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee818081b184e9910301bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0807060504030201ac0218171615141312110101000401020304",
        "",
    );
    let key = super::part::row_key(number);
    assert_eq!(hexadecimal(&key), "0102");
    assert_eq!(PartRow::read(&key, &bytes.0), Ok(row));
}

#[test]
fn document() {
    let bytes = parts_of(&super::document::to_value(b"json"));
    check(&bytes, "01 6a736f6e", "");
    assert_eq!(super::document::read(&bytes.0), Ok("json".into()));
    assert_eq!(hexadecimal(&super::document::row_key(DocumentKind::User, b"ab")), "016162");
}

#[test]
fn expiry() {
    let expiry = Expiry {
        delete_at: Timestamp::from_micros(258_000_000),
        objects: table(TableKind::Objects),
        key: ObjectKey::parse("a/b").unwrap(),
        container: ContainerId {
            account: AccountName::parse(b"AUTH_test").unwrap(),
            name: ContainerName::parse(b"c").unwrap(),
        },
        noted: CREATED,
    };
    let bytes = parts_of(&expiry.to_value());
    check(&bytes, "01 09 415554485f74657374 01 63 808081b184e99103", "");
    let key = expiry.row_key();
    assert_eq!(hexadecimal(&key), "000000000000010202aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa612f62");
    assert_eq!(Expiry::read(&key, &bytes.0), Ok(expiry));
    assert_eq!(
        hexadecimal(&super::expiry::end_of_second(Timestamp::from_micros(258_999_999))),
        "0000000000000103"
    );
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

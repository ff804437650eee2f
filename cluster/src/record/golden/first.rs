//! The first format of what has a second one by now: it stays readable.

use super::*;

fn bytes_of(text: &str) -> Bytes {
    let text = text.replace(' ', "");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn row_of(entry: &str, record: &str) -> (Bytes, Bytes) {
    (bytes_of(entry), bytes_of(record))
}

fn first_metadata() -> ObjectMetadata {
    ObjectMetadata { delete_at: None, dynamic_manifest: None, ..metadata() }
}

#[test]
fn container() {
    let bytes = row_of(
        "01808081b184e99103818081b184e9910302aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0103aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0106636f6c6f757204626cc3bc01cccccccccccccccccccccccccccccccc01dddddddddddddddddddddddddddddddd",
    );
    let info = ContainerInfo {
        settings: [].into_iter().collect(),
        versioning: Versioning::Off,
        ..info_of_container()
    };
    let expected = ContainerRow {
        objects: table(TableKind::Objects),
        uploads: table(TableKind::Uploads),
        info: Arc::new(info),
        seal: SealState::Sealed { token: SealToken([0xcc; 16]), lifted: vec![SealToken([0xdd; 16])] },
    };
    assert_eq!(ContainerRow::read(live(&bytes, &[])), Ok(expected));
}

#[test]
fn object_of_one_body() {
    let bytes = row_of(
        "01ac0200eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee010a746578742f706c61696e818081b184e99103",
        "010104677a6970000102646501086e6f2d73746f72650101300106636f6c6f757204626cc3bc00",
    );
    let info = ObjectInfo::new(CONTENT, first_metadata(), MODIFIED);
    let object = StoredObject { info, origin: None, blobs: vec![blob()] };
    let expected = ObjectRow { version: StoredVersion::Object(object), history: None };
    assert_eq!(ObjectRow::read(live(&bytes, &[blob()])), Ok(expected));
}

#[test]
fn object_of_parts() {
    let bytes = row_of(
        "01809bee020101010101010101010101010101010101020202020202020202020202020202020200818081b184e99103",
        "0100000000000001ffffffffffffffffffffffffffffffff02018080c002904e809b2e",
    );
    let StoredVersion::Object(object) = ObjectRow::read(live(&bytes, &[])).unwrap().version else {
        panic!("an object");
    };
    let digest = Digest::Parts { of_binary: Md5([1; 16]), of_hex: Md5([2; 16]), count: 2 };
    let content = Content { bytes: 6_000_000, digest };
    assert_eq!(object.info, ObjectInfo::new(content, ObjectMetadata::default(), MODIFIED));
    let origin = object.origin.unwrap();
    assert_eq!(origin.upload, UploadId([0xff; 16]));
    let parts = origin.layout.parts().unwrap();
    let parts: Vec<_> = parts.iter().map(|part| (part.number.get(), part.bytes, &part.checksum)).collect();
    assert_eq!(parts, [(1, 5_242_880, &None), (10_000, 757_120, &None)]);
}

#[test]
fn upload() {
    let bytes = row_of(
        "01808081b184e99103",
        "01010a746578742f706c61696e0104677a6970000102646501086e6f2d73746f72650101300106636f6c6f757204626cc3bc04aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000",
    );
    let expected = UploadRow {
        initiated: CREATED,
        new: NewUpload { metadata: first_metadata(), ..NewUpload::default() },
        parts: table(TableKind::Parts),
        seal: SealState::NEW,
    };
    assert_eq!(UploadRow::read(live(&bytes, &[])), Ok(expected));
}

#[test]
fn part() {
    let number = PartNumber::new(258).unwrap();
    let info = PartInfo { number, bytes: 300, md5: Md5([0xee; 16]), modified: MODIFIED, checksum: None };
    let entry = bytes_of(
        "01ac02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee818081b184e9910301bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0807060504030201ac021817161514131211",
    );
    let key = crate::record::part::row_key(number);
    assert_eq!(PartRow::read(&key, &entry), Ok(PartRow { info, blobs: vec![blob()] }));
}

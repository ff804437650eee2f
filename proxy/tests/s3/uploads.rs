//! Multipart uploads.

use md5::{Digest as _, Md5};

use crate::harness::Server;

const PART_BYTES: usize = 5 * 1024 * 1024;

async fn begin(server: &Server, key: &str) -> String {
    let begun = server.call("POST", &format!("/box/{key}?uploads")).header("x-amz-meta-a", "1");
    begun.send().await.expect(200).element("UploadId").expect("an id")
}

async fn put_part(server: &Server, key: &str, upload: &str, number: u32, body: &[u8]) -> String {
    let target = format!("/box/{key}?partNumber={number}&uploadId={upload}");
    server.put(&target, body).await.expect(200).header("etag").expect("an ETag").to_owned()
}

fn completion(parts: &[(u32, String)]) -> String {
    let part = |(number, etag): &(u32, String)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let parts: Vec<String> = parts.iter().map(part).collect();
    let parts = parts.concat();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn parts_become_one_object_in_one_step() {
    let server = Server::with_box().await;
    let upload = begin(&server, "key").await;
    let (first, last) = (vec![b'a'; PART_BYTES], b"end".to_vec());
    let etags = vec![
        (1, put_part(&server, "key", &upload, 1, &first).await),
        (7, put_part(&server, "key", &upload, 7, &last).await),
    ];
    server.get("/box/key").await.refused(404, "NoSuchKey");
    assert_eq!(server.get("/box").await.elements("Key"), [""; 0]);

    let target = format!("/box/key?uploadId={upload}");
    let done = server.call("POST", &target).body(completion(&etags)).send().await.expect(200);
    let digests = [Md5::digest(&first), Md5::digest(&last)].concat();
    let etag = format!("\"{}-2\"", hex(&Md5::digest(digests)));
    assert_eq!(done.element("ETag").unwrap().replace("&quot;", "\""), etag);
    assert_eq!(done.element("Key").as_deref(), Some("key"));
    assert!(done.element("Location").unwrap().ends_with("/box/key"));
    let found = server.get("/box/key").await.expect(200);
    assert_eq!(found.header("etag"), Some(etag.as_str()));
    assert_eq!(found.header("x-amz-meta-a"), Some("1"));
    assert_eq!(found.body, [first, last].concat());

    let again = server.call("POST", &target).body(completion(&etags)).send().await.expect(200);
    assert_eq!(again.element("ETag"), done.element("ETag"));
}

#[tokio::test]
async fn a_completed_upload_is_not_completed_with_other_parts() {
    let server = Server::with_box().await;
    let upload = begin(&server, "key").await;
    let large = vec![b'a'; PART_BYTES];
    let mut etags = Vec::new();
    for number in 1..=3 {
        etags.push((number, put_part(&server, "key", &upload, number, &large).await));
    }
    let target = format!("/box/key?uploadId={upload}");
    let complete = |parts: &[(u32, String)]| {
        server.call("POST", &target).header("if-none-match", "*").body(completion(parts)).send()
    };
    complete(&etags[..2]).await.expect(200);
    complete(&etags).await.refused(404, "NoSuchUpload");
    complete(&etags[..1]).await.refused(404, "NoSuchUpload");
    complete(&etags[..2]).await.expect(200);
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("four bits");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[tokio::test]
async fn parts_and_uploads_are_listed_in_pages() {
    let server = Server::with_box().await;
    let upload = begin(&server, "key").await;
    for number in [3, 1, 2] {
        put_part(&server, "key", &upload, number, b"part").await;
    }
    let target = format!("/box/key?uploadId={upload}");
    let page = server.get(&format!("{target}&max-parts=2")).await.expect(200);
    assert_eq!(page.elements("PartNumber"), ["1", "2"]);
    assert_eq!(page.element("IsTruncated").as_deref(), Some("true"));
    assert_eq!(page.element("NextPartNumberMarker").as_deref(), Some("2"));
    assert_eq!(page.elements("Size"), ["4", "4"]);
    let rest = server.get(&format!("{target}&max-parts=2&part-number-marker=2")).await.expect(200);
    assert_eq!(rest.elements("PartNumber"), ["3"]);
    assert_eq!(rest.element("IsTruncated").as_deref(), Some("false"));

    for key in ["dir/a", "dir/b", "key"] {
        begin(&server, key).await;
    }
    let all = server.get("/box?uploads").await.expect(200);
    assert_eq!(all.elements("Key"), ["dir/a", "dir/b", "key", "key"]);
    assert!(all.elements("UploadId").contains(&upload));
    assert_eq!(server.get("/box?uploads&prefix=dir/").await.elements("Key"), ["dir/a", "dir/b"]);
    let (mut seen, mut position) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/box?uploads&max-uploads=1{position}")).await.expect(200);
        seen.extend(page.elements("UploadId"));
        let Some(key) = page.element("NextKeyMarker").filter(|key| !key.is_empty()) else { break };
        let id = page.element("NextUploadIdMarker").unwrap();
        position = format!("&key-marker={key}&upload-id-marker={id}");
    }
    assert_eq!(seen, all.elements("UploadId"));
}

#[tokio::test]
async fn uploads_are_grouped_at_a_delimiter() {
    let server = Server::with_box().await;
    for key in ["a", "dir/x", "dir/x", "dir/y", "e", "e", "f/g/h"] {
        begin(&server, key).await;
    }
    let all = server.get("/box?uploads&delimiter=/").await.expect(200);
    assert_eq!(all.elements("Key"), ["a", "e", "e"]);
    assert_eq!(all.elements("CommonPrefixes"), ["<Prefix>dir/</Prefix>", "<Prefix>f/</Prefix>"]);
    let below = server.get("/box?uploads&delimiter=/&prefix=dir/").await.expect(200);
    assert_eq!(below.elements("Key"), ["dir/x", "dir/x", "dir/y"]);
    for limit in 1..=5 {
        let (mut keys, mut prefixes, mut position) = (Vec::new(), Vec::new(), String::new());
        loop {
            let target = format!("/box?uploads&delimiter=/&max-uploads={limit}{position}");
            let page = server.get(&target).await.expect(200);
            keys.extend(page.elements("Key"));
            prefixes.extend(page.elements("CommonPrefixes"));
            let Some(key) = page.element("NextKeyMarker").filter(|key| !key.is_empty()) else { break };
            position = format!("&key-marker={key}");
            if let Some(id) = page.element("NextUploadIdMarker") {
                position.extend(["&upload-id-marker=", &id]);
            }
        }
        assert_eq!((keys, prefixes), (all.elements("Key"), all.elements("CommonPrefixes")), "{limit}");
    }
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let server = Server::with_box().await;
    let upload = begin(&server, "key").await;
    put_part(&server, "key", &upload, 1, b"part").await;
    let target = format!("/box/key?uploadId={upload}");
    server.call("DELETE", &target).send().await.expect(204);
    server.call("DELETE", &target).send().await.refused(404, "NoSuchUpload");
    server.get(&target).await.refused(404, "NoSuchUpload");
    server.put(&format!("{target}&partNumber=1"), "x").await.refused(404, "NoSuchUpload");
    let completing = server.call("POST", &target).body(completion(&[(1, "a".to_owned())]));
    completing.send().await.refused(404, "NoSuchUpload");
    server.get("/box/key").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn an_upload_is_completed_as_asked_or_not_at_all() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    let upload = begin(&server, "key").await;
    let one = put_part(&server, "key", &upload, 1, b"too small").await;
    let two = put_part(&server, "key", &upload, 2, b"end").await;
    let target = format!("/box/key?uploadId={upload}");
    let complete = |document: String| server.call("POST", &target).body(document).send();
    let wrong = "\"00000000000000000000000000000000\"".to_owned();
    complete(completion(&[(1, wrong)])).await.refused(400, "InvalidPart");
    complete(completion(&[(3, one.clone())])).await.refused(400, "InvalidPart");
    complete(completion(&[(2, two.clone()), (1, one.clone())])).await.refused(400, "InvalidPartOrder");
    complete(completion(&[(1, one.clone()), (2, two.clone())])).await.refused(400, "EntityTooSmall");
    complete(completion(&[])).await.refused(400, "MalformedXML");
    complete("<Complete".to_owned()).await.refused(400, "MalformedXML");
    assert_eq!(server.get("/box/key").await.body, b"old");
    let unless_there = server.call("POST", &target).header("if-none-match", "*");
    unless_there.body(completion(&[(2, two.clone())])).send().await.refused(412, "PreconditionFailed");
    assert_eq!(server.get("/box/key").await.body, b"old");
    complete(completion(&[(2, two)])).await.expect(200);
    assert_eq!(server.get("/box/key").await.body, b"end");
}

#[tokio::test]
async fn numbers_and_ids_out_of_range_are_refused() {
    let server = Server::with_box().await;
    let upload = begin(&server, "key").await;
    for number in ["0", "10001", "-1", "x", ""] {
        let target = format!("/box/key?partNumber={number}&uploadId={upload}");
        server.put(&target, "x").await.refused(400, "InvalidArgument");
    }
    server.put(&format!("/box/key?uploadId={upload}"), "x").await.refused(400, "InvalidArgument");
    for id in ["x", "", "00000000000000000000000000000000"] {
        let target = format!("/box/key?partNumber=1&uploadId={id}");
        server.put(&target, "x").await.refused(404, "NoSuchUpload");
    }
    let marker = format!("/box/key?uploadId={upload}&part-number-marker=10001");
    server.get(&marker).await.refused(400, "InvalidArgument");
    server.get("/box?uploads&key-marker=a&upload-id-marker=x").await.refused(400, "InvalidArgument");
}

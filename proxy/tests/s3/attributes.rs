//! What is known of an object, and of the parts that it was joined from.

use crate::harness::{Answer, Server};

const PART_BYTES: usize = 5 * 1024 * 1024;

/// A server with an object that was joined from parts 1, 2 and 5, of which the last has three bytes.
async fn with_joined() -> (Server, String) {
    let server = Server::with_box().await;
    let begun = server.call("POST", "/box/key?uploads").header("content-type", "text/plain").send().await;
    let target = format!("/box/key?uploadId={}", begun.expect(200).element("UploadId").expect("an id"));
    let mut parts = Vec::new();
    for (number, body) in [(1, vec![b'a'; PART_BYTES]), (2, vec![b'b'; PART_BYTES]), (5, b"end".to_vec())] {
        let stored = server.put(&format!("{target}&partNumber={number}"), body).await.expect(200);
        let etag = stored.header("etag").expect("an ETag");
        parts.push(format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"));
    }
    let document = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
    let done = server.call("POST", &target).body(document).send().await.expect(200);
    (server, done.element("ETag").expect("an ETag").replace("&quot;", "\""))
}

#[tokio::test]
async fn a_part_is_read_by_its_place_among_the_parts() {
    let (server, etag) = with_joined().await;
    let whole = 2 * PART_BYTES + 3;
    for (number, start, body) in
        [(2, PART_BYTES, vec![b'b'; PART_BYTES]), (3, 2 * PART_BYTES, b"end".to_vec())]
    {
        let target = format!("/box/key?partNumber={number}");
        for method in ["GET", "HEAD"] {
            let part = server.call(method, &target).send().await.expect(206);
            assert_eq!(part.header("etag"), Some(etag.as_str()));
            assert_eq!(part.header("x-amz-mp-parts-count"), Some("3"));
            assert_eq!(part.header("content-length").unwrap(), body.len().to_string());
            let range = format!("bytes {start}-{}/{whole}", start + body.len() - 1);
            assert_eq!(part.header("content-range"), Some(range.as_str()));
            assert_eq!(part.header("content-type"), Some("text/plain"));
        }
        assert_eq!(server.get(&target).await.body, body);
    }
    for number in ["4", "5", "10000"] {
        server.get(&format!("/box/key?partNumber={number}")).await.refused(416, "InvalidPartNumber");
        server.call("HEAD", &format!("/box/key?partNumber={number}")).send().await.expect(416);
    }
    for number in ["0", "-1", "10001", "x"] {
        let refused = server.get(&format!("/box/key?partNumber={number}")).await;
        let refused = refused.refused(400, "InvalidArgument");
        assert_eq!(refused.element("ArgumentName").as_deref(), Some("partNumber"));
        assert_eq!(refused.element("ArgumentValue").as_deref(), Some(number));
    }
    let both = server.call("GET", "/box/key?partNumber=1").header("range", "bytes=0-1").send().await;
    both.refused(400, "InvalidRequest");
    let conditional = server.call("GET", "/box/key?partNumber=3").header("if-none-match", &etag);
    conditional.send().await.expect(304);
    assert_eq!(server.get("/box/key").await.header("x-amz-mp-parts-count"), None);
}

#[tokio::test]
async fn an_object_that_was_not_joined_is_its_own_first_part() {
    let server = Server::with_box().await;
    server.put("/box/key", "0123456789").await.expect(200);
    server.put("/box/empty", "").await.expect(200);
    let part = server.get("/box/key?partNumber=1").await.expect(206);
    assert_eq!((part.header("content-range"), &part.body[..]), (Some("bytes 0-9/10"), &b"0123456789"[..]));
    assert_eq!(part.header("x-amz-mp-parts-count"), None);
    assert_eq!(server.get("/box/empty?partNumber=1").await.expect(200).body, b"");
    server.get("/box/key?partNumber=2").await.refused(416, "InvalidPartNumber");
    server.get("/box/none?partNumber=1").await.refused(404, "NoSuchKey");
}

async fn attributes(server: &Server, target: &str, headers: &[(&str, &str)]) -> Answer {
    let call = server.call("GET", target);
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
}

const ALL: (&str, &str) = ("x-amz-object-attributes", "ETag, Checksum,ObjectParts,StorageClass,ObjectSize");

#[tokio::test]
async fn the_attributes_of_a_joined_object_have_its_parts_in_pages() {
    let (server, etag) = with_joined().await;
    let found = attributes(&server, "/box/key?attributes", &[ALL]).await.expect(200);
    assert_eq!(found.element("ETag").unwrap(), etag.trim_matches('"'));
    assert_eq!(found.element("ObjectSize").unwrap(), (2 * PART_BYTES + 3).to_string());
    assert_eq!(found.element("StorageClass").as_deref(), Some("STANDARD"));
    assert_eq!(found.element("PartsCount").as_deref(), Some("3"));
    assert_eq!(found.elements("PartNumber"), ["1", "2", "5"]);
    assert_eq!(found.elements("Size"), ["5242880", "5242880", "3"]);
    assert_eq!(found.element("IsTruncated").as_deref(), Some("false"));
    assert_eq!(found.header("last-modified"), Some("Thu, 01 Jan 2026 00:00:00 GMT"));
    let page = [ALL, ("x-amz-max-parts", "1"), ("x-amz-part-number-marker", "1")];
    let page = attributes(&server, "/box/key?attributes", &page).await.expect(200);
    assert_eq!(page.elements("PartNumber"), ["2"]);
    assert_eq!(page.element("IsTruncated").as_deref(), Some("true"));
    assert_eq!(page.element("NextPartNumberMarker").as_deref(), Some("2"));
    assert_eq!(page.element("PartNumberMarker").as_deref(), Some("1"));
    assert_eq!(page.element("MaxParts").as_deref(), Some("1"));
}

#[tokio::test]
async fn only_the_attributes_that_were_asked_for_are_told() {
    let server = Server::with_box().await;
    let put = server.call("PUT", "/box/key").header("x-amz-checksum-crc32", "y/Q5Jg==").body("123456789");
    put.send().await.expect(200);
    let target = "/box/key?attributes";
    let size = attributes(&server, target, &[("x-amz-object-attributes", "ObjectSize")]).await.expect(200);
    assert_eq!((size.element("ObjectSize").as_deref(), size.element("ETag")), (Some("9"), None));
    let both = [("x-amz-object-attributes", "Checksum"), ("x-amz-object-attributes", "ObjectParts")];
    let both = attributes(&server, target, &both).await.expect(200);
    assert_eq!(both.element("ChecksumCRC32").as_deref(), Some("y/Q5Jg=="));
    assert_eq!(both.element("ChecksumType").as_deref(), Some("FULL_OBJECT"));
    assert_eq!(both.element("ObjectParts"), None);
    attributes(&server, target, &[]).await.refused(400, "InvalidArgument");
    let unknown = [("x-amz-object-attributes", "ETag,Colour")];
    attributes(&server, target, &unknown).await.refused(400, "InvalidArgument");
    attributes(&server, "/box/none?attributes", &[ALL]).await.refused(404, "NoSuchKey");
    let wrong = [ALL, ("x-amz-max-parts", "x")];
    attributes(&server, target, &wrong).await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn a_caller_may_insist_on_who_owns_the_bucket() {
    const OWNER: &str = "x-amz-expected-bucket-owner";
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    for (method, target) in [
        ("GET", "/box/key"),
        ("PUT", "/box/key"),
        ("DELETE", "/box/key"),
        ("GET", "/box?versioning"),
        ("GET", "/box"),
    ] {
        let other = server.call(method, target).header(OWNER, "AUTH_other").send().await;
        other.refused(403, "AccessDenied");
    }
    assert_eq!(server.call("GET", "/box/key").header(OWNER, "AUTH_own").send().await.expect(200).body, b"x");
    let copy = |owner: &str| {
        let call = server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/key");
        call.header("x-amz-source-expected-bucket-owner", owner).send()
    };
    copy("AUTH_other").await.refused(403, "AccessDenied");
    copy("AUTH_own").await.expect(200);
}

//! Copies of objects, and parts that are copies.

use crate::harness::{Answer, Server};

/// The MD5 of `0123456789`.
const ETAG: &str = "\"781e5e245d69b566979b86e28d23f2c7\"";

async fn with_source() -> Server {
    let server = Server::with_box().await;
    let put = server.call("PUT", "/box/dir/source%20+").header("content-type", "text/plain");
    put.header("x-amz-meta-a", "1").body("0123456789").send().await.expect(200);
    server
}

async fn copy(server: &Server, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut call = server.call("PUT", target);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.send().await
}

const SOURCE: (&str, &str) = ("x-amz-copy-source", "/box/dir/source%20+");

#[tokio::test]
async fn a_copy_has_the_bytes_and_metadata_of_its_source() {
    let server = with_source().await;
    server.put("/box2", "").await.expect(200);
    let copied =
        copy(&server, "/box2/copy", &[SOURCE, ("x-amz-metadata-directive", "COPY")]).await.expect(200);
    assert_eq!(copied.element("ETag").unwrap().replace("&quot;", "\""), ETAG);
    assert_eq!(copied.element("LastModified").as_deref(), Some("2026-01-01T00:00:00.000Z"));
    server.call("DELETE", "/box/dir/source%20+").send().await.expect(204);
    let found = server.get("/box2/copy").await.expect(200);
    assert_eq!(found.body, b"0123456789");
    assert_eq!((found.header("content-type"), found.header("x-amz-meta-a")), (Some("text/plain"), Some("1")));
}

#[tokio::test]
async fn a_copy_may_have_metadata_of_its_own() {
    let server = with_source().await;
    let replace = ("x-amz-metadata-directive", "REPLACE");
    copy(&server, "/box/copy", &[SOURCE, replace, ("x-amz-meta-b", "2")]).await.expect(200);
    let found = server.get("/box/copy").await.expect(200);
    assert_eq!(found.header("x-amz-meta-a"), None);
    assert_eq!(found.header("x-amz-meta-b"), Some("2"));
    assert_eq!(found.header("content-type"), Some("binary/octet-stream"));

    let itself = "/box/dir/source%20+";
    copy(&server, itself, &[SOURCE]).await.refused(400, "InvalidRequest");
    copy(&server, itself, &[SOURCE, replace, ("x-amz-meta-c", "3")]).await.expect(200);
    let found = server.get("/box/dir/source%20+").await.expect(200);
    assert_eq!((found.header("x-amz-meta-c"), &found.body[..]), (Some("3"), &b"0123456789"[..]));
    copy(&server, "/box/copy", &[SOURCE, ("x-amz-metadata-directive", "x")])
        .await
        .refused(400, "InvalidArgument");
}

#[tokio::test]
async fn a_copy_is_made_on_conditions() {
    let server = with_source().await;
    for (name, value) in [
        ("x-amz-copy-source-if-match", "\"other\""),
        ("x-amz-copy-source-if-none-match", ETAG),
        ("x-amz-copy-source-if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("x-amz-copy-source-if-unmodified-since", "Wed, 31 Dec 2025 00:00:00 GMT"),
    ] {
        copy(&server, "/box/copy", &[SOURCE, (name, value)]).await.refused(412, "PreconditionFailed");
    }
    copy(&server, "/box/copy", &[SOURCE, ("if-match", ETAG)]).await.refused(404, "NoSuchKey");
    server.get("/box/copy").await.refused(404, "NoSuchKey");
    let once = [SOURCE, ("if-none-match", "*"), ("x-amz-copy-source-if-match", ETAG)];
    copy(&server, "/box/copy", &once).await.expect(200);
    copy(&server, "/box/copy", &once).await.refused(412, "PreconditionFailed");
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused() {
    let server = with_source().await;
    let from = |source: &'static str| copy_from(&server, source);
    from("/box/none").await.refused(404, "NoSuchKey");
    from("/nobox/key").await.refused(404, "NoSuchBucket");
    from("nonsense").await.refused(400, "InvalidArgument");
    copy(&server, "/nobox/copy", &[SOURCE]).await.refused(404, "NoSuchBucket");
    server.call("PUT", "/otherbox").by("other").send().await.expect(200);
    server.call("PUT", "/otherbox/key").by("other").body("x").send().await.expect(200);
    from("/otherbox/key").await.refused(403, "AccessDenied");
    let theirs = server.call("PUT", "/otherbox/copy").by("other").header(SOURCE.0, SOURCE.1);
    theirs.send().await.refused(403, "AccessDenied");
    server.get("/box/copy").await.refused(404, "NoSuchKey");
}

async fn copy_from(server: &Server, source: &str) -> Answer {
    copy(server, "/box/copy", &[("x-amz-copy-source", source)]).await
}

#[tokio::test]
async fn a_part_may_be_a_piece_of_an_object() {
    let server = with_source().await;
    let begun = server.call("POST", "/box/joined?uploads").send().await.expect(200);
    let upload = begun.element("UploadId").unwrap();
    let part = format!("/box/joined?partNumber=1&uploadId={upload}");
    let range = |text: &'static str| [SOURCE, ("x-amz-copy-source-range", text)];
    for text in ["bytes=2-", "bytes=-3", "2-5", "bytes=5-2"] {
        copy(&server, &part, &range(text)).await.refused(400, "InvalidArgument");
    }
    for text in ["bytes=2-10", "bytes=10-11"] {
        copy(&server, &part, &range(text)).await.refused(416, "InvalidRange");
    }
    let copied = copy(&server, &part, &range("bytes=2-5")).await.expect(200);
    let etag = copied.element("ETag").unwrap();
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let target = format!("/box/joined?uploadId={upload}");
    server.call("POST", &target).body(document).send().await.expect(200);
    assert_eq!(server.get("/box/joined").await.expect(200).body, b"2345");
}

#[tokio::test]
async fn a_source_that_can_name_no_object_is_refused() {
    let server = with_source().await;
    for (source, code) in [
        ("", "InvalidArgument"),
        ("%", "InvalidArgument"),
        ("/box", "InvalidArgument"),
        ("/box/", "InvalidArgument"),
        ("/box/a%00", "InvalidURI"),
        ("/box/a%ff", "InvalidURI"),
        ("/box/a?versionId=", "InvalidArgument"),
        ("/box/a?x", "InvalidArgument"),
    ] {
        let refused = copy(&server, "/box/copy", &[("x-amz-copy-source", source)]).await;
        refused.refused(400, code);
    }
    let long = format!("/box/{}", "k".repeat(1025));
    copy(&server, "/box/copy", &[("x-amz-copy-source", &long)]).await.refused(400, "KeyTooLongError");
    copy(&server, "/box/copy", &[SOURCE, SOURCE]).await.refused(400, "InvalidArgument");
    server.get("/box/copy").await.refused(404, "NoSuchKey");
}

/// There are clients that encode nothing of what they copy.
#[tokio::test]
async fn a_source_need_not_be_percent_encoded() {
    let server = Server::with_box().await;
    server.put("/box/100%25%20gr%C3%BCn%20%2B", "raw").await.expect(200);
    for source in ["/box/100% grün +", "box/100%25%20gr%C3%BCn%20%2B", "/box/100% gr%C3%BCn +"] {
        copy(&server, "/box/copy", &[("x-amz-copy-source", source)]).await.expect(200);
        assert_eq!(server.get("/box/copy").await.expect(200).body, b"raw");
    }
}

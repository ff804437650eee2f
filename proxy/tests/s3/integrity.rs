//! Bodies that aren't what was said of them.

use martlet_auth::sigv4::Payload;
use sha2::{Digest as _, Sha256};

use crate::harness::{Server, sha256_hex};

async fn check_kept(server: &Server) {
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
}

async fn with_old() -> Server {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    server
}

#[tokio::test]
async fn a_body_with_another_hash_than_signed_is_not_stored() {
    let server = with_old().await;
    let other = Payload::Sha256(Sha256::digest("other").into());
    let put = server.call("PUT", "/box/key").body("new").payload(other);
    put.send().await.refused(400, "XAmzContentSHA256Mismatch");
    let empty = server.call("PUT", "/box/key").payload(other);
    let empty = empty.send().await.refused(400, "XAmzContentSHA256Mismatch");
    assert_eq!(empty.element("ClientComputedContentSHA256"), Some(sha256_hex("other")));
    assert_eq!(empty.element("S3ComputedContentSHA256"), Some(sha256_hex("")));
    check_kept(&server).await;
    let unsigned = server.call("PUT", "/box/key").body("new").payload(Payload::Unsigned);
    unsigned.send().await.expect(200);
}

#[tokio::test]
async fn a_body_with_another_md5_than_declared_is_not_stored() {
    let server = with_old().await;
    let put = |md5: &str| server.call("PUT", "/box/key").header("content-md5", md5).body("new").send();
    let mismatch = put("1B2M2Y8AsgTpgAmY7PhCfg==").await.refused(400, "BadDigest");
    assert_eq!(mismatch.element("ExpectedDigest").as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
    put("nonsense").await.refused(400, "InvalidDigest");
    check_kept(&server).await;
    put("IvrR8cf4KnhpzJI6aYEHJA==").await.refused(400, "BadDigest");
    check_kept(&server).await;
}

#[tokio::test]
async fn every_checksum_is_verified() {
    let server = with_old().await;
    // Of `123456789`.
    for (name, value) in [
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
        ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ] {
        let put = |body: &str| server.call("PUT", "/box/key").header(name, value).body(body).send();
        put("12345678x").await.refused(400, "BadDigest");
        put("").await.refused(400, "BadDigest");
        check_kept(&server).await;
        put("123456789").await.expect(200);
        server.put("/box/key", "old").await.expect(200);
    }
    let put = |name: &str, value: &str| server.call("PUT", "/box/key").header(name, value).body("x").send();
    put("x-amz-checksum-crc32", "nonsense").await.refused(400, "InvalidRequest");
    put("x-amz-sdk-checksum-algorithm", "CRC32").await.refused(400, "InvalidRequest");
    put("x-amz-sdk-checksum-algorithm", "SHA512").await.refused(501, "NotImplemented");
    put("x-amz-checksum-sha512", "AAAA").await.refused(501, "NotImplemented");
    check_kept(&server).await;
}

#[tokio::test]
async fn a_part_with_a_wrong_checksum_is_not_stored() {
    let server = with_old().await;
    let begun = server.call("POST", "/box/key?uploads").header("x-amz-checksum-algorithm", "CRC32");
    let upload = begun.send().await.expect(200).element("UploadId").unwrap();
    let target = format!("/box/key?partNumber=1&uploadId={upload}");
    let put = |body: &str| server.call("PUT", &target).header("x-amz-checksum-crc32", "y/Q5Jg==").body(body);
    put("12345678x").send().await.refused(400, "BadDigest");
    let listed = server.get(&format!("/box/key?uploadId={upload}")).await.expect(200);
    assert_eq!(listed.elements("PartNumber"), [""; 0]);
    put("123456789").send().await.expect(200);
}

#[tokio::test]
async fn documents_are_verified_too() {
    let server = with_old().await;
    let document = "<Delete><Object><Key>key</Key></Object></Delete>";
    let post = |name: &str, value: &str| {
        server.call("POST", "/box?delete").header(name, value).body(document).send()
    };
    post("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==").await.refused(400, "BadDigest");
    post("x-amz-checksum-crc32", "y/Q5Jg==").await.refused(400, "BadDigest");
    let mismatch = post("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==").await;
    assert_eq!(mismatch.element("ExpectedDigest").as_deref(), Some("1B2M2Y8AsgTpgAmY7PhCfg=="));
    // What is to be removed must have been understood.
    post("x-unsaid", "1").await.refused(400, "InvalidRequest");
    let other = Payload::Sha256(Sha256::digest("other").into());
    let post = server.call("POST", "/box?delete").payload(other).body(document);
    post.send().await.refused(400, "XAmzContentSHA256Mismatch");
    check_kept(&server).await;
}

/// A hash beside a link or a signature of Version 2 vouches for the body alone: of a read, nobody asks for it.
#[tokio::test]
async fn a_hash_that_is_none_fits_no_body_and_hinders_no_read() {
    let server = with_old().await;
    let with_hash = |method: &str, hash: &str| {
        server.call(method, "/box/key").header("x-amz-content-sha256", hash).presigned(60)
    };
    for hash in ["nonsense", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &"0".repeat(64)] {
        assert_eq!(with_hash("GET", hash).send().await.status, if hash.starts_with('S') { 411 } else { 200 });
    }
    with_hash("PUT", "nonsense").body("new").send().await.refused(400, "XAmzContentSHA256Mismatch");
    let chunks = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let chunked = |length: &str| {
        let put = with_hash("PUT", chunks).header("x-amz-decoded-content-length", length);
        put.body("3\r\nnew\r\n0\r\n\r\n").send()
    };
    chunked("3").await.refused(400, "IncompleteBody");
    chunked("13").await.refused(400, "XAmzContentSHA256Mismatch");
    check_kept(&server).await;
    with_hash("PUT", &sha256_hex("new").to_uppercase()).body("new").send().await.expect(200);
}

//! Bodies that aren't what was said of them.

use martlet_auth::sigv4::Payload;
use sha2::{Digest as _, Sha256};

use crate::harness::Server;

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
    empty.send().await.refused(400, "XAmzContentSHA256Mismatch");
    check_kept(&server).await;
    let unsigned = server.call("PUT", "/box/key").body("new").payload(Payload::Unsigned);
    unsigned.send().await.expect(200);
}

#[tokio::test]
async fn a_body_with_another_md5_than_declared_is_not_stored() {
    let server = with_old().await;
    let put = |md5: &str| server.call("PUT", "/box/key").header("content-md5", md5).body("new").send();
    put("1B2M2Y8AsgTpgAmY7PhCfg==").await.refused(400, "BadDigest");
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
    let other = Payload::Sha256(Sha256::digest("other").into());
    let post = server.call("POST", "/box?delete").payload(other).body(document);
    post.send().await.refused(400, "XAmzContentSHA256Mismatch");
    check_kept(&server).await;
}

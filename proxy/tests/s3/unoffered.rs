//! What exists in S3 and isn't offered: it says so, and does nothing else instead.

use crate::harness::Server;

async fn with_key() -> Server {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    server
}

#[tokio::test]
async fn no_sub_resource_falls_through_to_the_plain_operation() {
    let server = with_key().await;
    let bucket = ["session", "abac", "metadataTable", "metadataConfiguration", "made-up"];
    let object = [
        "retention",
        "legal-hold",
        "torrent",
        "restore",
        "select",
        "encryption",
        "renameObject",
        "append",
        "annotation",
        "made-up",
    ];
    for method in ["GET", "PUT", "DELETE", "POST"] {
        for name in bucket {
            server.call(method, &format!("/box?{name}")).send().await.refused(501, "NotImplemented");
        }
        for name in object {
            let call = server.call(method, &format!("/box/key?{name}")).body("new");
            call.send().await.refused(501, "NotImplemented");
        }
    }
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
    server.get("/box").await.expect(200);
}

#[tokio::test]
async fn no_header_with_a_meaning_is_ignored() {
    let server = with_key().await;
    for (name, value) in [
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-website-redirect-location", "/"),
        ("x-amz-write-offset-bytes", "0"),
        ("x-amz-made-up", "1"),
        ("content-range", "bytes 0-1/5"),
    ] {
        let put = server.call("PUT", "/box/key").header(name, value).body("new");
        put.send().await.refused(501, "NotImplemented");
    }
    let chunks = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD";
    let put = server.call("PUT", "/box/key").header("x-amz-content-sha256", chunks);
    put.anonymous().send().await.refused(501, "NotImplemented");
    let create = server.call("PUT", "/box2").header("x-amz-bucket-object-lock-enabled", "true");
    create.send().await.refused(501, "NotImplemented");
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
}

#[tokio::test]
async fn other_ways_to_sign_are_named() {
    let server = with_key().await;
    let head = server.call("GET", "/box/key").head().replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256");
    server.raw(head).await.refused(501, "NotImplemented");
}

#[tokio::test]
async fn other_methods_are_refused() {
    let server = with_key().await;
    server.call("PATCH", "/box/key").send().await.refused(405, "MethodNotAllowed");
    server.call("POST", "/box/key").send().await.refused(405, "MethodNotAllowed");
    server.call("DELETE", "/").send().await.refused(405, "MethodNotAllowed");
}

//! Conditional requests.

use crate::harness::{Answer, Server};

const NOW: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const BEFORE: &str = "Wed, 31 Dec 2025 00:00:00 GMT";
/// The MD5 of `x`.
const ETAG: &str = "\"9dd4e461268c8034f5c8564e155c67a6\"";

async fn with_object() -> Server {
    let server = Server::with_box().await;
    let stored = server.put("/box/key", "x").await.expect(200);
    assert_eq!(stored.header("etag"), Some(ETAG));
    server
}

async fn read(server: &Server, name: &str, value: &str) -> Answer {
    server.call("GET", "/box/key").header(name, value).send().await
}

#[tokio::test]
async fn conditional_reads() {
    let server = with_object().await;
    for (name, value) in [
        ("if-match", ETAG),
        ("if-match", "*"),
        ("if-none-match", "\"other\""),
        ("if-modified-since", BEFORE),
        ("if-unmodified-since", NOW),
        ("if-modified-since", "no date"),
    ] {
        assert_eq!(read(&server, name, value).await.expect(200).body, b"x", "{name}: {value}");
    }
    for (name, value) in [("if-match", "\"other\""), ("if-unmodified-since", BEFORE)] {
        read(&server, name, value).await.refused(412, "PreconditionFailed");
    }
    for (name, value) in [("if-none-match", ETAG), ("if-none-match", "*"), ("if-modified-since", NOW)] {
        let unchanged = read(&server, name, value).await.expect(304);
        assert_eq!(unchanged.header("etag"), Some(ETAG));
        assert!(unchanged.body.is_empty());
    }
    let refused = server.call("HEAD", "/box/key").header("if-match", "\"other\"").send().await.expect(412);
    assert!(refused.body.is_empty());
}

#[tokio::test]
async fn conditional_writes() {
    let server = with_object().await;
    let put = |target: &str, name: &str, value: &str| {
        server.call("PUT", target).header(name, value).body("new").send()
    };
    put("/box/key", "if-none-match", "*").await.refused(412, "PreconditionFailed");
    put("/box/key", "if-match", "\"other\"").await.refused(412, "PreconditionFailed");
    put("/box/none", "if-match", ETAG).await.refused(404, "NoSuchKey");
    put("/box/key", "if-modified-since", NOW).await.refused(501, "NotImplemented");
    assert_eq!(server.get("/box/key").await.body, b"x");
    server.get("/box/none").await.refused(404, "NoSuchKey");
    put("/box/none", "if-none-match", "*").await.expect(200);
    put("/box/key", "if-match", ETAG).await.expect(200);
    put("/box/key", "if-match", ETAG).await.refused(412, "PreconditionFailed");
}

#[tokio::test]
async fn a_delete_can_insist_on_an_etag() {
    let server = with_object().await;
    let delete = |target: &str, etag: &str| server.call("DELETE", target).header("if-match", etag).send();
    delete("/box/key", "\"other\"").await.refused(412, "PreconditionFailed");
    delete("/box/none", ETAG).await.expect(204);
    delete("/box/key", ETAG).await.expect(204);
}

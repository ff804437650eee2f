//! Operations on containers.

use std::time::Duration;

use crate::harness::Server;

#[tokio::test]
async fn a_container_is_made_once() {
    let server = Server::start().await;
    let session = server.login().await;
    let first = session.send("PUT", "/box", &[], b"").await;
    assert_eq!((first.status, first.header("content-length")), (201, "0"));
    let second = session.send("PUT", "/box", &[], b"").await;
    assert_eq!(second.status, 202);
    let head = session.head("/box").await;
    assert_eq!(head.status, 204);
    assert_eq!(head.header("x-container-object-count"), "0");
    assert_eq!(head.header("x-container-bytes-used"), "0");
    assert_eq!(head.header("x-storage-policy"), "Policy-0");
    assert_eq!(head.header("x-timestamp"), "1767225600.00000");
    // The second PUT has moved it, though by less than a second.
    assert_eq!(head.header("last-modified"), "Thu, 01 Jan 2026 00:00:01 GMT");
    assert_eq!(head.header("accept-ranges"), "bytes");
}

#[tokio::test]
async fn a_missing_container_is_404() {
    let server = Server::start().await;
    let session = server.login().await;
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        let answer = session.send(method, "/missing", &[], b"").await;
        assert_eq!(answer.status, 404, "{method}");
        if method != "HEAD" {
            assert!(answer.text().contains("<h1>Not Found</h1>"), "{method}");
        }
    }
    for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
        assert_eq!(session.send(method, "/missing/key", &[], b"").await.status, 404, "{method}");
    }
}

#[tokio::test]
async fn only_an_empty_container_is_removed() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/box/key", b"value").await;
    assert_eq!(session.delete("/box").await.status, 409);
    assert_eq!(session.get("/box/key").await.body, b"value");
    assert_eq!(session.delete("/box/key").await.status, 204);
    assert_eq!(session.delete("/box").await.status, 204);
    assert_eq!(session.delete("/box").await.status, 404);
}

#[tokio::test]
async fn metadata_changes_item_by_item_by_put_and_by_post() {
    let server = Server::start().await;
    let session = server.login().await;
    let send = |method, headers| session.send(method, "/box", headers, b"");
    assert_eq!(send("PUT", &[("X-Container-Meta-A", "1"), ("X-Container-Meta-Empty", "")]).await.status, 201);
    assert_eq!(send("PUT", &[("X-Container-Meta-B", "2")]).await.status, 202);
    assert_eq!(send("POST", &[("X-Container-Meta-C", "3")]).await.status, 204);
    let head = session.head("/box").await;
    assert_eq!(head.header("x-container-meta-a"), "1");
    assert_eq!(head.header("x-container-meta-b"), "2");
    assert_eq!(head.header("x-container-meta-c"), "3");
    assert_eq!(head.find("x-container-meta-empty"), None);
    assert_eq!(send("POST", &[("X-Remove-Container-Meta-A", "x")]).await.status, 204);
    assert_eq!(send("PUT", &[("X-Container-Meta-B", "")]).await.status, 202);
    let head = session.head("/box").await;
    assert_eq!(head.find("x-container-meta-a"), None);
    assert_eq!(head.find("x-container-meta-b"), None);
    assert_eq!(head.header("x-container-meta-c"), "3");
}

#[tokio::test]
async fn counters_follow_every_write() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/box", b"").await;
    for (body, bytes) in [(&b"1234"[..], "4"), (b"12", "2"), (b"", "0")] {
        server.clock.advance(Duration::from_millis(1));
        session.put("/box/key", body).await;
        let head = session.head("/box").await;
        assert_eq!(head.header("x-container-object-count"), "1");
        assert_eq!(head.header("x-container-bytes-used"), bytes);
    }
}

#[tokio::test]
async fn container_names_are_text_of_any_kind() {
    let server = Server::start().await;
    let session = server.login().await;
    for name in ["ü", "a%20b", "..", "a%0Ab", "%3Fx%3D1", "%E2%98%83"] {
        session.put(&format!("/{name}"), b"").await;
        assert_eq!(session.head(&format!("/{name}")).await.status, 204, "{name}");
    }
    let names = session.get("").await;
    assert_eq!(names.text(), "..\n?x=1\na\nb\na b\nü\n☃\n");
}

//! Copies on the server.

use std::time::Duration;

use crate::harness::{Answer, Server, Session};

const HELLO_MD5: &str = "5d41402abc4b2a76b9719d911017c592";

async fn stored(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/other", b"").await;
    let headers = [
        ("Content-Type", "text/x"),
        ("X-Object-Meta-A", "1"),
        ("X-Object-Meta-B", "2"),
        ("Content-Encoding", "gzip"),
    ];
    assert_eq!(session.send("PUT", "/box/key", &headers, b"hello").await.status, 201);
    server.clock.advance(Duration::from_secs(5));
    session
}

async fn copy(session: &Session, destination: &str, headers: &[(&str, &str)]) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("Destination", destination));
    session.send("COPY", "/box/key", &headers, b"").await
}

#[tokio::test]
async fn both_ways_to_copy_do_the_same() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let copied = copy(&session, "other/copy", &[]).await;
    let put = session.send("PUT", "/other/put", &[("X-Copy-From", "/box/key")], b"").await;
    for (answer, path) in [(&copied, "/other/copy"), (&put, "/other/put")] {
        assert_eq!((answer.status, answer.header("etag")), (201, HELLO_MD5));
        assert_eq!(answer.header("x-copied-from"), "box/key");
        assert_eq!(answer.header("x-copied-from-account"), "AUTH_test");
        assert_eq!(answer.header("x-copied-from-last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(answer.header("last-modified"), "Thu, 01 Jan 2026 00:00:05 GMT");
        assert_eq!(answer.header("x-object-meta-a"), "1");
        let get = session.get(path).await;
        assert_eq!((get.text(), get.header("content-type")), ("hello", "text/x"));
        assert_eq!((get.header("x-object-meta-a"), get.header("x-object-meta-b")), ("1", "2"));
        assert_eq!(get.header("content-encoding"), "gzip");
    }
    assert_eq!(session.get("/box/key").await.text(), "hello");
}

#[tokio::test]
async fn what_the_request_says_replaces_what_the_source_says() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let said = [("X-Object-Meta-B", "3"), ("X-Object-Meta-C", "4"), ("Content-Type", "text/y")];
    assert_eq!(copy(&session, "/box/copy", &said).await.status, 201);
    let get = session.get("/box/copy").await;
    let items = ["a", "b", "c"].map(|name| get.find(&format!("x-object-meta-{name}")));
    assert_eq!(items, [Some("1"), Some("3"), Some("4")]);
    assert_eq!(get.header("content-type"), "text/y");
    let fresh = [("X-Fresh-Metadata", "true"), ("X-Object-Meta-C", "4")];
    assert_eq!(copy(&session, "/box/fresh", &fresh).await.status, 201);
    let get = session.get("/box/fresh").await;
    let items = ["a", "b", "c"].map(|name| get.find(&format!("x-object-meta-{name}")));
    assert_eq!(items, [None, None, Some("4")]);
    assert_eq!((get.header("content-type"), get.find("content-encoding")), ("text/x", None));
}

#[tokio::test]
async fn an_object_may_be_copied_onto_itself() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(copy(&session, "box/key", &[("X-Object-Meta-A", "9")]).await.status, 201);
    let get = session.get("/box/key").await;
    assert_eq!(
        (get.text(), get.header("x-object-meta-a"), get.header("x-object-meta-b")),
        ("hello", "9", "2")
    );
}

#[tokio::test]
async fn names_are_decoded() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.put("/box/%C3%BC%20%2525/x", b"odd").await;
    let put = session.send("PUT", "/other/a", &[("X-Copy-From", "box/%C3%BC%20%2525/x")], b"").await;
    assert_eq!((put.status, put.header("x-copied-from")), (201, "box/%C3%BC%20%2525/x"));
    assert_eq!(session.get("/other/a").await.text(), "odd");
    assert_eq!(copy(&session, "/other/%C3%A4%2Fb", &[]).await.status, 201);
    assert_eq!(session.get("/other/%C3%A4/b").await.text(), "hello");
}

#[tokio::test]
async fn a_range_of_the_source_may_be_copied_under_conditions() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(copy(&session, "box/part", &[("Range", "bytes=1-3")]).await.status, 201);
    assert_eq!(session.get("/box/part").await.text(), "ell");
    assert_eq!(copy(&session, "box/x", &[("Range", "bytes=9-")]).await.status, 416);
    assert_eq!(copy(&session, "box/x", &[("If-Match", "another")]).await.status, 412);
    assert_eq!(copy(&session, "box/x", &[("If-None-Match", HELLO_MD5)]).await.status, 304);
    assert_eq!(
        copy(&session, "box/x", &[("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT")]).await.status,
        304
    );
    assert_eq!(session.head("/box/x").await.status, 404);
    assert_eq!(copy(&session, "box/x", &[("If-Match", HELLO_MD5)]).await.status, 201);
}

#[tokio::test]
async fn what_is_no_copy_is_refused() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let without = session.send("COPY", "/box/key", &[], b"").await;
    assert_eq!((without.status, without.text()), (412, "Destination header required"));
    for bad in ["box", "/box", "box/", "//box/key", "/", "box/%ff"] {
        assert_eq!(copy(&session, bad, &[]).await.status, 412, "{bad}");
        assert_eq!(session.send("PUT", "/box/x", &[("X-Copy-From", bad)], b"").await.status, 412, "{bad}");
    }
    assert_eq!(copy(&session, "box/x", &[("Destination-Account", "a/b")]).await.status, 412);
    let with_body = session.send("PUT", "/box/x", &[("X-Copy-From", "/box/key")], b"body").await;
    assert_eq!((with_body.status, with_body.text()), (400, "Copy requests require a zero byte body"));
    assert_eq!(session.send("PUT", "/box/x", &[("X-Copy-From", "/box/none")], b"").await.status, 404);
    assert_eq!(session.send("PUT", "/box/x", &[("X-Copy-From", "/none/key")], b"").await.status, 404);
    assert_eq!(copy(&session, "none/x", &[]).await.status, 404);
    assert_eq!(session.send("COPY", "/box", &[("Destination", "box/x")], b"").await.status, 405);
    let many: String = "v".repeat(257);
    assert_eq!(copy(&session, "box/x", &[("X-Object-Meta-Long", &many)]).await.status, 400);
    assert_eq!(session.head("/box/x").await.status, 404);
}

#[tokio::test]
async fn a_copy_reaches_no_further_than_its_caller() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let other = server.login_as("other").await;
    other.put("/theirs", b"").await;
    let account = ("Destination-Account", "AUTH_other");
    assert_eq!(copy(&session, "theirs/x", &[account]).await.status, 403);
    let from = [("X-Copy-From", "/box/key"), ("X-Copy-From-Account", "AUTH_test")];
    assert_eq!(other.send("PUT", "/theirs/x", &from, b"").await.status, 403);
    assert_eq!(other.head("/theirs/x").await.status, 404);
}

#[tokio::test]
async fn a_large_object_is_copied_as_one_or_as_a_list() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.put("/box/a", b"abc").await;
    session.put("/box/b", b"def").await;
    let list = br#"[{"path": "/box/a"}, {"path": "/box/b", "range": "1-"}]"#;
    assert_eq!(session.send("PUT", "/box/large?multipart-manifest=put", &[], list).await.status, 201);
    let to = |path: &'static str| [("Destination", path)];
    assert_eq!(session.send("COPY", "/box/large", &to("box/plain"), b"").await.status, 201);
    let plain = session.get("/box/plain").await;
    assert_eq!((plain.text(), plain.find("x-static-large-object")), ("abcef", None));
    let again = session.send("COPY", "/box/large?multipart-manifest=get", &to("box/again"), b"").await;
    assert_eq!(again.status, 201, "{again:?}");
    let again = session.get("/box/again").await;
    assert_eq!((again.text(), again.find("x-static-large-object")), ("abcef", Some("True")));
    session.put("/box/b", b"xyz").await;
    let broken = session.send("COPY", "/box/large?multipart-manifest=get", &to("box/broken"), b"").await;
    assert_eq!(broken.status, 400);
    assert!(broken.text().contains("/box/b, Etag Mismatch"), "{}", broken.text());
    assert_eq!(session.send("COPY", "/box/large", &to("box/broken"), b"").await.status, 409);
    assert_eq!(session.head("/box/broken").await.status, 404);
}

#[tokio::test]
async fn a_part_of_a_large_object_may_be_copied() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.put("/box/a", b"abc").await;
    session.put("/box/b", b"def").await;
    let list = br#"[{"path": "/box/a"}, {"path": "/box/b"}]"#;
    assert_eq!(session.send("PUT", "/box/large?multipart-manifest=put", &[], list).await.status, 201);
    let to = [("Destination", "box/part")];
    assert_eq!(session.send("COPY", "/box/large?part-number=2", &to, b"").await.status, 201);
    assert_eq!(session.get("/box/part").await.text(), "def");
}

#[tokio::test]
async fn a_dynamic_large_object_is_copied_as_one_or_as_a_manifest() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.put("/box/s/1", b"abc").await;
    session.put("/box/s/2", b"def").await;
    assert_eq!(session.send("PUT", "/box/large", &[("X-Object-Manifest", "box/s/")], b"").await.status, 201);
    let to = |path: &'static str| [("Destination", path)];
    assert_eq!(session.send("COPY", "/box/large", &to("box/plain"), b"").await.status, 201);
    assert_eq!(
        session.send("COPY", "/box/large?multipart-manifest=get", &to("box/again"), b"").await.status,
        201
    );
    session.put("/box/s/3", b"ghi").await;
    let plain = session.get("/box/plain").await;
    assert_eq!((plain.text(), plain.find("x-object-manifest")), ("abcdef", None));
    let again = session.get("/box/again").await;
    assert_eq!((again.text(), again.find("x-object-manifest")), ("abcdefghi", Some("box/s/")));
}

//! Dynamic large objects: whatever begins so.

use crate::harness::{Server, Session};

/// MD5 of the MD5s of `abc` and `def`, by Python's hashlib.
const ETAG: &str = "\"93b0859d4cd626c28d2a4ff21683dd96\"";

async fn stored(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    for (name, body) in [("s/1", "abc"), ("s/2", "def"), ("t", "other")] {
        session.put(&format!("/box/{name}"), body.as_bytes()).await;
    }
    let headers = [("X-Object-Manifest", "box/s/"), ("Content-Type", "text/x"), ("X-Object-Meta-A", "1")];
    assert_eq!(session.send("PUT", "/box/large", &headers, b"").await.status, 201);
    session
}

#[tokio::test]
async fn segments_are_read_as_one() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let (get, head) = (session.get("/box/large").await, session.head("/box/large").await);
    assert_eq!((get.status, get.text(), head.status), (200, "abcdef", 200));
    for answer in [&get, &head] {
        assert_eq!(answer.header("content-length"), "6");
        assert_eq!(answer.header("etag"), ETAG);
        assert_eq!(answer.header("x-object-manifest"), "box/s/");
        assert_eq!((answer.header("content-type"), answer.header("x-object-meta-a")), ("text/x", "1"));
        assert_eq!(answer.find("x-static-large-object"), None);
    }
}

#[tokio::test]
async fn the_segments_are_those_of_now() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.put("/box/s/15", b"!").await;
    assert_eq!(session.get("/box/large").await.text(), "abc!def");
    session.delete("/box/s/1").await;
    assert_eq!(session.get("/box/large").await.text(), "!def");
    session.delete("/box/s/15").await;
    session.delete("/box/s/2").await;
    let empty = session.get("/box/large").await;
    assert_eq!((empty.status, empty.text(), empty.header("content-length")), (200, "", "0"));
}

#[tokio::test]
async fn ranges_cross_segments() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for (range, text, shown) in [
        ("bytes=2-3", "cd", "bytes 2-3/6"),
        ("bytes=0-0", "a", "bytes 0-0/6"),
        ("bytes=4-", "ef", "bytes 4-5/6"),
        ("bytes=-4", "cdef", "bytes 2-5/6"),
    ] {
        let answer = session.send("GET", "/box/large", &[("Range", range)], b"").await;
        assert_eq!((answer.status, answer.text()), (206, text), "{range}");
        assert_eq!(answer.header("content-range"), shown);
    }
    let several = session.send("GET", "/box/large", &[("Range", "bytes=0-0,4-4")], b"").await;
    assert_eq!((several.status, several.text()), (200, "abcdef"));
    let beyond = session.send("GET", "/box/large", &[("Range", "bytes=6-")], b"").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */6"));
}

#[tokio::test]
async fn conditions_are_about_the_whole() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for method in ["GET", "HEAD"] {
        let ask = async |name: &str, tag: &str| {
            session.send(method, "/box/large", &[(name, tag)], b"").await.status
        };
        assert_eq!(ask("If-Match", ETAG).await, 200);
        assert_eq!(ask("If-Match", "d41d8cd98f00b204e9800998ecf8427e").await, 412);
        assert_eq!(ask("If-None-Match", ETAG).await, 304);
        assert_eq!(ask("If-None-Match", "d41d8cd98f00b204e9800998ecf8427e").await, 200);
    }
    let resumed = [("Range", "bytes=3-"), ("If-Match", ETAG)];
    assert_eq!(session.send("GET", "/box/large", &resumed, b"").await.text(), "def");
    assert_eq!(
        session.send("GET", "/box/large", &[("Range", "bytes=3-"), ("If-Range", ETAG)], b"").await.text(),
        "def"
    );
}

#[tokio::test]
async fn the_manifest_itself_can_be_read() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let headers = [("X-Object-Manifest", "box/s/")];
    assert_eq!(session.send("PUT", "/box/large", &headers, b"manifest").await.status, 201);
    let manifest = session.get("/box/large?multipart-manifest=get").await;
    assert_eq!((manifest.text(), manifest.header("x-object-manifest")), ("manifest", "box/s/"));
    assert_eq!(session.head("/box/large?multipart-manifest=get").await.header("content-length"), "8");
    assert_eq!(session.get("/box/large").await.text(), "abcdef");
}

#[tokio::test]
async fn a_post_makes_it_plain_unless_it_says_the_manifest_again() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(session.send("POST", "/box/large", &[("X-Object-Manifest", "box/t")], b"").await.status, 202);
    assert_eq!(session.get("/box/large").await.text(), "other");
    assert_eq!(session.send("POST", "/box/large", &[("X-Object-Meta-A", "2")], b"").await.status, 202);
    let plain = session.get("/box/large").await;
    assert_eq!((plain.text(), plain.find("x-object-manifest")), ("", None));
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for bad in ["", "box", "box/", "/s", "box//s", "box/s?x", "box/s&x", "box/%ff"] {
        let answer = session.send("PUT", "/box/bad", &[("X-Object-Manifest", bad)], b"").await;
        let words = "X-Object-Manifest must be in the format container/prefix";
        assert_eq!((answer.status, answer.text()), (400, words), "{bad}");
    }
    assert_eq!(session.send("PUT", "/box/odd", &[("X-Object-Manifest", "box/s%2F")], b"").await.status, 201);
    let odd = session.get("/box/odd").await;
    assert_eq!((odd.text(), odd.header("x-object-manifest")), ("abcdef", "box/s%2F"));
}

#[tokio::test]
async fn segments_in_a_container_that_is_not_are_404() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(session.send("PUT", "/box/lost", &[("X-Object-Manifest", "none/s")], b"").await.status, 201);
    assert_eq!(session.get("/box/lost").await.status, 404);
    assert_eq!(session.head("/box/lost").await.status, 404);
}

#[tokio::test]
async fn more_segments_than_a_page_of_a_listing_are_read() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.put("/many", b"").await;
    for index in 0..10_010 {
        session.put(&format!("/many/s{index:05}"), b"x").await;
    }
    assert_eq!(session.send("PUT", "/box/many", &[("X-Object-Manifest", "many/s")], b"").await.status, 201);
    assert_eq!(session.get("/box/many").await.body.len(), 10_010);
}

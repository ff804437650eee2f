//! Conditional requests.

use std::time::Duration;

use crate::harness::{Server, Session};

const ETAG: &str = "0cc175b9c0f1b6a831c399e269772661";

/// An object `a` whose date is half a second before 00:00:02.
async fn stored(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    server.clock.advance(Duration::from_millis(1500));
    session.put("/box/key", b"a").await;
    session
}

async fn status(session: &Session, method: &str, name: &str, value: &str) -> u16 {
    session.send(method, "/box/key", &[(name, value)], b"").await.status
}

#[tokio::test]
async fn reads_with_etags() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for method in ["GET", "HEAD"] {
        for (name, value, expected) in [
            ("If-Match", ETAG, 200),
            ("If-Match", "\"0CC175B9C0F1B6A831C399E269772661\"", 200),
            ("If-Match", "*", 200),
            ("If-Match", "x, y", 412),
            ("If-None-Match", ETAG, 304),
            ("If-None-Match", "*", 304),
            ("If-None-Match", "x", 200),
        ] {
            assert_eq!(status(&session, method, name, value).await, expected, "{method} {name}: {value}");
        }
    }
}

#[tokio::test]
async fn reads_with_dates_as_last_modified_shows_them() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(session.head("/box/key").await.header("last-modified"), "Thu, 01 Jan 2026 00:00:02 GMT");
    for method in ["GET", "HEAD"] {
        for (name, value, expected) in [
            ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:01 GMT", 200),
            ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:02 GMT", 304),
            ("If-Modified-Since", "gibberish", 200),
            ("If-Unmodified-Since", "Thu, 01 Jan 2026 00:00:01 GMT", 412),
            ("If-Unmodified-Since", "Thu, 01 Jan 2026 00:00:02 GMT", 200),
        ] {
            assert_eq!(status(&session, method, name, value).await, expected, "{method} {name}: {value}");
        }
    }
}

#[tokio::test]
async fn not_modified_describes_the_object_without_its_bytes() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let answer = session.send("GET", "/box/key", &[("If-None-Match", ETAG)], b"").await;
    assert_eq!((answer.status, answer.header("etag")), (304, ETAG));
    assert_eq!(answer.header("last-modified"), "Thu, 01 Jan 2026 00:00:02 GMT");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_missing_object_matches_nothing() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for method in ["GET", "HEAD"] {
        for (name, value, expected) in [
            ("If-Match", "*", 412),
            ("If-Match", ETAG, 404),
            ("If-None-Match", "*", 404),
            ("If-None-Match", ETAG, 404),
        ] {
            let answer = session.send(method, "/box/missing", &[(name, value)], b"").await;
            assert_eq!(answer.status, expected, "{method} {name}: {value}");
        }
    }
}

#[tokio::test]
async fn both_kinds_of_conditions_must_hold() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let old = "Thu, 01 Jan 2026 00:00:01 GMT";
    let stale = [("If-Match", ETAG), ("If-Unmodified-Since", old)];
    assert_eq!(session.send("GET", "/box/key", &stale, b"").await.status, 412);
    let changed = [("If-None-Match", "x"), ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:09 GMT")];
    assert_eq!(session.send("GET", "/box/key", &changed, b"").await.status, 200);
}

#[tokio::test]
async fn a_failed_condition_says_what_the_object_is() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(session.send("PUT", "/box/key", &[("Content-Encoding", "gzip")], b"a").await.status, 201);
    for condition in [("If-Match", "x"), ("If-Unmodified-Since", "Thu, 01 Jan 2026 00:00:01 GMT")] {
        for method in ["GET", "HEAD"] {
            let answer = session.send(method, "/box/key", &[condition], b"").await;
            assert_eq!((answer.status, answer.header("etag")), (412, ETAG), "{method} {condition:?}");
            // The page of the refusal isn't compressed, whatever the object is.
            assert_eq!(answer.find("content-encoding"), None);
        }
    }
}

#[tokio::test]
async fn only_one_writer_creates_an_object() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let create = [("If-None-Match", "*")];
    assert_eq!(session.send("PUT", "/box/new", &create, b"first").await.status, 201);
    assert_eq!(session.send("PUT", "/box/new", &create, b"second").await.status, 412);
    assert_eq!(session.get("/box/new").await.text(), "first");
    let other = session.send("PUT", "/box/new", &[("If-None-Match", ETAG)], b"third").await;
    assert_eq!((other.status, other.text()), (400, "If-None-Match only supports *"));
    assert_eq!(session.get("/box/new").await.text(), "first");
}

#[tokio::test]
async fn a_write_can_insist_on_what_it_replaces() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(session.send("PUT", "/box/key", &[("If-Match", "x")], b"b").await.status, 412);
    assert_eq!(session.send("PUT", "/box/missing", &[("If-Match", "*")], b"b").await.status, 412);
    assert_eq!(session.send("PUT", "/box/key", &[("If-Match", ETAG)], b"b").await.status, 201);
    assert_eq!(status(&session, "DELETE", "If-Match", ETAG).await, 412);
    assert_eq!(session.get("/box/key").await.text(), "b");
    assert_eq!(status(&session, "DELETE", "If-Match", "92eb5ffee6ae2fec3ad71c777531578f").await, 204);
}

#[tokio::test]
async fn a_change_happens_only_to_what_the_client_has_seen() {
    let server = Server::start().await;
    let session = stored(&server).await;
    server.clock.advance(Duration::from_millis(9_500));
    session.put("/box/key", b"a").await;
    let etag = session.head("/box/key").await.header("etag").to_owned();
    let before = "Thu, 01 Jan 2026 00:00:10 GMT";
    let at = session.head("/box/key").await.header("last-modified").to_owned();
    assert_eq!(at, "Thu, 01 Jan 2026 00:00:11 GMT");
    for method in ["POST", "PUT", "DELETE"] {
        for (name, value) in
            [("If-Match", "\"another\""), ("If-None-Match", "*"), ("If-Unmodified-Since", before)]
        {
            let answer =
                session.send(method, "/box/key", &[(name, value), ("X-Object-Meta-A", "1")], b"").await;
            assert_eq!(answer.status, 412, "{method} {name}");
        }
    }
    assert_eq!(session.send("POST", "/box/key", &[("If-None-Match", &etag)], b"").await.status, 412);
    assert_eq!(session.send("DELETE", "/box/key", &[("If-None-Match", &etag)], b"").await.status, 412);
    let get = session.get("/box/key").await;
    assert_eq!((get.text(), get.find("x-object-meta-a")), ("a", None));
    let seen = [("If-Match", etag.as_str()), ("If-Unmodified-Since", at.as_str())];
    assert_eq!(session.send("POST", "/box/key", &[seen[0], ("X-Object-Meta-A", "1")], b"").await.status, 202);
    assert_eq!(session.head("/box/key").await.header("x-object-meta-a"), "1");
    assert_eq!(session.send("PUT", "/box/key", &seen, b"b").await.status, 201);
    let etag = session.head("/box/key").await.header("etag").to_owned();
    assert_eq!(session.send("DELETE", "/box/key", &[("If-Match", &etag)], b"").await.status, 204);
    let missing = session.send("POST", "/box/key", &[("If-Match", &etag)], b"").await;
    assert_eq!(missing.status, 404);
}

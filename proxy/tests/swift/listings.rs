//! Listings of containers and objects.

use crate::harness::{Answer, Server, Session};

async fn filled(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    for key in ["a", "a/1", "a/2", "b/1", "b/2", "c"] {
        session.put(&format!("/box/{key}"), b"x").await;
    }
    session
}

#[track_caller]
fn json(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    serde_json::from_slice(&answer.body).expect("a body of JSON")
}

#[tokio::test]
async fn an_empty_listing_is_204_in_text_and_an_empty_document_elsewhere() {
    let server = Server::start().await;
    let session = server.login().await;
    let check = async |path: &str| {
        let text = session.get(path).await;
        assert_eq!((text.status, text.header("content-type")), (204, "text/plain; charset=utf-8"), "{path}");
        assert_eq!(json(&session.get(&format!("{path}?format=json")).await), serde_json::json!([]));
        let xml = session.get(&format!("{path}?format=xml")).await;
        assert_eq!((xml.status, xml.header("content-type")), (200, "application/xml; charset=utf-8"));
    };
    check("").await;
    session.put("/box", b"").await;
    check("/box").await;
}

#[tokio::test]
async fn pages_are_asked_for_by_parameters() {
    let server = Server::start().await;
    let session = filled(&server).await;
    for (query, expected) in [
        ("", "a a/1 a/2 b/1 b/2 c"),
        ("limit=2", "a a/1"),
        ("limit=0", ""),
        ("limit=2&marker=a/1", "a/2 b/1"),
        ("marker=a/11", "a/2 b/1 b/2 c"),
        ("marker=nothing", ""),
        ("end_marker=b/1", "a a/1 a/2"),
        ("marker=a&end_marker=b/2", "a/1 a/2 b/1"),
        ("prefix=a", "a a/1 a/2"),
        ("prefix=a/", "a/1 a/2"),
        ("prefix=z", ""),
        ("delimiter=/", "a a/ b/ c"),
        ("delimiter=/&limit=2", "a a/"),
        ("delimiter=/&marker=a/", "b/ c"),
        ("delimiter=/&prefix=b/", "b/1 b/2"),
        ("delimiter=%2F1", "a a/1 a/2 b/1 b/2 c"),
    ] {
        let answer = session.get(&format!("/box?{query}")).await;
        let names: Vec<_> = answer.text().lines().collect();
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(names, expected, "{query}");
        assert_eq!(answer.status, if expected.is_empty() { 204 } else { 200 }, "{query}");
        assert_eq!(answer.header("x-container-object-count"), "6");
    }
}

#[tokio::test]
async fn a_limit_above_the_maximum_is_412() {
    let server = Server::start().await;
    let session = filled(&server).await;
    for path in ["?limit=10001", "/box?limit=10001", "/box?limit=99999999999999999999999"] {
        let answer = session.get(path).await;
        assert_eq!((answer.status, answer.text()), (412, "Maximum limit is 10000"), "{path}");
    }
    assert_eq!(session.get("/box?limit=10000").await.status, 200);
}

#[tokio::test]
async fn json_says_what_clients_parse() {
    let server = Server::start().await;
    let session = filled(&server).await;
    let objects = json(&session.get("/box?format=json&delimiter=/&limit=2").await);
    assert_eq!(
        objects,
        serde_json::json!([
            {
                "name": "a",
                "hash": "9dd4e461268c8034f5c8564e155c67a6",
                "bytes": 1,
                "content_type": "application/octet-stream",
                "last_modified": "2026-01-01T00:00:00.000000",
            },
            { "subdir": "a/" },
        ])
    );
    let containers = json(&session.get("?format=json").await);
    assert_eq!(containers[0]["name"], "box");
    assert_eq!(containers[0]["count"], 6);
    assert_eq!(containers[0]["bytes"], 6);
    assert_eq!(containers[0]["storage_policy"], "Policy-0");
    assert!(containers[0]["last_modified"].as_str().unwrap().ends_with(".000000"));
}

#[tokio::test]
async fn the_format_is_negotiated() {
    let server = Server::start().await;
    let session = filled(&server).await;
    for (accept, expected) in [
        ("application/json", "application/json; charset=utf-8"),
        ("text/xml", "text/xml; charset=utf-8"),
        ("application/xml;q=0.5, text/plain", "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
    ] {
        for path in ["", "/box"] {
            for method in ["GET", "HEAD"] {
                let answer = session.send(method, path, &[("Accept", accept)], b"").await;
                assert_eq!(answer.header("content-type"), expected, "{method} {path} {accept}");
                assert_eq!(answer.header("vary"), "Accept");
            }
        }
    }
    assert_eq!(session.send("GET", "/box", &[("Accept", "image/png")], b"").await.status, 406);
    assert_eq!(session.send("GET", "/box", &[("Accept", "gibberish")], b"").await.status, 400);
    assert_eq!(session.get("/box?format=json").await.find("vary"), None);
}

#[tokio::test]
async fn names_survive_every_format() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/box/%3C%26%22%0D%3E%C3%BC", b"").await;
    assert_eq!(session.get("/box").await.text(), "<&\"\r>ü\n");
    assert_eq!(json(&session.get("/box?format=json").await)[0]["name"], "<&\"\r>ü");
    let xml = session.get("/box?format=xml").await;
    assert!(xml.text().contains("<name>&lt;&amp;&quot;&#13;&gt;ü</name>"), "{}", xml.text());
}

#[tokio::test]
async fn containers_are_listed_like_objects() {
    let server = Server::start().await;
    let session = server.login().await;
    for name in ["a-1", "a-2", "b"] {
        session.put(&format!("/{name}"), b"").await;
    }
    for (query, expected) in [
        ("", "a-1\na-2\nb\n"),
        ("?limit=1", "a-1\n"),
        ("?marker=a-1", "a-2\nb\n"),
        ("?end_marker=b", "a-1\na-2\n"),
        ("?prefix=b", "b\n"),
        ("?delimiter=-", "a-\nb\n"),
    ] {
        assert_eq!(session.get(query).await.text(), expected, "{query}");
    }
}

#[tokio::test]
async fn a_directory_is_listed_without_what_lies_deeper() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/tree", b"").await;
    for name in ["top", "dir/", "dir/a", "dir/sub/", "dir/sub/x", "dir/other/y", "dir/z", "dirt"] {
        session.put(&format!("/tree/{name}"), b"").await;
    }
    let check = async |query: &str, expected: &str| {
        assert_eq!(session.get(&format!("/tree?{query}")).await.text(), expected, "{query}");
    };
    check("path=", "dir/\ndirt\ntop\n").await;
    check("path=dir", "dir/a\ndir/sub/\ndir/z\n").await;
    check("path=dir/", "dir/a\ndir/sub/\ndir/z\n").await;
    check("path=dir&limit=2", "dir/a\ndir/sub/\n").await;
    check("path=dir&limit=2&marker=dir/sub/", "dir/z\n").await;
    check("path=dir&reverse=true", "dir/z\ndir/sub/\ndir/a\n").await;
    check("path=dir/other", "dir/other/y\n").await;
    check("path=none", "").await;
    for name in ["/", "/root", "/sub/x"] {
        session.put(&format!("/tree/{name}"), b"").await;
    }
    check("path=/", "/root\n").await;
}

#[tokio::test]
async fn a_listing_goes_backwards_from_its_marker() {
    let server = Server::start().await;
    let session = server.login().await;
    for name in ["a", "b", "c", "d"] {
        session.put(&format!("/{name}"), b"").await;
        session.put(&format!("/a/{name}"), b"").await;
    }
    for path in ["", "/a"] {
        let check = async |query: &str, expected: &str| {
            assert_eq!(session.get(&format!("{path}?{query}")).await.text(), expected, "{path} {query}");
        };
        check("reverse=true", "d\nc\nb\na\n").await;
        check("reverse=on&limit=2", "d\nc\n").await;
        check("reverse=yes&limit=2&marker=c", "b\na\n").await;
        check("reverse=1&marker=d&end_marker=a", "c\nb\n").await;
        check("reverse=0", "a\nb\nc\nd\n").await;
        check("reverse=true&limit=0", "").await;
    }
    session.put("/a/x-1", b"").await;
    session.put("/a/x-2", b"").await;
    let grouped = session.get("/a?reverse=true&delimiter=-&limit=2").await;
    assert_eq!(grouped.text(), "x-\nd\n");
}

//! Storing, reading, describing and removing objects.

use std::time::Duration;

use crate::harness::{Server, Session, received};

async fn boxed(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session
}

const HELLO_MD5: &str = "5d41402abc4b2a76b9719d911017c592";

#[tokio::test]
async fn what_is_stored_comes_back() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    server.clock.advance(Duration::from_micros(1_234_567));
    let put = session.send("PUT", "/box/hello.txt", &[("Content-Type", "text/x-greeting")], b"hello").await;
    assert_eq!((put.status, put.header("content-length")), (201, "0"));
    assert_eq!(put.header("etag"), HELLO_MD5);
    assert_eq!(put.header("last-modified"), "Thu, 01 Jan 2026 00:00:02 GMT");
    let get = session.get("/box/hello.txt").await;
    assert_eq!((get.status, get.text()), (200, "hello"));
    let head = session.head("/box/hello.txt").await;
    assert_eq!(head.status, 200);
    for answer in [&get, &head] {
        assert_eq!(answer.header("content-length"), "5");
        assert_eq!(answer.header("content-type"), "text/x-greeting");
        assert_eq!(answer.header("etag"), HELLO_MD5);
        assert_eq!(answer.header("last-modified"), "Thu, 01 Jan 2026 00:00:02 GMT");
        assert_eq!(answer.header("x-timestamp"), "1767225601.23456");
        assert_eq!(answer.header("accept-ranges"), "bytes");
    }
}

#[tokio::test]
async fn an_empty_object_is_an_object() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    session.put("/box/empty", b"").await;
    for answer in [session.get("/box/empty").await, session.head("/box/empty").await] {
        assert_eq!((answer.status, answer.header("content-length")), (200, "0"));
        assert_eq!(answer.header("etag"), "d41d8cd98f00b204e9800998ecf8427e");
    }
}

#[tokio::test]
async fn chunks_are_put_together() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let chunked = b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    let put = session.send("PUT", "/box/key", &[("Transfer-Encoding", "chunked")], chunked).await;
    assert_eq!((put.status, put.header("etag")), (201, HELLO_MD5));
    assert_eq!(session.get("/box/key").await.text(), "hello");
}

#[tokio::test]
async fn a_large_body_comes_back_equal() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let body: Vec<u8> = (0..3_000_001u32).map(|index| index.to_le_bytes()[index as usize % 3]).collect();
    session.put("/box/large", &body).await;
    let get = session.get("/box/large").await;
    assert_eq!(get.header("content-length"), "3000001");
    assert!(get.body == body);
}

#[tokio::test]
async fn an_overwrite_replaces_everything() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let first = [("X-Object-Meta-A", "1"), ("Content-Encoding", "gzip"), ("Content-Type", "text/plain")];
    assert_eq!(session.send("PUT", "/box/key", &first, b"one").await.status, 201);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(session.send("PUT", "/box/key", &[("X-Object-Meta-B", "2")], b"two").await.status, 201);
    let get = session.get("/box/key").await;
    assert_eq!(get.text(), "two");
    assert_eq!(get.find("x-object-meta-a"), None);
    assert_eq!(get.header("x-object-meta-b"), "2");
    assert_eq!(get.find("content-encoding"), None);
    assert_eq!(get.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn headers_that_are_kept_come_back() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let headers = [
        ("Content-Encoding", "gzip"),
        ("Content-Disposition", "attachment; filename=\"ü.txt\""),
        ("Content-Language", "de"),
        ("Cache-Control", "max-age=60"),
        ("Expires", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("X-Object-Meta-Mtime", "1700000000.123456"),
        ("X-Object-Meta-Empty", ""),
        ("X-Object-Meta-Text", "grüße"),
    ];
    assert_eq!(session.send("PUT", "/box/key", &headers, b"x").await.status, 201);
    let head = session.head("/box/key").await;
    for (name, value) in headers {
        assert_eq!(head.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn the_content_type_follows_the_name_where_it_is_not_given() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let store = async |path: &str, headers: &[(&str, &str)]| {
        assert_eq!(session.send("PUT", path, headers, b"x").await.status, 201);
        session.head(path).await.header("content-type").to_owned()
    };
    assert_eq!(store("/box/a.jpg", &[]).await, "image/jpeg");
    assert_eq!(store("/box/a", &[]).await, "application/octet-stream");
    assert_eq!(
        store("/box/b.jpg", &[("Content-Type", "text/plain; charset=latin1")]).await,
        "text/plain; charset=latin1"
    );
    let detect = [("Content-Type", "text/plain"), ("X-Detect-Content-Type", "true")];
    assert_eq!(store("/box/c.jpg", &detect).await, "image/jpeg");
}

#[tokio::test]
async fn a_post_replaces_metadata_and_keeps_the_content_type() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let first = [("X-Object-Meta-A", "1"), ("Content-Type", "text/x"), ("Content-Encoding", "gzip")];
    assert_eq!(session.send("PUT", "/box/key", &first, b"hello").await.status, 201);
    server.clock.advance(Duration::from_secs(5));
    let post = session.send("POST", "/box/key", &[("X-Object-Meta-B", "2")], b"").await;
    assert_eq!(post.status, 202);
    let head = session.head("/box/key").await;
    assert_eq!(head.find("x-object-meta-a"), None);
    assert_eq!(head.find("content-encoding"), None);
    assert_eq!(head.header("x-object-meta-b"), "2");
    assert_eq!(head.header("content-type"), "text/x");
    assert_eq!(head.header("etag"), HELLO_MD5);
    assert_eq!(head.header("last-modified"), "Thu, 01 Jan 2026 00:00:05 GMT");
    assert_eq!(session.send("POST", "/box/key", &[("Content-Type", "text/y")], b"").await.status, 202);
    let get = session.get("/box/key").await;
    assert_eq!((get.header("content-type"), get.text()), ("text/y", "hello"));
}

#[tokio::test]
async fn what_is_removed_is_gone() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    session.put("/box/key", b"x").await;
    assert_eq!(session.delete("/box/key").await.status, 204);
    assert_eq!(session.delete("/box/key").await.status, 404);
    assert_eq!(session.get("/box/key").await.status, 404);
    assert_eq!(session.head("/box/key").await.status, 404);
    assert_eq!(session.send("POST", "/box/key", &[], b"").await.status, 404);
    assert_eq!(session.get("/box").await.status, 204);
}

#[tokio::test]
async fn odd_keys_are_kept_to_the_byte() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let keys = [
        "..", "a/../b", "/", "//", "/lead", "trail/", "a//b", "%01", "%C3%BC", "%20", "%25", "a%2Fb", "%3F",
        "%23",
    ];
    for (index, key) in keys.iter().enumerate() {
        session.put(&format!("/box/{key}"), index.to_string().as_bytes()).await;
    }
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(session.get(&format!("/box/{key}")).await.text(), index.to_string(), "{key}");
    }
    let listed = session.get("/box").await;
    assert_eq!(listed.text(), "\u{1}\n \n#\n%\n..\n/\n//\n/lead\n?\na/../b\na//b\na/b\ntrail/\nü\n");
}

/// Names of headers have no case, but S3's libraries give metadata to their callers under the very names that arrive.
#[tokio::test]
async fn metadata_may_be_any_bytes_and_its_names_are_in_small_letters() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let request = |method: &str, headers: &[u8]| {
        let root = &session.root;
        let line = format!("{method} {root}/box/key HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let token = format!("X-Auth-Token: {}\r\n", session.token);
        [line.as_bytes(), token.as_bytes(), headers, b"\r\n"].concat()
    };
    let given = b"Content-Length: 0\r\nx-object-meta-CoLour: bl\xfc \xff\r\n";
    let itself = b"Destination: box/key\r\n";
    for (method, headers, status) in
        [("PUT", &given[..], "201"), ("POST", given, "202"), ("COPY", itself, "201")]
    {
        let answer = received(server.address, &request(method, headers)).await;
        assert!(answer[9..].starts_with(status.as_bytes()), "{}", answer.escape_ascii());
    }
    for method in ["GET", "HEAD"] {
        let answer = received(server.address, &request(method, b"")).await;
        let shown = b"\r\nx-object-meta-colour: bl\xfc \xff\r\n";
        assert!(answer.windows(shown.len()).any(|part| part == shown), "{}", answer.escape_ascii());
    }
}

//! Parts of objects.

use crate::harness::{Answer, Server, Session};

async fn digits(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/box/digits", b"0123456789").await;
    session.put("/box/empty", b"").await;
    session
}

async fn read(session: &Session, range: &str) -> Answer {
    session.send("GET", "/box/digits", &[("Range", range)], b"").await
}

#[tokio::test]
async fn a_range_gives_a_part() {
    let server = Server::start().await;
    let session = digits(&server).await;
    for (range, text, shown) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-30", "0123456789", "bytes 0-9/10"),
        ("bytes=0-9", "0123456789", "bytes 0-9/10"),
        ("bytes = 2 - 4", "234", "bytes 2-4/10"),
    ] {
        let answer = read(&session, range).await;
        assert_eq!((answer.status, answer.text()), (206, text), "{range}");
        assert_eq!(answer.header("content-range"), shown);
        assert_eq!(answer.header("content-length"), text.len().to_string());
        assert_eq!(answer.header("etag"), "781e5e245d69b566979b86e28d23f2c7");
    }
}

#[tokio::test]
async fn an_impossible_range_is_416_and_says_how_long_the_object_is() {
    let server = Server::start().await;
    let session = digits(&server).await;
    for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999999-"] {
        let answer = read(&session, range).await;
        assert_eq!(answer.status, 416, "{range}");
        assert_eq!(answer.header("content-range"), "bytes */10");
        assert_eq!(answer.header("etag"), "781e5e245d69b566979b86e28d23f2c7");
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert!(answer.text().contains("<h1>Requested Range Not Satisfiable</h1>"));
    }
    let empty = session.send("GET", "/box/empty", &[("Range", "bytes=0-")], b"").await;
    assert_eq!((empty.status, empty.header("content-range")), (416, "bytes */0"));
}

#[tokio::test]
async fn what_is_no_range_gives_everything() {
    let server = Server::start().await;
    let session = digits(&server).await;
    for range in ["bytes=4-2", "bytes=-", "bytes=x", "lines=1-2"] {
        let answer = read(&session, range).await;
        assert_eq!((answer.status, answer.text()), (200, "0123456789"), "{range}");
        assert_eq!(answer.find("content-range"), None);
    }
}

#[tokio::test]
async fn a_download_is_resumed_only_on_the_same_object() {
    let server = Server::start().await;
    let session = digits(&server).await;
    let resume = async |name: &str, tag: &str| {
        session.send("GET", "/box/digits", &[("Range", "bytes=5-"), (name, tag)], b"").await
    };
    let etag = "781e5e245d69b566979b86e28d23f2c7";
    assert_eq!(resume("If-Match", etag).await.text(), "56789");
    assert_eq!(resume("If-Match", "another").await.status, 412);
    let same = resume("If-Range", &format!("\"{etag}\"")).await;
    assert_eq!((same.status, same.text()), (206, "56789"));
    let other = resume("If-Range", "\"another\"").await;
    assert_eq!((other.status, other.text()), (200, "0123456789"));
    let date = resume("If-Range", "Thu, 01 Jan 2026 00:00:00 GMT").await;
    assert_eq!((date.status, date.text()), (200, "0123456789"));
}

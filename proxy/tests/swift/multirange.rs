//! Several ranges in one answer.

use crate::harness::{Answer, Server, Session};

async fn digits(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    let typed = [("Content-Type", "text/digits")];
    assert_eq!(session.send("PUT", "/box/digits", &typed, b"0123456789").await.status, 201);
    session
}

async fn read(session: &Session, range: &str) -> Answer {
    session.send("GET", "/box/digits", &[("Range", range)], b"").await
}

/// Content type, content range and bytes of every part.
fn parts(answer: &Answer) -> Vec<(String, String, String)> {
    let boundary =
        answer.header("content-type").strip_prefix("multipart/byteranges;boundary=").expect("a part");
    let body = answer.text().strip_suffix(&format!("--{boundary}--")).expect("a part");
    let delimiter = format!("--{boundary}\r\n");
    body.split(&delimiter)
        .skip(1)
        .map(|part| {
            let (head, bytes) = part.split_once("\r\n\r\n").expect("a part");
            let mut lines = head.split("\r\n");
            let mut value =
                |name: &str| lines.next().expect("a part").strip_prefix(name).expect("a part").to_owned();
            let (content_type, range) = (value("Content-Type: "), value("Content-Range: "));
            (content_type, range, bytes.strip_suffix("\r\n").expect("a part").to_owned())
        })
        .collect()
}

#[tokio::test]
async fn every_range_comes_in_a_part_of_its_own() {
    let server = Server::start().await;
    let session = digits(&server).await;
    let answer = read(&session, "bytes=0-1,4-5,-2").await;
    assert_eq!(answer.status, 206);
    let part = |range: &str, bytes: &str| ("text/digits".to_owned(), range.to_owned(), bytes.to_owned());
    let expected = [part("bytes 0-1/10", "01"), part("bytes 4-5/10", "45"), part("bytes 8-9/10", "89")];
    assert_eq!(parts(&answer), expected);
    assert_eq!(answer.find("content-range"), None);
    assert_eq!(answer.header("etag"), "781e5e245d69b566979b86e28d23f2c7");
}

#[tokio::test]
async fn what_cannot_be_had_is_left_out() {
    let server = Server::start().await;
    let session = digits(&server).await;
    let one = read(&session, "bytes=3-4,20-30").await;
    assert_eq!((one.status, one.text(), one.header("content-range")), (206, "34", "bytes 3-4/10"));
    let none = read(&session, "bytes=20-30,40-,-0").await;
    assert_eq!((none.status, none.header("content-range")), (416, "bytes */10"));
    let unreadable = read(&session, "bytes=0-1,x").await;
    assert_eq!((unreadable.status, unreadable.text()), (200, "0123456789"));
}

#[tokio::test]
async fn more_ranges_than_anybody_needs_are_refused() {
    let server = Server::start().await;
    let session = digits(&server).await;
    let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
    assert_eq!(read(&session, &many(50)).await.status, 206);
    assert_eq!(read(&session, &many(51)).await.status, 416);
    assert_eq!(read(&session, "bytes=0-5,5-9,3-4,2-9").await.status, 416);
}

#[tokio::test]
async fn conditions_hold_for_several_ranges_too() {
    let server = Server::start().await;
    let session = digits(&server).await;
    let etag = "781e5e245d69b566979b86e28d23f2c7";
    let ask = async |name: &str, value: &str| {
        session.send("GET", "/box/digits", &[("Range", "bytes=0-1,4-5"), (name, value)], b"").await
    };
    assert_eq!(ask("If-Match", etag).await.status, 206);
    assert_eq!(ask("If-Match", "another").await.status, 412);
    assert_eq!(ask("If-None-Match", etag).await.status, 304);
    assert_eq!(ask("If-Range", etag).await.status, 206);
    let other = ask("If-Range", "another").await;
    assert_eq!((other.status, other.text()), (200, "0123456789"));
    assert_eq!(session.send("GET", "/box/none", &[("Range", "bytes=0-1,4-5")], b"").await.status, 404);
}

#[tokio::test]
async fn the_last_bytes_of_nothing_are_nothing() {
    let server = Server::start().await;
    let session = digits(&server).await;
    session.put("/box/empty", b"").await;
    let last = session.send("GET", "/box/empty", &[("Range", "bytes=-5")], b"").await;
    assert_eq!((last.status, last.text(), last.find("content-range")), (200, "", None));
}

#[tokio::test]
async fn several_ranges_of_a_large_object_cross_its_segments() {
    let server = Server::start().await;
    let session = digits(&server).await;
    for (name, body) in [("a", "abcde"), ("b", "fghij")] {
        session.put(&format!("/box/{name}"), body.as_bytes()).await;
    }
    let list = br#"[{"path": "/box/a"}, {"path": "/box/b"}]"#;
    assert_eq!(session.send("PUT", "/box/large?multipart-manifest=put", &[], list).await.status, 201);
    let answer = session.send("GET", "/box/large", &[("Range", "bytes=1-2,3-7,-1")], b"").await;
    assert_eq!(answer.status, 206);
    let found: Vec<_> = parts(&answer).into_iter().map(|(_, range, bytes)| (range, bytes)).collect();
    let expected = [("bytes 1-2/10", "bc"), ("bytes 3-7/10", "defgh"), ("bytes 9-9/10", "j")];
    assert_eq!(found, expected.map(|(range, bytes)| (range.to_owned(), bytes.to_owned())));
}

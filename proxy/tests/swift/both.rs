//! Large objects of one dialect, read through the other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::harness::{Answer, Server, Session};

/// Sends a request as S3's clients do, signed in the old way; `path` may have a sub-resource behind it.
pub(crate) async fn s3(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    let copied = headers.iter().filter(|(name, _)| name.starts_with("x-amz-"));
    let amz: String = copied.map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
    let text = format!("{method}\n\n\n{DATE}\n{amz}{path}");
    let mut mac = Hmac::<Sha1>::new_from_slice(b"testing").expect("a key of any length");
    mac.update(text.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let authorization = format!("AWS test:{signature}");
    let mut headers = headers.to_vec();
    headers.extend([("Date", DATE), ("Authorization", authorization.as_str())]);
    server.send(method, path, &headers, body).await
}

async fn stored(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/large-box", b"").await;
    for (name, body) in [("s/1", "abc"), ("s/2", "defgh")] {
        session.put(&format!("/large-box/{name}"), body.as_bytes()).await;
    }
    let list = br#"[{"path": "/large-box/s/1"}, {"path": "/large-box/s/2"}]"#;
    assert_eq!(session.send("PUT", "/large-box/static?multipart-manifest=put", &[], list).await.status, 201);
    let dynamic = [("X-Object-Manifest", "large-box/s/")];
    assert_eq!(session.send("PUT", "/large-box/dynamic", &dynamic, b"").await.status, 201);
    session
}

/// MD5 of the binary MD5s of the segments, as if they were parts; by Python's hashlib.
const ETAG: &str = "\"090b68bde6dcfd1d01865596c51bad76-2\"";

#[tokio::test]
async fn s3_reads_large_objects_of_swift() {
    let server = Server::start().await;
    stored(&server).await;
    for path in ["/large-box/static", "/large-box/dynamic"] {
        let get = s3(&server, "GET", path, &[], b"").await;
        assert_eq!((get.status, get.text(), get.header("etag")), (200, "abcdefgh", ETAG), "{path}");
        let head = s3(&server, "HEAD", path, &[], b"").await;
        assert_eq!((head.status, head.header("content-length"), head.header("etag")), (200, "8", ETAG));
        let part = s3(&server, "GET", path, &[("Range", "bytes=2-4")], b"").await;
        assert_eq!((part.status, part.text(), part.header("content-range")), (206, "cde", "bytes 2-4/8"));
        let second = s3(&server, "GET", &format!("{path}?partNumber=2"), &[], b"").await;
        assert_eq!((second.status, second.text()), (206, "defgh"));
        assert_eq!(second.header("x-amz-mp-parts-count"), "2");
        assert_eq!(s3(&server, "GET", path, &[("If-Match", ETAG)], b"").await.status, 200);
        assert_eq!(s3(&server, "GET", path, &[("If-None-Match", ETAG)], b"").await.status, 304);
        assert_eq!(s3(&server, "GET", path, &[("If-Match", "\"another\"")], b"").await.status, 412);
        let beyond = s3(&server, "GET", path, &[("Range", "bytes=8-")], b"").await;
        assert_eq!(beyond.status, 416);
    }
}

#[tokio::test]
async fn s3_copies_the_bytes_of_large_objects_of_swift() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for source in ["/large-box/static", "/large-box/dynamic"] {
        let copied = s3(&server, "PUT", "/large-box/copy", &[("x-amz-copy-source", source)], b"").await;
        assert_eq!(copied.status, 200, "{copied:?}");
        let copy = session.get("/large-box/copy").await;
        assert_eq!((copy.text(), copy.find("x-object-manifest")), ("abcdefgh", None));
        assert_eq!(copy.header("etag"), "e8dc4081b13434b45189a720b77b6818");
    }
}

#[tokio::test]
async fn s3_tells_that_a_segment_is_missing() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.delete("/large-box/s/1").await;
    assert_eq!(s3(&server, "GET", "/large-box/static", &[], b"").await.status, 500);
}

#[tokio::test]
async fn s3_reads_what_a_symlink_of_swift_stands_for() {
    let server = Server::start().await;
    let session = stored(&server).await;
    session.put("/large-box/plain", b"hello").await;
    for (name, target) in [
        ("link", "plain"),
        ("to-large", "static"),
        ("to-nothing", "none"),
        ("loop", "loops"),
        ("loops", "loop"),
    ] {
        let target = format!("large-box/{target}");
        let made =
            session.send("PUT", &format!("/large-box/{name}"), &[("X-Symlink-Target", &target)], b"").await;
        assert_eq!(made.status, 201);
    }
    let plain = s3(&server, "GET", "/large-box/plain", &[], b"").await;
    let get = s3(&server, "GET", "/large-box/link", &[], b"").await;
    assert_eq!((get.status, get.text(), get.header("etag")), (200, "hello", plain.header("etag")));
    let head = s3(&server, "HEAD", "/large-box/link", &[("If-Match", plain.header("etag"))], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, "5"));
    let part = s3(&server, "GET", "/large-box/link", &[("Range", "bytes=1-2")], b"").await;
    assert_eq!((part.status, part.text()), (206, "el"));
    let large = s3(&server, "GET", "/large-box/to-large?partNumber=2", &[], b"").await;
    assert_eq!((large.status, large.text(), large.header("etag")), (206, "defgh", ETAG));
    let copied =
        s3(&server, "PUT", "/large-box/copy", &[("x-amz-copy-source", "/large-box/link")], b"").await;
    assert_eq!(copied.status, 200);
    assert_eq!(session.get("/large-box/copy").await.find("content-location"), None);
    assert_eq!(session.get("/large-box/copy").await.text(), "hello");
    assert_eq!(s3(&server, "GET", "/large-box/to-nothing", &[], b"").await.status, 404);
    let refused = s3(&server, "GET", "/large-box/loop", &[], b"").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("<Code>InvalidObjectState</Code>"), "{}", refused.text());
    // What is written, described and removed is the link.
    assert_eq!(s3(&server, "GET", "/large-box/link?acl", &[], b"").await.status, 200);
    let copied_over = [("x-amz-copy-source", "/large-box/static")];
    assert_eq!(s3(&server, "PUT", "/large-box/link", &copied_over, b"").await.status, 200);
    assert_eq!(session.get("/large-box/link").await.text(), "abcdefgh");
    assert_eq!(s3(&server, "GET", "/large-box/plain", &[], b"").await.text(), "hello");
}

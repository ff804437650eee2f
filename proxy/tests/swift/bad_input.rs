//! What is wrong is refused clearly, nothing is stored, and the server goes on.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Server, Session, raw};

/// A container with an object whose body is `old`.
async fn stored(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/box/key", b"old").await;
    session
}

#[track_caller]
fn is_untouched(session: &Session) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        assert_eq!(session.get("/box/key").await.text(), "old", "{caller}");
        assert_eq!(session.get("/box").await.text(), "key\n", "{caller}");
    }
}

#[tokio::test]
async fn paths_that_name_nothing() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for (path, status) in [
        ("/box/%FF", 412),
        ("/box/a%00b", 412),
        ("/%FF", 412),
        ("//key", 404),
        (&format!("/{}", "c".repeat(257)), 400),
        (&format!("/box/{}", "k".repeat(1025)), 400),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            assert_eq!(session.send(method, path, &[], b"").await.status, status, "{method} {path}");
        }
    }
    let longest = "k".repeat(1024);
    session.put(&format!("/box/{longest}"), b"").await;
    assert_eq!(session.delete(&format!("/box/{longest}")).await.status, 204);
    is_untouched(&session).await;
}

#[tokio::test]
async fn a_wrong_md5_stores_nothing() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for (name, value) in [
        ("ETag", "92eb5ffee6ae2fec3ad71c777531578f"),
        ("ETag", "nonsense"),
        ("Content-MD5", "kutf/uauL+w61xx3dTFXjw=="),
    ] {
        let answer = session.send("PUT", "/box/key", &[(name, value)], b"new").await;
        assert_eq!(answer.status, 422, "{name}: {value}");
        assert!(answer.text().contains("<h1>Unprocessable Entity</h1>"));
    }
    is_untouched(&session).await;
    let right = [("ETag", "\"22AF645D1859CB5CA6DA0C484F1F37EA\"")];
    assert_eq!(session.send("PUT", "/box/key", &right, b"new").await.status, 201);
}

#[tokio::test]
async fn a_body_needs_a_length_or_chunks() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let request = format!(
        "PUT {}/box/key HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Auth-Token: {}\r\n\r\n",
        session.root, session.token
    );
    let answer = raw(server.address, request.as_bytes()).await;
    assert_eq!((answer.status, answer.text()), (411, "Missing Content-Length header."));
    let huge = session.send("PUT", "/box/key", &[("Content-Length", "5368709121")], b"").await;
    assert_eq!(huge.status, 413);
    is_untouched(&session).await;
}

#[tokio::test]
async fn a_truncated_body_stores_nothing() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for rest in [
        "Content-Length: 10\r\n\r\nnew",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nnew\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nnew",
    ] {
        let request = format!(
            "PUT {}/box/key HTTP/1.1\r\nHost: h\r\nX-Auth-Token: {}\r\n{rest}",
            session.root, session.token
        );
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whether an answer can still be read depends on who closes first; that nothing is stored does not.
        let _maybe = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.starts_with("HTTP/1.1 2"), "{rest:?}: {text}");
        is_untouched(&session).await;
    }
}

#[tokio::test]
async fn broken_chunks_store_nothing() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let chunked = [("Transfer-Encoding", "chunked")];
    let answer = session.send("PUT", "/box/key", &chunked, b"zz\r\nnew\r\n0\r\n\r\n").await;
    assert_eq!(answer.status, 400);
    is_untouched(&session).await;
}

#[tokio::test]
async fn oversize_metadata_is_400_and_changes_nothing() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let long_name = |noun: &str| format!("X-{noun}-Meta-{}", "n".repeat(129));
    let long_value = "v".repeat(257);
    for (noun, path) in [("Account", ""), ("Container", "/box"), ("Object", "/box/key")] {
        let name = long_name(noun);
        for headers in [
            [(name.as_str(), "x")],
            [(&*format!("X-{noun}-Meta-A"), long_value.as_str())],
            [(&*format!("X-{noun}-Meta-"), "x")],
        ] {
            assert_eq!(session.send("POST", path, &headers, b"").await.status, 400, "{noun} {headers:?}");
        }
    }
    let names: Vec<_> = (0..91).map(|index| format!("X-Object-Meta-{index}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    assert_eq!(session.send("PUT", "/box/key", &many, b"new").await.status, 400);
    is_untouched(&session).await;
}

#[tokio::test]
async fn a_header_given_twice_is_refused() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let twice = [("X-Object-Meta-A", "1"), ("X-Object-Meta-A", "2")];
    assert_eq!(session.send("PUT", "/box/key", &twice, b"new").await.status, 400);
    let twice = [("Content-Type", "text/a"), ("Content-Type", "text/b")];
    assert_eq!(session.send("PUT", "/box/key", &twice, b"new").await.status, 400);
    is_untouched(&session).await;
}

#[tokio::test]
async fn what_is_not_offered_is_named_and_nothing_else_happens() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for (method, path, header, named) in [
        ("GET", "/box/key?multipart-manifest=put", ("X-A", "b"), "multipart-manifest"),
        ("GET", "/box?swiftinfo_sig=x", ("X-A", "b"), "swiftinfo_sig"),
        ("POST", "/box", ("X-Container-Sync-To", "x"), "X-Container-Sync-To"),
        ("POST", "", ("Content-Type", "multipart/form-data; boundary=x"), "multipart/form-data"),
    ] {
        let answer = session.send(method, path, &[header], b"").await;
        assert_eq!(answer.status, 501, "{method} {path} {header:?}");
        assert!(answer.text().contains(named), "{method} {path}: {}", answer.text());
        assert!(answer.header("content-type").starts_with("text/plain"));
    }
    is_untouched(&session).await;
}

#[tokio::test]
async fn a_storage_policy_that_there_is_not_is_400() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let answer = session.send("PUT", "/new", &[("X-Storage-Policy", "gold")], b"").await;
    assert_eq!((answer.status, answer.text()), (400, "Invalid X-Storage-Policy \"gold\""));
    assert_eq!(session.head("/new").await.status, 404);
    assert_eq!(session.send("PUT", "/new", &[("X-Storage-Policy", "policy-0")], b"").await.status, 201);
}

#[tokio::test]
async fn as_much_metadata_as_is_allowed_fits_into_a_head() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let names: Vec<_> = (0..190).map(|index| format!("X-Object-Meta-{index:03}")).collect();
    let value = "v".repeat(42);
    let most: Vec<_> = names.iter().take(90).map(|name| (name.as_str(), value.as_str())).collect();
    assert_eq!(session.send("PUT", "/box/key", &most, b"old").await.status, 201);
    let head = session.head("/box/key").await;
    assert!(most.iter().all(|(name, value)| head.header(name) == *value));
    let more: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let answer = session.send("PUT", "/box/key", &more, b"new").await;
    assert_eq!((answer.status, answer.text()), (400, "Too many metadata items; max 90"));
    is_untouched(&session).await;
}

#[tokio::test]
async fn other_methods_are_405() {
    let server = Server::start().await;
    let session = stored(&server).await;
    for path in ["", "/box", "/box/key"] {
        let answer = session.send("PATCH", path, &[], b"").await;
        assert_eq!(answer.status, 405, "{path}");
        assert!(answer.header("allow").contains("GET"));
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_server_goes_on() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let huge = "x".repeat(100 * 1024);
    let answer = session.send("PUT", "/box/key", &[("X-Object-Meta-A", &huge)], b"new").await;
    assert_eq!(answer.status, 431);
    is_untouched(&session).await;
}

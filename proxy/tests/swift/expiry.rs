//! Objects that end by themselves.

use std::time::Duration;

use crate::harness::{Server, Session};

/// When the simulated clock starts, in seconds since the epoch.
const START: u64 = 1_767_225_600;

async fn boxed(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session
}

#[tokio::test]
async fn an_object_is_gone_the_second_that_it_ends() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let end = (START + 60).to_string();
    assert_eq!(session.send("PUT", "/box/at", &[("X-Delete-At", &end)], b"x").await.status, 201);
    assert_eq!(session.send("PUT", "/box/after", &[("X-Delete-After", "60")], b"x").await.status, 201);
    for path in ["/box/at", "/box/after"] {
        assert_eq!(session.get(path).await.header("x-delete-at"), end);
        assert_eq!(session.head(path).await.header("x-delete-at"), end);
    }
    server.clock.advance(Duration::from_millis(59_999));
    assert_eq!(session.get("/box/at").await.status, 200);
    assert_eq!(session.get("/box").await.text(), "after\nat\n");
    server.clock.advance(Duration::from_millis(1));
    for path in ["/box/at", "/box/after"] {
        assert_eq!(session.get(path).await.status, 404);
        assert_eq!(session.head(path).await.status, 404);
        assert_eq!(session.send("POST", path, &[("X-Delete-After", "60")], b"").await.status, 404);
        assert_eq!(session.send("COPY", path, &[("Destination", "box/copy")], b"").await.status, 404);
    }
    assert_eq!(session.get("/box").await.status, 204);
    assert_eq!(session.delete("/box/at").await.status, 404);
    assert_eq!(session.delete("/box").await.status, 204);
}

#[tokio::test]
async fn an_end_in_the_past_or_no_number_is_400() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    session.put("/box/key", b"x").await;
    for (name, value, complaint) in [
        ("X-Delete-At", "1", "X-Delete-At in past"),
        ("X-Delete-At", "1767225600", "X-Delete-At in past"),
        ("X-Delete-At", "soon", "Non-integer X-Delete-At"),
        ("X-Delete-At", "1.5", "Non-integer X-Delete-At"),
        ("X-Delete-After", "0", "X-Delete-After in past"),
        ("X-Delete-After", "-1", "X-Delete-After in past"),
        ("X-Delete-After", "", "Non-integer X-Delete-After"),
    ] {
        let copy = [(name, value), ("Destination", "box/new")];
        for (method, path, headers) in [
            ("PUT", "/box/new", &copy[..1]),
            ("POST", "/box/key", &copy[..1]),
            ("COPY", "/box/key", &copy[..]),
        ] {
            let answer = session.send(method, path, headers, b"").await;
            assert_eq!((answer.status, answer.text()), (400, complaint), "{method} {name}: {value}");
        }
    }
    assert_eq!(session.head("/box/new").await.status, 404);
    assert_eq!(session.head("/box/key").await.find("x-delete-at"), None);
}

#[tokio::test]
async fn a_post_takes_the_end_away_unless_it_says_it_again() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    let store = async || {
        assert_eq!(session.send("PUT", "/box/key", &[("X-Delete-After", "60")], b"x").await.status, 201);
    };
    let end = async || session.head("/box/key").await.find("x-delete-at").map(str::to_owned);
    store().await;
    assert_eq!(session.send("POST", "/box/key", &[("X-Delete-After", "90")], b"").await.status, 202);
    assert_eq!(end().await, Some((START + 90).to_string()));
    assert_eq!(session.send("POST", "/box/key", &[("X-Remove-Delete-At", "x")], b"").await.status, 202);
    assert_eq!(end().await, None);
    store().await;
    assert_eq!(session.send("POST", "/box/key", &[], b"").await.status, 202);
    assert_eq!(end().await, None);
    store().await;
    session.put("/box/key", b"y").await;
    assert_eq!(end().await, None);
    server.clock.advance(Duration::from_secs(100));
    assert_eq!(session.get("/box/key").await.text(), "y");
}

#[tokio::test]
async fn a_copy_ends_with_its_source_unless_it_says_otherwise() {
    let server = Server::start().await;
    let session = boxed(&server).await;
    assert_eq!(session.send("PUT", "/box/key", &[("X-Delete-After", "60")], b"x").await.status, 201);
    let copy = async |headers: &[(&str, &str)]| {
        let mut headers = headers.to_vec();
        headers.push(("Destination", "box/copy"));
        assert_eq!(session.send("COPY", "/box/key", &headers, b"").await.status, 201);
        session.head("/box/copy").await.find("x-delete-at").map(str::to_owned)
    };
    assert_eq!(copy(&[]).await, Some((START + 60).to_string()));
    assert_eq!(copy(&[("X-Delete-After", "70")]).await, Some((START + 70).to_string()));
    assert_eq!(copy(&[("X-Remove-Delete-At", "x")]).await, None);
    assert_eq!(copy(&[("X-Fresh-Metadata", "true")]).await, None);
}

//! Symbolic links: objects that stand for others.

use serde_json::{Value, json};

use crate::harness::{Answer, Server, Session};

const HELLO_MD5: &str = "5d41402abc4b2a76b9719d911017c592";
const EMPTY_MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// A container of objects, one of links, and a link that stands for an object of five bytes.
async fn begin(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/links", b"").await;
    let said = [("Content-Type", "text/x"), ("X-Object-Meta-Of", "target")];
    assert_eq!(session.send("PUT", "/box/key", &said, b"hello").await.status, 201);
    link(&session, "/links/link", &[("X-Symlink-Target", "box/key")]).await;
    session
}

#[track_caller]
fn link(session: &Session, path: &str, headers: &[(&str, &str)]) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let answer = session.send("PUT", path, headers, b"").await;
        assert_eq!(
            (answer.status, answer.header("etag")),
            (201, EMPTY_MD5),
            "{path} at {caller}: {answer:?}"
        );
    }
}

async fn static_link(session: &Session) {
    link(session, "/links/static", &[("X-Symlink-Target", "box/key"), ("X-Symlink-Target-Etag", HELLO_MD5)])
        .await;
}

#[track_caller]
fn assert_is_target(answer: &Answer) {
    assert_eq!((answer.status, answer.header("etag")), (200, HELLO_MD5), "{answer:?}");
    assert_eq!(answer.header("content-location"), "/v1/AUTH_test/box/key");
    assert_eq!((answer.header("content-length"), answer.header("x-object-meta-of")), ("5", "target"));
    assert_eq!(answer.find("x-symlink-target"), None);
}

async fn listed(session: &Session, path: &str) -> Vec<Value> {
    serde_json::from_slice(&session.get(path).await.body).expect("a listing in JSON")
}

#[tokio::test]
async fn a_link_is_read_as_what_it_stands_for() {
    let server = Server::start().await;
    let session = begin(&server).await;
    let get = session.get("/links/link").await;
    assert_is_target(&get);
    assert_eq!((get.text(), get.header("content-type")), ("hello", "text/x"));
    assert_is_target(&session.head("/links/link").await);
    let part = session.send("GET", "/links/link", &[("Range", "bytes=1-2")], b"").await;
    assert_eq!((part.status, part.text(), part.header("content-range")), (206, "el", "bytes 1-2/5"));
    let ranges = session.send("GET", "/links/link", &[("Range", "bytes=0-0,4-4")], b"").await;
    assert_eq!(ranges.status, 206);
    assert!(ranges.header("content-type").starts_with("multipart/byteranges"));
    for (name, value, status) in [
        ("If-Match", HELLO_MD5, 200),
        ("If-Match", EMPTY_MD5, 412),
        ("If-None-Match", HELLO_MD5, 304),
        ("If-None-Match", EMPTY_MD5, 200),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = session.send(method, "/links/link", &[(name, value)], b"").await;
            assert_eq!(answer.status, status, "{method} {name}: {value}");
            assert_eq!(answer.header("content-location"), "/v1/AUTH_test/box/key");
        }
    }
    let beyond = session.send("GET", "/links/link", &[("Range", "bytes=5-")], b"").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */5"));
}

#[tokio::test]
async fn the_link_itself_is_shown_to_who_asks_for_it() {
    let server = Server::start().await;
    let session = begin(&server).await;
    for method in ["GET", "HEAD"] {
        let shown = session.send(method, "/links/link?symlink=get", &[], b"").await;
        assert_eq!((shown.status, shown.header("etag")), (200, EMPTY_MD5));
        assert_eq!((shown.header("x-symlink-target"), shown.header("content-length")), ("box/key", "0"));
        assert_eq!(shown.header("content-type"), "application/symlink");
        assert_eq!(shown.find("x-symlink-target-account"), None);
        assert_eq!(shown.find("content-location"), None);
    }
    for (name, value, status) in [
        ("If-Match", EMPTY_MD5, 200),
        ("If-Match", HELLO_MD5, 412),
        ("If-None-Match", EMPTY_MD5, 304),
        ("Range", "bytes=0-0", 416),
    ] {
        let answer = session.send("GET", "/links/link?symlink=get", &[(name, value)], b"").await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
    assert_eq!(session.get("/box/key?symlink=get").await.text(), "hello", "an object is what it is");
    assert_eq!(session.get("/links/link?symlink=put").await.status, 501);
}

#[tokio::test]
async fn a_static_link_is_good_only_for_the_object_that_it_was_made_for() {
    let server = Server::start().await;
    let session = begin(&server).await;
    static_link(&session).await;
    assert_is_target(&session.get("/links/static").await);
    let shown = session.head("/links/static?symlink=get").await;
    assert_eq!(shown.header("x-symlink-target-etag"), HELLO_MD5);
    assert_eq!((shown.header("x-symlink-target-bytes"), shown.header("content-type")), ("5", "text/x"));
    session.put("/box/key", b"changed").await;
    for (name, value) in [("If-Match", HELLO_MD5), ("If-Match", "other"), ("X-Nothing", "")] {
        let broken = session.send("GET", "/links/static", &[(name, value)], b"").await;
        assert_eq!(broken.status, 409, "whatever the conditions");
        assert_eq!(broken.header("content-location"), "/v1/AUTH_test/box/key");
        assert!(broken.text().contains(HELLO_MD5), "{}", broken.text());
    }
    assert_eq!(session.head("/links/static").await.status, 409);
    session.delete("/box/key").await;
    let missing = session.get("/links/static").await;
    assert_eq!((missing.status, missing.header("content-location")), (404, "/v1/AUTH_test/box/key"));
    session.put("/box/key", b"hello").await;
    assert_eq!(session.get("/links/static").await.text(), "hello", "it is again what it was");
}

#[tokio::test]
async fn a_static_link_is_not_made_for_what_is_not_there() {
    let server = Server::start().await;
    let session = begin(&server).await;
    for (target, etag, status, words) in [
        ("box/none", EMPTY_MD5, 409, "does not exist"),
        ("box/key", EMPTY_MD5, 409, "does not match"),
        ("box/key", "not-an-etag", 409, "'not-an-etag'"),
        ("box/key", "a;b", 400, "Bad X-Symlink-Target-Etag format"),
    ] {
        let headers = [("X-Symlink-Target", target), ("X-Symlink-Target-Etag", etag)];
        let refused = session.send("PUT", "/links/new", &headers, b"").await;
        assert_eq!(refused.status, status, "{target} {etag}");
        assert!(refused.text().contains(words), "{}", refused.text());
    }
    assert_eq!(session.get("/links/new?symlink=get").await.status, 404);
    // The target of a link that isn't static need not exist, and a link to a link has the ETag of no bytes.
    link(&session, "/links/to-nothing", &[("X-Symlink-Target", "box/none")]).await;
    let headers = [("X-Symlink-Target", "links/to-nothing"), ("X-Symlink-Target-Etag", EMPTY_MD5)];
    link(&session, "/links/to-link", &headers).await;
    let missing = session.get("/links/to-link").await;
    assert_eq!((missing.status, missing.header("content-location")), (404, "/v1/AUTH_test/box/none"));
}

#[tokio::test]
async fn two_links_are_followed_and_no_third() {
    let server = Server::start().await;
    let session = begin(&server).await;
    link(&session, "/links/second", &[("X-Symlink-Target", "links/link")]).await;
    assert_is_target(&session.get("/links/second").await);
    link(&session, "/links/third", &[("X-Symlink-Target", "links/second")]).await;
    link(&session, "/links/loop", &[("X-Symlink-Target", "links/pool")]).await;
    link(&session, "/links/pool", &[("X-Symlink-Target", "links/loop")]).await;
    for path in ["/links/third", "/links/loop", "/links/pool"] {
        let refused = session.get(path).await;
        assert_eq!(refused.status, 409);
        assert_eq!(refused.text(), "Too many levels of symbolic links, maximum allowed is 2");
        assert_eq!(session.head(path).await.status, 409);
        assert_eq!(session.head(&format!("{path}?symlink=get")).await.status, 200);
    }
    let info: Value = serde_json::from_slice(&server.send("GET", "/info", &[], b"").await.body).unwrap();
    assert_eq!(info["symlink"], json!({ "symloop_max": 2, "static_links": true }));
    // Static links one behind the other all stand for the same.
    static_link(&session).await;
    let onward = [("X-Symlink-Target", "links/static"), ("X-Symlink-Target-Etag", HELLO_MD5)];
    link(&session, "/links/static-second", &onward).await;
    assert_is_target(&session.get("/links/static-second").await);
    let wrong = [("X-Symlink-Target", "links/static"), ("X-Symlink-Target-Etag", EMPTY_MD5)];
    assert_eq!(session.send("PUT", "/links/wrong", &wrong, b"").await.status, 409);
}

#[tokio::test]
async fn what_makes_no_link_is_refused_and_nothing_is_stored() {
    let server = Server::start().await;
    let session = begin(&server).await;
    for (target, body, status) in [
        ("box/key", &b"bytes"[..], 400),
        ("links/new", b"", 400),
        ("key", b"", 412),
        ("/box/key", b"", 412),
        ("", b"", 412),
        ("box/", b"", 412),
    ] {
        let refused = session.send("PUT", "/links/new", &[("X-Symlink-Target", target)], body).await;
        assert_eq!(refused.status, status, "{target}");
    }
    let chunked = [("X-Symlink-Target", "box/key"), ("Transfer-Encoding", "chunked")];
    assert_eq!(session.send("PUT", "/links/new", &chunked, b"1\r\nx\r\n0\r\n\r\n").await.status, 400);
    let account = [("X-Symlink-Target", "box/key"), ("X-Symlink-Target-Account", "a/b")];
    assert_eq!(session.send("PUT", "/links/new", &account, b"").await.status, 412);
    assert_eq!(session.get("/links/new?symlink=get").await.status, 404);
    let posted = session.send("POST", "/box/key", &[("X-Symlink-Target", "box/other")], b"").await;
    assert_eq!((posted.status, posted.text()), (400, "A PUT request is required to set a symlink target"));
}

#[tokio::test]
async fn metadata_is_that_of_the_link_and_the_asker_is_sent_to_the_target() {
    let server = Server::start().await;
    let session = begin(&server).await;
    static_link(&session).await;
    for (path, etag) in [("/links/link", None), ("/links/static", Some(HELLO_MD5))] {
        let headers = [("X-Object-Meta-Of", "link"), ("Content-Type", "text/link")];
        let answer = session.send("POST", path, &headers, b"").await;
        assert_eq!((answer.status, answer.header("location")), (307, "/v1/AUTH_test/box/key"));
        assert_eq!(answer.find("x-symlink-target-etag"), etag);
        let shown = session.head(&format!("{path}?symlink=get")).await;
        assert_eq!((shown.header("x-object-meta-of"), shown.header("content-type")), ("link", "text/link"));
        assert_eq!(shown.header("x-symlink-target"), "box/key", "it is a link still");
        assert_is_target(&session.get(path).await);
    }
}

#[tokio::test]
async fn a_link_is_removed_and_replaced_and_its_target_stays() {
    let server = Server::start().await;
    let session = begin(&server).await;
    link(&session, "/links/link", &[("X-Symlink-Target", "box/a%2Fb c")]).await;
    assert_eq!(session.head("/links/link?symlink=get").await.header("x-symlink-target"), "box/a/b%20c");
    let unmet = [("X-Symlink-Target", "box/key"), ("If-None-Match", "*")];
    assert_eq!(session.send("PUT", "/links/link", &unmet, b"").await.status, 412);
    session.put("/links/link", b"an object").await;
    assert_eq!(session.get("/links/link").await.text(), "an object");
    link(&session, "/links/link", &[("X-Symlink-Target", "box/key")]).await;
    assert_eq!(session.delete("/links/link").await.status, 204);
    assert_eq!(session.get("/links/link").await.status, 404);
    assert_eq!(session.get("/box/key").await.text(), "hello");
}

#[tokio::test]
async fn listings_show_what_links_stand_for() {
    let server = Server::start().await;
    let session = begin(&server).await;
    static_link(&session).await;
    let entries = listed(&session, "/links?format=json").await;
    assert_eq!(entries[0]["symlink_path"], "/v1/AUTH_test/box/key");
    assert_eq!((&entries[0]["bytes"], &entries[0]["hash"]), (&json!(0), &json!(EMPTY_MD5)));
    assert_eq!((entries[0].get("symlink_etag"), entries[0].get("symlink_bytes")), (None, None));
    assert_eq!(entries[1]["symlink_path"], "/v1/AUTH_test/box/key");
    assert_eq!((&entries[1]["symlink_etag"], &entries[1]["symlink_bytes"]), (&json!(HELLO_MD5), &json!(5)));
    assert_eq!(session.get("/links").await.text(), "link\nstatic\n");
    assert_eq!(session.head("/links").await.header("x-container-bytes-used"), "0");
    let of_objects = listed(&session, "/box?format=json").await;
    assert_eq!(of_objects[0].get("symlink_path"), None);
}

#[tokio::test]
async fn a_copy_is_of_the_target_or_of_the_link_itself() {
    let server = Server::start().await;
    let session = begin(&server).await;
    static_link(&session).await;
    for name in ["link", "static"] {
        let copied =
            session.send("COPY", &format!("/links/{name}"), &[("Destination", "box/copy")], b"").await;
        assert_eq!((copied.status, copied.header("etag")), (201, HELLO_MD5));
        let copy = session.get("/box/copy").await;
        assert_eq!((copy.text(), copy.find("content-location")), ("hello", None));
        let source = format!("links/{name}");
        let itself = [("X-Copy-From", source.as_str())];
        let copied = session.send("PUT", "/links/copy?symlink=get", &itself, b"").await;
        assert_eq!((copied.status, copied.header("etag")), (201, EMPTY_MD5), "{copied:?}");
        assert_is_target(&session.get("/links/copy").await);
    }
    session.put("/box/key", b"changed").await;
    let broken = session.send("COPY", "/links/static?symlink=get", &[("Destination", "box/copy")], b"").await;
    assert_eq!(broken.status, 409, "a static link is made anew");
}

#[tokio::test]
async fn a_copy_of_a_link_may_stand_for_something_else() {
    let server = Server::start().await;
    let session = begin(&server).await;
    static_link(&session).await;
    session.put("/box/other", b"other").await;
    let other = [("Destination", "links/copy"), ("X-Symlink-Target", "box/other")];
    assert_eq!(session.send("COPY", "/links/link?symlink=get", &other, b"").await.status, 201);
    assert_eq!(session.get("/links/copy").await.text(), "other");
    // The state that a static link is for goes along, unless the request says another one, or none.
    let copy = |etag: Option<&'static str>| {
        let mut headers = other.to_vec();
        headers.extend(etag.map(|etag| ("X-Symlink-Target-Etag", etag)));
        let session = &session;
        async move { session.send("COPY", "/links/static?symlink=get", &headers, b"").await.status }
    };
    assert_eq!(copy(None).await, 409);
    assert_eq!(copy(Some("795f3202b17cb6bc3d4b771d8c6c9eaf")).await, 201);
    let pinned = session.head("/links/copy?symlink=get").await;
    assert_eq!(pinned.header("x-symlink-target-etag"), "795f3202b17cb6bc3d4b771d8c6c9eaf");
    assert_eq!(copy(Some("")).await, 201);
    assert_eq!(session.head("/links/copy?symlink=get").await.find("x-symlink-target-etag"), None);
    // An object of no bytes may become one, as with PUT; what has bytes can't.
    session.put("/box/empty", b"").await;
    assert_eq!(session.send("COPY", "/box/empty", &other, b"").await.status, 201);
    assert_eq!(session.get("/links/copy").await.text(), "other");
    assert_eq!(session.send("COPY", "/links/link", &other, b"").await.status, 400);
    let itself = [("Destination", "links/copy"), ("X-Symlink-Target", "links/copy")];
    assert_eq!(session.send("COPY", "/links/link?symlink=get", &itself, b"").await.status, 400);
    let malformed = [("Destination", "links/copy"), ("X-Symlink-Target", "links")];
    assert_eq!(session.send("COPY", "/links/link?symlink=get", &malformed, b"").await.status, 412);
    let manifest = [other[0], other[1], ("X-Object-Manifest", "box/o")];
    for source in ["/links/link?symlink=get", "/box/empty"] {
        assert_eq!(session.send("COPY", source, &manifest, b"").await.status, 400, "{source}");
    }
    // Without a target there is nothing that a state could be of.
    let alone = [("Destination", "links/copy"), ("X-Symlink-Target-Etag", HELLO_MD5)];
    assert_eq!(session.send("COPY", "/box/other", &alone, b"").await.status, 201);
    assert_eq!(session.head("/links/copy?symlink=get").await.find("x-symlink-target"), None);
}

#[tokio::test]
async fn a_link_leads_into_another_account_with_the_rights_of_the_reader() {
    let server = Server::start().await;
    let owner = begin(&server).await;
    let other = server.login_as("other").await;
    other.put("/links", b"").await;
    let there = [("X-Symlink-Target", "box/key"), ("X-Symlink-Target-Account", "AUTH_test")];
    link(&other, "/links/link", &there).await;
    let shown = other.head("/links/link?symlink=get").await;
    assert_eq!(shown.header("x-symlink-target-account"), "AUTH_test");
    let denied = other.get("/links/link").await;
    assert_eq!((denied.status, denied.header("content-location")), (403, "/v1/AUTH_test/box/key"));
    let pinned = [there[0], there[1], ("X-Symlink-Target-Etag", HELLO_MD5)];
    assert_eq!(other.send("PUT", "/links/static", &pinned, b"").await.status, 403);
    let granted = owner.send("POST", "/box", &[("X-Container-Read", "other:tester")], b"").await;
    assert_eq!(granted.status, 204);
    assert_is_target(&other.get("/links/link").await);
    link(&other, "/links/static", &pinned).await;
    assert_is_target(&other.get("/links/static").await);
    // Whoever may read the container of links may not therefore read what they stand for.
    let public = owner.send("POST", "/links", &[("X-Container-Read", ".r:*")], b"").await;
    assert_eq!(public.status, 204);
    let anonymous = server.send("GET", "/v1/AUTH_test/links/link", &[], b"").await;
    assert_eq!((anonymous.status, anonymous.header("content-location")), (401, "/v1/AUTH_test/box/key"));
}

#[tokio::test]
async fn segments_may_be_links() {
    let server = Server::start().await;
    let session = begin(&server).await;
    static_link(&session).await;
    let list = br#"[{"path": "/links/link"}, {"path": "/links/static", "range": "1-2"}]"#;
    let made = session.send("PUT", "/box/large?multipart-manifest=put", &[], list).await;
    assert_eq!(made.status, 201, "{made:?}");
    let get = session.get("/box/large").await;
    assert_eq!((get.text(), get.find("content-location")), ("helloel", None));
    link(&session, "/links/large", &[("X-Symlink-Target", "box/large")]).await;
    let through = session.get("/links/large").await;
    assert_eq!((through.text(), through.header("etag")), ("helloel", get.header("etag")));
    assert_eq!(through.header("content-location"), "/v1/AUTH_test/box/large");
    let manifest = session.get("/links/large?multipart-manifest=get").await;
    assert_eq!(
        manifest.header("etag"),
        session.get("/box/large?multipart-manifest=get").await.header("etag")
    );
    // Pinned is the list of segments.
    let manifest_etag = manifest.header("etag").trim_matches('"');
    let pinned = [("X-Symlink-Target", "box/large"), ("X-Symlink-Target-Etag", manifest_etag)];
    link(&session, "/links/pinned", &pinned).await;
    assert_eq!(session.get("/links/pinned").await.text(), "helloel");
    let entries = listed(&session, "/links?format=json&prefix=pinned").await;
    assert_eq!(
        (&entries[0]["slo_etag"], &entries[0]["symlink_bytes"]),
        (&json!(get.header("etag")), &json!(7))
    );
    let dynamic = [("X-Object-Manifest", "links/l")];
    assert_eq!(session.send("PUT", "/box/dynamic", &dynamic, b"").await.status, 201);
    assert_eq!(session.get("/box/dynamic").await.text(), "helloelhello");
    // What a link stands for isn't removed with it.
    let removed = session.send("DELETE", "/links/large?multipart-manifest=delete", &[], b"").await;
    assert!(removed.text().contains("Not an SLO manifest"), "{}", removed.text());
    session.put("/box/key", b"changed").await;
    assert_eq!(session.get("/box/large").await.status, 409);
}

#[tokio::test]
async fn links_are_versions_as_objects_are() {
    let server = Server::start().await;
    let session = begin(&server).await;
    assert_eq!(session.send("POST", "/links", &[("X-Versions-Enabled", "true")], b"").await.status, 204);
    let first = session.send("PUT", "/links/v", &[("X-Symlink-Target", "box/key")], b"").await;
    let version = first.header("x-object-version-id").to_owned();
    session.put("/links/v", b"an object").await;
    let old = format!("/links/v?version-id={version}");
    assert_is_target(&session.get(&old).await);
    assert_eq!(session.head(&format!("{old}&symlink=get")).await.header("x-symlink-target"), "box/key");
    let entries = listed(&session, "/links?versions&format=json&prefix=v").await;
    assert_eq!(entries[0].get("symlink_path"), None);
    assert_eq!(entries[1]["symlink_path"], "/v1/AUTH_test/box/key");
    assert_eq!(session.send("PUT", &old, &[], b"").await.status, 201);
    assert_is_target(&session.get("/links/v").await);
    assert_eq!(session.delete("/links/v").await.status, 204);
    assert_eq!(session.get("/links/v").await.status, 404);
}

#[tokio::test]
async fn an_archive_keeps_the_link_and_not_what_it_stands_for() {
    let server = Server::start().await;
    let session = begin(&server).await;
    session.put("/archive", b"").await;
    let archived = session.send("POST", "/links", &[("X-Versions-Location", "archive")], b"").await;
    assert_eq!(archived.status, 204);
    session.put("/links/link", b"an object").await;
    let entries = listed(&session, "/archive?format=json").await;
    assert_eq!(entries[0]["symlink_path"], "/v1/AUTH_test/box/key");
    assert_eq!(session.delete("/links/link").await.status, 204);
    assert_is_target(&session.get("/links/link").await);
}

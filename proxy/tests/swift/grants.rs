//! Whom a container lets in: `X-Container-Read` and `X-Container-Write`.

use crate::harness::{Server, Session, send};

async fn begin() -> (Server, Session) {
    let server = Server::start().await;
    let owner = server.login().await;
    owner.put("/box", b"").await;
    owner.put("/box/key", b"martlet").await;
    (server, owner)
}

async fn set(owner: &Session, name: &str, value: &str) {
    assert_eq!(owner.send("POST", "/box", &[(name, value)], b"").await.status, 204, "{name}: {value}");
}

#[tokio::test]
async fn nobody_in_particular_reads_what_is_public_and_is_asked_who_they_are_elsewhere() {
    let (server, owner) = begin().await;
    let get = async |path: &str| server.send("GET", path, &[], b"").await;
    assert_eq!(get("/v1/AUTH_test/box/key").await.status, 401);
    set(&owner, "X-Container-Read", ".r:*").await;
    assert_eq!(get("/v1/AUTH_test/box/key").await.text(), "martlet");
    let listing = get("/v1/AUTH_test/box").await;
    assert_eq!(listing.status, 401);
    assert_eq!(listing.header("www-authenticate"), "Swift realm=\"AUTH_test\"");
    set(&owner, "X-Container-Read", ".r:*,.rlistings").await;
    assert_eq!(get("/v1/AUTH_test/box").await.text(), "key\n");
    assert_eq!(get("/v1/AUTH_test").await.status, 401);
    for method in ["PUT", "POST", "DELETE"] {
        assert_eq!(server.send(method, "/v1/AUTH_test/box/key", &[], b"x").await.status, 401, "{method}");
    }
    set(&owner, "X-Remove-Container-Read", "x").await;
    assert_eq!(get("/v1/AUTH_test/box/key").await.status, 401);
}

#[tokio::test]
async fn a_referrer_decides_where_the_acl_says_so() {
    let (server, owner) = begin().await;
    set(&owner, "X-Container-Read", ".r:*,.r:-thief.example").await;
    let from = async |referer: &str| {
        server.send("GET", "/v1/AUTH_test/box/key", &[("Referer", referer)], b"").await.status
    };
    assert_eq!(from("http://friend.example/page").await, 200);
    assert_eq!(from("http://thief.example/page").await, 401);
}

#[tokio::test]
async fn another_accounts_user_may_what_the_acls_say_and_is_forbidden_the_rest() {
    let (server, owner) = begin().await;
    let other = server.login_as("other").await;
    let act = async |method: &str, path: &str, body: &[u8]| {
        let path = format!("/v1/AUTH_test{path}");
        send(server.address, method, &path, &[("X-Auth-Token", &other.token)], body).await.status
    };
    assert_eq!(act("GET", "/box/key", b"").await, 403);
    set(&owner, "X-Container-Read", "other:tester").await;
    assert_eq!(act("GET", "/box/key", b"").await, 200);
    assert_eq!(act("GET", "/box", b"").await, 200);
    assert_eq!(act("PUT", "/box/new", b"x").await, 403);
    set(&owner, "X-Container-Write", "other").await;
    set(&owner, "X-Container-Read", "").await;
    assert_eq!(act("PUT", "/box/new", b"x").await, 201);
    assert_eq!(act("DELETE", "/box/new", b"").await, 204);
    assert_eq!(act("GET", "/box/key", b"").await, 403);
    for (method, path) in [("POST", "/box"), ("DELETE", "/box"), ("PUT", "/mine"), ("GET", "")] {
        assert_eq!(act(method, path, b"").await, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn acls_and_keys_are_shown_to_owners_alone() {
    let (server, owner) = begin().await;
    set(&owner, "X-Container-Read", "other:tester, .referrer : *").await;
    set(&owner, "X-Container-Write", "other:tester").await;
    set(&owner, "X-Container-Meta-Temp-URL-Key", "sesame").await;
    set(&owner, "X-Container-Meta-Color", "blue").await;
    let own = owner.head("/box").await;
    assert_eq!(own.header("x-container-read"), "other:tester,.r:*");
    assert_eq!(own.header("x-container-write"), "other:tester");
    assert_eq!(own.header("x-container-meta-temp-url-key"), "sesame");
    let other = server.login_as("other").await;
    let path = "/v1/AUTH_test/box";
    let theirs = send(server.address, "GET", path, &[("X-Auth-Token", &other.token)], b"").await;
    assert_eq!(theirs.status, 200);
    assert_eq!(theirs.header("x-container-meta-color"), "blue");
    for name in ["x-container-read", "x-container-write", "x-container-meta-temp-url-key"] {
        assert_eq!(theirs.find(name), None, "{name}");
    }
}

#[tokio::test]
async fn an_acl_that_is_none_is_refused() {
    let (_server, owner) = begin().await;
    for (name, value) in
        [("X-Container-Read", ".r:"), ("X-Container-Read", ".x:y"), ("X-Container-Write", ".r:*")]
    {
        assert_eq!(owner.send("POST", "/box", &[(name, value)], b"").await.status, 400, "{name}: {value}");
    }
    let head = owner.head("/box").await;
    assert_eq!((head.find("x-container-read"), head.find("x-container-write")), (None, None));
}

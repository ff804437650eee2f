//! Operations on accounts.

use crate::both::s3;
use crate::harness::{Answer, Server, Session};

const ACL: &str = "X-Account-Access-Control";

#[tokio::test]
async fn an_account_that_nobody_wrote_to_is_empty() {
    let server = Server::start().await;
    let session = server.login().await;
    let head = session.head("").await;
    assert_eq!(head.status, 204);
    for name in ["x-account-container-count", "x-account-object-count", "x-account-bytes-used"] {
        assert_eq!(head.header(name), "0", "{name}");
    }
    assert_eq!(head.header("x-timestamp"), "1767225600.00000");
}

#[tokio::test]
async fn counters_are_exact() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/one", b"").await;
    session.put("/two", b"").await;
    session.put("/one/a", b"1234").await;
    session.put("/one/b", b"56").await;
    let head = session.head("").await;
    assert_eq!(head.header("x-account-container-count"), "2");
    assert_eq!(head.header("x-account-object-count"), "2");
    assert_eq!(head.header("x-account-bytes-used"), "6");
    assert_eq!(head.header("x-account-storage-policy-policy-0-bytes-used"), "6");
    session.delete("/one/a").await;
    assert_eq!(session.head("").await.header("x-account-bytes-used"), "2");
}

#[tokio::test]
async fn metadata_changes_item_by_item() {
    let server = Server::start().await;
    let session = server.login().await;
    let post = |headers| session.send("POST", "", headers, b"");
    assert_eq!(post(&[("X-Account-Meta-A", "1"), ("X-Account-Meta-B", "2")]).await.status, 204);
    assert_eq!(post(&[("X-Account-Meta-B", "3"), ("X-Account-Meta-C", "grün")]).await.status, 204);
    let head = session.head("").await;
    assert_eq!(head.header("x-account-meta-a"), "1");
    assert_eq!(head.header("x-account-meta-b"), "3");
    assert_eq!(head.header("x-account-meta-c"), "grün");
    assert_eq!(post(&[("X-Remove-Account-Meta-A", "x"), ("X-Account-Meta-B", "")]).await.status, 204);
    let get = session.get("").await;
    assert_eq!(get.find("x-account-meta-a"), None);
    assert_eq!(get.find("x-account-meta-b"), None);
    assert_eq!(get.header("x-account-meta-c"), "grün");
}

/// The owner of the account, somebody else at work in it, and what is done with both.
struct Shared {
    server: Server,
    owner: Session,
    other: Session,
}

impl Shared {
    async fn start() -> Self {
        let server = Server::start().await;
        let owner = server.login().await;
        owner.put("/box", b"").await;
        owner.put("/box/key", b"x").await;
        owner.send("POST", "", &[("X-Account-Meta-Temp-Url-Key", "k"), ("X-Account-Meta-A", "1")], b"").await;
        owner.send("POST", "/box", &[("X-Container-Read", "jdoe"), ("X-Container-Meta-A", "1")], b"").await;
        let other = server.login_as("other").await;
        let other = Session { root: "/v1/AUTH_test".to_owned(), ..other };
        Self { server, owner, other }
    }

    async fn grant(&self, acl: &str) {
        assert_eq!(self.owner.send("POST", "", &[(ACL, acl)], b"").await.status, 204, "{acl}");
    }

    async fn other(&self, method: &str, path: &str, header: (&str, &str)) -> Answer {
        self.other.send(method, path, &[header], b"").await
    }
}

const NONE: (&str, &str) = ("X-Other", "x");

#[tokio::test]
async fn an_account_acl_lets_others_read() {
    let shared = Shared::start().await;
    for path in ["", "/box", "/box/key", "/none"] {
        assert_eq!(shared.other("GET", path, NONE).await.status, 403, "{path}");
    }
    shared.grant(r#"{"read-only": ["other:tester"]}"#).await;
    let account = shared.other("GET", "", NONE).await;
    assert_eq!((account.text(), account.header("x-account-meta-a")), ("box\n", "1"));
    assert_eq!((account.find(ACL), account.find("x-account-meta-temp-url-key")), (None, None));
    let container = shared.other("GET", "/box", NONE).await;
    assert_eq!((container.text(), container.header("x-container-meta-a")), ("key\n", "1"));
    assert_eq!(container.find("x-container-read"), None);
    assert_eq!(shared.other("GET", "/box/key", NONE).await.text(), "x");
    assert_eq!(shared.other("GET", "/none", NONE).await.status, 404);
    for (method, path) in
        [("POST", ""), ("PUT", "/new"), ("POST", "/box"), ("PUT", "/box/new"), ("DELETE", "/box/key")]
    {
        assert_eq!(shared.other(method, path, NONE).await.status, 403, "{method} {path}");
    }
    assert_eq!(shared.server.send("GET", "/v1/AUTH_test/box/key", &[], b"").await.status, 401);
}

#[tokio::test]
async fn an_account_acl_lets_others_write_but_not_say_who_may_what() {
    let shared = Shared::start().await;
    shared.grant(r#"{"read-write": ["other"]}"#).await;
    assert_eq!(shared.other("PUT", "/new", NONE).await.status, 201);
    assert_eq!(shared.other("PUT", "/new/a", NONE).await.status, 201);
    assert_eq!(shared.other("DELETE", "/new/a", NONE).await.status, 204);
    assert_eq!(shared.other("DELETE", "/new", NONE).await.status, 204);
    assert_eq!(shared.other("POST", "/box", ("X-Container-Meta-A", "2")).await.status, 204);
    // As in Swift what is for owners alone is passed over.
    for header in [("X-Container-Read", "other"), ("X-Container-Meta-Temp-Url-Key", "k")] {
        assert_eq!(shared.other("POST", "/box", header).await.status, 204);
    }
    let seen = shared.owner.head("/box").await;
    assert_eq!((seen.header("x-container-meta-a"), seen.header("x-container-read")), ("2", "jdoe"));
    assert_eq!(seen.find("x-container-meta-temp-url-key"), None);
    assert_eq!(shared.other("POST", "", ("X-Account-Meta-A", "2")).await.status, 403);
    assert_eq!(shared.other("POST", "", (ACL, "{}")).await.status, 403);
}

#[tokio::test]
async fn an_account_acl_makes_others_owners() {
    let shared = Shared::start().await;
    let acl = r#"{"admin":["other:tester"]}"#;
    shared.grant(acl).await;
    assert_eq!(shared.owner.head("").await.header(ACL), acl);
    let seen = shared.other("HEAD", "", NONE).await;
    assert_eq!((seen.header(ACL), seen.header("x-account-meta-temp-url-key")), (acl, "k"));
    assert_eq!(shared.other("HEAD", "/box", NONE).await.header("x-container-read"), "jdoe");
    assert_eq!(shared.other("POST", "", ("X-Account-Meta-A", "2")).await.status, 204);
    assert_eq!(shared.other("POST", "/box", ("X-Container-Read", "other")).await.status, 204);
    assert_eq!(shared.owner.head("/box").await.header("x-container-read"), "other");
    // Even this.
    assert_eq!(shared.other("POST", "", (ACL, "{}")).await.status, 204);
    assert_eq!(shared.other("GET", "", NONE).await.status, 403);
    assert_eq!(shared.owner.head("").await.find(ACL), None);
}

#[tokio::test]
async fn an_account_acl_counts_in_s3_too() {
    let server = Server::start().await;
    let owner = server.login_as("other").await;
    owner.put("/shared-box", b"").await;
    owner.put("/shared-box/key", b"x").await;
    assert_eq!(s3(&server, "GET", "/shared-box/key", &[], b"").await.status, 403);
    let answer = owner.send("POST", "", &[(ACL, r#"{"read-only":["test:tester"]}"#)], b"").await;
    assert_eq!(answer.status, 204);
    assert_eq!(s3(&server, "GET", "/shared-box/key", &[], b"").await.text(), "x");
    assert_eq!(s3(&server, "GET", "/shared-box/", &[], b"").await.status, 200);
    assert_eq!(s3(&server, "PUT", "/shared-box/key", &[], b"y").await.status, 403);
    assert_eq!(s3(&server, "GET", "/shared-box/none", &[], b"").await.status, 404);
}

#[tokio::test]
async fn what_is_no_account_acl_is_400_and_changes_nothing() {
    let shared = Shared::start().await;
    let acl = r#"{"admin":["bob"]}"#;
    shared.grant(acl).await;
    let long = format!(r#"{{"admin":["{}"]}}"#, "x".repeat(8192));
    for bad in ["yuck", "[]", r#"{"owner":["a"]}"#, r#"{"admin":"a"}"#, long.as_str()] {
        let headers = [(ACL, bad), ("X-Account-Meta-A", "2")];
        assert_eq!(shared.owner.send("POST", "", &headers, b"").await.status, 400, "{bad}");
    }
    let seen = shared.owner.head("").await;
    assert_eq!((seen.header(ACL), seen.header("x-account-meta-a")), (acl, "1"));
    shared.grant("").await;
    assert_eq!(shared.owner.head("").await.find(ACL), None);
}

#[tokio::test]
async fn accounts_are_neither_made_nor_removed() {
    let server = Server::start().await;
    let session = server.login().await;
    for method in ["PUT", "DELETE"] {
        let answer = session.send(method, "", &[], b"").await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), "GET, HEAD, POST");
    }
}

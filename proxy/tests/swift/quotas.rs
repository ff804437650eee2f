//! How much may be stored in a container and in an account.

use crate::harness::{Server, Session};

async fn begin() -> (Server, Session) {
    let server = Server::start().await;
    let owner = server.login().await;
    owner.put("/box", b"").await;
    (server, owner)
}

async fn put(owner: &Session, path: &str, body: &[u8]) -> u16 {
    owner.send("PUT", path, &[], body).await.status
}

#[tokio::test]
async fn a_container_takes_no_more_bytes_than_its_quota() {
    let (_server, owner) = begin().await;
    owner.send("POST", "/box", &[("X-Container-Meta-Quota-Bytes", "10")], b"").await;
    assert_eq!(owner.head("/box").await.header("x-container-meta-quota-bytes"), "10");
    let refused = owner.send("PUT", "/box/key", &[], b"12345678901").await;
    assert_eq!((refused.status, refused.text()), (413, "Upload exceeds quota."));
    assert_eq!(put(&owner, "/box/key", b"1234567890").await, 201);
    assert_eq!(put(&owner, "/box/other", b"1").await, 413);
    assert_eq!(put(&owner, "/box/other", b"").await, 201);
    owner.delete("/box/key").await;
    assert_eq!(put(&owner, "/box/other", b"1").await, 201);
    owner.send("POST", "/box", &[("X-Remove-Container-Meta-Quota-Bytes", "x")], b"").await;
    assert_eq!(put(&owner, "/box/key", b"12345678901").await, 201);
}

#[tokio::test]
async fn a_body_of_unknown_length_ends_where_the_quota_does() {
    let (_server, owner) = begin().await;
    owner.send("POST", "/box", &[("X-Container-Meta-Quota-Bytes", "10")], b"").await;
    let chunked = [("Transfer-Encoding", "chunked")];
    let long = owner.send("PUT", "/box/key", &chunked, b"b\r\n12345678901\r\n0\r\n\r\n").await;
    assert_eq!(long.status, 413);
    assert_eq!(owner.head("/box/key").await.status, 404);
    assert_eq!(owner.send("PUT", "/box/key", &chunked, b"5\r\n12345\r\n0\r\n\r\n").await.status, 201);
}

#[tokio::test]
async fn a_container_takes_no_more_objects_than_its_quota() {
    let (_server, owner) = begin().await;
    owner.send("POST", "/box", &[("X-Container-Meta-Quota-Count", "1")], b"").await;
    assert_eq!(put(&owner, "/box/a", b"1").await, 201);
    assert_eq!(put(&owner, "/box/b", b"1").await, 413);
    assert_eq!(owner.send("POST", "/box", &[("X-Container-Meta-Quota-Count", "-1")], b"").await.status, 400);
}

#[tokio::test]
async fn an_accounts_quota_is_set_by_an_admin_and_holds_for_all_its_containers() {
    let (server, owner) = begin().await;
    let admin = server.login_admin().await;
    for header in ["X-Account-Quota-Bytes", "X-Account-Meta-Quota-Bytes", "X-Account-Quota-Count"] {
        assert_eq!(owner.send("POST", "", &[(header, "9")], b"").await.status, 403, "{header}");
        assert_eq!(admin.send("POST", "", &[(header, "x")], b"").await.status, 400, "{header}");
    }
    assert_eq!(admin.send("POST", "", &[("X-Account-Meta-Quota-Bytes", "5")], b"").await.status, 204);
    assert_eq!(owner.head("").await.header("x-account-quota-bytes"), "5");
    assert_eq!(put(&owner, "/box/key", b"123").await, 201);
    owner.put("/other", b"").await;
    assert_eq!(put(&owner, "/other/key", b"123").await, 413);
    assert_eq!(owner.send("POST", "", &[("X-Remove-Account-Quota-Bytes", "x")], b"").await.status, 403);
    assert_eq!(admin.send("POST", "", &[("X-Remove-Account-Quota-Bytes", "x")], b"").await.status, 204);
    assert_eq!(put(&owner, "/other/key", b"123").await, 201);
    let unknown = admin.send("POST", "", &[("X-Account-Quota-Bytes-Policy-Gold", "1")], b"").await;
    assert_eq!(unknown.status, 400);
}

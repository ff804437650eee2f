//! Operations on accounts.

use crate::harness::Server;

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

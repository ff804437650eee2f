//! Links: the signature in the query.

use std::time::Duration;

use crate::harness::Server;

const WEEK_SECONDS: u64 = 7 * 24 * 60 * 60;

#[tokio::test]
async fn a_link_reads_and_writes_what_it_was_made_for() {
    let server = Server::with_box().await;
    let put = server.call("PUT", "/box/a%20key").presigned(60).body("through a link");
    put.send().await.expect(200);
    let got = server.call("GET", "/box/a%20key?response-content-type=text/x&x-id=GetObject").presigned(60);
    let got = got.send().await.expect(200);
    assert_eq!(got.body, b"through a link");
    assert_eq!(got.header("content-type"), Some("text/x"));
    server.call("HEAD", "/box/a%20key").presigned(60).send().await.expect(200);
    let listed = server.call("GET", "/box?list-type=2&prefix=a").presigned(60).send().await.expect(200);
    assert_eq!(listed.elements("Key"), ["a key"]);
    server.call("DELETE", "/box/a%20key").presigned(60).send().await.expect(204);
}

#[tokio::test]
async fn a_link_expires_to_the_second() {
    let server = Server::with_box().await;
    let head = server.call("GET", "/box").presigned(60).head();
    server.clock.advance(Duration::from_mins(1));
    server.raw(&head).await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    server.raw(&head).await.refused(403, "AccessDenied");
    let week = server.call("GET", "/box").presigned(WEEK_SECONDS).head();
    server.clock.advance(Duration::from_secs(WEEK_SECONDS));
    server.raw(&week).await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    server.raw(&week).await.refused(403, "AccessDenied");
    let longer = server.call("GET", "/box").presigned(WEEK_SECONDS + 1);
    longer.send().await.refused(400, "AuthorizationQueryParametersError");
}

#[tokio::test]
async fn a_changed_link_is_refused() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    let head = server.call("PUT", "/box/key").presigned(60).header("x-amz-meta-a", "1").head();
    for (from, to, code) in [
        ("/box/key", "/box/kez", "SignatureDoesNotMatch"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61", "SignatureDoesNotMatch"),
        ("x-amz-meta-a: 1", "x-amz-meta-a: 2", "SignatureDoesNotMatch"),
        ("host: ", "host: x", "SignatureDoesNotMatch"),
        ("Credential=own", "Credential=other", "SignatureDoesNotMatch"),
        ("Credential=own", "Credential=nobody", "InvalidAccessKeyId"),
        ("\r\n\r\n", "\r\nx-amz-meta-b: 1\r\n\r\n", "AccessDenied"),
    ] {
        let changed = head.replacen(from, to, 1);
        assert_ne!(changed, head);
        server.raw(&changed).await.refused(403, code);
    }
    let read = server.call("GET", "/box/key").presigned(60).head();
    let delete = read.replacen("GET ", "DELETE ", 1);
    server.raw(&delete).await.refused(403, "SignatureDoesNotMatch");
    let wrong = server.call("PUT", "/box/key").presigned(60).secret("wrong");
    wrong.send().await.refused(403, "SignatureDoesNotMatch");
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
}

#[tokio::test]
async fn what_a_signed_query_cannot_be_is_refused_clearly() {
    let server = Server::with_box().await;
    let head = server.call("GET", "/box").presigned(60).head();
    let changed = |from: &str, to: &str| head.replacen(from, to, 1);
    for (from, to) in [
        ("X-Amz-Signature=", "X-Amz-Date="),
        ("X-Amz-Credential=own", "X-Amz-Credential=own%2F"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1"),
        ("/box?", "/box?X-Amz-Expires=60&"),
    ] {
        server.raw(changed(from, to)).await.refused(400, "AuthorizationQueryParametersError");
    }
    let lone = server.call("GET", "/box?X-Amz-Expires=60").anonymous();
    lone.send().await.refused(400, "AuthorizationQueryParametersError");
    let twice = changed("host: ", "authorization: AWS4-HMAC-SHA256 Credential=x\r\nhost: ");
    server.raw(twice).await.refused(400, "InvalidArgument");
    let token = server.call("GET", "/box?X-Amz-Security-Token=x").presigned(60);
    token.send().await.refused(400, "InvalidToken");
}

//! Bucket policies, as they open and shut what others ask for.

use crate::harness::{Answer, Server};

/// A server whose bucket `box` has a key and a policy of these statements.
async fn with_policy(statements: &str) -> Server {
    let server = Server::with_box().await;
    server.put("/box/dir/key", "x").await.expect(200);
    set(&server, statements).await.expect(204);
    server
}

async fn set(server: &Server, statements: &str) -> Answer {
    server.put("/box?policy", format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{statements}]}}")).await
}

fn allow(actions: &str, resource: &str, condition: &str) -> String {
    format!(
        "{{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": {actions}, \
         \"Resource\": \"arn:aws:s3:::{resource}\", \"Condition\": {{{condition}}}}}"
    )
}

async fn status(server: &Server, method: &str, target: &str) -> u16 {
    server.call(method, target).anonymous().send().await.status
}

#[tokio::test]
async fn a_policy_opens_what_it_names_and_nothing_else() {
    let server = with_policy(&allow("\"s3:GetObject\"", "box/dir/*", "")).await;
    server.put("/box/other", "x").await.expect(200);
    server.call("GET", "/box/dir/key").anonymous().send().await.expect(200);
    server.call("GET", "/box/dir/key").by("other").send().await.expect(200);
    for (method, target) in
        [("GET", "/box/other"), ("PUT", "/box/dir/key"), ("DELETE", "/box/dir/key"), ("GET", "/box")]
    {
        server.call(method, target).by("other").send().await.refused(403, "AccessDenied");
    }
    server.call("DELETE", "/box?policy").send().await.expect(204);
    server.call("GET", "/box/dir/key").anonymous().send().await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn a_policy_may_ask_for_the_prefix_the_address_and_the_page() {
    let server =
        with_policy(&allow("\"s3:ListBucket\"", "box", "\"StringEquals\": {\"s3:prefix\": \"dir/\"}")).await;
    assert_eq!(status(&server, "GET", "/box?prefix=dir/").await, 200);
    assert_eq!(status(&server, "GET", "/box?list-type=2&prefix=dir/").await, 200);
    assert_eq!(status(&server, "GET", "/box").await, 403);
    let read = |condition: &str| allow("\"s3:GetObject\"", "box/*", condition);
    set(&server, &read("\"IpAddress\": {\"aws:SourceIp\": \"127.0.0.0/8\"}")).await.expect(204);
    assert_eq!(status(&server, "GET", "/box/dir/key").await, 200);
    set(&server, &read("\"IpAddress\": {\"aws:SourceIp\": \"10.0.0.0/8\"}")).await.expect(204);
    assert_eq!(status(&server, "GET", "/box/dir/key").await, 403);
    set(&server, &read("\"StringLike\": {\"aws:Referer\": \"http://page/*\"}")).await.expect(204);
    assert_eq!(status(&server, "GET", "/box/dir/key").await, 403);
    let linked = server.call("GET", "/box/dir/key").anonymous().header("referer", "http://page/1");
    linked.send().await.expect(200);
}

#[tokio::test]
async fn who_is_denied_is_denied_whatever_else_is_granted() {
    let deny = allow("\"s3:PutObject\"", "box/*", "\"StringNotEquals\": {\"s3:x-amz-acl\": \"public-read\"}");
    let deny = deny.replace("Allow", "Deny");
    let server = with_policy(&format!("{}, {deny}", allow("\"s3:*\"", "box/*", ""))).await;
    let put = |by: &'static str| server.call("PUT", "/box/new").by(by).body("x");
    put("other").send().await.refused(403, "AccessDenied");
    put("own").send().await.refused(403, "AccessDenied");
    put("other").header("x-amz-acl", "public-read").send().await.expect(200);
    server.call("DELETE", "/box?policy").send().await.expect(204);
}

#[tokio::test]
async fn whether_a_key_is_missing_hangs_on_listing_what_begins_so() {
    let read = allow("\"s3:GetObject\"", "box/*", "");
    let server = with_policy(&read).await;
    assert_eq!(status(&server, "HEAD", "/box/dir/none").await, 403);
    let list = allow("\"s3:ListBucket\"", "box", "\"StringLike\": {\"s3:prefix\": \"dir/*\"}");
    set(&server, &format!("{read}, {list}")).await.expect(204);
    assert_eq!(status(&server, "HEAD", "/box/dir/none").await, 404);
    assert_eq!(status(&server, "HEAD", "/box/none").await, 403);
}

#[tokio::test]
async fn public_policies_can_be_blocked() {
    let server = with_policy(&allow("\"s3:GetObject\"", "box/*", "")).await;
    let block = |switch: &str| {
        format!("<PublicAccessBlockConfiguration><{switch}>true</{switch}></PublicAccessBlockConfiguration>")
    };
    server.put("/box?publicAccessBlock", block("RestrictPublicBuckets")).await.expect(200);
    assert_eq!(status(&server, "GET", "/box/dir/key").await, 403);
    server.put("/box?publicAccessBlock", block("BlockPublicPolicy")).await.expect(200);
    assert_eq!(status(&server, "GET", "/box/dir/key").await, 200);
    set(&server, &allow("\"s3:*\"", "box/*", "")).await.refused(403, "AccessDenied");
}

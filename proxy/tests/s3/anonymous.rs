//! Requests of nobody in particular.

use crate::harness::Server;

#[tokio::test]
async fn nobody_in_particular_may_write_where_everybody_may() {
    let server = Server::start().await;
    server.call("PUT", "/box").header("x-amz-acl", "public-read-write").send().await.expect(200);
    let put = server.call("PUT", "/box/key").anonymous().header("x-amz-meta-a", "1").body("x");
    put.send().await.expect(200);
    let found = server.get("/box/key").await.expect(200);
    assert_eq!(found.header("x-amz-meta-a"), Some("1"));
    let acl = server.get("/box/key?acl").await.expect(200);
    assert_eq!(acl.elements("ID"), ["own:tester", "own:tester"], "it belongs to the bucket's owner");
    let wrong = server.call("GET", "/box/key?response-content-type=a").anonymous();
    assert!(wrong.send().await.status >= 400);
    server.call("DELETE", "/box/key").anonymous().send().await.expect(204);
    server.call("DELETE", "/box").send().await.expect(204);
    for method in ["GET", "PUT"] {
        server.call(method, "/box/key").anonymous().send().await.refused(404, "NoSuchBucket");
    }
}

#[tokio::test]
async fn whether_a_key_is_missing_is_told_to_who_may_list() {
    let server = Server::start().await;
    server.call("PUT", "/open").header("x-amz-acl", "public-read").send().await.expect(200);
    server.put("/shut", "").await.expect(200);
    assert_eq!(server.call("HEAD", "/open/none").anonymous().send().await.status, 404);
    server.call("GET", "/open/none").anonymous().send().await.refused(404, "NoSuchKey");
    assert_eq!(server.call("HEAD", "/shut/none").anonymous().send().await.status, 403);
    server.call("GET", "/shut/none").anonymous().send().await.refused(403, "AccessDenied");
}

//! Buckets.

use crate::harness::Server;

#[tokio::test]
async fn a_bucket_is_made_found_listed_and_removed() {
    let server = Server::start().await;
    let made = server.put("/box", "").await.expect(200);
    assert_eq!(made.header("location"), Some("/box"));
    let head = server.call("HEAD", "/box").send().await.expect(200);
    assert_eq!(head.header("x-amz-bucket-region"), Some("us-east-1"));
    let list = server.get("/").await.expect(200);
    assert_eq!(list.elements("Name"), ["box"]);
    assert_eq!(list.elements("CreationDate"), ["2026-01-01T00:00:00.000Z"]);
    assert_eq!(list.element("ID").as_deref(), Some("own:tester"));
    server.call("DELETE", "/box").send().await.expect(204);
    server.call("DELETE", "/box").send().await.refused(404, "NoSuchBucket");
    let head = server.call("HEAD", "/box").send().await.expect(404);
    assert!(head.body.is_empty());
    assert_eq!(server.get("/").await.elements("Name"), [""; 0]);
}

#[tokio::test]
async fn ones_own_bucket_can_be_made_again_as_in_the_first_region() {
    let server = Server::with_box().await;
    server.put("/box", "").await.expect(200);
    server.call("PUT", "/box").by("other").send().await.refused(409, "BucketAlreadyExists");
}

#[tokio::test]
async fn a_bucket_with_objects_stays() {
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    server.call("DELETE", "/box").send().await.refused(409, "BucketNotEmpty");
    server.get("/box/key").await.expect(200);
}

#[tokio::test]
async fn a_bucket_tells_where_it_is() {
    let server = Server::with_box().await;
    for target in ["/box?location", "/box/?location="] {
        let location = server.get(target).await.expect(200).text();
        assert!(
            location.contains("<LocationConstraint xmlns=\"") && location.contains("\"></Loc"),
            "{location}"
        );
    }
    server.get("/nobox?location").await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn a_bucket_is_made_where_the_server_is_or_not_at_all() {
    let server = Server::start().await;
    let constraint = |region: &str| {
        format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    server.put("/box", constraint("us-east-1")).await.expect(200);
    server.put("/box2", constraint("mars")).await.refused(400, "IllegalLocationConstraintException");
    server.put("/box2", "<Create").await.refused(400, "MalformedXML");
    server.get("/box2").await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn a_new_bucket_has_a_name_that_hosts_can_have() {
    let server = Server::start().await;
    for target in ["/ab", "/Box", "/b_x", "/192.168.1.1", "/box..x"] {
        server.put(target, "").await.refused(400, "InvalidBucketName");
    }
}

#[tokio::test]
async fn buckets_are_listed_in_pages() {
    let server = Server::start().await;
    for name in ["box1", "box2", "box3", "tin"] {
        server.put(&format!("/{name}"), "").await.expect(200);
    }
    let first = server.get("/?max-buckets=2&prefix=box").await.expect(200);
    assert_eq!(first.elements("Name"), ["box1", "box2"]);
    let token = first.element("ContinuationToken").unwrap();
    let rest =
        server.get(&format!("/?max-buckets=2&prefix=box&continuation-token={token}")).await.expect(200);
    assert_eq!(rest.elements("Name"), ["box3"]);
    assert_eq!(rest.element("ContinuationToken"), None);
    server.get("/?max-buckets=0").await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn a_bucket_can_be_named_by_the_host() {
    let server = Server::start().await;
    let call = |method, target| server.call(method, target).host("box.s3.test:9000");
    call("PUT", "/").send().await.expect(200);
    call("PUT", "/dir/key").body("x").send().await.expect(200);
    call("GET", "/dir/key").send().await.expect(200);
    assert_eq!(call("GET", "/").send().await.expect(200).elements("Key"), ["dir/key"]);
    assert_eq!(server.get("/box/dir/key").await.expect(200).body, b"x");
}

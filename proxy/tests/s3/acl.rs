//! Access control lists.

use crate::harness::{Answer, Call, Server};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

fn by_other(server: &Server, method: &str, target: &str) -> Call {
    server.call(method, target).by("other")
}

/// Grantees and permissions, in their order.
fn grants(acl: &Answer) -> Vec<(String, String)> {
    let text = acl.text();
    let grants = text.split("<Grant>").skip(1);
    let between = |text: &str, open: &str, close: &str| {
        text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map(|(found, _)| found.to_owned())
    };
    grants
        .map(|grant| {
            let grantee = between(grant, "<ID>", "</ID>").or_else(|| between(grant, "<URI>", "</URI>"));
            (
                grantee.expect("a grantee"),
                between(grant, "<Permission>", "</Permission>").expect("a permission"),
            )
        })
        .collect()
}

#[track_caller]
fn check(acl: &Answer, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned())).collect();
    assert_eq!(grants(acl), expected);
}

#[tokio::test]
async fn what_nobody_opened_is_the_owners_alone() {
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    for target in ["/box?acl", "/box/key?acl"] {
        let acl = server.get(target).await.expect(200);
        check(&acl, &[("own:tester", "FULL_CONTROL")]);
        assert_eq!(acl.element("DisplayName").as_deref(), Some("own:tester"));
        assert!(acl.text().contains("xsi:type=\"CanonicalUser\""), "{}", acl.text());
        by_other(&server, "GET", target).send().await.refused(403, "AccessDenied");
        by_other(&server, "PUT", target)
            .header("x-amz-acl", "public-read")
            .send()
            .await
            .refused(403, "AccessDenied");
    }
    server.get("/box/none?acl").await.refused(404, "NoSuchKey");
    server.get("/nobox?acl").await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn a_canned_acl_opens_a_bucket_and_its_objects_apart() {
    let server = Server::start().await;
    server.call("PUT", "/box").header("x-amz-acl", "public-read").send().await.expect(200);
    server.put("/box/shut", "x").await.expect(200);
    server.call("PUT", "/box/open").header("x-amz-acl", "public-read").body("y").send().await.expect(200);
    check(&server.get("/box?acl").await, &[(ALL_USERS, "READ"), ("own:tester", "FULL_CONTROL")]);
    for call in [server.call("GET", "/box").anonymous(), by_other(&server, "GET", "/box")] {
        assert_eq!(call.send().await.expect(200).elements("Key"), ["open", "shut"]);
    }
    server.call("GET", "/box/open").anonymous().send().await.expect(200);
    server.call("HEAD", "/box/open").anonymous().send().await.expect(200);
    server.call("GET", "/box/shut").anonymous().send().await.refused(403, "AccessDenied");
    server.call("PUT", "/box/new").anonymous().body("z").send().await.refused(403, "AccessDenied");
    server.call("DELETE", "/box/open").anonymous().send().await.refused(403, "AccessDenied");
    server.call("PUT", "/box?acl").header("x-amz-acl", "private").send().await.expect(200);
    server.call("GET", "/box").anonymous().send().await.refused(403, "AccessDenied");
    server.call("GET", "/box/open").anonymous().send().await.expect(200);
}

#[tokio::test]
async fn headers_grant_to_users_groups_and_addresses() {
    let server = Server::with_box().await;
    let put = server
        .call("PUT", "/box/key")
        .header("x-amz-grant-read", "id=other:tester")
        .header("x-amz-grant-read-acp", &format!("uri=\"{ALL_USERS}\""))
        .header("x-amz-grant-full-control", "emailAddress=own@example.com");
    put.body("x").send().await.expect(200);
    let expected = [(ALL_USERS, "READ_ACP"), ("other:tester", "READ"), ("own:tester", "FULL_CONTROL")];
    check(&server.call("GET", "/box/key?acl").anonymous().send().await.expect(200), &expected);
    by_other(&server, "GET", "/box/key").send().await.expect(200);
    server.call("GET", "/box/key").anonymous().send().await.refused(403, "AccessDenied");
    for (name, value, status, code) in [
        ("x-amz-grant-read", "emailAddress=nobody@example.com", 400, "UnresolvableGrantByEmailAddress"),
        ("x-amz-grant-read", "id=nobody", 400, "InvalidArgument"),
        ("x-amz-grant-read", "uri=http://nobody", 400, "InvalidArgument"),
        ("x-amz-grant-read", "nobody", 400, "InvalidArgument"),
        ("x-amz-acl", "everybody", 400, "InvalidArgument"),
    ] {
        for target in ["/box/new", "/box/key?acl", "/box?acl", "/box2"] {
            server.call("PUT", target).header(name, value).send().await.refused(status, code);
        }
    }
    let both =
        server.call("PUT", "/box/new").header("x-amz-acl", "private").header("x-amz-grant-read", "id=a");
    both.send().await.refused(400, "InvalidRequest");
    server.get("/box/new").await.refused(404, "NoSuchKey");
    server.get("/box2").await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn a_document_replaces_an_acl_and_keeps_the_owner() {
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    let document = |owner: &str| {
        format!(
            "<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>{owner}</ID></Owner>\
             <AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:type=\"CanonicalUser\"><ID>other:tester</ID></Grantee><Permission>WRITE_ACP</Permission></Grant>\
             </AccessControlList></AccessControlPolicy>"
        )
    };
    for target in ["/box?acl", "/box/key?acl"] {
        server.put(target, document("other:tester")).await.refused(403, "AccessDenied");
        server.put(target, "<Else/>").await.refused(400, "MalformedACLError");
        server.put(target, "").await.refused(400, "MissingSecurityHeader");
        let both = server.call("PUT", target).header("x-amz-acl", "private").body(document("own:tester"));
        both.send().await.refused(400, "UnexpectedContent");
        server.put(target, document("own:tester")).await.expect(200);
        check(&server.get(target).await.expect(200), &[("other:tester", "WRITE_ACP")]);
        by_other(&server, "GET", target).send().await.refused(403, "AccessDenied");
        by_other(&server, "PUT", target).header("x-amz-acl", "public-read").send().await.expect(200);
        check(&server.get(target).await, &[(ALL_USERS, "READ"), ("own:tester", "FULL_CONTROL")]);
    }
    let many =
        "<Grant><Grantee><ID>other:tester</ID></Grantee><Permission>READ</Permission></Grant>".repeat(101);
    let many = format!(
        "<AccessControlPolicy><Owner><ID>own:tester</ID></Owner><AccessControlList>{many}</AccessControlList>\
         </AccessControlPolicy>"
    );
    server.put("/box?acl", many).await.refused(400, "MalformedACLError");
}

#[tokio::test]
async fn what_a_stranger_stores_belongs_to_the_stranger() {
    let server = Server::start().await;
    server.call("PUT", "/box").header("x-amz-grant-write", "id=other:tester").send().await.expect(200);
    by_other(&server, "PUT", "/box/plain").body("x").send().await.expect(200);
    let shared = by_other(&server, "PUT", "/box/shared").header("x-amz-acl", "bucket-owner-read");
    shared.body("x").send().await.expect(200);
    check(&server.get("/box/plain?acl").await.expect(200), &[("other:tester", "FULL_CONTROL")]);
    let expected = [("other:tester", "FULL_CONTROL"), ("own:tester", "READ")];
    check(&by_other(&server, "GET", "/box/shared?acl").send().await.expect(200), &expected);
    let upload = by_other(&server, "POST", "/box/parts?uploads").header("x-amz-acl", "public-read");
    let upload = upload.send().await.expect(200).element("UploadId").unwrap();
    server.call("POST", "/box/mine?uploads").send().await.expect(200);
    let uploads = server.get("/box?uploads").await.expect(200);
    assert_eq!(uploads.elements("ID"), ["own:tester", "own:tester", "other:tester", "other:tester"]);
    let parts = by_other(&server, "GET", &format!("/box/parts?uploadId={upload}")).send().await.expect(200);
    assert_eq!(parts.element("ID").as_deref(), Some("other:tester"));
    let part = by_other(&server, "PUT", &format!("/box/parts?partNumber=1&uploadId={upload}")).body("x");
    let etag = part.send().await.expect(200).header("etag").unwrap().to_owned();
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = by_other(&server, "POST", &format!("/box/parts?uploadId={upload}")).body(document);
    complete.send().await.expect(200);
    let expected = [(ALL_USERS, "READ"), ("other:tester", "FULL_CONTROL")];
    check(&server.get("/box/parts?acl").await.expect(200), &expected);
    let copy = server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/parts");
    copy.header("x-amz-acl", "authenticated-read").send().await.expect(200);
    assert_eq!(grants(&server.get("/box/copy?acl").await.expect(200)).len(), 2);
    let copy = server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/parts");
    copy.send().await.expect(200);
    check(&server.get("/box/copy?acl").await.expect(200), &[("own:tester", "FULL_CONTROL")]);
}

#[tokio::test]
async fn owners_can_do_without_acls() {
    let server = Server::start().await;
    let put = |target: &str| server.call("PUT", target);
    let both = put("/box").header("x-amz-object-ownership", "BucketOwnerEnforced");
    both.header("x-amz-acl", "public-read").send().await.refused(400, "InvalidBucketAclWithObjectOwnership");
    put("/box").header("x-amz-object-ownership", "Mine").send().await.refused(400, "InvalidArgument");
    put("/box").header("x-amz-object-ownership", "BucketOwnerEnforced").send().await.expect(200);
    assert!(server.get("/box?ownershipControls").await.expect(200).text().contains("BucketOwnerEnforced"));
    for target in ["/box?acl", "/box/key"] {
        put(target)
            .header("x-amz-acl", "public-read")
            .send()
            .await
            .refused(400, "AccessControlListNotSupported");
    }
    put("/box/key").header("x-amz-acl", "bucket-owner-full-control").body("x").send().await.expect(200);
    check(&server.get("/box/key?acl").await, &[("own:tester", "FULL_CONTROL")]);
    server.call("PUT", "/tin").header("x-amz-acl", "public-read").send().await.expect(200);
    let enforced = "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
    server.put("/tin?ownershipControls", enforced).await.refused(400, "InvalidBucketAclWithObjectOwnership");
}

#[tokio::test]
async fn public_acls_can_be_blocked() {
    let server = Server::with_box().await;
    let open = || server.call("PUT", "/box/open").header("x-amz-acl", "public-read").body("x");
    open().send().await.expect(200);
    let block = |switch: &str| {
        format!("<PublicAccessBlockConfiguration><{switch}>true</{switch}></PublicAccessBlockConfiguration>")
    };
    server.put("/box?publicAccessBlock", block("BlockPublicAcls")).await.expect(200);
    open().send().await.refused(403, "AccessDenied");
    server
        .call("PUT", "/box?acl")
        .header("x-amz-acl", "public-read")
        .send()
        .await
        .refused(403, "AccessDenied");
    server.call("GET", "/box/open").anonymous().send().await.expect(200);
    server.put("/box?publicAccessBlock", block("IgnorePublicAcls")).await.expect(200);
    server.call("GET", "/box/open").anonymous().send().await.refused(403, "AccessDenied");
    server.call("DELETE", "/box?publicAccessBlock").send().await.expect(204);
    server.call("GET", "/box/open").anonymous().send().await.expect(200);
}

#[tokio::test]
async fn making_a_bucket_again_changes_no_acl() {
    let server = Server::start().await;
    let make = |acl: &str| server.call("PUT", "/box").header("x-amz-acl", acl);
    make("public-read").send().await.expect(200);
    server.put("/box", "").await.refused(409, "BucketAlreadyExists");
    make("public-read").send().await.expect(200);
    check(&server.get("/box?acl").await, &[(ALL_USERS, "READ"), ("own:tester", "FULL_CONTROL")]);
}

#[tokio::test]
async fn listings_name_the_owner() {
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    for target in ["/box", "/box?list-type=2&fetch-owner=true", "/?prefix=box"] {
        let list = server.get(target).await.expect(200);
        assert_eq!(list.element("ID").as_deref(), Some("own:tester"), "{target}");
        assert_eq!(list.element("DisplayName").as_deref(), Some("own:tester"));
    }
    assert_eq!(server.get("/box?list-type=2").await.element("ID"), None);
}

//! Who is asking.

use std::time::Duration;

use martlet_auth::sigv4::Payload;

use crate::harness::{Server, sha256_hex};

#[tokio::test]
async fn a_wrong_secret_or_key_is_refused() {
    let server = Server::with_box().await;
    let put = || server.call("PUT", "/box/key").body("x");
    put().secret("wrong").send().await.refused(403, "SignatureDoesNotMatch");
    put().by("nobody").send().await.refused(403, "InvalidAccessKeyId");
    server.get("/box/key").await.refused(404, "NoSuchKey");
    let head = server.call("HEAD", "/box/key").secret("wrong").send().await.expect(403);
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn nobody_may_nothing() {
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    for (method, target) in [
        ("GET", "/box"),
        ("GET", "/box/key"),
        ("PUT", "/box/key"),
        ("DELETE", "/box/key"),
        ("DELETE", "/box"),
        ("POST", "/box/key?uploads"),
    ] {
        server.call(method, target).anonymous().send().await.refused(403, "AccessDenied");
    }
    assert_eq!(server.call("GET", "/").anonymous().send().await.expect(200).elements("Name"), [""; 0]);
    server.call("GET", "/nobox").anonymous().send().await.refused(404, "NoSuchBucket");
    let override_type = server.call("GET", "/box/key?response-content-type=a").anonymous();
    assert!(override_type.send().await.status >= 400);
    server.get("/box/key").await.expect(200);
}

#[tokio::test]
async fn anothers_bucket_is_denied_and_not_denied_to_exist() {
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    for (method, target) in [
        ("GET", "/box"),
        ("GET", "/box/key"),
        ("PUT", "/box/key"),
        ("DELETE", "/box"),
        ("GET", "/box?uploads"),
    ] {
        server.call(method, target).by("other").send().await.refused(403, "AccessDenied");
    }
    let head = server.call("HEAD", "/box").by("other").send().await.expect(403);
    assert_eq!(head.header("x-amz-bucket-region"), Some("us-east-1"));
    let document = "<Delete><Object><Key>key</Key></Object></Delete>";
    let deletion = server.call("POST", "/box?delete").by("other").body(document);
    assert_eq!(deletion.send().await.expect(200).elements("Code"), ["AccessDenied"]);
    server.call("GET", "/nobox").by("other").send().await.refused(404, "NoSuchBucket");
    assert_eq!(server.call("GET", "/").by("other").send().await.expect(200).elements("Name"), [""; 0]);
    assert_eq!(server.get("/box/key").await.expect(200).body, b"x");
}

#[tokio::test]
async fn a_request_grows_old_in_15_minutes() {
    let server = Server::with_box().await;
    let head = server.call("GET", "/box").head();
    server.clock.advance(Duration::from_mins(15));
    server.raw(&head).await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    server.raw(&head).await.refused(403, "RequestTimeTooSkewed");
}

#[tokio::test]
async fn a_changed_request_is_refused() {
    let server = Server::with_box().await;
    server.put("/box/key", "x").await.expect(200);
    let head = server.call("GET", "/box/key").header("x-amz-checksum-mode", "ENABLED").head();
    server.raw(&head).await.expect(200);
    for (from, to) in [
        ("GET ", "HEAD "),
        ("/box/key", "/box/kez"),
        ("/box/key", "/box/key?response-expires=x"),
        ("x-amz-checksum-mode: ENABLED", "x-amz-checksum-mode: enabled"),
        ("host: ", "host: x"),
    ] {
        let changed = head.replacen(from, to, 1);
        assert_eq!(server.raw(&changed).await.status, 403, "{changed}");
    }
    let added = head.replace("\r\n\r\n", "\r\nx-amz-meta-added: 1\r\n\r\n");
    server.raw(&added).await.refused(403, "AccessDenied");
    let put = server.call("PUT", "/box/key").head().replace("\r\n\r\n", "\r\nx-amz-meta-added: 1\r\n\r\n");
    server.raw(&put).await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn what_an_authorization_cannot_be_is_refused_clearly() {
    let server = Server::with_box().await;
    let head = server.call("GET", "/box").head();
    let changed = |from: &str, to: &str| head.replacen(from, to, 1);
    let region = server.raw(changed("us-east-1", "mars")).await.refused(400, "AuthorizationHeaderMalformed");
    assert_eq!(region.element("Region").as_deref(), Some("us-east-1"));
    server.raw(changed("Credential=", "Cred=")).await.refused(400, "AuthorizationHeaderMalformed");
    server.raw(changed("AWS4-HMAC-SHA256", "Bearer")).await.refused(400, "AuthorizationHeaderMalformed");
    server.raw(changed("AWS4-HMAC-SHA256 ", "AWS own:")).await.refused(400, "InvalidArgument");
    server.raw(changed("x-amz-date: 2026", "x-amz-date: 26")).await.refused(403, "AccessDenied");
    let no_hash: String =
        head.split_inclusive("\r\n").filter(|line| !line.starts_with("x-amz-content")).collect();
    server.raw(no_hash).await.refused(403, "SignatureDoesNotMatch");
    let nonsense = server.call("GET", "/box").payload(Payload::NoSha256).send().await;
    let nonsense = nonsense.refused(400, "InvalidArgument");
    assert_eq!(nonsense.element("ArgumentName").as_deref(), Some("x-amz-content-sha256"));
    assert_eq!(nonsense.element("ArgumentValue").as_deref(), Some("nonsense"));
    let token = server.call("GET", "/box").header("x-amz-security-token", "x");
    token.send().await.refused(400, "InvalidToken");
}

#[tokio::test]
async fn a_signature_that_does_not_fit_is_told_what_should_have_been_signed() {
    let server = Server::with_box().await;
    let refused = server.call("GET", "/box/a%20key").secret("wrong").send().await;
    let refused = refused.refused(403, "SignatureDoesNotMatch");
    assert_eq!(refused.element("AWSAccessKeyId").as_deref(), Some("own"));
    assert_eq!(refused.element("SignatureProvided").map(|signature| signature.len()), Some(64));
    let request = refused.element("CanonicalRequest").unwrap();
    assert!(request.starts_with("GET\n/box/a%20key\n\nhost:"), "{request}");
    assert!(refused.element("CanonicalRequestBytes").unwrap().starts_with("47 45 54 0a 2f"));
    let text = refused.element("StringToSign").unwrap();
    let hash = sha256_hex(request);
    assert!(text.starts_with("AWS4-HMAC-SHA256\n2026"), "{text}");
    assert!(text.ends_with(&format!("/us-east-1/s3/aws4_request\n{hash}")), "{text}");
    let link = server.call("GET", "/box").presigned(60).secret("wrong").send().await;
    assert!(link.refused(403, "SignatureDoesNotMatch").element("CanonicalRequest").is_some());
}

/// Whoever isn't known learns that, and nothing about what is offered and what is there.
#[tokio::test]
async fn who_is_asking_is_judged_before_what_is_asked() {
    let server = Server::with_box().await;
    for target in ["/box?made-up", "/box/key?partNumber=x", "/nobox"] {
        let call = server.call("GET", target).secret("wrong");
        call.send().await.refused(403, "SignatureDoesNotMatch");
    }
    let put = server.call("PUT", "/box/key").header("content-md5", "nonsense");
    put.secret("wrong").send().await.refused(403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_request_need_not_tell_its_hash() {
    let server = Server::with_box().await;
    let put = |body: &[u8]| server.call("PUT", "/box/key").body(body).silently();
    put(b"martlet").send().await.expect(200);
    assert_eq!(server.call("GET", "/box/key").silently().send().await.expect(200).body, b"martlet");
    let other = [put(b"martlet").head().as_bytes(), b"martlex"].concat();
    server.raw(other).await.refused(403, "SignatureDoesNotMatch");
    put(b"other").secret("wrong").send().await.refused(403, "SignatureDoesNotMatch");
    put(&vec![b'x'; 1024 * 1024 + 1]).send().await.refused(400, "InvalidRequest");
    put(b"other").header("x-amz-decoded-content-length", "5").send().await.refused(400, "InvalidRequest");
    assert_eq!(server.get("/box/key").await.expect(200).body, b"martlet");
    put(&vec![b'x'; 1024 * 1024]).send().await.expect(200);
}

/// curl signs the hash of nothing for whatever it uploads from a file.
#[tokio::test]
async fn an_upload_may_vouch_for_its_head_alone() {
    let server = Server::with_box().await;
    let head = server.call("PUT", "/box/key").silently().header("content-length", "7").head();
    server.raw([head.as_bytes(), b"martlet"].concat()).await.expect(200);
    assert_eq!(server.get("/box/key").await.expect(200).body, b"martlet");
}

//! Signature Version 2, which old clients speak.

use http::Request;
use martlet_auth::sigv2::{Place, authorization, presigned};
use martlet_auth::sigv4::RequestHead;
use martlet_auth::{Secret, Target};
use martlet_model::Clock as _;

use crate::harness::{Answer, Call, Server};

/// A request with a date and what Version 2 adds to it.
fn signed(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> Call {
    let date = httpdate(server);
    let mut call = server.call(method, target).anonymous().header("x-amz-date", &date);
    let mut request = Request::builder().method(method).uri(target).header("x-amz-date", &date);
    for (name, value) in headers {
        call = call.header(name, value);
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).expect("a good request").into_parts();
    let parsed = Target::parse(&head.uri).expect("a good target");
    let request = RequestHead { method: &head.method, target: &parsed, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket: None };
    call.header("authorization", &authorization("own", &Secret::new("sesame"), request, place))
}

fn httpdate(server: &Server) -> String {
    let seconds = i64::try_from(server.clock.now().as_seconds()).expect("it is near");
    let now = jiff::Timestamp::from_second(seconds).expect("it is near");
    now.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// A link that is valid for so many seconds.
fn link(server: &Server, method: &str, target: &str, seconds: u64) -> Call {
    let (head, ()) =
        Request::builder().method(method).uri(target).body(()).expect("a good request").into_parts();
    let parsed = Target::parse(&head.uri).expect("a good target");
    let request = RequestHead { method: &head.method, target: &parsed, headers: &head.headers };
    let place = Place { path: head.uri.path(), host_bucket: None };
    let expires = server.clock.now().as_seconds() + seconds;
    let query = presigned("own", &Secret::new("sesame"), request, place, expires);
    let separator = if target.contains('?') { '&' } else { '?' };
    server.call(method, &format!("{target}{separator}{query}")).anonymous()
}

async fn changed(server: &Server, call: &Call, from: &str, to: &str) -> Answer {
    let head = call.head();
    let changed = head.replacen(from, to, 1);
    assert_ne!(head, changed);
    server.raw(changed).await
}

#[tokio::test]
async fn old_clients_are_believed() {
    let server = Server::with_box().await;
    let put = signed(&server, "PUT", "/box/a%20key", &[("x-amz-meta-a", "1"), ("content-type", "text/x")]);
    put.body("martlet").send().await.expect(200);
    let got = signed(&server, "GET", "/box/a%20key", &[]).send().await.expect(200);
    assert_eq!(got.body, b"martlet");
    assert_eq!(got.header("x-amz-meta-a"), Some("1"));
    let begun = signed(&server, "POST", "/box/big?uploads", &[]).send().await.expect(200);
    let upload = begun.element("UploadId").unwrap();
    let part = format!("/box/big?partNumber=1&uploadId={upload}");
    signed(&server, "PUT", &part, &[]).body("x").send().await.expect(200);
    let listed = signed(&server, "GET", "/box?prefix=a&delimiter=/", &[]).send().await.expect(200);
    assert_eq!(listed.elements("Key"), ["a key"]);
}

#[tokio::test]
async fn a_changed_request_of_version_2_is_refused() {
    let server = Server::with_box().await;
    let put = signed(&server, "PUT", "/box/key", &[("x-amz-meta-a", "1")]);
    for (from, to) in [
        ("/box/key", "/box/kez"),
        ("x-amz-meta-a: 1", "x-amz-meta-a: 2"),
        ("\r\n\r\n", "\r\nx-amz-meta-b: 1\r\n\r\n"),
        ("AWS own:", "AWS other:A"),
    ] {
        let code = if to.ends_with('A') { (400, "InvalidArgument") } else { (403, "SignatureDoesNotMatch") };
        changed(&server, &put, from, to).await.refused(code.0, code.1);
    }
    changed(&server, &put, "AWS own:", "AWS nobody:").await.refused(403, "InvalidAccessKeyId");
    changed(&server, &put, " +0000", "").await.refused(403, "AccessDenied");
    let head = put.head();
    server.clock.advance(std::time::Duration::from_secs(901));
    server.raw(head).await.refused(403, "RequestTimeTooSkewed");
    server.get("/box/key").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn a_link_of_version_2_does_what_it_was_made_for_until_it_expires() {
    let server = Server::with_box().await;
    link(&server, "PUT", "/box/key", 60).body("martlet").send().await.expect(200);
    let get = link(&server, "GET", "/box/key?response-content-type=text/x", 60);
    let head = get.head();
    let got = get.send().await.expect(200);
    assert_eq!((got.body.as_slice(), got.header("content-type")), (&b"martlet"[..], Some("text/x")));
    server.raw(head.replace("text/x", "text/y")).await.refused(403, "SignatureDoesNotMatch");
    server.raw(head.replace("GET ", "DELETE ")).await.refused(403, "SignatureDoesNotMatch");
    let plain = link(&server, "GET", "/box/key", 60);
    changed(&server, &plain, "GET ", "DELETE ").await.refused(403, "SignatureDoesNotMatch");
    changed(&server, &plain, "Signature=", "Sig=").await.refused(403, "AccessDenied");
    changed(&server, &plain, "&Expires=1", "&Expires=2").await.refused(403, "SignatureDoesNotMatch");
    changed(&server, &plain, "&Expires=", "&Expires=9").await.refused(403, "AccessDenied");
    server.call("GET", "/box/key?Expires=1").send().await.refused(400, "InvalidArgument");
    server.call("GET", "/box/key?Expires=1").anonymous().send().await.refused(403, "AccessDenied");
    server.clock.advance(std::time::Duration::from_secs(61));
    server.raw(head).await.refused(403, "AccessDenied");
}

#[tokio::test]
async fn bodies_of_version_2_are_what_they_say() {
    let server = Server::with_box().await;
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let put = signed(&server, "PUT", "/box/key", &[("x-amz-content-sha256", hash)]);
    put.body("x").send().await.refused(400, "XAmzContentSHA256Mismatch");
    let chunks = ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    let put = signed(&server, "PUT", "/box/key", &[chunks, ("x-amz-decoded-content-length", "0")]);
    put.body("x").send().await.refused(400, "IncompleteBody");
    let put = signed(&server, "PUT", "/box/key", &[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")]);
    put.body("x").send().await.refused(400, "BadDigest");
    server.get("/box/key").await.refused(404, "NoSuchKey");
}

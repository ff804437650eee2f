//! Names, lengths and documents that no request may have.

use martlet_auth::sigv4::Payload;

use crate::harness::Server;

#[tokio::test]
async fn names_that_cannot_be_kept_are_refused() {
    let server = Server::with_box().await;
    let long = format!("/box/{}", "k".repeat(1025));
    for method in ["GET", "PUT", "DELETE"] {
        server.call(method, &long).send().await.refused(400, "KeyTooLongError");
        server.call(method, "/box/a%00b").send().await.refused(400, "InvalidURI");
        server.call(method, "/box/%ff%fe").send().await.refused(400, "InvalidURI");
        server.call(method, "/bo%00x/key").send().await.refused(400, "InvalidBucketName");
        server.call(method, "//key").send().await.refused(400, "InvalidBucketName");
    }
    server.put(&format!("/box/{}", "k".repeat(1024)), "x").await.expect(200);
    server.put(&format!("/box/{}", "%C3%BC".repeat(512)), "x").await.expect(200);
    assert_eq!(server.get("/box").await.elements("Key").len(), 2);
}

#[tokio::test]
async fn a_broken_percent_sign_is_refused() {
    let server = Server::with_box().await;
    let head = server.call("GET", "/box/key").head();
    for bad in ["/box/%", "/box/%2", "/box/%zz", "/box?prefix=%g1"] {
        server.raw(head.replacen("/box/key", bad, 1)).await.refused(400, "InvalidURI");
    }
}

#[tokio::test]
async fn a_body_needs_a_length_and_a_possible_one() {
    let server = Server::with_box().await;
    let chunked = server.call("PUT", "/box/key").header("transfer-encoding", "chunked");
    let chunked = format!("{}3\r\nnew\r\n0\r\n\r\n", chunked.payload(Payload::Unsigned).head());
    server.raw(chunked).await.refused(411, "MissingContentLength");
    let none = server.call("PUT", "/box/key").payload(Payload::Unsigned).head();
    let none = server.raw(none.replace("content-length: 0\r\n", "")).await;
    assert_eq!(none.refused(411, "MissingContentLength").header("connection"), Some("close"));
    let huge = server.call("PUT", "/box/key").header("content-length", "5368709121");
    server.raw(huge.payload(Payload::Unsigned).head()).await.refused(400, "EntityTooLarge");
    server.get("/box/key").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn documents_are_bounded() {
    let server = Server::with_box().await;
    let post = |body: String| server.call("POST", "/box?delete").body(body).send();
    post("x".repeat(2 * 1024 * 1024 + 1)).await.refused(400, "MalformedXML");
    post(format!("{}{}", "<Delete>".repeat(100), "</Delete>".repeat(100))).await.refused(400, "MalformedXML");
    let bomb = "<!DOCTYPE Delete [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>\
                <Delete><Object><Key>&b;</Key></Object></Delete>";
    post(bomb.to_owned()).await.refused(400, "MalformedXML");
    let many = "<Object><Key>k</Key></Object>".repeat(1001);
    post(format!("<Delete>{many}</Delete>")).await.refused(400, "MalformedXML");
    for document in ["", "<Delete/>", "<Delete><Object/></Delete>", "\u{0}", "<Other/>"] {
        post(document.to_owned()).await.refused(400, "MalformedXML");
    }
    let chunked = server.call("POST", "/box?delete").header("transfer-encoding", "chunked");
    let endless = format!("{}200001\r\n{}", chunked.payload(Payload::Unsigned).head(), "x".repeat(0x20_0001));
    server.raw(format!("{endless}\r\n0\r\n\r\n")).await.refused(400, "MalformedXML");
}

#[tokio::test]
async fn user_metadata_is_bounded() {
    let server = Server::with_box().await;
    let put = |value: &str| server.call("PUT", "/box/key").header("x-amz-meta-a", value).body("x").send();
    put(&"v".repeat(2048)).await.refused(400, "MetadataTooLarge");
    put(&"v".repeat(2047)).await.expect(200);
}

#[tokio::test]
async fn an_error_quotes_what_was_asked_without_being_broken_by_it() {
    let server = Server::with_box().await;
    let refused = server.get("/box/%3CCode%3E&'").await.refused(404, "NoSuchKey");
    assert_eq!(refused.element("Key").as_deref(), Some("&lt;Code&gt;&amp;'"));
}

//! Tags of objects.

use crate::harness::{Answer, Server};

fn document(tags: &[(&str, &str)]) -> String {
    let tag = |(name, value): &(&str, &str)| format!("<Tag><Key>{name}</Key><Value>{value}</Value></Tag>");
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.iter().map(tag).collect::<String>())
}

async fn tags(server: &Server, target: &str) -> Vec<(String, String)> {
    let answer = server.get(target).await.expect(200);
    answer.elements("Key").into_iter().zip(answer.elements("Value")).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn tags_are_set_read_and_removed() {
    let server = Server::with_box().await;
    let etag = server.put("/box/key", "x").await.expect(200).header("etag").unwrap().to_owned();
    assert_eq!(tags(&server, "/box/key?tagging").await, pairs(&[]));
    server.put("/box/key?tagging", document(&[("b", "2"), ("a", "&lt;1&gt;")])).await.expect(200);
    assert_eq!(tags(&server, "/box/key?tagging").await, pairs(&[("a", "&lt;1&gt;"), ("b", "2")]));
    let found = server.get("/box/key").await.expect(200);
    assert_eq!(found.header("x-amz-tagging-count"), Some("2"));
    assert_eq!((found.header("etag"), &found.body[..]), (Some(etag.as_str()), &b"x"[..]));
    server.call("DELETE", "/box/key?tagging").send().await.expect(204);
    assert_eq!(tags(&server, "/box/key?tagging").await, pairs(&[]));
    assert_eq!(server.get("/box/key").await.header("x-amz-tagging-count"), None);
    for method in ["GET", "PUT", "DELETE"] {
        let call = server.call(method, "/box/none?tagging").body(document(&[]));
        call.send().await.refused(404, "NoSuchKey");
    }
}

#[tokio::test]
async fn a_writer_may_bring_tags_along() {
    let server = Server::with_box().await;
    let put = server.call("PUT", "/box/key").header("x-amz-tagging", "a=1&b=%C3%BC%26").body("x");
    put.send().await.expect(200);
    assert_eq!(tags(&server, "/box/key?tagging").await, pairs(&[("a", "1"), ("b", "ü&amp;")]));
    let begun = server.call("POST", "/box/joined?uploads").header("x-amz-tagging", "c=3").send().await;
    let target = format!("/box/joined?uploadId={}", begun.expect(200).element("UploadId").unwrap());
    let part = server.put(&format!("{target}&partNumber=1"), "part").await.expect(200);
    let etag = part.header("etag").unwrap();
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    server.call("POST", &target).body(complete).send().await.expect(200);
    assert_eq!(tags(&server, "/box/joined?tagging").await, pairs(&[("c", "3")]));
    server.put("/box/key", "without").await.expect(200);
    assert_eq!(tags(&server, "/box/key?tagging").await, pairs(&[]));
}

#[tokio::test]
async fn a_copy_has_its_sources_tags_or_its_own() {
    let server = Server::with_box().await;
    server.call("PUT", "/box/key").header("x-amz-tagging", "a=1").body("x").send().await.expect(200);
    let copy = |headers: &'static [(&str, &str)]| {
        let call = server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/key");
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send()
    };
    copy(&[]).await.expect(200);
    assert_eq!(tags(&server, "/box/copy?tagging").await, pairs(&[("a", "1")]));
    copy(&[("x-amz-tagging-directive", "COPY"), ("x-amz-tagging", "b=2")]).await.expect(200);
    assert_eq!(tags(&server, "/box/copy?tagging").await, pairs(&[("a", "1")]));
    copy(&[("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "b=2")]).await.expect(200);
    assert_eq!(tags(&server, "/box/copy?tagging").await, pairs(&[("b", "2")]));
    copy(&[("x-amz-tagging-directive", "else")]).await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn every_version_has_tags_of_its_own() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/box?versioning", enable).await.expect(200);
    server.put("/box/key", "new").await.expect(200);
    let set = server.put("/box/key?tagging&versionId=null", document(&[("a", "1")])).await.expect(200);
    assert_eq!(set.header("x-amz-version-id"), Some("null"));
    assert_eq!(tags(&server, "/box/key?tagging&versionId=null").await, pairs(&[("a", "1")]));
    assert_eq!(tags(&server, "/box/key?tagging").await, pairs(&[]));
    let removed = server.call("DELETE", "/box/key?tagging&versionId=null").send().await.expect(204);
    assert_eq!(removed.header("x-amz-version-id"), Some("null"));
    let none = format!("/box/key?tagging&versionId={}", "0".repeat(32));
    server.get(&none).await.refused(404, "NoSuchVersion");
}

#[tokio::test]
async fn what_cannot_be_tags_is_refused_and_changes_nothing() {
    let server = Server::with_box().await;
    server.call("PUT", "/box/key").header("x-amz-tagging", "a=1").body("x").send().await.expect(200);
    let put = |document: String| server.call("PUT", "/box/key?tagging").body(document).send();
    let refused = |answer: Answer| answer.refused(400, "InvalidTag");
    let names: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let eleven: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    refused(put(document(&eleven)).await);
    refused(put(document(&[("a", ""), ("a", "")])).await);
    refused(put(document(&[(&"k".repeat(129), "")])).await);
    refused(put(document(&[("k", &"v".repeat(257))])).await);
    put("<Tagging/>".to_owned()).await.refused(400, "MalformedXML");
    let with = |text: &str| server.call("PUT", "/box/key").header("x-amz-tagging", text).body("new").send();
    refused(with("a=1&a=2").await);
    refused(with("=1").await);
    assert_eq!(server.get("/box/key").await.expect(200).body, b"x");
    assert_eq!(tags(&server, "/box/key?tagging").await, pairs(&[("a", "1")]));
}

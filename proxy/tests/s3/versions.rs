//! Versions: kept, read, removed and listed.

use std::time::Duration;

use crate::harness::{Answer, Server};

async fn set(server: &Server, status: &str) {
    let document = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    server.put("/box?versioning", document).await.expect(200);
}

async fn versioned() -> Server {
    let server = Server::with_box().await;
    set(&server, "Enabled").await;
    server
}

/// Puts a body, and tells the id of the version that it became.
async fn put(server: &Server, key: &str, body: &str) -> String {
    server.clock.advance(Duration::from_secs(1));
    let stored = server.put(&format!("/box/{key}"), body).await.expect(200);
    stored.header("x-amz-version-id").expect("a version").to_owned()
}

async fn delete(server: &Server, target: &str) -> Answer {
    server.call("DELETE", target).send().await.expect(204)
}

#[tokio::test]
async fn versioning_is_off_until_it_is_turned_on_and_never_off_again() {
    let server = Server::with_box().await;
    assert_eq!(server.get("/box?versioning").await.expect(200).element("Status"), None);
    assert_eq!(server.put("/box/key", "x").await.expect(200).header("x-amz-version-id"), None);
    for status in ["Enabled", "Suspended", "Enabled"] {
        set(&server, status).await;
        assert_eq!(
            server.get("/box?versioning").await.expect(200).element("Status").as_deref(),
            Some(status)
        );
    }
    let refused = |inner: &'static str| {
        let document = format!("<VersioningConfiguration>{inner}</VersioningConfiguration>");
        server.call("PUT", "/box?versioning").body(document).send()
    };
    refused("<Status>Off</Status>").await.refused(400, "MalformedXML");
    refused("").await.refused(400, "IllegalVersioningConfigurationException");
    let with_device = "<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>";
    refused(with_device).await.refused(501, "NotImplemented");
    server.get("/nobox?versioning").await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn every_version_is_kept_and_read_by_its_id() {
    let server = Server::with_box().await;
    server.put("/box/key", "zero").await.expect(200);
    set(&server, "Enabled").await;
    let (one, two) = (put(&server, "key", "one").await, put(&server, "key", "two").await);
    assert_ne!(one, two);
    for (id, body) in [(one.as_str(), "one"), (two.as_str(), "two"), ("null", "zero")] {
        for method in ["GET", "HEAD"] {
            let found = server.call(method, &format!("/box/key?versionId={id}")).send().await.expect(200);
            assert_eq!(found.header("x-amz-version-id"), Some(id));
            assert_eq!(found.header("content-length").unwrap(), body.len().to_string());
        }
        assert_eq!(server.get(&format!("/box/key?versionId={id}")).await.body, body.as_bytes());
    }
    let current = server.get("/box/key").await.expect(200);
    assert_eq!((current.header("x-amz-version-id"), &current.body[..]), (Some(two.as_str()), &b"two"[..]));
    let never = "0".repeat(32);
    server.get(&format!("/box/key?versionId={never}")).await.refused(404, "NoSuchVersion");
    server.get("/box/key?versionId=nonsense").await.refused(400, "InvalidArgument");
    let range = server.call("GET", &format!("/box/key?versionId={one}")).header("range", "bytes=1-");
    assert_eq!(range.send().await.expect(206).body, b"ne");
}

#[tokio::test]
async fn a_delete_marker_hides_the_object_and_is_no_object_itself() {
    let server = versioned().await;
    let one = put(&server, "key", "one").await;
    let gone = delete(&server, "/box/key").await;
    let marker = gone.header("x-amz-version-id").unwrap().to_owned();
    assert_eq!(gone.header("x-amz-delete-marker"), Some("true"));
    let hidden = server.get("/box/key").await.refused(404, "NoSuchKey");
    assert_eq!(hidden.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(hidden.header("x-amz-version-id"), Some(marker.as_str()));
    let head = server.call("HEAD", "/box/key").send().await.expect(404);
    assert_eq!(head.header("x-amz-delete-marker"), Some("true"));
    let itself = server.get(&format!("/box/key?versionId={marker}")).await;
    let itself = itself.refused(405, "MethodNotAllowed");
    assert_eq!(itself.header("allow"), Some("DELETE"));
    assert_eq!(itself.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(itself.header("last-modified"), Some("Thu, 01 Jan 2026 00:00:01 GMT"));
    assert_eq!(server.get("/box").await.elements("Key"), [""; 0]);
    assert_eq!(server.get(&format!("/box/key?versionId={one}")).await.expect(200).body, b"one");

    let removed = delete(&server, &format!("/box/key?versionId={marker}")).await;
    assert_eq!(removed.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(removed.header("x-amz-version-id"), Some(marker.as_str()));
    assert_eq!(server.get("/box/key").await.expect(200).body, b"one");
}

#[tokio::test]
async fn a_version_that_is_removed_is_gone_and_the_one_before_is_current() {
    let server = versioned().await;
    let (one, two) = (put(&server, "key", "one").await, put(&server, "key", "two").await);
    let removed = delete(&server, &format!("/box/key?versionId={two}")).await;
    assert_eq!(removed.header("x-amz-version-id"), Some(two.as_str()));
    assert_eq!(removed.header("x-amz-delete-marker"), None);
    assert_eq!(server.get("/box/key").await.expect(200).body, b"one");
    server.get(&format!("/box/key?versionId={two}")).await.refused(404, "NoSuchVersion");
    delete(&server, &format!("/box/key?versionId={two}")).await;
    server.call("DELETE", "/box").send().await.refused(409, "BucketNotEmpty");
    delete(&server, &format!("/box/key?versionId={one}")).await;
    server.call("DELETE", "/box").send().await.expect(204);
}

#[tokio::test]
async fn while_suspended_writes_go_to_the_null_version() {
    let server = versioned().await;
    let one = put(&server, "key", "one").await;
    set(&server, "Suspended").await;
    for body in ["null one", "null two"] {
        assert_eq!(server.put("/box/key", body).await.expect(200).header("x-amz-version-id"), None);
    }
    let current = server.get("/box/key").await.expect(200);
    assert_eq!((current.header("x-amz-version-id"), &current.body[..]), (Some("null"), &b"null two"[..]));
    let listed = server.get("/box?versions").await.expect(200);
    assert_eq!(listed.elements("VersionId"), ["null", one.as_str()]);
    let marked = delete(&server, "/box/key").await;
    assert_eq!(marked.header("x-amz-version-id"), Some("null"));
    assert_eq!(marked.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(server.get("/box?versions").await.elements("VersionId"), ["null", one.as_str()]);
}

#[tokio::test]
async fn versions_are_listed_by_key_and_the_newest_first() {
    let server = versioned().await;
    let mut ids = Vec::new();
    for key in ["b", "a", "b", "dir/x", "dir/y"] {
        ids.push(put(&server, key, "body").await);
    }
    ids.push(delete(&server, "/box/b").await.header("x-amz-version-id").unwrap().to_owned());
    let all = server.get("/box?versions").await.expect(200);
    assert_eq!(all.elements("Key"), ["a", "b", "b", "b", "dir/x", "dir/y"]);
    assert_eq!(all.elements("VersionId"), [1, 5, 2, 0, 3, 4].map(|at: usize| ids[at].as_str()));
    assert_eq!(all.elements("IsLatest"), ["true", "true", "false", "false", "true", "true"]);
    assert_eq!(all.elements("DeleteMarker").len(), 1);
    assert_eq!(all.elements("Size"), ["4"; 5]);
    assert_eq!(all.element("IsTruncated").as_deref(), Some("false"));
    let grouped = server.get("/box?versions&delimiter=/&prefix=").await.expect(200);
    assert_eq!(grouped.elements("CommonPrefixes"), ["<Prefix>dir/</Prefix>"]);
    assert_eq!(server.get("/box?versions&prefix=dir/").await.elements("Key"), ["dir/x", "dir/y"]);
    let after = format!("/box?versions&key-marker=b&version-id-marker={}", ids[2]);
    assert_eq!(
        server.get(&after).await.expect(200).elements("VersionId"),
        [0, 3, 4].map(|at: usize| ids[at].as_str())
    );
    let after = server.get("/box?versions&key-marker=b").await.expect(200);
    assert_eq!(after.elements("Key"), ["dir/x", "dir/y"]);
    server.get("/box?versions&version-id-marker=null").await.refused(400, "InvalidArgument");
    server.get("/box?versions&key-marker=a&version-id-marker=x").await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn pages_of_versions_lose_nothing_and_repeat_nothing() {
    let server = versioned().await;
    for key in ["a", "b", "b", "b", "d/x", "d/y", "e"] {
        put(&server, key, "body").await;
    }
    for delimiter in ["", "&delimiter=/"] {
        let all = server.get(&format!("/box?versions{delimiter}")).await.expect(200);
        for limit in 1..=3 {
            let (mut ids, mut prefixes, mut position) = (Vec::new(), Vec::new(), String::new());
            loop {
                let target = format!("/box?versions&max-keys={limit}{delimiter}{position}");
                let page = server.get(&target).await.expect(200);
                ids.extend(page.elements("VersionId"));
                prefixes.extend(page.elements("CommonPrefixes"));
                let Some(key) = page.element("NextKeyMarker") else { break };
                position = format!("&key-marker={key}");
                if let Some(id) = page.element("NextVersionIdMarker") {
                    position.extend(["&version-id-marker=", &id]);
                }
            }
            assert_eq!((&ids, &prefixes), (&all.elements("VersionId"), &all.elements("CommonPrefixes")));
        }
    }
    let encoded = server.put("/box/a%20b", "x").await.expect(200);
    drop(encoded);
    let listed = server.get("/box?versions&encoding-type=url&prefix=a%20").await.expect(200);
    assert_eq!(listed.elements("Key"), ["a%20b"]);
    assert_eq!(server.get("/box?versions&max-keys=0").await.element("IsTruncated").as_deref(), Some("false"));
}

#[tokio::test]
async fn many_versions_are_removed_with_one_request() {
    let server = versioned().await;
    let one = put(&server, "key", "one").await;
    let post = |objects: String| {
        server.call("POST", "/box?delete").body(format!("<Delete>{objects}</Delete>")).send()
    };
    let gone = post("<Object><Key>key</Key></Object>".to_owned()).await.expect(200);
    assert_eq!(gone.element("DeleteMarker").as_deref(), Some("true"));
    let marker = gone.element("DeleteMarkerVersionId").unwrap();
    let of = |id: &str| format!("<Object><Key>key</Key><VersionId>{id}</VersionId></Object>");
    let removed = post(of(&marker) + &of(&one)).await.expect(200);
    assert_eq!(removed.elements("VersionId"), [marker.as_str(), one.as_str()]);
    assert_eq!(removed.elements("DeleteMarkerVersionId"), [marker.as_str()]);
    assert_eq!(server.get("/box?versions").await.elements("VersionId"), [""; 0]);
    // Again, and for an id that can't be one.
    let again = post(of(&marker) + &of("nonsense")).await.expect(200);
    assert_eq!(again.elements("Deleted").len(), 1);
    assert_eq!(again.elements("Code"), ["InvalidArgument"]);
}

#[tokio::test]
async fn a_copy_may_be_of_an_older_version() {
    let server = versioned().await;
    let one = put(&server, "key", "one").await;
    put(&server, "key", "two").await;
    let copy = |target: &'static str, source: String| {
        server.call("PUT", target).header("x-amz-copy-source", &source).send()
    };
    let copied = copy("/box/copy", format!("/box/key?versionId={one}")).await.expect(200);
    assert_eq!(copied.header("x-amz-copy-source-version-id"), Some(one.as_str()));
    assert!(copied.header("x-amz-version-id").is_some());
    assert_eq!(server.get("/box/copy").await.expect(200).body, b"one");
    // Restoring is copying an object's older version onto it.
    copy("/box/key", format!("box/key?versionId={one}")).await.expect(200);
    assert_eq!(server.get("/box/key").await.expect(200).body, b"one");
    copy("/box/copy", "/box/key?versionId=nonsense".to_owned()).await.refused(400, "InvalidArgument");
    copy("/box/copy", format!("/box/key?versionId={}", "0".repeat(32))).await.refused(404, "NoSuchVersion");
    let marker = delete(&server, "/box/key").await.header("x-amz-version-id").unwrap().to_owned();
    copy("/box/copy", format!("/box/key?versionId={marker}")).await.refused(400, "InvalidRequest");
    copy("/box/copy", "/box/key".to_owned()).await.refused(404, "NoSuchKey");
    let begun = server.call("POST", "/box/joined?uploads").send().await.expect(200);
    let part = format!("/box/joined?partNumber=1&uploadId={}", begun.element("UploadId").unwrap());
    let source = format!("/box/key?versionId={one}");
    let copied = server.call("PUT", &part).header("x-amz-copy-source", &source).send().await.expect(200);
    assert_eq!(copied.header("x-amz-copy-source-version-id"), Some(one.as_str()));
}

#[tokio::test]
async fn a_removal_may_insist_on_etag_date_and_size() {
    let server = versioned().await;
    let one = put(&server, "key", "one").await;
    let etag = "\"f97c5d29941bfb1b2fdab0874906ab82\"";
    let date = "Thu, 01 Jan 2026 00:00:01 GMT";
    let delete =
        |target: &str, name: &str, value: &str| server.call("DELETE", target).header(name, value).send();
    let current = "/box/key".to_owned();
    let version = format!("/box/key?versionId={one}");
    for target in [&current, &version] {
        for (name, value) in [
            ("if-match", "\"other\""),
            ("x-amz-if-match-size", "4"),
            ("x-amz-if-match-last-modified-time", "Thu, 01 Jan 2026 00:00:02 GMT"),
        ] {
            delete(target, name, value).await.refused(412, "PreconditionFailed");
            // Nothing is made or removed for what isn't there.
            let missing = target.replace("key", "none");
            delete(&missing, name, value).await.expect(204);
        }
    }
    delete(&current, "x-amz-if-match-last-modified-time", "nonsense").await.refused(400, "InvalidArgument");
    assert_eq!(server.get("/box?versions").await.elements("VersionId"), [one.as_str()]);
    delete(&current, "x-amz-if-match-last-modified-time", date).await.expect(204);
    // What is marked as removed is there, and isn't what was meant.
    for (name, value) in [("if-match", "\"other\""), ("x-amz-if-match-size", "4")] {
        delete(&current, name, value).await.refused(412, "PreconditionFailed");
    }
    assert_eq!(server.get("/box?versions").await.elements("VersionId").len(), 2);
    delete(&version, "if-match", etag).await.expect(204);
    server.get(&version).await.refused(404, "NoSuchVersion");

    let two = put(&server, "key", "two").await;
    let post = |conditions: &str| {
        let object = format!("<Object><Key>key</Key><VersionId>{two}</VersionId>{conditions}</Object>");
        server.call("POST", "/box?delete").body(format!("<Delete>{object}</Delete>")).send()
    };
    for wrong in
        ["<ETag>other</ETag>", "<Size>4</Size>", "<LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime>"]
    {
        assert_eq!(post(wrong).await.expect(200).elements("Code"), ["PreconditionFailed"], "{wrong}");
    }
    assert_eq!(post("<Size>3</Size>").await.expect(200).elements("Deleted").len(), 1);
}

#[tokio::test]
async fn a_joined_object_is_a_version_too() {
    let server = versioned().await;
    let begun = server.call("POST", "/box/key?uploads").send().await.expect(200);
    let target = format!("/box/key?uploadId={}", begun.element("UploadId").unwrap());
    let part = server.put(&format!("{target}&partNumber=1"), "part").await.expect(200);
    let etag = part.header("etag").unwrap();
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let done = server.call("POST", &target).body(document).send().await.expect(200);
    let id = done.header("x-amz-version-id").expect("a version");
    assert_eq!(server.get(&format!("/box/key?versionId={id}")).await.expect(200).body, b"part");
}

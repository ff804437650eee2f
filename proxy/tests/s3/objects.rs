//! Objects.

use std::time::Duration;

use crate::harness::Server;

#[tokio::test]
async fn an_object_comes_back_as_it_was_stored() {
    let server = Server::with_box().await;
    let stored = server
        .call("PUT", "/box/dir/key")
        .header("content-type", "text/plain")
        .header("cache-control", "no-cache")
        .header("content-disposition", "attachment")
        .header("content-encoding", "identity")
        .header("content-language", "de")
        .header("expires", "Thu, 01 Dec 1994 16:00:00 GMT")
        .header("x-amz-meta-Mixed-Case", "a  b")
        .header("x-amz-meta-empty", "")
        .header("x-amz-acl", "private")
        .header("x-amz-storage-class", "STANDARD")
        .body("martlet")
        .send()
        .await
        .expect(200);
    server.clock.advance(Duration::from_secs(100));

    for method in ["GET", "HEAD"] {
        let found = server.call(method, "/box/dir/key").send().await.expect(200);
        assert_eq!(found.body, if method == "GET" { &b"martlet"[..] } else { b"" });
        for (name, value) in [
            ("content-length", "7"),
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("content-disposition", "attachment"),
            ("content-encoding", "identity"),
            ("content-language", "de"),
            ("expires", "Thu, 01 Dec 1994 16:00:00 GMT"),
            ("x-amz-meta-mixed-case", "a  b"),
            ("x-amz-meta-empty", ""),
            ("accept-ranges", "bytes"),
            ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ] {
            assert_eq!(found.header(name), Some(value), "{name}");
        }
        assert_eq!(found.header("etag"), stored.header("etag"));
    }
}

#[tokio::test]
async fn an_etag_is_the_quoted_md5() {
    let server = Server::with_box().await;
    let stored = server.put("/box/key", "").await.expect(200);
    assert_eq!(stored.header("etag"), Some("\"d41d8cd98f00b204e9800998ecf8427e\""));
    let found = server.get("/box/key").await.expect(200);
    assert_eq!(found.header("content-type"), Some("binary/octet-stream"));
    assert_eq!(found.header("content-length"), Some("0"));
}

#[tokio::test]
async fn the_last_write_is_read_and_a_removed_object_is_gone() {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    server.put("/box/key", "new").await.expect(200);
    assert_eq!(server.get("/box/key").await.expect(200).body, b"new");
    server.call("DELETE", "/box/key").send().await.expect(204);
    server.call("DELETE", "/box/key").send().await.expect(204);
    let gone = server.get("/box/key").await.refused(404, "NoSuchKey");
    assert_eq!(gone.element("Key").as_deref(), Some("key"));
    let gone = server.call("DELETE", "/nobox/key").send().await.refused(404, "NoSuchBucket");
    assert_eq!(gone.element("BucketName").as_deref(), Some("nobox"));
    server.put("/nobox/key", "x").await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn keys_are_kept_to_the_byte() {
    let server = Server::with_box().await;
    let targets = [
        "/box/..",
        "/box/../x",
        "/box/a/../b",
        "/box//lead",
        "/box///",
        "/box/a//b",
        "/box/trail/",
        "/box/%01%7f",
        "/box/%C3%BC+%20%2B%25",
        "/box/%2e%2E%2fetc",
    ];
    for target in targets {
        server.put(target, target).await.expect(200);
    }
    for target in targets {
        assert_eq!(server.get(target).await.expect(200).body, target.as_bytes(), "{target}");
    }
    let list = server.get("/box?encoding-type=url").await.expect(200);
    let mut keys = list.elements("Key");
    keys.sort();
    let mut expected =
        ["..", "../x", "a/../b", "/lead", "//", "a//b", "trail/", "%01%7F", "%C3%BC%2B%20%2B%25", "../etc"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn ranges_give_the_bytes_that_were_asked_for() {
    let server = Server::with_box().await;
    server.put("/box/key", "0123456789").await.expect(200);
    for (range, body, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=5-99", "56789", "bytes 5-9/10"),
    ] {
        for method in ["GET", "HEAD"] {
            let part = server.call(method, "/box/key").header("range", range).send().await.expect(206);
            assert_eq!(part.header("content-range"), Some(content_range));
            assert_eq!(part.header("content-length").unwrap(), body.len().to_string());
            assert_eq!(part.body, if method == "GET" { body.as_bytes() } else { b"" });
        }
    }
    for range in ["bytes=9-0", "lines=1-2", "bytes=0-1,4-5", "nonsense"] {
        let all = server.call("GET", "/box/key").header("range", range).send().await.expect(200);
        assert_eq!(all.body, b"0123456789", "{range}");
    }
}

#[tokio::test]
async fn a_range_counts_while_the_object_is_the_same() {
    let server = Server::with_box().await;
    let etag = server.put("/box/key", "0123456789").await.expect(200).header("etag").unwrap().to_owned();
    let get = |method: &str, if_range: &str| {
        server.call(method, "/box/key").header("range", "bytes=4-").header("if-range", if_range).send()
    };
    for same in [etag.as_str(), "Thu, 01 Jan 2026 00:00:00 GMT"] {
        assert_eq!(get("GET", same).await.expect(206).body, b"456789");
        get("HEAD", same).await.expect(206);
    }
    let weak = format!("W/{etag}");
    for other in ["\"other\"", weak.as_str(), "Thu, 01 Jan 2026 00:00:01 GMT", "nonsense"] {
        assert_eq!(get("GET", other).await.expect(200).body, b"0123456789", "{other}");
        get("HEAD", other).await.expect(200);
    }
}

#[tokio::test]
async fn impossible_ranges_are_refused() {
    let server = Server::with_box().await;
    server.put("/box/key", "0123456789").await.expect(200);
    server.put("/box/empty", "").await.expect(200);
    for (target, range, size) in
        [("/box/key", "bytes=10-", "10"), ("/box/key", "bytes=-0", "10"), ("/box/empty", "bytes=0-1", "0")]
    {
        let refused = server.call("GET", target).header("range", range).send().await;
        let refused = refused.refused(416, "InvalidRange");
        assert_eq!(refused.header("content-range"), Some(format!("bytes */{size}").as_str()));
        server.call("HEAD", target).header("range", range).send().await.expect(416);
    }
}

#[tokio::test]
async fn a_reader_may_choose_headers_of_the_answer() {
    let server = Server::with_box().await;
    server.call("PUT", "/box/key").header("content-type", "text/plain").body("x").send().await.expect(200);
    let target = "/box/key?response-content-type=a%2Fb&response-content-disposition=inline";
    let found = server.get(target).await.expect(200);
    assert_eq!(found.header("content-type"), Some("a/b"));
    assert_eq!(found.header("content-disposition"), Some("inline"));
    server.get("/box/key?response-expires=a%0d%0aX-Bad:1").await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn many_objects_are_removed_with_one_request() {
    let server = Server::with_box().await;
    for key in ["a", "b", "c&d"] {
        server.put(&format!("/box/{}", key.replace('&', "%26")), "x").await.expect(200);
    }
    let document = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object>\
                    <Object><Key>c&amp;d</Key></Object><Object><Key>never</Key></Object></Delete>";
    let answer = server.call("POST", "/box?delete").body(document).send().await.expect(200);
    assert_eq!(answer.elements("Key"), ["a", "c&amp;d", "never"]);
    assert_eq!(answer.elements("Deleted").len(), 3);
    assert_eq!(server.get("/box").await.elements("Key"), ["b"]);

    let long = "k".repeat(1025);
    let document = format!(
        "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object><Object><Key>{long}</Key></Object></Delete>"
    );
    let answer = server.call("POST", "/box?delete").body(document).send().await.expect(200);
    assert_eq!(answer.elements("Deleted").len(), 0);
    assert_eq!(answer.elements("Code"), ["KeyTooLongError"]);
    assert_eq!(server.get("/box").await.elements("Key"), [""; 0]);
    let none = server.call("POST", "/nobox?delete").body("<Delete><Object><Key>a</Key></Object></Delete>");
    none.send().await.refused(404, "NoSuchBucket");
}

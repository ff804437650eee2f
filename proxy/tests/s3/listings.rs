//! Listings.

use crate::harness::{Answer, Server};

async fn with_keys(keys: &[&str]) -> Server {
    let server = Server::with_box().await;
    for key in keys {
        server.put(&format!("/box/{key}"), "x").await.expect(200);
    }
    server
}

fn prefixes(answer: &Answer) -> Vec<String> {
    answer.elements("CommonPrefixes")
}

fn is_truncated(answer: &Answer) -> bool {
    answer.element("IsTruncated").as_deref() == Some("true")
}

#[tokio::test]
async fn both_versions_show_keys_and_common_prefixes() {
    let server = with_keys(&["a", "dir/1", "dir/2", "dir/sub/3", "z"]).await;
    for version in ["", "&list-type=2"] {
        let list = server.get(&format!("/box?delimiter=/{version}")).await.expect(200);
        assert_eq!(list.elements("Key"), ["a", "z"]);
        assert_eq!(prefixes(&list), ["<Prefix>dir/</Prefix>"]);
        assert_eq!(list.element("IsTruncated").as_deref(), Some("false"));
        assert_eq!(list.element("Size").as_deref(), Some("1"));
        assert_eq!(list.element("ETag").as_deref(), Some("&quot;9dd4e461268c8034f5c8564e155c67a6&quot;"));
        assert_eq!(list.element("LastModified").as_deref(), Some("2026-01-01T00:00:00.000Z"));
        let list = server.get(&format!("/box?prefix=dir/&delimiter=/{version}")).await.expect(200);
        assert_eq!(list.elements("Key"), ["dir/1", "dir/2"]);
        assert_eq!(prefixes(&list), ["<Prefix>dir/sub/</Prefix>"]);
    }
    let v2 = server.get("/box?list-type=2&delimiter=/").await;
    assert_eq!(v2.element("KeyCount").as_deref(), Some("3"));
    assert!(v2.element("Owner").is_none());
    let owned = server.get("/box?list-type=2&fetch-owner=true").await;
    assert_eq!(owned.elements("ID").len(), 5);
}

#[tokio::test]
async fn pages_of_version_1_join_to_the_whole() {
    let keys = ["a", "b/1", "b/2", "c", "d/1", "e"];
    let server = with_keys(&keys).await;
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/box?max-keys=2&marker={marker}")).await.expect(200);
        seen.extend(page.elements("Key"));
        assert!(page.element("NextMarker").is_none(), "without delimiter the last key is the marker");
        if !is_truncated(&page) {
            break;
        }
        marker = seen.last().unwrap().clone();
    }
    assert_eq!(seen, keys);

    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/box?delimiter=/&max-keys=1&marker={marker}")).await.expect(200);
        seen.extend(page.elements("Key"));
        seen.extend(prefixes(&page));
        match page.element("NextMarker") {
            Some(next) => marker = next,
            None => break,
        }
    }
    assert_eq!(seen, ["a", "<Prefix>b/</Prefix>", "c", "<Prefix>d/</Prefix>", "e"]);
}

#[tokio::test]
async fn pages_of_version_2_join_to_the_whole() {
    let server = with_keys(&["a", "b/1", "b/2", "c", "d/1", "e"]).await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/box?list-type=2&delimiter=/&max-keys=2{token}")).await.expect(200);
        seen.extend(page.elements("Key"));
        seen.extend(prefixes(&page));
        match page.element("NextContinuationToken") {
            Some(next) => token = format!("&continuation-token={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "<Prefix>b/</Prefix>", "c", "<Prefix>d/</Prefix>", "e"]);
    let after = server.get("/box?list-type=2&start-after=b/2").await;
    assert_eq!(after.elements("Key"), ["c", "d/1", "e"]);
    assert_eq!(after.element("StartAfter").as_deref(), Some("b/2"));
}

#[tokio::test]
async fn a_page_is_truncated_exactly_when_there_is_more() {
    let server = with_keys(&["a", "b", "c"]).await;
    for (limit, truncated) in [("0", false), ("2", true), ("3", false), ("1000", false), ("5000", false)] {
        for version in ["", "&list-type=2"] {
            let page = server.get(&format!("/box?max-keys={limit}{version}")).await.expect(200);
            assert_eq!(is_truncated(&page), truncated, "{limit}");
            let expected = limit.parse::<usize>().unwrap().min(1000).to_string();
            assert_eq!(page.element("MaxKeys"), Some(expected));
        }
    }
    assert!(!is_truncated(&server.get("/box?max-keys=1&prefix=c").await));
}

#[tokio::test]
async fn names_that_xml_cannot_carry_can_be_asked_for_encoded() {
    let server = with_keys(&["a%20b", "c%26%3C", "d%01", "x%2F1"]).await;
    let plain = server.get("/box").await.expect(200);
    assert_eq!(plain.elements("Key"), ["a b", "c&amp;&lt;", "d&#x1;", "x/1"]);
    let encoded = server.get("/box?encoding-type=url&delimiter=/&prefix=").await.expect(200);
    assert_eq!(encoded.elements("Key"), ["a%20b", "c%26%3C", "d%01"]);
    assert_eq!(encoded.element("EncodingType").as_deref(), Some("url"));
    assert_eq!(encoded.element("Delimiter").as_deref(), Some("/"));
    let page = server.get("/box?encoding-type=url&delimiter=1&max-keys=1&marker=d").await.expect(200);
    assert_eq!(page.element("NextMarker").as_deref(), Some("d%01"));
}

#[tokio::test]
async fn what_no_page_can_be_is_refused() {
    let server = with_keys(&[]).await;
    for target in [
        "/box?max-keys=-1",
        "/box?max-keys=x",
        "/box?encoding-type=base64",
        "/box?list-type=3",
        "/box?list-type=2&continuation-token=!",
        "/box?prefix=a&prefix=b",
        "/box?prefix=%ff",
    ] {
        server.get(target).await.refused(400, "InvalidArgument");
    }
    server.get("/nobox").await.refused(404, "NoSuchBucket");
    server.get("/nobox?list-type=2").await.refused(404, "NoSuchBucket");
}

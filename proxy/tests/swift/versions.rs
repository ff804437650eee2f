//! Object versions: `X-Versions-Enabled`, and the older way of `X-Versions-Location`.

use serde_json::Value;

use crate::both::s3;
use crate::harness::{Answer, Server, Session};

const MARKER: &str = "application/x-deleted;swift_versions_deleted=1";

async fn begin(header: (&str, &str)) -> (Server, Session) {
    let server = Server::start().await;
    let owner = server.login().await;
    assert_eq!(owner.send("PUT", "/box", &[header], b"").await.status, 201);
    (server, owner)
}

/// Stores a version, and gives its id.
async fn put(owner: &Session, path: &str, body: &[u8]) -> String {
    let answer = owner.send("PUT", path, &[], body).await;
    assert_eq!(answer.status, 201);
    answer.header("x-object-version-id").to_owned()
}

async fn listed(owner: &Session, query: &str) -> Vec<Value> {
    let answer = owner.get(&format!("/box?versions{query}")).await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["version_id"].as_str().expect("an id")).collect()
}

fn status_and_text(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.text())
}

#[tokio::test]
async fn every_version_stays_and_can_be_read() {
    let (_server, owner) = begin(("X-Versions-Enabled", "true")).await;
    assert_eq!(owner.head("/box").await.header("x-versions-enabled"), "True");
    let first = put(&owner, "/box/key", b"one").await;
    let second = put(&owner, "/box/key", b"second").await;
    assert_eq!(owner.get("/box/key").await.header("x-object-version-id"), second);
    let old = owner.get(&format!("/box/key?version-id={first}")).await;
    assert_eq!(status_and_text(&old), (200, "one"));
    assert_eq!(old.header("x-object-version-id"), first);
    assert_eq!(owner.head(&format!("/box/key?version-id={first}")).await.header("content-length"), "3");
    assert_eq!(owner.get("/box").await.text(), "key\n");
    let head = owner.head("/box").await;
    assert_eq!(head.header("x-container-object-count"), "1");
    assert_eq!(head.header("x-container-bytes-used"), "9");
    let versions = listed(&owner, "").await;
    assert_eq!(ids(&versions), [&second, &first]);
    assert_eq!((&versions[0]["is_latest"], &versions[1]["is_latest"]), (&true.into(), &false.into()));
    assert_eq!(versions[1]["hash"], "f97c5d29941bfb1b2fdab0874906ab82");
    assert_eq!(versions[1]["bytes"], 3);
    assert_eq!(versions[1]["name"], "key");
}

#[tokio::test]
async fn removing_leaves_a_marker_and_removing_a_version_is_for_good() {
    let (_server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let first = put(&owner, "/box/key", b"one").await;
    let gone = owner.delete("/box/key").await;
    assert_eq!(gone.status, 204);
    assert_eq!(owner.delete("/box/none").await.status, 404);
    let none = listed(&owner, "&prefix=none").await;
    owner.delete(&format!("/box/none?version-id={}", ids(&none)[0])).await;
    let marker = gone.header("x-object-version-id").to_owned();
    assert_eq!(owner.get("/box/key").await.status, 404);
    let versions = listed(&owner, "").await;
    assert_eq!(ids(&versions), [&marker, &first]);
    assert_eq!(versions[0]["content_type"], MARKER);
    assert_eq!(versions[0]["hash"], "d41d8cd98f00b204e9800998ecf8427e");
    let read = owner.get(&format!("/box/key?version-id={marker}")).await;
    assert_eq!((read.status, read.header("content-type")), (404, MARKER));
    let undone = owner.delete(&format!("/box/key?version-id={marker}")).await;
    assert_eq!(undone.status, 204);
    assert_eq!(undone.header("x-object-version-id"), marker);
    // As in Swift that doesn't bring the object back.
    assert_eq!(undone.header("x-object-current-version-id"), "null");
    assert_eq!(owner.get("/box/key").await.status, 404);
    assert_eq!(ids(&listed(&owner, "").await), [&first]);
    assert_eq!(owner.delete("/box").await.status, 409);
    assert_eq!(owner.delete(&format!("/box/key?version-id={first}")).await.status, 204);
    assert_eq!(owner.delete(&format!("/box/key?version-id={first}")).await.status, 404);
    assert_eq!(owner.delete("/box").await.status, 204);
}

#[tokio::test]
async fn without_its_current_version_an_object_is_gone() {
    let (_server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let first = put(&owner, "/box/key", b"one").await;
    let second = put(&owner, "/box/key", b"two").await;
    let removed = owner.delete(&format!("/box/key?version-id={second}")).await;
    assert_eq!((removed.status, removed.header("x-object-current-version-id")), (204, "null"));
    assert_eq!(owner.get("/box/key").await.status, 404);
    let left = listed(&owner, "").await;
    assert_eq!((ids(&left), &left[0]["is_latest"]), (vec![first.as_str()], &false.into()));
    assert_eq!(owner.get(&format!("/box/key?version-id={first}")).await.text(), "one");
    // `null` is what Swift calls the object itself: it is gone, and its version stays.
    let third = put(&owner, "/box/key", b"three").await;
    assert_eq!(owner.delete("/box/key?version-id=null").await.status, 204);
    assert_eq!(owner.delete("/box/key?version-id=null").await.status, 404);
    assert_eq!(owner.get("/box/key").await.status, 404);
    assert_eq!(ids(&listed(&owner, "").await), [&third, &first]);
}

#[tokio::test]
async fn while_versioning_is_off_a_removal_leaves_no_trace() {
    let (server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let first = put(&owner, "/box/key", b"one").await;
    owner.send("POST", "/box", &[("X-Versions-Enabled", "false")], b"").await;
    let removed = owner.delete("/box/key").await;
    assert_eq!((removed.status, removed.find("x-object-version-id")), (204, None));
    assert_eq!(owner.delete("/box/key").await.status, 404);
    assert_eq!(owner.get("/box/key").await.status, 404);
    assert_eq!(ids(&listed(&owner, "").await), [&first]);
    assert_eq!(ids(&listed(&owner, "&limit=1").await), [&first]);
    assert_eq!(ids(&listed(&owner, "&reverse=on").await), [&first]);
    for body in [&b"two"[..], b"three"] {
        assert_eq!(owner.send("PUT", "/box/key", &[], body).await.find("x-object-version-id"), None);
        assert_eq!(ids(&listed(&owner, "").await), ["null", &first]);
    }
    assert_eq!(owner.delete("/box/key").await.status, 204);
    assert_eq!(owner.delete(&format!("/box/key?version-id={first}")).await.status, 204);
    // A marker that S3 has left, and that isn't shown, keeps no container.
    owner.put("/box/other", b"x").await;
    assert_eq!(s3(&server, "DELETE", "/box/other", &[], b"").await.status, 204);
    assert_eq!(listed(&owner, "").await, Vec::<Value>::new());
    assert_eq!(owner.delete("/box").await.status, 204);
}

#[tokio::test]
async fn an_object_that_ends_leaves_its_version() {
    let (server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let headers = [("X-Delete-After", "60"), ("X-Object-Meta-A", "1")];
    let stored = owner.send("PUT", "/box/key", &headers, b"one").await;
    let first = stored.header("x-object-version-id").to_owned();
    server.clock.advance(std::time::Duration::from_secs(61));
    let owner = server.login().await;
    assert_eq!(owner.get("/box/key").await.status, 404);
    assert_eq!(owner.get("/box").await.status, 204);
    let kept = owner.get(&format!("/box/key?version-id={first}")).await;
    assert_eq!((kept.text(), kept.header("x-object-meta-a")), ("one", "1"));
    assert_eq!(ids(&listed(&owner, "").await), [&first]);
    assert_eq!(owner.delete(&format!("/box/key?version-id={first}")).await.status, 204);
    assert_eq!(owner.delete("/box").await.status, 204);
}

#[tokio::test]
async fn a_listing_tells_where_the_current_version_is() {
    let (_server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let first = put(&owner, "/box/a%20b", b"one").await;
    let found: Value = serde_json::from_slice(&owner.get("/box?format=json").await.body).unwrap();
    assert_eq!(found[0]["version_symlink"], true);
    assert_eq!(found[0]["symlink_path"], format!("/v1/AUTH_test/box/a%20b?version-id={first}"));
    owner.put("/plain", b"").await;
    owner.put("/plain/a", b"x").await;
    let found: Value = serde_json::from_slice(&owner.get("/plain?format=json").await.body).unwrap();
    assert_eq!((found[0].get("version_symlink"), found[0].get("symlink_path")), (None, None));
}

#[tokio::test]
async fn an_older_version_becomes_the_current_one() {
    let (_server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let first = owner.send("PUT", "/box/key", &[("X-Object-Meta-A", "1")], b"one").await;
    let first = first.header("x-object-version-id").to_owned();
    put(&owner, "/box/key", b"two").await;
    let path = format!("/box/key?version-id={first}");
    assert_eq!(owner.send("PUT", &path, &[], b"x").await.status, 400);
    assert_eq!(owner.send("PUT", &path, &[], b"").await.status, 201);
    let current = owner.get("/box/key").await;
    assert_eq!((current.text(), current.header("x-object-meta-a")), ("one", "1"));
    assert_eq!(owner.send("PUT", "/box/key?version-id=1234567890.12345", &[], b"").await.status, 404);
    assert_eq!(owner.send("PUT", "/box/key?version-id=null", &[], b"").await.status, 400);
}

#[tokio::test]
async fn pages_of_versions_go_on_where_they_ended() {
    let (_server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let mut newest_first = Vec::new();
    for key in ["a", "b"] {
        let mut of_key = Vec::new();
        for body in [&b"1"[..], b"2", b"3"] {
            of_key.insert(0, put(&owner, &format!("/box/{key}"), body).await);
        }
        newest_first.append(&mut of_key);
    }
    let (mut walked, mut query) = (Vec::new(), "&limit=2".to_owned());
    loop {
        let page = listed(&owner, &query).await;
        let Some(last) = page.last() else { break };
        query = format!(
            "&limit=2&marker={}&version_marker={}",
            last["name"].as_str().unwrap(),
            ids(&page)[page.len() - 1]
        );
        walked.extend(page.iter().map(|entry| entry["version_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(walked, newest_first);
    let mut reversed = newest_first.clone();
    reversed.reverse();
    assert_eq!(ids(&listed(&owner, "&reverse=on").await), reversed);
    assert_eq!(ids(&listed(&owner, "&reverse=on&limit=2").await), reversed[..2]);
    assert_eq!(ids(&listed(&owner, "&marker=a").await), newest_first[3..]);
    assert_eq!(ids(&listed(&owner, "&prefix=a").await), newest_first[..3]);
    for (query, status) in
        [("&version_marker=null", 400), ("&marker=a&version_marker=x", 400), ("&format=xml", 406)]
    {
        assert_eq!(owner.get(&format!("/box?versions{query}")).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn versions_are_for_owners_and_for_containers_that_have_them() {
    let (server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let id = put(&owner, "/box/key", b"one").await;
    owner.send("POST", "/box", &[("X-Container-Read", ".r:*")], b"").await;
    let path = format!("/v1/AUTH_test/box/key?version-id={id}");
    assert_eq!(server.send("GET", &path, &[], b"").await.status, 401);
    assert_eq!(owner.send("POST", &format!("/box/key?version-id={id}"), &[], b"").await.status, 400);
    assert_eq!(owner.get("/box/key?version-id=no").await.status, 400);
    owner.put("/plain", b"").await;
    owner.put("/plain/key", b"one").await;
    assert_eq!(owner.get(&format!("/plain/key?version-id={id}")).await.status, 400);
    assert_eq!(owner.get("/plain/key?version-id=null").await.status, 200);
    assert_eq!(owner.get("/plain/key").await.find("x-object-version-id"), None);
}

#[tokio::test]
async fn a_container_keeps_versions_in_one_way_at_a_time() {
    let (_server, owner) = begin(("X-Versions-Enabled", "true")).await;
    let post = async |path: &str, header| owner.send("POST", path, &[header], b"").await.status;
    assert_eq!(post("/box", ("X-Versions-Location", "old")).await, 400);
    assert_eq!(post("/box", ("X-Versions-Enabled", "false")).await, 204);
    assert_eq!(owner.head("/box").await.header("x-versions-enabled"), "False");
    owner.put("/other", b"").await;
    assert_eq!(post("/other", ("X-History-Location", "old")).await, 204);
    assert_eq!(owner.head("/other").await.header("x-history-location"), "old");
    assert_eq!(post("/other", ("X-Versions-Enabled", "true")).await, 400);
    assert_eq!(post("/other", ("X-Remove-History-Location", "x")).await, 204);
    assert_eq!(post("/other", ("X-Versions-Enabled", "true")).await, 204);
}

#[tokio::test]
async fn what_is_overwritten_is_archived_and_comes_back() {
    let (_server, owner) = begin(("X-Versions-Location", "old%20ones")).await;
    assert_eq!(owner.head("/box").await.header("x-versions-location"), "old%20ones");
    owner.put("/box/key", b"one").await;
    // Without an archive nothing is overwritten.
    assert_eq!(owner.send("PUT", "/box/key", &[], b"two").await.status, 412);
    assert_eq!(owner.get("/box/key").await.text(), "one");
    owner.put("/old%20ones", b"").await;
    let stamp = owner.head("/box/key").await.header("x-timestamp").to_owned();
    assert_eq!(owner.send("PUT", "/box/key", &[("X-Object-Meta-A", "1")], b"two").await.status, 201);
    assert_eq!(owner.get("/old%20ones").await.text(), format!("003key/{stamp}\n"));
    owner.put("/box/key", b"three").await;
    assert_eq!(owner.delete("/box/key").await.status, 204);
    let back = owner.get("/box/key").await;
    assert_eq!((back.text(), back.header("x-object-meta-a")), ("two", "1"));
    assert_eq!(owner.delete("/box/key").await.status, 204);
    assert_eq!(owner.get("/box/key").await.text(), "one");
    assert_eq!(owner.get("/old%20ones").await.status, 204);
    assert_eq!(owner.delete("/box/key").await.status, 204);
    assert_eq!(owner.delete("/box/key").await.status, 404);
}

#[tokio::test]
async fn a_container_that_names_itself_lists_what_it_archived_at_once() {
    let (_server, owner) = begin(("X-Versions-Location", "box")).await;
    for body in [&b"one"[..], b"two", b"three"] {
        owner.put("/box/key", body).await;
    }
    let names = owner.get("/box").await;
    assert_eq!(names.text().lines().filter(|name| name.contains("key")).count(), 3, "{}", names.text());
    for body in ["two", "one"] {
        owner.delete("/box/key").await;
        assert_eq!(owner.get("/box/key").await.text(), body);
    }
    owner.delete("/box/key").await;
    assert_eq!(owner.get("/box").await.status, 204);
}

#[tokio::test]
async fn a_failed_condition_archives_nothing() {
    let (_server, owner) = begin(("X-Versions-Location", "box")).await;
    owner.put("/box/key", b"one").await;
    assert_eq!(owner.send("PUT", "/box/key", &[("If-None-Match", "*")], b"two").await.status, 412);
    assert_eq!(owner.send("DELETE", "/box/key", &[("If-Match", "other")], b"").await.status, 412);
    assert_eq!(owner.get("/box").await.text(), "key\n");
}

#[tokio::test]
async fn a_history_keeps_removals_as_well() {
    let (_server, owner) = begin(("X-History-Location", "old")).await;
    owner.put("/old", b"").await;
    owner.put("/box/key", b"one").await;
    owner.put("/box/key", b"two").await;
    assert_eq!(owner.delete("/box/key").await.status, 204);
    assert_eq!(owner.get("/box/key").await.status, 404);
    let kept: Vec<Value> = serde_json::from_slice(&owner.get("/old?format=json").await.body).unwrap();
    let kinds: Vec<_> = kept.iter().map(|entry| entry["content_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["application/octet-stream", "application/octet-stream", MARKER]);
}

//! Static large objects: a list of segments, read as one.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Answer, Server, Session};

async fn stored(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/seg", b"").await;
    for (name, body) in [("a", "abc"), ("b", "defgh"), ("empty", "")] {
        session.put(&format!("/seg/{name}"), body.as_bytes()).await;
    }
    session
}

async fn make(session: &Session, path: &str, list: &str) -> Answer {
    session.send("PUT", &format!("{path}?multipart-manifest=put"), &[], list.as_bytes()).await
}

async fn made(server: &Server) -> Session {
    let session = stored(server).await;
    let answer =
        make(&session, "/box/large", r#"[{"path": "/seg/a"}, {"path": "seg/b", "range": "1-3"}]"#).await;
    assert_eq!((answer.status, answer.header("etag")), (201, ETAG), "{answer:?}");
    session
}

/// MD5 of the MD5 of `abc` and the MD5 of `defgh` with `:1-3;` behind it, by Python's hashlib.
const ETAG: &str = "\"675bf600298aeeacdb3a41d597532ff3\"";

#[tokio::test]
async fn segments_are_read_as_one() {
    let server = Server::start().await;
    let session = made(&server).await;
    let (get, head) = (session.get("/box/large").await, session.head("/box/large").await);
    assert_eq!((get.status, get.text(), head.status), (200, "abcefg", 200));
    let manifest = session.get("/box/large?multipart-manifest=get").await;
    for answer in [&get, &head] {
        assert_eq!((answer.header("content-length"), answer.header("etag")), ("6", ETAG));
        assert_eq!(answer.header("x-static-large-object"), "True");
        assert_eq!(answer.header("x-manifest-etag"), manifest.header("etag"));
        assert_eq!(answer.header("content-type"), "application/octet-stream");
    }
}

#[tokio::test]
async fn a_listing_shows_the_length_of_the_whole_and_counts_that_of_the_list() {
    let server = Server::start().await;
    let session = made(&server).await;
    let listed: Value = serde_json::from_slice(&session.get("/box?format=json").await.body).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["bytes"]), (&"large".into(), &6.into()));
    assert_eq!(listed[0]["slo_etag"], ETAG);
    let manifest = session.get("/box/large?multipart-manifest=get").await;
    assert_eq!(listed[0]["hash"], manifest.header("etag"));
    let list_bytes =
        session.head("/box/large?multipart-manifest=get").await.header("content-length").to_owned();
    assert_eq!(session.head("/box").await.header("x-container-bytes-used"), list_bytes);
}

#[tokio::test]
async fn the_list_is_shown_in_both_forms() {
    let server = Server::start().await;
    let session = made(&server).await;
    let answer = session.get("/box/large?multipart-manifest=get").await;
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("x-static-large-object"), "True");
    let list: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        list[1],
        serde_json::json!({
            "name": "/seg/b", "bytes": 5, "hash": "865f5cc7fbd7854902eae9d8211f178a",
            "content_type": "application/octet-stream", "last_modified": "2026-01-01T00:00:00.000000", "range": "1-3",
        })
    );
    let raw = session.get("/box/large?multipart-manifest=get&format=raw").await;
    assert_eq!(raw.header("content-type"), "application/octet-stream");
    let again = make(&session, "/box/again", raw.text()).await;
    assert_eq!((again.status, again.header("etag")), (201, ETAG));
    let part = session.send("GET", "/box/large?multipart-manifest=get", &[("Range", "bytes=0-1")], b"").await;
    assert_eq!((part.status, part.text()), (206, "[{"));
}

#[tokio::test]
async fn ranges_and_conditions_are_about_the_whole() {
    let server = Server::start().await;
    let session = made(&server).await;
    let ask = async |headers: &[(&str, &str)]| session.send("GET", "/box/large", headers, b"").await;
    for (range, text, shown) in [
        ("bytes=2-3", "ce", "bytes 2-3/6"),
        ("bytes=4-", "fg", "bytes 4-5/6"),
        ("bytes=-4", "cefg", "bytes 2-5/6"),
        ("bytes=0-99", "abcefg", "bytes 0-5/6"),
    ] {
        let answer = ask(&[("Range", range)]).await;
        assert_eq!(
            (answer.status, answer.text(), answer.header("content-range")),
            (206, text, shown),
            "{range}"
        );
        assert_eq!(answer.header("etag"), ETAG);
    }
    let beyond = ask(&[("Range", "bytes=6-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */6"));
    assert_eq!(ask(&[("If-Match", ETAG), ("Range", "bytes=3-")]).await.text(), "efg");
    assert_eq!(ask(&[("If-Match", "another")]).await.status, 412);
    assert_eq!(ask(&[("If-None-Match", ETAG)]).await.status, 304);
    assert_eq!(ask(&[("If-Range", "another"), ("Range", "bytes=3-")]).await.text(), "abcefg");
    let list_etag = session.head("/box/large?multipart-manifest=get").await.header("etag").to_owned();
    let unmodified = [("If-None-Match", list_etag.as_str())];
    assert_eq!(session.send("GET", "/box/large?multipart-manifest=get", &unmodified, b"").await.status, 304);
}

#[tokio::test]
async fn one_part_is_read_by_its_number() {
    let server = Server::start().await;
    let session = made(&server).await;
    for (number, text, shown) in [(1, "abc", "bytes 0-2/6"), (2, "efg", "bytes 3-5/6")] {
        let path = format!("/box/large?part-number={number}");
        let (get, head) = (session.get(&path).await, session.head(&path).await);
        assert_eq!((get.status, get.text(), head.status), (206, text, 206));
        for answer in [&get, &head] {
            assert_eq!((answer.header("content-range"), answer.header("x-parts-count")), (shown, "2"));
            assert_eq!((answer.header("content-length"), answer.header("etag")), ("3", ETAG));
        }
    }
    let beyond = session.get("/box/large?part-number=3").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */6"));
    let beyond = session.head("/box/large?part-number=3").await;
    assert_eq!((beyond.status, beyond.header("content-length")), (416, "0"));
    for bad in ["0", "-1", "x", ""] {
        assert_eq!(session.get(&format!("/box/large?part-number={bad}")).await.status, 400, "{bad}");
    }
    let ranged = session.send("GET", "/box/large?part-number=1", &[("Range", "bytes=0-1")], b"").await;
    assert_eq!(ranged.status, 400);
    assert_eq!(session.get("/seg/a?part-number=1").await.text(), "abc");
}

#[tokio::test]
async fn bytes_may_stand_in_the_list() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let list = r#"[{"data": "MTIz"}, {"path": "/seg/a"}, {"data": "NDU="}]"#;
    assert_eq!(make(&session, "/box/large", list).await.status, 201);
    assert_eq!(session.get("/box/large").await.text(), "123abc45");
    let part = session.send("GET", "/box/large", &[("Range", "bytes=2-6")], b"").await;
    assert_eq!(part.text(), "3abc4");
}

#[tokio::test]
async fn lists_may_name_large_objects() {
    let server = Server::start().await;
    let session = made(&server).await;
    assert_eq!(session.send("PUT", "/box/dynamic", &[("X-Object-Manifest", "seg/a")], b"").await.status, 201);
    let list =
        r#"[{"path": "/box/large", "range": "2-4"}, {"path": "/box/dynamic"}, {"path": "/box/large"}]"#;
    assert_eq!(make(&session, "/box/outer", list).await.status, 201);
    assert_eq!(session.get("/box/outer").await.text(), "cefabcabcefg");
    let part = session.send("GET", "/box/outer", &[("Range", "bytes=1-4")], b"").await;
    assert_eq!(part.text(), "efab");
    let list: Value =
        serde_json::from_slice(&session.get("/box/outer?multipart-manifest=get").await.body).unwrap();
    assert_eq!((&list[0]["sub_slo"], &list[1]["sub_slo"]), (&true.into(), &Value::Null));
}

#[tokio::test]
async fn lists_are_nested_ten_deep_and_no_deeper() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(make(&session, "/box/1", r#"[{"path": "/seg/a"}]"#).await.status, 201);
    for depth in 2..=11 {
        let list = format!(r#"[{{"path": "/box/{}"}}]"#, depth - 1);
        assert_eq!(make(&session, &format!("/box/{depth}"), &list).await.status, 201);
    }
    assert_eq!(session.get("/box/10").await.text(), "abc");
    assert_eq!(session.get("/box/11").await.status, 409);
}

#[tokio::test]
async fn a_list_is_held_to_what_is_there() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let list = r#"[{"path": "/seg/none"}, {"path": "/none/a"}, {"path": "/seg/a", "etag": "x", "size_bytes": 4},
        {"path": "/seg/empty"}, {"path": "/seg/a", "range": "3-"}, {"path": "/seg/a", "etag": null, "size_bytes": "3"}]"#;
    let text = make(&session, "/box/large", list).await;
    assert_eq!(text.status, 400);
    assert_eq!(
        text.text(),
        "Errors:\n/seg/none, 404 Not Found\n/none/a, 404 Not Found\n/seg/a, Size Mismatch\n/seg/a, Etag Mismatch\n\
         /seg/empty, Too small; each segment must be at least 1 byte.\n/seg/a, Unsatisfiable Range\n"
    );
    let accept = [("Accept", "application/json")];
    let json = session.send("PUT", "/box/large?multipart-manifest=put", &accept, list.as_bytes()).await;
    let report: Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(report["Errors"][0], serde_json::json!(["/seg/none", "404 Not Found"]));
    let unread = make(&session, "/box/large", r#"[{"path": 1}]"#).await;
    assert_eq!((unread.status, unread.text()), (400, "Index 0: \"path\" must be a string\n"));
    assert_eq!(session.head("/box/large").await.status, 404);
}

#[tokio::test]
async fn an_empty_segment_may_be_the_last() {
    let server = Server::start().await;
    let session = stored(&server).await;
    assert_eq!(
        make(&session, "/box/large", r#"[{"path": "/seg/a"}, {"path": "/seg/empty"}]"#).await.status,
        201
    );
    assert_eq!(session.get("/box/large").await.text(), "abc");
}

#[tokio::test]
async fn too_much_is_413() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let many = |count: usize| format!("[{}]", vec![r#"{"path": "/seg/a"}"#; count].join(","));
    assert_eq!(make(&session, "/box/large", &many(1000)).await.status, 201);
    assert_eq!(session.get("/box/large").await.body, "abc".repeat(1000).into_bytes());
    let answer = make(&session, "/box/more", &many(1001)).await;
    assert_eq!((answer.status, answer.text()), (413, "Number of object-backed segments must be <= 1000"));
    let long = [("Content-Length", "8388609")];
    let answer = session.send("PUT", "/box/more?multipart-manifest=put", &long, b"").await;
    assert_eq!((answer.status, answer.text()), (413, "Manifest File > 8388608 bytes"));
}

#[tokio::test]
async fn the_etag_of_the_whole_may_be_demanded() {
    let server = Server::start().await;
    let session = made(&server).await;
    let list = br#"[{"path": "/seg/a"}, {"path": "seg/b", "range": "1-3"}]"#;
    let put = async |etag: &str| {
        session.send("PUT", "/box/other?multipart-manifest=put", &[("ETag", etag)], list).await.status
    };
    assert_eq!(put("900150983cd24fb0d6963f7d28e17f72").await, 422);
    assert_eq!(session.head("/box/other").await.status, 404);
    assert_eq!(put(ETAG).await, 201);
    let exists = [("If-None-Match", "*")];
    assert_eq!(session.send("PUT", "/box/other?multipart-manifest=put", &exists, list).await.status, 412);
}

/// Small ones, of which several are opened ahead, large ones, lists within the list, and bytes in the list itself.
#[tokio::test]
async fn segments_of_all_sizes_come_in_their_order() {
    let server = Server::start().await;
    let session = made(&server).await;
    let sizes = [1, 70_000, 5, 300_000, 200_000, 200_000, 200_000, 1_200_000, 2, 3, 4, 5, 6, 7, 600_000, 8];
    let (mut list, mut whole) = (Vec::new(), Vec::new());
    for (number, size) in sizes.into_iter().enumerate() {
        let body: Vec<u8> = (0..size).map(|at| u8::try_from((at * 31 + number * 7) % 251).unwrap()).collect();
        session.put(&format!("/seg/{number}"), &body).await;
        list.push(serde_json::json!({ "path": format!("/seg/{number}") }));
        whole.extend_from_slice(&body);
        if number % 3 == 0 {
            list.push(serde_json::json!({ "path": "/box/large" }));
            list.push(serde_json::json!({ "data": "bWFydGxldA==" }));
            whole.extend_from_slice(b"abcefgmartlet");
        }
    }
    list.push(serde_json::json!({ "path": "/seg/a" }));
    whole.extend_from_slice(b"abc");
    let answer = make(&session, "/box/mixed", &Value::from(list).to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(session.get("/box/mixed").await.body == whole);
    for (first, last) in [(0, 0), (69_990, 70_100), (370_000, 1_000_000), (2_170_000, whole.len() - 1)] {
        let range = format!("bytes={first}-{last}");
        let part = session.send("GET", "/box/mixed", &[("Range", range.as_str())], b"").await;
        assert!(part.status == 206 && part.body == whole[first..=last], "{range}: {}", part.status);
    }
}

#[tokio::test]
async fn a_segment_that_is_not_what_it_was_is_409() {
    let server = Server::start().await;
    let session = made(&server).await;
    session.put("/seg/a", b"xyz").await;
    assert_eq!(session.get("/box/large").await.status, 409);
    assert_eq!(session.head("/box/large").await.status, 200);
    let rest = session.send("GET", "/box/large", &[("Range", "bytes=3-")], b"").await;
    assert_eq!((rest.status, rest.text()), (206, "efg"));
    session.put("/seg/a", b"abc").await;
    assert_eq!(session.get("/box/large").await.text(), "abcefg");
    session.delete("/seg/a").await;
    assert_eq!(session.get("/box/large").await.status, 409);
}

#[tokio::test]
async fn a_client_never_takes_the_beginning_for_the_whole() {
    let server = Server::start().await;
    let session = made(&server).await;
    session.delete("/seg/b").await;
    let request = format!(
        "GET {}/box/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {}\r\n\r\n",
        session.root, session.token
    );
    let received = crate::harness::received(session.address, request.as_bytes()).await;
    let received = String::from_utf8_lossy(&received);
    // What was ready when the connection broke may have got through.
    assert!(received.is_empty() || received.starts_with("HTTP/1.1 200"), "{received}");
    let body = received.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    assert!("abc".starts_with(body), "{received}");
}

#[tokio::test]
async fn a_post_changes_what_is_said_and_nothing_else() {
    let server = Server::start().await;
    let session = made(&server).await;
    let said = [("X-Object-Meta-A", "1"), ("Content-Type", "text/x")];
    assert_eq!(session.send("POST", "/box/large", &said, b"").await.status, 202);
    let get = session.get("/box/large").await;
    assert_eq!((get.text(), get.header("x-object-meta-a")), ("abcefg", "1"));
    assert_eq!((get.header("content-type"), get.header("x-static-large-object")), ("text/x", "True"));
    let said = [("X-Object-Meta-A", "2")];
    assert_eq!(session.send("POST", "/box/large?multipart-manifest=get", &said, b"").await.status, 202);
    assert_eq!(session.get("/box/large").await.header("x-object-meta-a"), "2");
    let reserved = session.send("PUT", "/box/x", &[("X-Static-Large-Object", "True")], b"").await;
    assert_eq!(reserved.status, 400);
}

#[tokio::test]
async fn signs_of_life_come_before_the_report() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let path = "/box/large?multipart-manifest=put&heartbeat=on";
    let accept = [("Accept", "application/json")];
    let good = session.send("PUT", path, &accept, br#"[{"path": "/seg/a"}]"#).await;
    assert_eq!((good.status, good.header("content-type")), (202, "application/json; charset=utf-8"));
    assert!(good.text().starts_with(" \r\n\r\n{"), "{}", good.text());
    let report: Value = serde_json::from_slice(&good.body).unwrap();
    assert_eq!(
        (&report["Response Status"], &report["Errors"]),
        (&"201 Created".into(), &serde_json::json!([]))
    );
    let etag = session.head("/box/large").await.header("etag").to_owned();
    assert_eq!(report["Etag"], etag);
    let bad = session.send("PUT", path, &accept, br#"[{"path": "/seg/none"}]"#).await;
    let report: Value = serde_json::from_slice(&bad.body).unwrap();
    assert_eq!((bad.status, &report["Response Status"]), (202, &"400 Bad Request".into()));
    assert_eq!(report["Errors"], serde_json::json!([["/seg/none", "404 Not Found"]]));
    assert_eq!(session.send("PUT", path, &accept, b"{}").await.status, 400);
}

#[tokio::test]
async fn a_plain_delete_leaves_the_segments() {
    let server = Server::start().await;
    let session = made(&server).await;
    assert_eq!(session.delete("/box/large").await.status, 204);
    assert_eq!(session.get("/seg/a").await.text(), "abc");
}

#[tokio::test]
async fn a_large_object_is_removed_with_all_that_it_is_made_of() {
    let server = Server::start().await;
    let session = made(&server).await;
    session.put("/seg/c", b"c").await;
    let list = r#"[{"path": "/box/large"}, {"path": "/seg/c"}, {"data": "YQ=="}]"#;
    assert_eq!(make(&session, "/box/outer", list).await.status, 201);
    let accept = [("Accept", "application/json")];
    let answer = session.send("DELETE", "/box/outer?multipart-manifest=delete", &accept, b"").await;
    let report: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &report["Response Status"]), (200, &"200 OK".into()));
    assert_eq!((&report["Number Deleted"], &report["Number Not Found"]), (&5.into(), &0.into()));
    assert_eq!(session.get("/box").await.status, 204);
    assert_eq!(session.get("/seg").await.text(), "empty\n");
}

#[tokio::test]
async fn what_has_no_list_is_not_removed_with_its_segments() {
    let server = Server::start().await;
    let session = made(&server).await;
    let plain = session.send("DELETE", "/seg/a?multipart-manifest=delete", &[], b"").await;
    let expected = "Number Deleted: 0\nNumber Not Found: 0\nResponse Body: \nResponse Status: 400 Bad Request\n\
                    Errors:\n/seg/a, Not an SLO manifest\n";
    assert_eq!((plain.status, plain.text()), (200, expected));
    assert_eq!(session.get("/seg/a").await.text(), "abc");
    let missing = session.send("DELETE", "/box/none?multipart-manifest=delete", &[], b"").await;
    assert!(missing.text().starts_with("Number Deleted: 0\nNumber Not Found: 1\n"), "{}", missing.text());
    assert!(missing.text().contains("Response Status: 200 OK"));
}

#[tokio::test]
async fn lists_that_name_each_other_come_to_an_end() {
    let server = Server::start().await;
    let session = made(&server).await;
    assert_eq!(make(&session, "/box/a", r#"[{"path": "/box/large"}]"#).await.status, 201);
    assert_eq!(make(&session, "/box/b", r#"[{"path": "/box/a"}]"#).await.status, 201);
    assert_eq!(make(&session, "/box/a", r#"[{"path": "/box/b"}]"#).await.status, 201);
    assert_eq!(session.get("/box/a").await.status, 409);
    let answer = session.send("DELETE", "/box/a?multipart-manifest=delete", &[], b"").await;
    assert!(answer.text().starts_with("Number Deleted: 2\n"), "{}", answer.text());
}

#[tokio::test]
async fn segments_are_read_with_the_rights_of_the_reader() {
    let server = Server::start().await;
    let session = made(&server).await;
    let other = server.login_as("other").await;
    let headers = [("X-Auth-Token", other.token.as_str())];
    let answer = server.send("GET", &format!("{}/box/large", session.root), &headers, b"").await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn who_may_read_the_manifest_alone_reads_no_segment() {
    let server = Server::start().await;
    let session = made(&server).await;
    assert_eq!(session.send("PUT", "/box/dynamic", &[("X-Object-Manifest", "seg/a")], b"").await.status, 201);
    let open_to_all = async |path: &str, grant: &str| {
        assert_eq!(session.send("POST", path, &[("X-Container-Read", grant)], b"").await.status, 204);
    };
    let read = async |path: &str| {
        let answer = server.send("GET", &format!("{}{path}", session.root), &[], b"").await;
        (answer.status, answer.text().to_owned())
    };
    open_to_all("/box", ".r:*").await;
    assert_eq!(read("/box/large").await.0, 409);
    assert_eq!(read("/box/dynamic").await.0, 401);
    open_to_all("/seg", ".r:*").await;
    assert_eq!(read("/box/large").await, (200, "abcefg".to_owned()));
    assert_eq!(read("/box/dynamic").await.0, 401, "its segments have to be listed");
    open_to_all("/seg", ".r:*,.rlistings").await;
    assert_eq!(read("/box/dynamic").await, (200, "abc".to_owned()));
}

#[tokio::test]
async fn a_large_object_may_end_by_itself() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let after = [("X-Delete-After", "60")];
    let list = br#"[{"path": "/seg/a"}]"#;
    assert_eq!(session.send("PUT", "/box/large?multipart-manifest=put", &after, list).await.status, 201);
    assert_eq!(session.get("/box/large").await.text(), "abc");
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(session.get("/box/large").await.status, 404);
}

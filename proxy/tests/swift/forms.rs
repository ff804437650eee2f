//! Forms with which browsers store files.

use std::fmt::Write as _;

use crate::harness::{Answer, Server, Session};
use crate::temp_urls::sha256_of;

const KEY: &str = "sesame";
const PATH: &str = "/v1/AUTH_test/box/pre-";

async fn begin() -> (Server, Session) {
    let server = Server::start().await;
    let owner = server.login().await;
    owner.put("/box", b"").await;
    owner.send("POST", "/box", &[("X-Container-Meta-Temp-URL-Key", KEY)], b"").await;
    (server, owner)
}

/// Fields, with the signature of what they say.
fn signed(path: &str, fields: &[(&'static str, &'static str)]) -> Vec<(&'static str, String)> {
    let value = |name: &str| fields.iter().find(|(given, _)| *given == name).map_or("", |(_, value)| *value);
    let or_zero = |text: &'static str| if text.is_empty() { "0" } else { text };
    let message = format!(
        "{path}\n{}\n{}\n{}\n{}",
        value("redirect"),
        or_zero(value("max_file_size")),
        or_zero(value("max_file_count")),
        or_zero(value("expires"))
    );
    let mut all: Vec<_> = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    all.push(("signature", sha256_of(KEY, &message)));
    all
}

fn good(path: &str) -> Vec<(&'static str, String)> {
    signed(path, &[("max_file_size", "10"), ("max_file_count", "2"), ("expires", "2000000000")])
}

async fn post(server: &Server, path: &str, fields: &[(&str, String)], files: &[(&str, &str)]) -> Answer {
    let mut body = String::new();
    for (name, value) in fields {
        let _infallible =
            write!(body, "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    for (filename, content) in files {
        let _infallible = write!(
            body,
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
             Content-Type: text/plain\r\n\r\n{content}\r\n"
        );
    }
    body.push_str("--x--\r\n");
    let headers = [("Content-Type", "multipart/form-data; boundary=x")];
    server.send("POST", path, &headers, body.as_bytes()).await
}

#[tokio::test]
async fn every_file_becomes_an_object_below_the_prefix() {
    let (server, owner) = begin().await;
    let stored = post(&server, PATH, &good(PATH), &[("a", "one"), ("b c", "two")]).await;
    assert_eq!((stored.status, stored.text()), (201, "201 Created"));
    let first = owner.get("/box/pre-a").await;
    assert_eq!((first.text(), first.header("content-type")), ("one", "text/plain"));
    assert_eq!(owner.get("/box/pre-b%20c").await.text(), "two");
    for (path, key) in
        [("/v1/AUTH_test/box", "k"), ("/v1/AUTH_test/box/", "k"), ("/v1/AUTH_test/box/d/", "d/k")]
    {
        assert_eq!(post(&server, path, &good(path), &[("k", "x")]).await.status, 201, "{path}");
        assert_eq!(owner.delete(&format!("/box/{key}")).await.status, 204, "{path}");
    }
}

#[tokio::test]
async fn the_forms_own_words_about_its_files_count() {
    let (server, owner) = begin().await;
    let mut fields = good(PATH);
    fields.push(("content-type", "text/html".to_owned()));
    fields.push(("content-encoding", "gzip".to_owned()));
    assert_eq!(post(&server, PATH, &fields, &[("a", "one")]).await.status, 201);
    let head = owner.head("/box/pre-a").await;
    assert_eq!((head.header("content-type"), head.header("content-encoding")), ("text/html", "gzip"));
}

#[tokio::test]
async fn a_form_may_say_when_its_files_end() {
    let (server, owner) = begin().await;
    let with = |name, value: &str| {
        let mut fields = good(PATH);
        fields.push((name, value.to_owned()));
        fields
    };
    assert_eq!(post(&server, PATH, &with("x_delete_at", "1767225700"), &[("at", "x")]).await.status, 201);
    assert_eq!(post(&server, PATH, &with("x_delete_after", " 60 "), &[("after", "x")]).await.status, 201);
    assert_eq!(owner.head("/box/pre-at").await.header("x-delete-at"), "1767225700");
    assert_eq!(owner.head("/box/pre-after").await.header("x-delete-at"), "1767225660");
    for (name, value, words) in [
        ("x_delete_at", "1767225600", "X-Delete-At in past"),
        ("x_delete_at", "soon", "Non-integer X-Delete-At"),
        ("x_delete_after", "1.5", "Non-integer X-Delete-After"),
    ] {
        let refused = post(&server, PATH, &with(name, value), &[("none", "x")]).await;
        assert_eq!((refused.status, refused.text()), (400, words), "{name} {value}");
    }
    assert_eq!(owner.get("/box").await.text(), "pre-after\npre-at\n");
}

#[tokio::test]
async fn a_form_that_names_a_page_leads_there_with_the_outcome() {
    let (server, owner) = begin().await;
    let fields = |redirect, count| {
        signed(
            PATH,
            &[
                ("redirect", redirect),
                ("max_file_size", "10"),
                ("max_file_count", count),
                ("expires", "2000000000"),
            ],
        )
    };
    let done = post(&server, PATH, &fields("http://x/page", "1"), &[("a", "one")]).await;
    assert_eq!(done.status, 303);
    assert_eq!(done.header("location"), "http://x/page?status=201&message=");
    assert_eq!(owner.get("/box/pre-a").await.text(), "one");
    let many = post(&server, PATH, &fields("http://x/page?a=b", "1"), &[("b", "1"), ("c", "2")]).await;
    assert_eq!(many.header("location"), "http://x/page?a=b&status=400&message=max%20file%20count%20exceeded");
    assert_eq!((owner.head("/box/pre-b").await.status, owner.head("/box/pre-c").await.status), (200, 404));
    let none = post(&server, PATH, &fields("http://x/page", "1"), &[]).await;
    assert_eq!(none.header("location"), "http://x/page?status=400&message=no%20files%20to%20process");
}

#[tokio::test]
async fn a_form_that_is_not_good_stores_nothing() {
    let (server, owner) = begin().await;
    let changed = |name: &str, value: &str| {
        let mut fields = good(PATH);
        for field in fields.iter_mut().filter(|field| field.0 == name) {
            field.1 = value.to_owned();
        }
        fields
    };
    for (fields, status, words) in [
        (changed("signature", "0"), 401, "FormPost: Invalid Signature"),
        (changed("max_file_size", "11"), 401, "FormPost: Invalid Signature"),
        (changed("expires", "1"), 401, "FormPost: Form Expired"),
        (changed("expires", "soon"), 400, "FormPost: expired not an integer"),
        (changed("max_file_count", "many"), 400, "FormPost: max_file_count not an integer"),
        (changed("max_file_count", "0"), 400, "400 Bad Request\r\nFormPost: Max File Count Exceeded"),
        (Vec::new(), 400, "400 Bad Request\r\nFormPost: Max File Count Exceeded"),
    ] {
        let refused = post(&server, PATH, &fields, &[("a", "one")]).await;
        assert_eq!((refused.status, refused.text()), (status, words), "{fields:?}");
    }
    let long = post(&server, PATH, &good(PATH), &[("a", "12345678901")]).await;
    assert_eq!((long.status, long.text()), (400, "FormPost: max_file_size exceeded"));
    let elsewhere = post(&server, "/v1/AUTH_test/box/other", &good(PATH), &[("a", "one")]).await;
    assert_eq!(elsewhere.status, 401);
    assert_eq!(owner.get("/box").await.status, 204);
}

#[tokio::test]
async fn a_form_for_no_container_is_refused() {
    let (server, owner) = begin().await;
    owner.send("POST", "", &[("X-Account-Meta-Temp-URL-Key", KEY)], b"").await;
    let path = "/v1/AUTH_test/none/x";
    let refused = post(&server, path, &good(path), &[("a", "one")]).await;
    assert_eq!(refused.status, 403);
}

#[tokio::test]
async fn a_form_that_breaks_off_stores_nothing() {
    let (server, owner) = begin().await;
    let mut body = String::new();
    for (name, value) in good(PATH) {
        let _infallible =
            write!(body, "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body.push_str("--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\none");
    let headers = [("Content-Type", "multipart/form-data; boundary=x")];
    let refused = server.send("POST", PATH, &headers, body.as_bytes()).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(owner.get("/box").await.status, 204);
}

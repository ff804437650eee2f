//! Pages of other origins.

use crate::harness::{Answer, Server, Session};

const PAGE: &str = "http://page.example";

async fn begin(allowed: &str) -> (Server, Session) {
    let server = Server::start().await;
    let owner = server.login().await;
    let rules = [
        ("X-Container-Meta-Access-Control-Allow-Origin", allowed),
        ("X-Container-Meta-Access-Control-Max-Age", "60"),
        ("X-Container-Meta-Access-Control-Expose-Headers", "X-Own Content-Length"),
        ("X-Container-Read", ".r:*"),
    ];
    assert_eq!(owner.send("PUT", "/box", &rules, b"").await.status, 201);
    assert_eq!(
        owner.send("PUT", "/box/key", &[("X-Object-Meta-Color", "red")], b"martlet").await.status,
        201
    );
    (server, owner)
}

async fn ask(server: &Server, headers: &[(&str, &str)]) -> Answer {
    server.send("OPTIONS", "/v1/AUTH_test/box/key", headers, b"").await
}

#[tokio::test]
async fn a_page_asks_before_it_sends_a_request() {
    let (server, _) = begin(PAGE).await;
    let asked = [
        ("Origin", PAGE),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "X-Auth-Token, X-Object-Meta-A"),
    ];
    let allowed = ask(&server, &asked).await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), PAGE);
    assert_eq!(allowed.header("access-control-allow-methods"), "COPY, DELETE, GET, HEAD, OPTIONS, POST, PUT");
    assert_eq!(allowed.header("access-control-allow-headers"), "X-Auth-Token, X-Object-Meta-A");
    assert_eq!(allowed.header("access-control-max-age"), "60");
    assert_eq!(allowed.header("vary"), "Origin, Access-Control-Request-Headers");
    assert_eq!(allowed.find("access-control-expose-headers"), None);
    for refused in [
        &[("Origin", PAGE)][..],
        &[("Origin", PAGE), ("Access-Control-Request-Method", "PATCH")],
        &[("Origin", "http://other.example"), ("Access-Control-Request-Method", "PUT")],
    ] {
        let answer = ask(&server, refused).await;
        assert_eq!(answer.status, 401, "{refused:?}");
        assert_eq!(answer.find("access-control-allow-origin"), None);
    }
    let missing = server.send("OPTIONS", "/v1/AUTH_test/none", &asked, b"").await;
    assert_eq!(missing.status, 401);
}

#[tokio::test]
async fn without_a_page_the_methods_are_told() {
    let (server, _) = begin(PAGE).await;
    let told = ask(&server, &[]).await;
    assert_eq!((told.status, told.header("allow")), (200, "COPY, DELETE, GET, HEAD, OPTIONS, POST, PUT"));
    for path in ["/v1/AUTH_test", "/info", "/healthcheck"] {
        assert_eq!(server.send("OPTIONS", path, &[("Origin", PAGE)], b"").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_answer_is_shown_to_the_pages_that_are_let_in() {
    let (server, _) = begin("http://a http://page.example").await;
    let get = async |path: &str, origin: &str| server.send("GET", path, &[("Origin", origin)], b"").await;
    let shown = get("/v1/AUTH_test/box/key", PAGE).await;
    assert_eq!((shown.status, shown.header("access-control-allow-origin")), (200, PAGE));
    assert_eq!(shown.header("vary"), "Origin");
    let exposed: Vec<_> = shown.header("access-control-expose-headers").split(", ").collect();
    for name in ["x-object-meta-color", "x-own", "content-length", "etag", "x-trans-id"] {
        assert!(exposed.contains(&name), "{name}: {exposed:?}");
    }
    let hidden = get("/v1/AUTH_test/box/key", "http://other.example").await;
    assert_eq!((hidden.status, hidden.find("access-control-allow-origin")), (200, None));
    let refused = get("/v1/AUTH_test/box/none", PAGE).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (404, PAGE));
}

#[tokio::test]
async fn a_container_may_be_open_to_all_pages() {
    let (server, _) = begin("*").await;
    let shown = server.send("GET", "/v1/AUTH_test/box/key", &[("Origin", PAGE)], b"").await;
    assert_eq!((shown.header("access-control-allow-origin"), shown.find("vary")), ("*", None));
}

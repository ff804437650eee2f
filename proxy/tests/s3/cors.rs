//! Pages of other origins.

use crate::harness::{Answer, Server};

const RULES: &str = "<CORSConfiguration>\
    <CORSRule><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod>\
    <AllowedOrigin>http://*.page</AllowedOrigin><AllowedHeader>x-amz-*</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>\
    <CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>\
    </CORSConfiguration>";
const VARIES: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

async fn with_rules() -> Server {
    let server = Server::with_box().await;
    server.put("/box/key", "martlet").await.expect(200);
    server.put("/box?cors", RULES).await.expect(200);
    server
}

async fn preflight(server: &Server, target: &str, headers: &[(&str, &str)]) -> Answer {
    let call = server.call("OPTIONS", target).anonymous();
    headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
}

#[tokio::test]
async fn a_browser_is_told_what_a_page_may_send() {
    let server = with_rules().await;
    let asked = [
        ("origin", "http://a.page"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "X-Amz-Date, x-amz-content-sha256"),
    ];
    for target in ["/box/key", "/box", "/box/other?X-Amz-Signature=00&made-up", "/box?cors"] {
        let told = preflight(&server, target, &asked).await.expect(200);
        assert_eq!(told.header("access-control-allow-origin"), Some("http://a.page"));
        assert_eq!(told.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(told.header("access-control-allow-methods"), Some("GET, HEAD"));
        assert_eq!(told.header("access-control-allow-headers"), Some("x-amz-date, x-amz-content-sha256"));
        assert_eq!(told.header("access-control-expose-headers"), Some("ETag"));
        assert_eq!(told.header("access-control-max-age"), Some("60"));
        assert_eq!(told.header("vary"), Some(VARIES));
    }
    let any = [("origin", "https://b"), ("access-control-request-method", "PUT")];
    let told = preflight(&server, "/box/key", &any).await.expect(200);
    assert_eq!(told.header("access-control-allow-origin"), Some("*"));
    assert_eq!(told.header("access-control-allow-credentials"), None);
    let by_host = server.call("OPTIONS", "/key").host("box.s3.test").anonymous();
    let by_host = by_host.header("origin", "https://b").header("access-control-request-method", "PUT");
    by_host.send().await.expect(200);
}

#[tokio::test]
async fn what_no_rule_allows_a_browser_is_refused() {
    let server = with_rules().await;
    let origin = ("origin", "http://a.page");
    let method = ("access-control-request-method", "GET");
    preflight(&server, "/box/key", &[]).await.refused(400, "BadRequest");
    preflight(&server, "/box/key", &[method]).await.refused(400, "BadRequest");
    preflight(&server, "/box/key", &[origin]).await.refused(400, "BadRequest");
    let patch = ("access-control-request-method", "PATCH");
    preflight(&server, "/box/key", &[origin, patch]).await.refused(400, "BadRequest");
    for asked in [
        [("origin", "http://page"), method, ("x", "")],
        [origin, ("access-control-request-method", "DELETE"), ("x", "")],
        [origin, method, ("access-control-request-headers", "content-type")],
    ] {
        let refused = preflight(&server, "/box/key", &asked).await.refused(403, "AccessForbidden");
        assert_eq!(refused.header("access-control-allow-origin"), None);
    }
    preflight(&server, "/nobox/key", &[origin, method]).await.refused(404, "NoSuchBucket");
    preflight(&server, "/", &[origin, method]).await.refused(403, "AccessForbidden");
    server.call("DELETE", "/box?cors").send().await.expect(204);
    preflight(&server, "/box/key", &[origin, method]).await.refused(403, "AccessForbidden");
}

#[tokio::test]
async fn a_page_sees_answers_and_errors_that_a_rule_opens_to_it() {
    let server = with_rules().await;
    let get = |target: &str| server.call("GET", target).header("origin", "http://a.page");
    for (answer, status) in [
        (get("/box/key").send().await, 200),
        (get("/box/none").send().await, 404),
        (get("/box/key").anonymous().send().await, 403),
        (get("/box/key").secret("wrong").send().await, 403),
        (get("/box?made-up").send().await, 501),
        (get("/box/key").presigned(60).send().await, 200),
        (server.call("HEAD", "/box/key").header("origin", "http://a.page").send().await, 200),
    ] {
        let answer = answer.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://a.page"));
        assert_eq!(answer.header("access-control-expose-headers"), Some("ETag"));
        assert_eq!(answer.header("vary"), Some(VARIES));
    }
    let put = server.call("PUT", "/box/new").header("origin", "null").send().await.expect(200);
    assert_eq!(put.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_page_sees_nothing_that_no_rule_opens_to_it() {
    let server = with_rules().await;
    let get = server.call("GET", "/box/key").header("origin", "http://other").send().await.expect(200);
    assert_eq!(get.header("access-control-allow-origin"), None);
    assert_eq!(get.header("vary"), Some(VARIES), "caches must not show this answer to other pages");
    let delete = server.call("DELETE", "/box/key").header("origin", "http://a.page").send().await.expect(204);
    assert_eq!(delete.header("access-control-allow-origin"), None);
    let plain = server.get("/box").await.expect(200);
    assert_eq!(plain.header("vary"), None);
}

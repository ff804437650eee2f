//! Many removals in one request.

use serde_json::Value;

use crate::harness::{Answer, Server, Session};

async fn stored(server: &Server) -> Session {
    let session = server.login().await;
    session.put("/box", b"").await;
    session.put("/gone", b"").await;
    for key in ["a", "b", "dir/c", "%C3%BC%20%25"] {
        session.put(&format!("/box/{key}"), b"x").await;
    }
    session
}

async fn remove(session: &Session, method: &str, names: &str) -> Value {
    let headers = [("Content-Type", "text/plain"), ("Accept", "application/json")];
    let answer = session.send(method, "?bulk-delete", &headers, names.as_bytes()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json; charset=utf-8"));
    serde_json::from_slice(&answer.body).expect("a report")
}

#[track_caller]
fn check(report: &Value, status: &str, deleted: u64, not_found: u64, errors: &Value) {
    assert_eq!(report["Response Status"], status, "{report}");
    assert_eq!(
        (&report["Number Deleted"], &report["Number Not Found"]),
        (&deleted.into(), &not_found.into())
    );
    assert_eq!(report["Errors"], *errors);
}

#[tokio::test]
async fn names_are_removed_with_both_methods() {
    for method in ["POST", "DELETE"] {
        let server = Server::start().await;
        let session = stored(&server).await;
        let report = remove(&session, method, "/box/a\nbox/dir/c\r\n\n/box/none\n/none/x\n").await;
        check(&report, "200 OK", 2, 2, &serde_json::json!([]));
        assert_eq!(session.get("/box").await.text(), "b\nü %\n");
    }
}

#[tokio::test]
async fn names_are_decoded() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let report = remove(&session, "POST", "/box/%C3%BC%20%25").await;
    check(&report, "200 OK", 1, 0, &serde_json::json!([]));
    assert_eq!(session.get("/box").await.text(), "a\nb\ndir/c\n");
    let report = remove(&session, "POST", "/box/%ff\n/box/a%00").await;
    let errors = serde_json::json!([
        ["/box/%EF%BF%BD", "412 Precondition Failed"],
        ["/box/a%00", "412 Precondition Failed"],
    ]);
    check(&report, "400 Bad Request", 0, 0, &errors);
}

#[tokio::test]
async fn containers_go_after_what_is_in_them() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let report = remove(&session, "POST", "box\n/gone/\n").await;
    check(&report, "400 Bad Request", 1, 0, &serde_json::json!([["box", "409 Conflict"]]));
    assert_eq!(session.head("/gone").await.status, 404);
    let report = remove(&session, "POST", "/box\n/box/a\n/box/b\n/box/dir/c\n/box/%C3%BC%20%25\n").await;
    check(&report, "200 OK", 5, 0, &serde_json::json!([]));
    assert_eq!(session.head("/box").await.status, 404);
}

#[tokio::test]
async fn nothing_at_all_is_no_request() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let report = remove(&session, "POST", "\n \n").await;
    check(&report, "400 Bad Request", 0, 0, &serde_json::json!([]));
    assert_eq!(report["Response Body"], "Invalid bulk delete.");
}

#[tokio::test]
async fn a_report_comes_in_the_format_that_is_asked_for() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let ask =
        async |accept: &str| session.send("POST", "?bulk-delete", &[("Accept", accept)], b"/box/none").await;
    let plain = ask("text/plain").await;
    let expected =
        "Number Deleted: 0\nNumber Not Found: 1\nResponse Body: \nResponse Status: 200 OK\nErrors:\n";
    assert_eq!((plain.text(), plain.header("content-type")), (expected, "text/plain; charset=utf-8"));
    let xml = ask("application/xml").await;
    assert!(xml.text().starts_with("<delete>\n<number_deleted>0</number_deleted>\n"), "{}", xml.text());
    let none = ask("image/png").await;
    assert_eq!(none.status, 200);
    assert!(none.text().contains("Response Status: 406 Not Acceptable"), "{}", none.text());
}

fn says(answer: &Answer, words: &str) -> bool {
    answer.status == 200 && answer.text().contains(words)
}

#[tokio::test]
async fn what_is_wrong_with_a_request_stands_in_its_report() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let ask = async |headers: &[(&str, &str)], body: &[u8]| {
        session.send("POST", "?bulk-delete", headers, body).await
    };
    assert!(says(&ask(&[("Content-Type", "text/xml")], b"/box/a").await, "406 Not Acceptable"));
    assert!(says(&ask(&[], b"").await, "411 Length Required"));
    assert!(says(&ask(&[], "x".repeat(5000).as_bytes()).await, "Invalid File Name"));
    let many = "/box/a\n".repeat(10_001);
    assert!(says(&ask(&[], many.as_bytes()).await, "Maximum Bulk Deletes: 10000 per request"));
    assert_eq!(session.get("/box/a").await.status, 200);
    let chunked = [("Transfer-Encoding", "chunked")];
    assert!(says(&ask(&chunked, b"6\r\n/box/a\r\n0\r\n\r\n").await, "Number Deleted: 1"));
}

#[tokio::test]
async fn nothing_is_removed_that_the_caller_may_not_remove() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let path = format!("{}?bulk-delete", session.root);
    let nobody = server.send("POST", &path, &[], b"/box/a\n/box/b").await;
    assert!(says(&nobody, "Response Status: 401 Unauthorized"), "{}", nobody.text());
    let other = server.login_as("other").await;
    let stranger = server.send("POST", &path, &[("X-Auth-Token", &other.token)], b"/box/a\n/box/b").await;
    assert!(says(&stranger, "/box/a, 403 Forbidden"), "{}", stranger.text());
    assert!(says(&stranger, "Response Status: 400 Bad Request"), "{}", stranger.text());
    assert_eq!(session.get("/box/a").await.status, 200);
}

#[tokio::test]
async fn a_thousand_failures_are_enough() {
    let server = Server::start().await;
    let session = stored(&server).await;
    let names = "/box/%ff\n".repeat(999) + "box\n" + "/box/a\n";
    let report = remove(&session, "POST", &names).await;
    assert_eq!(report["Response Body"], "Max delete failures exceeded", "{}", report["Response Status"]);
    assert_eq!(report["Errors"].as_array().unwrap().len(), 1000);
}

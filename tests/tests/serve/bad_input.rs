//! Bad input: a clear error, nothing stored, the old version untouched, nothing left over, the process lives.

use martlet_tests::raw;
use martlet_tests::server::Server;
use martlet_tests::swift::{Reply, Session};

use crate::blob_files;
use crate::work::Work;

struct Target {
    work: Work,
    server: Server,
    session: Session,
}

/// A server with one object, which no bad request may change.
fn target() -> Target {
    let work = Work::new();
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    assert_eq!(session.put("box", b"").status(), 201);
    assert_eq!(session.put("box/old", b"untouched").status(), 201);
    Target { work, server, session }
}

impl Target {
    fn request(&self, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let token = self.session.token();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\nConnection: close\r\n{headers}\r\n"
        );
        [head.as_bytes(), body].concat()
    }

    #[track_caller]
    fn check(&self, line: &str, headers: &str, body: &[u8], expected: u16) {
        let answer = raw::send(&self.server, &self.request(line, headers, body));
        assert_eq!(answer.status, expected, "{line} {headers:?}: {answer:?}");
        self.check_untouched();
    }

    #[track_caller]
    fn check_untouched(&self) {
        assert_eq!(self.session.get("box"), Reply::Answer { status: 200, body: b"old\n".to_vec() });
        let expected = Reply::Answer { status: 200, body: b"untouched".to_vec() };
        assert_eq!(self.session.get("box/old"), expected);
    }

    fn check_nothing_left(&self) {
        blob_files::check_all_gone(&self.work.data());
    }
}

#[test]
fn names_that_cannot_be_kept_are_refused() {
    let target = target();
    let long = "k".repeat(1025);
    target.check(&format!("PUT /v1/AUTH_main/box/{long}"), "Content-Length: 1\r\n", b"x", 400);
    target.check("PUT /v1/AUTH_main/box/a%00b", "Content-Length: 1\r\n", b"x", 412);
    target.check("PUT /v1/AUTH_main/box/%ff%fe", "Content-Length: 1\r\n", b"x", 412);
}

#[test]
fn a_wrong_md5_stores_nothing() {
    let target = target();
    let etag = "Content-Length: 3\r\nETag: d41d8cd98f00b204e9800998ecf8427e\r\n";
    target.check("PUT /v1/AUTH_main/box/new", etag, b"abc", 422);
    target.check("PUT /v1/AUTH_main/box/old", etag, b"abc", 422);
}

#[test]
fn a_truncated_body_stores_nothing() {
    let target = target();
    for length in [10, 3_000_000] {
        let headers = format!("Content-Length: {length}\r\n");
        let body = vec![b'x'; length - 1];
        for object in ["new", "old"] {
            let request = target.request(&format!("PUT /v1/AUTH_main/box/{object}"), &headers, &body);
            let answer = raw::send_and_end(&target.server, &request);
            assert!(!(200..300).contains(&answer.status), "{answer:?}");
            target.check_untouched();
        }
    }
    target.check_nothing_left();
}

#[test]
fn a_client_that_hangs_up_leaves_nothing_behind() {
    let target = target();
    let body = vec![b'x'; 3_000_000];
    for object in ["new", "old"] {
        let line = format!("PUT /v1/AUTH_main/box/{object}");
        raw::hang_up(&target.server, &target.request(&line, "Content-Length: 9000000\r\n", &body));
    }
    target.check_untouched();
    target.check_nothing_left();
}

#[test]
fn broken_framing_is_refused() {
    let target = target();
    let chunked = "Transfer-Encoding: chunked\r\n";
    target.check("PUT /v1/AUTH_main/box/new", chunked, b"zz\r\nabc\r\n0\r\n\r\n", 400);
    target.check("PUT /v1/AUTH_main/box/new", "", b"", 411);
    let answer = raw::send(&target.server, b"NONSENSE\r\n\r\n");
    assert_eq!(answer.status, 400, "{answer:?}");
    target.check_untouched();
}

#[test]
fn an_oversized_head_is_refused() {
    let target = target();
    let header = format!("X-Object-Meta-Large: {}\r\nContent-Length: 0\r\n", "x".repeat(1 << 20));
    let answer = raw::send(&target.server, &target.request("PUT /v1/AUTH_main/box/new", &header, b""));
    assert!([400, 413, 431].contains(&answer.status), "{answer:?}");
    target.check_untouched();
}

#[test]
fn impossible_ranges_are_refused() {
    let target = target();
    target.check("GET /v1/AUTH_main/box/old", "Range: bytes=9-\r\n", b"", 416);
    target.check("GET /v1/AUTH_main/box/old", "Range: bytes=-0\r\n", b"", 416);
    target.check("GET /v1/AUTH_main/box/old", "Range: bytes=8-7\r\n", b"", 200);
}

#[test]
fn what_is_not_offered_says_so_in_its_dialect() {
    let target = target();
    target.check("PUT /v1/AUTH_main/box/new?extract-archive=rar", "Content-Length: 0\r\n", b"", 400);
    target.check("DELETE /v1/AUTH_main/box/old", "X-If-Delete-At: 1\r\nContent-Length: 0\r\n", b"", 501);
    target.check(
        "POST /v1/AUTH_main/box",
        "X-Container-Sync-To: //a/b/c/d\r\nContent-Length: 0\r\n",
        b"",
        501,
    );
    target.check_untouched();
}

#[test]
fn a_wrong_token_is_refused() {
    let target = target();
    let request = b"GET /v1/AUTH_main/box HTTP/1.1\r\nHost: x\r\nX-Auth-Token: AUTH_tkwrong\r\nConnection: close\r\n\r\n";
    let answer = raw::send(&target.server, request);
    assert_eq!(answer.status, 401);
    assert!(answer.head.to_lowercase().contains("www-authenticate: swift realm="), "{answer:?}");
}

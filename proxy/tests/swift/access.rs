//! Logging in, tokens, and what is open to everybody.

use std::time::Duration;

use crate::harness::Server;

#[tokio::test]
async fn every_form_of_the_login_path_gives_a_token() {
    let server = Server::start().await;
    for path in ["/auth/v1.0", "/auth/v1.0/", "/auth", "/auth/", "/v1.0", "/v1.0/"] {
        for names in [("X-Auth-User", "X-Auth-Key"), ("X-Storage-User", "X-Storage-Pass")] {
            let headers = [(names.0, "test:tester"), (names.1, "testing")];
            let answer = server.send("GET", path, &headers, b"").await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.header("x-auth-token").starts_with("AUTH_tk"));
            assert_eq!(answer.header("x-auth-token"), answer.header("x-storage-token"));
            assert_eq!(answer.header("x-storage-url"), format!("http://{}/v1/AUTH_test", server.address));
            assert_eq!(answer.header("x-auth-token-expires"), "86400");
            assert_eq!(answer.header("content-length"), "0");
        }
    }
}

#[tokio::test]
async fn the_storage_url_follows_the_host_header() {
    let server = Server::start().await;
    let request = "GET /auth/v1.0 HTTP/1.1\r\nHost: store.example:8080\r\nConnection: close\r\n\
                   X-Auth-User: test:tester\r\nX-Auth-Key: testing\r\n\r\n";
    let answer = crate::harness::raw(server.address, request.as_bytes()).await;
    assert_eq!(answer.header("x-storage-url"), "http://store.example:8080/v1/AUTH_test");
}

#[tokio::test]
async fn wrong_credentials_are_401_with_a_challenge() {
    let server = Server::start().await;
    for headers in [
        &[][..],
        &[("X-Auth-User", "test:tester")],
        &[("X-Auth-User", "test:tester"), ("X-Auth-Key", "wrong")],
        &[("X-Auth-User", "test:nobody"), ("X-Auth-Key", "testing")],
        &[("X-Auth-User", "tester"), ("X-Auth-Key", "testing")],
    ] {
        let answer = server.send("GET", "/auth/v1.0", headers, b"").await;
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.header("www-authenticate"), "Swift realm=\"unknown\"");
        assert_eq!(answer.find("x-auth-token"), None);
    }
}

#[tokio::test]
async fn a_token_is_taken_from_both_headers_until_it_expires() {
    let server = Server::start().await;
    let session = server.login().await;
    for name in ["X-Auth-Token", "X-Storage-Token"] {
        let answer = server.send("HEAD", "/v1/AUTH_test", &[(name, &session.token)], b"").await;
        assert_eq!(answer.status, 204, "{name}");
    }
    server.clock.advance(Duration::from_secs(86_399));
    assert_eq!(session.head("").await.status, 204);
    server.clock.advance(Duration::from_secs(1));
    let expired = session.head("").await;
    assert_eq!(expired.status, 401);
    assert_eq!(expired.header("www-authenticate"), "Swift realm=\"AUTH_test\"");
}

#[tokio::test]
async fn a_bad_token_is_401_with_a_challenge() {
    let server = Server::start().await;
    let token = server.login().await.token;
    let last = if token.ends_with('A') { "B" } else { "A" };
    let altered = format!("{}{last}", &token[..token.len() - 1]);
    for token in ["", "AUTH_tk", "nonsense", altered.as_str()] {
        let answer = server.send("GET", "/v1/AUTH_test", &[("X-Auth-Token", token)], b"").await;
        assert_eq!(answer.status, 401, "{token}");
        assert_eq!(answer.header("www-authenticate"), "Swift realm=\"AUTH_test\"");
        assert!(answer.text().contains("<h1>Unauthorized</h1>"));
    }
}

#[tokio::test]
async fn nobody_in_particular_is_asked_who_they_are() {
    let server = Server::start().await;
    let answer = server.send("PUT", "/v1/AUTH_test/box", &[], b"").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), "Swift realm=\"AUTH_test\"");
    assert_eq!(server.login().await.head("/box").await.status, 404);
}

#[tokio::test]
async fn no_account_breaks_out_of_the_challenge() {
    let server = Server::start().await;
    let path = "/v1/AUTH_x%22%0D%0AX-Evil%3A%201%0D%0A%0D%0A%3Cb%3E";
    let answer = server.send("GET", path, &[], b"").await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        "Swift realm=\"AUTH_x%22%0D%0AX-Evil%3A%201%0D%0A%0D%0A%3Cb%3E\""
    );
    assert_eq!(answer.find("x-evil"), None);
}

#[tokio::test]
async fn another_account_is_forbidden_for_every_operation() {
    let server = Server::start().await;
    let owner = server.login().await;
    owner.put("/box", b"").await;
    owner.put("/box/key", b"mine").await;
    let stranger = server.login_as("other").await;
    for (method, path) in [
        ("GET", ""),
        ("HEAD", ""),
        ("POST", ""),
        ("PUT", "/box"),
        ("GET", "/box"),
        ("HEAD", "/box"),
        ("POST", "/box"),
        ("DELETE", "/box"),
        ("PUT", "/box/key"),
        ("GET", "/box/key"),
        ("HEAD", "/box/key"),
        ("POST", "/box/key"),
        ("DELETE", "/box/key"),
        ("GET", "/missing"),
        ("GET", "/box/missing"),
    ] {
        let headers = [("X-Auth-Token", stranger.token.as_str())];
        let answer = server.send(method, &format!("/v1/AUTH_test{path}"), &headers, b"").await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert_eq!(answer.find("www-authenticate"), None);
    }
    assert_eq!(owner.get("/box/key").await.body, b"mine");
}

#[tokio::test]
async fn health_and_capabilities_are_open() {
    let server = Server::start().await;
    let health = server.send("GET", "/healthcheck", &[], b"").await;
    assert_eq!((health.status, health.text()), (200, "OK"));
    for headers in [&[][..], &[("X-Auth-Token", "nonsense")]] {
        let info = server.send("GET", "/info", headers, b"").await;
        assert_eq!(info.status, 200);
        assert!(info.header("content-type").starts_with("application/json"));
        let info: serde_json::Value = serde_json::from_slice(&info.body).unwrap();
        assert_eq!(info["swift"]["max_meta_value_length"], 256);
        assert_eq!(info["swift"]["container_listing_limit"], 10_000);
        assert_eq!(info["swift"]["max_file_size"], 5_368_709_120_u64);
    }
    assert_eq!(server.send("POST", "/info", &[], b"").await.status, 405);
}

#[tokio::test]
async fn capabilities_promise_nothing_that_is_not_offered() {
    let server = Server::start().await;
    let info = server.send("GET", "/info", &[], b"").await;
    let info: serde_json::Value = serde_json::from_slice(&info.body).unwrap();
    let sections: Vec<_> = info.as_object().unwrap().keys().collect();
    let offered = [
        "account_quotas",
        "bulk_delete",
        "bulk_upload",
        "container_quotas",
        "dlo",
        "formpost",
        "object_versioning",
        "s3api",
        "slo",
        "swift",
        "symlink",
        "tempauth",
        "tempurl",
        "versioned_writes",
    ];
    assert_eq!(sections, offered);
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let server = Server::start().await;
    let session = server.login().await;
    let mut seen = Vec::new();
    for answer in [
        session.get("").await,
        session.head("/missing").await,
        session.send("COPY", "/a/b", &[], b"").await,
        server.send("GET", "/healthcheck", &[], b"").await,
        server.send("GET", "/auth/v1.0", &[], b"").await,
    ] {
        let id = answer.header("x-trans-id").to_owned();
        assert!(id.starts_with("tx"), "{id}");
        assert_eq!(answer.header("x-openstack-request-id"), id);
        assert!(answer.find("date").is_some());
        assert!(!seen.contains(&id));
        seen.push(id);
    }
}

#[tokio::test]
async fn what_a_service_keeps_for_a_user_takes_both_of_them() {
    let server = Server::start().await;
    let user = server.login().await.token;
    let other = server.login_as("other").await.token;
    let service = server.login_service().await.token;
    let put =
        async |path: &str, headers: &[(&str, &str)]| server.send("PUT", path, headers, b"").await.status;
    let path = "/v1/SERVICE_test/images";
    assert_eq!(put(path, &[("X-Auth-Token", &user), ("X-Service-Token", &service)]).await, 201);
    assert_eq!(put(path, &[("X-Auth-Token", &user)]).await, 403);
    assert_eq!(put(path, &[("X-Auth-Token", &service)]).await, 403);
    assert_eq!(put(path, &[("X-Auth-Token", &user), ("X-Service-Token", &user)]).await, 403);
    assert_eq!(put(path, &[("X-Auth-Token", &user), ("X-Service-Token", "no token")]).await, 403);
    assert_eq!(put(path, &[("X-Auth-Token", &other), ("X-Service-Token", &service)]).await, 403);
    assert_eq!(put(path, &[("X-Service-Token", &service)]).await, 401);
    let both = [("X-Auth-Token", user.as_str()), ("X-Service-Token", service.as_str())];
    assert_eq!(put("/v1/AUTH_other/box", &both).await, 403);
    assert_eq!(put("/v1/AUTH_test/box", &both).await, 201);
}

#[tokio::test]
async fn a_proxy_that_is_to_be_left_alone_says_so() {
    let file = std::env::temp_dir().join(format!("martlet-drain-{}", std::process::id()));
    let server = Server::start_drained_by(file.clone()).await;
    let ask = async || server.send("GET", "/healthcheck", &[], b"").await;
    assert_eq!(ask().await.status, 200);
    std::fs::write(&file, b"").unwrap();
    let drained = ask().await;
    std::fs::remove_file(&file).unwrap();
    assert_eq!((drained.status, drained.text()), (503, "DISABLED BY FILE"));
    assert_eq!((ask().await.status, ask().await.text()), (200, "OK"));
}

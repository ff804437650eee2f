//! Links that carry the right to do one thing.

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::harness::{Answer, Server, Session};

/// A second in the year 2200.
const LATE: &str = "7258118400";
const KEY: &str = "sesame";

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn sha256_of(key: &str, message: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key");
    hex(&mac.chain_update(message).finalize().into_bytes())
}

/// A link for an object of `AUTH_test`, signed with [`KEY`] for a method, until [`LATE`].
fn link(method: &str, path: &str) -> String {
    link_with(method, path, KEY)
}

fn link_with(method: &str, path: &str, key: &str) -> String {
    let signature = sha256_of(key, &format!("{method}\n{LATE}\n/v1/AUTH_test{path}"));
    format!("/v1/AUTH_test{path}?temp_url_sig={signature}&temp_url_expires={LATE}")
}

/// A server with the object `/box/key`, and the key [`KEY`] on the account.
async fn begin() -> (Server, Session) {
    let server = Server::start().await;
    let owner = server.login().await;
    let keyed = owner.send("POST", "", &[("X-Account-Meta-Temp-URL-Key", KEY)], b"").await;
    assert_eq!(keyed.status, 204);
    owner.put("/box", b"").await;
    let headers = [("X-Object-Meta-Secret", "s"), ("X-Object-Meta-Public-Note", "p")];
    assert_eq!(owner.send("PUT", "/box/key", &headers, b"martlet").await.status, 201);
    (server, owner)
}

async fn follow(server: &Server, method: &str, link: &str) -> Answer {
    let body: &[u8] = if method == "PUT" { b"new" } else { b"" };
    server.send(method, link, &[], body).await
}

#[tokio::test]
async fn a_link_to_get_serves_get_and_head_and_nothing_else() {
    let (server, owner) = begin().await;
    let link = link("GET", "/box/key");
    assert_eq!(follow(&server, "GET", &link).await.text(), "martlet");
    assert_eq!(follow(&server, "HEAD", &link).await.header("content-length"), "7");
    for method in ["PUT", "POST", "DELETE"] {
        let refused = follow(&server, method, &link).await;
        assert_eq!(refused.status, 401, "{method}");
        assert_eq!(refused.header("www-authenticate"), "Swift realm=\"AUTH_test\"");
    }
    assert_eq!(owner.get("/box/key").await.text(), "martlet");
}

#[tokio::test]
async fn a_link_of_every_other_method_does_that_and_can_be_looked_at() {
    let (server, owner) = begin().await;
    let put = link("PUT", "/box/new");
    assert_eq!(follow(&server, "PUT", &put).await.status, 201);
    assert_eq!(owner.get("/box/new").await.text(), "new");
    assert_eq!(follow(&server, "HEAD", &put).await.status, 200);
    assert_eq!(follow(&server, "GET", &put).await.status, 401);
    let post = link("POST", "/box/new");
    let changed = server.send("POST", &post, &[("X-Object-Meta-A", "1")], b"").await;
    assert_eq!(changed.status, 202);
    assert_eq!(owner.head("/box/new").await.header("x-object-meta-a"), "1");
    assert_eq!(follow(&server, "DELETE", &link("DELETE", "/box/new")).await.status, 204);
    assert_eq!(owner.head("/box/new").await.status, 404);
    assert_eq!(follow(&server, "GET", &link("GET", "/box/new")).await.status, 404);
}

#[tokio::test]
async fn what_a_link_shows_is_a_file_to_save_without_its_private_metadata() {
    let (server, owner) = begin().await;
    let link = link("GET", "/box/key");
    let check = async |suffix: &str, expected: &str| {
        let answer = follow(&server, "GET", &format!("{link}{suffix}")).await;
        assert_eq!(answer.header("content-disposition"), expected, "{suffix}");
        assert_eq!(answer.header("expires"), "Wed, 01 Jan 2200 00:00:00 GMT");
        assert_eq!(answer.find("x-object-meta-secret"), None);
        assert_eq!(answer.header("x-object-meta-public-note"), "p");
    };
    check("", "attachment; filename=\"key\"; filename*=UTF-8''key").await;
    check("&filename=a+b%22", "attachment; filename=\"a b%22\"; filename*=UTF-8''a%20b%22").await;
    check("&inline", "inline").await;
    check("&inline=&filename=x", "inline; filename=\"x\"; filename*=UTF-8''x").await;
    let headers = [("Content-Disposition", "its own"), ("X-Object-Meta-Public-Note", "p")];
    owner.send("PUT", "/box/key", &headers, b"martlet").await;
    check("", "its own").await;
}

#[tokio::test]
async fn the_keys_of_account_and_container_are_good_as_long_as_they_are_set() {
    let (server, owner) = begin().await;
    for (name, path) in [
        ("X-Account-Meta-Temp-URL-Key", ""),
        ("X-Account-Meta-Temp-URL-Key-2", ""),
        ("X-Container-Meta-Temp-URL-Key", "/box"),
        ("X-Container-Meta-Temp-URL-Key-2", "/box"),
    ] {
        let link = link_with("GET", "/box/key", name);
        assert_eq!(follow(&server, "GET", &link).await.status, 401, "{name}");
        owner.send("POST", path, &[(name, name)], b"").await;
        assert_eq!(follow(&server, "GET", &link).await.status, 200, "{name}");
        assert_eq!(owner.head(path).await.header(name), name);
        owner.send("POST", path, &[(name, "")], b"").await;
        assert_eq!(follow(&server, "GET", &link).await.status, 401, "{name}");
    }
}

#[tokio::test]
async fn every_digest_and_both_spellings_of_a_date_are_taken() {
    use base64::Engine as _;
    let (server, _) = begin().await;
    let message = format!("GET\n{LATE}\n/v1/AUTH_test/box/key");
    let sha1 = Hmac::<Sha1>::new_from_slice(KEY.as_bytes()).unwrap().chain_update(&message).finalize();
    let sha512 = Hmac::<Sha512>::new_from_slice(KEY.as_bytes()).unwrap().chain_update(&message).finalize();
    let base64 = base64::engine::general_purpose::URL_SAFE.encode(sha512.clone().into_bytes());
    for signature in [hex(&sha1.into_bytes()), hex(&sha512.into_bytes()), format!("sha512:{base64}")] {
        for expires in [LATE, "2200-01-01T00:00:00Z"] {
            let path = format!("/v1/AUTH_test/box/key?temp_url_sig={signature}&temp_url_expires={expires}");
            assert_eq!(follow(&server, "GET", &path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn a_link_for_a_prefix_or_from_a_network_is_good_there_alone() {
    let (server, owner) = begin().await;
    owner.put("/box/other", b"other").await;
    let get = async |path: &str, signed: &str, more: &str| {
        let signature = sha256_of(KEY, signed);
        let query = format!("temp_url_sig={signature}&temp_url_expires={LATE}{more}");
        follow(&server, "GET", &format!("/v1/AUTH_test{path}?{query}")).await.status
    };
    let prefix = format!("GET\n{LATE}\nprefix:/v1/AUTH_test/box/ke");
    assert_eq!(get("/box/key", &prefix, "&temp_url_prefix=ke").await, 200);
    assert_eq!(get("/box/other", &prefix, "&temp_url_prefix=ke").await, 401);
    let whole = format!("GET\n{LATE}\nprefix:/v1/AUTH_test/box/");
    assert_eq!(get("/box/other", &whole, "&temp_url_prefix=").await, 200);
    let near = format!("ip=127.0.0.0/8\nGET\n{LATE}\n/v1/AUTH_test/box/key");
    assert_eq!(get("/box/key", &near, "&temp_url_ip_range=127.0.0.0/8").await, 200);
    let far = format!("ip=10.0.0.1\nGET\n{LATE}\n/v1/AUTH_test/box/key");
    assert_eq!(get("/box/key", &far, "&temp_url_ip_range=10.0.0.1").await, 401);
    assert_eq!(get("/box/key", &far, "").await, 401);
}

#[tokio::test]
async fn a_link_is_no_good_when_it_is_old_or_altered_or_for_no_object() {
    let (server, owner) = begin().await;
    let signature = sha256_of(KEY, "GET\n1767225600\n/v1/AUTH_test/box/key");
    let brief = format!("/v1/AUTH_test/box/key?temp_url_sig={signature}&temp_url_expires=1767225600");
    assert_eq!(follow(&server, "GET", &brief).await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(follow(&server, "GET", &brief).await.status, 401);
    let link = link("GET", "/box/key");
    for bad in [
        link.replace("/box/key", "/box/other"),
        link.replace("7258118400", "7258118401"),
        link.replace("temp_url_sig=", "temp_url_sig=0"),
        link.replace("temp_url_sig", "sig"),
        link.replace("temp_url_expires", "expires"),
        link.replace("/box/key", "/box"),
        link.replace("/box/key", ""),
    ] {
        let refused = server.send("GET", &bad, &[("X-Auth-Token", &owner.token)], b"").await;
        assert_eq!(refused.status, 401, "{bad}");
        assert_eq!(refused.text(), "401 Unauthorized: Temp URL invalid\n");
    }
}

#[tokio::test]
async fn a_link_uploads_no_pointer_and_no_copy() {
    let (server, owner) = begin().await;
    let put = link("PUT", "/box/new");
    let pointing = server.send("PUT", &put, &[("X-Object-Manifest", "box/k")], b"").await;
    assert_eq!(pointing.status, 400);
    let copying = server.send("PUT", &put, &[("X-Copy-From", "/box/key")], b"").await;
    assert!(copying.status >= 400, "{copying:?}");
    assert_eq!(owner.head("/box/new").await.status, 404);
}

#[tokio::test]
async fn what_else_a_links_query_says_is_not_taken() {
    let (server, _) = begin().await;
    let answer = follow(&server, "GET", &format!("{}&multipart-manifest=get", link("GET", "/box/key"))).await;
    assert_eq!((answer.status, answer.text()), (200, "martlet"));
}

#[tokio::test]
async fn a_link_reaches_through_a_symlink_as_far_as_its_key_does() {
    let (server, owner) = begin().await;
    owner.put("/links", b"").await;
    let symlink = |path: &'static str, target: &'static str| {
        let owner = &owner;
        async move {
            let made = owner.send("PUT", path, &[("X-Symlink-Target", target)], b"").await;
            assert_eq!(made.status, 201);
        }
    };
    symlink("/links/away", "box/key").await;
    symlink("/links/here", "links/object").await;
    owner.put("/links/object", b"near").await;
    assert_eq!(follow(&server, "GET", &link("GET", "/links/away")).await.text(), "martlet");
    // A container's key opens that container alone.
    let keyed = owner.send("POST", "/links", &[("X-Container-Meta-Temp-URL-Key", "narrow")], b"").await;
    assert_eq!(keyed.status, 204);
    let narrow = |path| link_with("GET", path, "narrow");
    assert_eq!(follow(&server, "GET", &narrow("/links/here")).await.text(), "near");
    assert_eq!(follow(&server, "GET", &narrow("/links/away")).await.status, 401);
    // And the account's key no other account, not even where everybody may read.
    let other = server.login_as("other").await;
    other.put("/box", b"").await;
    other.put("/box/key", b"far").await;
    assert_eq!(other.send("POST", "/box", &[("X-Container-Read", ".r:*")], b"").await.status, 204);
    let abroad = [("X-Symlink-Target", "box/key"), ("X-Symlink-Target-Account", "AUTH_other")];
    assert_eq!(owner.send("PUT", "/links/abroad", &abroad, b"").await.status, 201);
    assert_eq!(owner.get("/links/abroad").await.text(), "far");
    assert_eq!(follow(&server, "GET", &link("GET", "/links/abroad")).await.status, 401);
    let made = server.send("PUT", &link("PUT", "/links/new"), &abroad[..1], b"").await;
    assert_eq!(made.status, 400, "no link makes a symlink");
}

//! Uploads by form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::harness::{Answer, Call, Server};

const BOUNDARY: &str = "----martlet";

/// A form that grows field by field.
struct FormBody(Vec<u8>);

impl FormBody {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn field(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{name}\""), value.as_bytes())
    }

    fn file(self, filename: &str, content: &[u8]) -> Self {
        self.part(&format!("name=\"file\"; filename=\"{filename}\"\r\nContent-Type: image/png"), content)
    }

    fn part(mut self, about: &str, content: &[u8]) -> Self {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n\r\n");
        self.0.extend([head.as_bytes(), content, b"\r\n"].concat());
        self
    }

    fn post(self, server: &Server, target: &str) -> Call {
        let body = [&self.0[..], format!("--{BOUNDARY}--\r\n").as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        server.call("POST", target).anonymous().header("content-type", &kind).body(body)
    }

    async fn send(self, server: &Server) -> Answer {
        self.post(server, "/box").send().await
    }

    /// Adds a policy with these conditions, and its signature of Version 4.
    fn signed(self, conditions: &str, secret: &str) -> Self {
        let credential = "own/20260101/us-east-1/s3/aws4_request";
        let fields = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", credential),
            ("x-amz-date", "20260101T000000Z"),
        ];
        let about_signing: Vec<_> =
            fields.iter().map(|(name, value)| format!("{{\"{name}\": \"{value}\"}}")).collect();
        let policy = format!(
            "{{\"expiration\": \"2026-01-01T01:00:00Z\", \"conditions\": [{{\"bucket\": \"box\"}}, {}, {conditions}]}}",
            about_signing.join(", ")
        );
        let policy = STANDARD.encode(policy);
        let steps = ["20260101", "us-east-1", "s3", "aws4_request", &policy];
        let key = steps.iter().fold(format!("AWS4{secret}").into_bytes(), |key, step| sha256(&key, step));
        let signature = key.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let form = fields.iter().fold(self, |form, (name, value)| form.field(name, value));
        form.field("policy", &policy).field("x-amz-signature", &signature)
    }
}

fn sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.chain_update(text.as_bytes()).finalize().into_bytes().to_vec()
}

async fn open_box() -> Server {
    let server = Server::start().await;
    server.call("PUT", "/box").header("x-amz-acl", "public-read-write").send().await.expect(200);
    server
}

const STARTS: &str = "[\"starts-with\", \"$key\", \"dir/\"]";

#[tokio::test]
async fn a_signed_form_stores_its_file() {
    let server = Server::with_box().await;
    let form = FormBody::new()
        .field("key", "dir/${filename}")
        .field("Content-Type", "text/plain")
        .field("x-amz-meta-tag", "1")
        .field("acl", "public-read")
        .field("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")
        .field("x-ignore-this", "x")
        .signed(
            &format!(
                "{STARTS}, {{\"acl\": \"public-read\"}}, [\"starts-with\", \"$Content-Type\", \"text/\"], \
                 {{\"x-amz-meta-tag\": \"1\"}}, [\"starts-with\", \"$tagging\", \"\"], [\"content-length-range\", 1, 10]"
            ),
            "sesame",
        )
        .file("C:\\pictures\\a b.png", b"martlet")
        .field("submit", "Upload");
    let stored = form.send(&server).await.expect(204);
    assert_eq!(stored.header("location").map(|to| to.ends_with("/box/dir/a%20b.png")), Some(true));
    let found = server.call("GET", "/box/dir/a%20b.png").anonymous().send().await.expect(200);
    assert_eq!(found.body, b"martlet");
    assert_eq!(stored.header("etag"), found.header("etag"));
    assert_eq!(found.header("content-type"), Some("text/plain"));
    assert_eq!(found.header("x-amz-meta-tag"), Some("1"));
    assert_eq!(server.get("/box/dir/a%20b.png?tagging").await.elements("Value"), ["b"]);
}

#[tokio::test]
async fn a_form_that_is_not_as_was_signed_stores_nothing() {
    let server = Server::with_box().await;
    let form = |key: &str| FormBody::new().field("key", key);
    let refused = |form: FormBody| async { form.file("x", b"martlet").send(&server).await };
    refused(form("dir/a").signed(STARTS, "wrong")).await.refused(403, "SignatureDoesNotMatch");
    refused(form("a").signed(STARTS, "sesame")).await.refused(403, "AccessDenied");
    refused(form("dir/a").field("acl", "private").signed(STARTS, "sesame"))
        .await
        .refused(403, "AccessDenied");
    refused(form("dir/a").field("policy", "e30=")).await.refused(400, "InvalidArgument");
    let bytes = |range: &str| {
        form("dir/a").signed(&format!("{STARTS}, [\"content-length-range\", {range}]"), "sesame")
    };
    refused(bytes("0, 6")).await.refused(400, "EntityTooLarge");
    refused(bytes("8, 10")).await.refused(400, "EntityTooSmall");
    let nobody = STANDARD.encode("{}");
    let form2 =
        form("dir/a").field("AWSAccessKeyId", "nobody").field("signature", "AAAA").field("policy", &nobody);
    assert_eq!(refused(form2).await.status, 403);
    server.clock.advance(std::time::Duration::from_hours(2));
    refused(form("dir/a").signed(STARTS, "sesame")).await.refused(403, "AccessDenied");
    refused(form("dir/a")).await.refused(403, "AccessDenied");
    assert_eq!(server.get("/box").await.elements("Key"), [""; 0]);
}

#[tokio::test]
async fn only_the_field_named_file_is_the_file() {
    let server = open_box().await;
    let form = FormBody::new()
        .part("name=\"key\"; filename=\"key\"", b"a")
        .part("name=\"x-amz-meta-b\"; filename=\"c\"", b"d")
        .part("name=\"FILE\"; filename=\"e\"", b"martlet");
    form.send(&server).await.expect(204);
    let found = server.get("/box/a").await.expect(200);
    assert_eq!((found.body.as_slice(), found.header("x-amz-meta-b")), (&b"martlet"[..], Some("d")));
}

#[tokio::test]
async fn a_browser_is_told_in_the_way_that_the_form_wants() {
    let server = open_box().await;
    let form =
        |name: &str, value: &str| FormBody::new().field("key", "a&b").field(name, value).file("x", b"1");
    form("success_action_status", "200").send(&server).await.expect(200);
    form("success_action_status", "404").send(&server).await.expect(204);
    let told = form("success_action_status", "201").send(&server).await.expect(201);
    assert_eq!(told.element("Key").as_deref(), Some("a&amp;b"));
    assert_eq!(told.element("Bucket").as_deref(), Some("box"));
    for name in ["success_action_redirect", "redirect"] {
        let to = form(name, "http://page/done?a=b").send(&server).await.expect(303);
        assert_eq!(
            to.header("location"),
            Some("http://page/done?a=b&bucket=box&key=a%26b&etag=%22c4ca4238a0b923820dcc509a6f75849b%22")
        );
    }
    server.get("/box?bucket=box&key=a%26b&etag=%22x%22").await.expect(200);
    server.get("/box?bucket=box").await.refused(501, "NotImplemented");
    form("success_action_redirect", "javascript:x").send(&server).await.expect(204);
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let server = open_box().await;
    let plain = server.call("POST", "/box").anonymous().header("content-type", "text/plain").body("x");
    plain.send().await.refused(412, "PreconditionFailed");
    let form = || FormBody::new().field("key", "a");
    FormBody::new().file("x", b"1").send(&server).await.refused(400, "InvalidArgument");
    FormBody::new().file("x", b"1").field("key", "a").send(&server).await.refused(400, "InvalidArgument");
    form().send(&server).await.refused(400, "IncorrectNumberOfFilesInPostRequest");
    form().field("key", "b").file("x", b"1").send(&server).await.refused(400, "MalformedPOSTRequest");
    form().field("bucket", "tin").file("x", b"1").send(&server).await.refused(400, "InvalidArgument");
    let long = "x".repeat(20 * 1024);
    form()
        .field("a", &long)
        .field("b", &long)
        .file("x", b"1")
        .send(&server)
        .await
        .refused(400, "MalformedPOSTRequest");
    form()
        .field("a", &(long + "x"))
        .file("x", b"1")
        .send(&server)
        .await
        .refused(400, "MaxPostPreDataLengthExceeded");
    form().field("x-amz-made-up", "1").file("x", b"1").send(&server).await.refused(501, "NotImplemented");
    form()
        .field("x-amz-meta-a", "b\r\nc: d")
        .file("x", b"1")
        .send(&server)
        .await
        .refused(400, "InvalidRequest");
    form()
        .field("x-amz-checksum-crc32", "AAAAAA==")
        .file("x", b"1")
        .send(&server)
        .await
        .refused(400, "BadDigest");
    let signed = form().file("x", b"1").post(&server, "/box").by("own");
    signed.send().await.refused(400, "InvalidRequest");
    let by_nobody = form().file("x", b"1").post(&server, "/nobox");
    by_nobody.send().await.refused(404, "NoSuchBucket");
    assert_eq!(server.get("/box").await.elements("Key"), [""; 0]);
}

/// What a policy asks of headers it asks of the form's fields.
#[tokio::test]
async fn a_policy_sees_what_a_form_says() {
    let server = open_box().await;
    let policy = "{\"Version\": \"2012-10-17\", \"Statement\": {\"Effect\": \"Deny\", \"Principal\": \"*\", \
                  \"Action\": \"s3:PutObject\", \"Resource\": \"arn:aws:s3:::box/*\", \
                  \"Condition\": {\"StringEquals\": {\"s3:x-amz-acl\": \"public-read\"}}}}";
    server.put("/box?policy", policy).await.expect(204);
    let form = |acl: &str| FormBody::new().field("key", "a").field("acl", acl).file("x", b"1");
    form("public-read").send(&server).await.refused(403, "AccessDenied");
    form("private").send(&server).await.expect(204);
}

#[tokio::test]
async fn a_form_that_ends_early_stores_nothing() {
    let server = open_box().await;
    let form = FormBody::new().field("key", "a").file("x", &vec![b'x'; 100_000]);
    let whole = form.post(&server, "/box").bytes();
    let cut = whole.len() - 20;
    let head = String::from_utf8_lossy(&whole[..whole.len() - 100_000]).into_owned();
    let bytes: usize =
        head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let shorter = String::from_utf8_lossy(&whole).replace(&bytes.to_string(), &(bytes - 20).to_string());
    let answer = server.raw(&shorter.as_bytes()[..cut]).await;
    answer.refused(400, "IncompleteBody");
    server.get("/box/a").await.refused(404, "NoSuchKey");
}

#[tokio::test]
async fn a_page_of_another_origin_may_post_a_form() {
    let server = open_box().await;
    let rules = "<CORSConfiguration><CORSRule><AllowedMethod>POST</AllowedMethod>\
                 <AllowedOrigin>http://page</AllowedOrigin></CORSRule></CORSConfiguration>";
    server.put("/box?cors", rules).await.expect(200);
    let form = FormBody::new().field("key", "a").file("x", b"1").post(&server, "/box");
    let told = form.header("origin", "http://page").send().await.expect(204);
    assert_eq!(told.header("access-control-allow-origin"), Some("http://page"));
    let by_host = FormBody::new().field("key", "b").file("x", b"1").post(&server, "/").host("box.s3.test");
    by_host.send().await.expect(204);
    server.get("/box/b").await.expect(200);
}

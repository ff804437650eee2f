//! Checksums that clients choose: kept with what they are of, and shown again.

use martlet_auth::sigv4::Payload;
use martlet_model::ChecksumAlgorithm;
use martlet_model::checksum::ChecksumHasher;

use crate::harness::{Answer, Server};

/// Of `123456789`.
const CHECKS: [(&str, &str, &str); 5] = [
    ("crc32", "CRC32", "y/Q5Jg=="),
    ("crc32c", "CRC32C", "4waSgw=="),
    ("crc64nvme", "CRC64NVME", "rosUhgp5mIg="),
    ("sha1", "SHA1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
    ("sha256", "SHA256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
];

const MODE: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");

fn header(algorithm: &str) -> String {
    format!("x-amz-checksum-{algorithm}")
}

#[track_caller]
fn check(answer: &Answer, algorithm: &str, value: Option<&str>, kind: Option<&str>) {
    assert_eq!(answer.header(&header(algorithm)), value, "{algorithm}");
    assert_eq!(answer.header("x-amz-checksum-type"), kind, "{algorithm}");
}

#[tokio::test]
async fn a_checksum_is_kept_and_shown_to_who_asks() {
    let server = Server::with_box().await;
    for (algorithm, _, value) in CHECKS {
        let put = server.call("PUT", "/box/key").header(&header(algorithm), value).body("123456789");
        check(&put.send().await.expect(200), algorithm, Some(value), Some("FULL_OBJECT"));
        for method in ["GET", "HEAD"] {
            let asked = server.call(method, "/box/key").header(MODE.0, MODE.1).send().await.expect(200);
            check(&asked, algorithm, Some(value), Some("FULL_OBJECT"));
            check(&server.call(method, "/box/key").send().await.expect(200), algorithm, None, None);
            let piece = server.call(method, "/box/key").header(MODE.0, MODE.1).header("range", "bytes=0-3");
            check(&piece.send().await.expect(206), algorithm, None, None);
        }
    }
    server.put("/box/key", "123456789").await.expect(200);
    let without = server.call("GET", "/box/key").header(MODE.0, MODE.1).send().await.expect(200);
    check(&without, "crc64nvme", Some("rosUhgp5mIg="), Some("FULL_OBJECT"));
}

#[tokio::test]
async fn a_trailing_checksum_is_kept_too() {
    let server = Server::with_box().await;
    for (algorithm, name, value) in CHECKS {
        let name_of = header(algorithm);
        let trailer = format!("9\r\n123456789\r\n0\r\n{name_of}:{value}\r\n\r\n");
        let put = server
            .call("PUT", "/box/key")
            .payload(Payload::Streaming(martlet_auth::sigv4::Streaming::UnsignedWithTrailer));
        let put = put.header("x-amz-trailer", &name_of).header("x-amz-decoded-content-length", "9");
        let put = put.header("x-amz-sdk-checksum-algorithm", name).body(trailer);
        check(&put.send().await.expect(200), algorithm, Some(value), Some("FULL_OBJECT"));
        let asked = server.call("HEAD", "/box/key").header(MODE.0, MODE.1).send().await.expect(200);
        check(&asked, algorithm, Some(value), Some("FULL_OBJECT"));
    }
}

#[tokio::test]
async fn a_copy_keeps_the_checksum_or_gets_the_one_that_is_asked_for() {
    let server = Server::with_box().await;
    let put = server.call("PUT", "/box/key").header("x-amz-checksum-crc32", "y/Q5Jg==").body("123456789");
    put.send().await.expect(200);
    server.put("/box/old", "123456789").await.expect(200);
    let copied = server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/old").send().await;
    assert_eq!(copied.expect(200).element("ChecksumCRC64NVME").as_deref(), Some("rosUhgp5mIg="));
    let copy = || server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/key");
    let copied = copy().send().await.expect(200);
    assert_eq!(copied.element("ChecksumCRC32").as_deref(), Some("y/Q5Jg=="));
    for (algorithm, name, value) in CHECKS {
        let copied = copy().header("x-amz-checksum-algorithm", name).send().await.expect(200);
        assert_eq!(copied.element(&format!("Checksum{name}")).as_deref(), Some(value));
        assert_eq!(copied.element("ChecksumType").as_deref(), Some("FULL_OBJECT"));
        let asked = server.call("HEAD", "/box/copy").header(MODE.0, MODE.1).send().await.expect(200);
        check(&asked, algorithm, Some(value), Some("FULL_OBJECT"));
    }
    copy().header("x-amz-checksum-algorithm", "MD5").send().await.refused(501, "NotImplemented");
}

/// An upload with two parts, and what completes it.
struct Upload<'a> {
    server: &'a Server,
    target: String,
    parts: Vec<String>,
}

const PART_BYTES: usize = 5 * 1024 * 1024;

impl<'a> Upload<'a> {
    async fn begin(server: &'a Server, name: &str, kind: Option<&str>) -> Self {
        let call = server.call("POST", "/box/key?uploads").header("x-amz-checksum-algorithm", name);
        let call = kind.into_iter().fold(call, |call, kind| call.header("x-amz-checksum-type", kind));
        let begun = call.send().await.expect(200);
        assert_eq!(begun.header("x-amz-checksum-algorithm"), Some(name));
        let target = format!("/box/key?uploadId={}", begun.element("UploadId").expect("an id"));
        Self { server, target, parts: Vec::new() }
    }

    /// Puts a part whose checksum the client has computed.
    async fn put(&mut self, body: &[u8], algorithm: &str, name: &str, value: &str) {
        let number = self.parts.len() + 1;
        let put = self.server.call("PUT", &format!("{}&partNumber={number}", self.target));
        let stored = put.header(&header(algorithm), value).body(body).send().await.expect(200);
        assert_eq!(stored.header(&header(algorithm)), Some(value));
        let etag = stored.header("etag").expect("an ETag");
        self.parts.push(format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Checksum{name}>{value}</Checksum{name}></Part>"
        ));
    }

    async fn complete(&self, headers: &[(&str, &str)]) -> Answer {
        let document = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", self.parts.concat());
        let call = self.server.call("POST", &self.target).body(document);
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn a_joined_object_has_the_checksum_of_its_parts_checksums() {
    use sha2::{Digest as _, Sha256};
    let server = Server::with_box().await;
    let (first, last) = (vec![b'a'; PART_BYTES], b"end".to_vec());
    let (one, two) = (Sha256::digest(&first), Sha256::digest(&last));
    let whole = base64(&Sha256::digest([&one[..], &two].concat()));
    let mut upload = Upload::begin(&server, "SHA256", None).await;
    upload.put(&first, "sha256", "SHA256", &base64(&one)).await;
    upload.put(&last, "sha256", "SHA256", &base64(&two)).await;
    let listed = server.get(&upload.target).await.expect(200);
    assert_eq!(listed.elements("ChecksumSHA256"), [base64(&one), base64(&two)]);
    assert_eq!(listed.element("ChecksumAlgorithm").as_deref(), Some("SHA256"));
    assert_eq!(listed.element("ChecksumType").as_deref(), Some("COMPOSITE"));

    let other = format!("{}-2", base64(&one));
    upload.complete(&[("x-amz-checksum-sha256", &other)]).await.refused(400, "BadDigest");
    let wrong_kind = [("x-amz-checksum-type", "FULL_OBJECT")];
    upload.complete(&wrong_kind).await.refused(400, "InvalidRequest");
    let wrong_algorithm = [("x-amz-checksum-crc32", "y/Q5Jg==")];
    upload.complete(&wrong_algorithm).await.refused(400, "InvalidRequest");
    upload.complete(&[("x-amz-mp-object-size", "7")]).await.refused(400, "InvalidRequest");
    server.get("/box/key").await.refused(404, "NoSuchKey");

    let bytes = (PART_BYTES + 3).to_string();
    let shown = format!("{whole}-2");
    let (value, size) = (("x-amz-checksum-sha256", shown.as_str()), ("x-amz-mp-object-size", bytes.as_str()));
    let done = upload.complete(&[value, size]).await.expect(200);
    for done in [done, upload.complete(&[value]).await.expect(200)] {
        assert_eq!(done.element("ChecksumSHA256").as_deref(), Some(shown.as_str()));
        assert_eq!(done.element("ChecksumType").as_deref(), Some("COMPOSITE"));
    }
    let asked = |target: &'static str| server.call("HEAD", target).header(MODE.0, MODE.1).send();
    check(&asked("/box/key").await.expect(200), "sha256", Some(&shown), Some("COMPOSITE"));
    check(
        &asked("/box/key?partNumber=2").await.expect(206),
        "sha256",
        Some(&base64(&two)),
        Some("COMPOSITE"),
    );
}

#[tokio::test]
async fn a_joined_object_may_have_the_checksum_of_all_its_bytes() {
    let server = Server::with_box().await;
    let (first, last) = (vec![b'a'; PART_BYTES], b"end".to_vec());
    // By Python's zlib.
    let (one, two, whole) = ("r/zBbw==", "APwzsQ==", "JZ3nOw==");
    let mut upload = Upload::begin(&server, "CRC32", Some("FULL_OBJECT")).await;
    upload.put(&first, "crc32", "CRC32", one).await;
    upload.put(&last, "crc32", "CRC32", two).await;
    upload.complete(&[("x-amz-checksum-crc32", one)]).await.refused(400, "BadDigest");
    let done =
        upload.complete(&[("x-amz-checksum-crc32", whole), ("x-amz-checksum-type", "FULL_OBJECT")]).await;
    assert_eq!(done.expect(200).element("ChecksumCRC32").as_deref(), Some(whole));
    let asked = server.call("GET", "/box/key").header(MODE.0, MODE.1).send().await.expect(200);
    check(&asked, "crc32", Some(whole), Some("FULL_OBJECT"));
    // A copy is one body, and has the checksum of the same algorithm.
    let copy = server.call("PUT", "/box/copy").header("x-amz-copy-source", "/box/key").send().await;
    assert_eq!(copy.expect(200).element("ChecksumCRC32").as_deref(), Some(whole));
}

#[tokio::test]
async fn a_part_is_only_joined_with_the_checksum_that_it_has() {
    let server = Server::with_box().await;
    let mut upload = Upload::begin(&server, "CRC32", None).await;
    upload.put(b"123456789", "crc32", "CRC32", "y/Q5Jg==").await;
    let right = upload.parts.clone();
    for (from, to, code) in [
        ("y/Q5Jg==", "AAAAAA==", "InvalidPart"),
        ("y/Q5Jg==", "nonsense", "MalformedXML"),
        ("ChecksumCRC32>", "ChecksumCRC32C>", "InvalidPart"),
    ] {
        upload.parts = right.iter().map(|part| part.replace(from, to)).collect();
        upload.complete(&[]).await.refused(400, code);
    }
    upload.parts = right;
    upload.complete(&[]).await.expect(200);
}

#[tokio::test]
async fn a_copied_part_gets_the_checksum_that_its_upload_plans() {
    let server = Server::with_box().await;
    server.put("/box/source", "123456789").await.expect(200);
    let upload = Upload::begin(&server, "CRC64NVME", None).await;
    let part = server.call("PUT", &format!("{}&partNumber=1", upload.target));
    let copied = part.header("x-amz-copy-source", "/box/source").send().await.expect(200);
    assert_eq!(copied.element("ChecksumCRC64NVME").as_deref(), Some("rosUhgp5mIg="));
}

#[tokio::test]
async fn a_part_has_the_checksum_that_its_upload_plans() {
    let server = Server::with_box().await;
    let upload = Upload::begin(&server, "SHA1", None).await;
    let put = |body: &str| server.call("PUT", &format!("{}&partNumber=1", upload.target)).body(body);
    let other = put("123456789").header("x-amz-checksum-crc32", "y/Q5Jg==").send().await;
    other.refused(400, "InvalidRequest");
    let stored = put("123456789").send().await.expect(200);
    assert_eq!(stored.header("x-amz-checksum-sha1"), Some("98O8HYCOBHMq32eZZczDTKeuNEE="));
}

#[tokio::test]
async fn an_upload_can_only_plan_a_checksum_that_can_be_had() {
    let server = Server::with_box().await;
    let begin = |algorithm: &str, kind: &str| {
        let call = server.call("POST", "/box/key?uploads").header("x-amz-checksum-algorithm", algorithm);
        call.header("x-amz-checksum-type", kind).send()
    };
    begin("SHA256", "FULL_OBJECT").await.refused(400, "InvalidRequest");
    begin("CRC64NVME", "COMPOSITE").await.refused(400, "InvalidRequest");
    begin("CRC32", "else").await.refused(400, "InvalidArgument");
    begin("XXHASH3", "COMPOSITE").await.refused(501, "NotImplemented");
    let call = server.call("POST", "/box/key?uploads").header("x-amz-checksum-type", "COMPOSITE");
    call.send().await.refused(400, "InvalidRequest");
}

/// Some clients send the checksum of the document that names the parts: S3 doesn't take it for the object's.
#[tokio::test]
async fn what_cannot_be_a_composite_is_not_taken_for_one() {
    let server = Server::with_box().await;
    let mut upload = Upload::begin(&server, "CRC32", None).await;
    upload.put(b"123456789", "crc32", "CRC32", "y/Q5Jg==").await;
    upload.complete(&[("x-amz-checksum-crc32", "AAAAAA==")]).await.expect(200);
}

#[tokio::test]
async fn a_write_may_repeat_what_an_upload_would_plan() {
    let server = Server::with_box().await;
    let put = |name: &str, value: &str| {
        let put = server.call("PUT", "/box/key").header("x-amz-checksum-crc32", "y/Q5Jg==").body("123456789");
        put.header(name, value).send()
    };
    put("x-amz-checksum-algorithm", "crc32").await.expect(200);
    put("x-amz-checksum-type", "COMPOSITE").await.expect(200);
    put("x-amz-checksum-type", "else").await.refused(400, "InvalidArgument");
    put("x-amz-checksum-made-up", "y/Q5Jg==").await.refused(400, "InvalidRequest");
}

#[tokio::test]
async fn an_upload_begun_without_a_checksum_gives_its_object_the_usual_one() {
    let server = Server::with_box().await;
    let begun = server.call("POST", "/box/key?uploads").send().await.expect(200);
    assert_eq!(begun.header("x-amz-checksum-algorithm"), None);
    let target = format!("/box/key?uploadId={}", begun.element("UploadId").expect("an id"));
    let mut upload = Upload { server: &server, target, parts: Vec::new() };
    let (first, last) = (vec![b'a'; PART_BYTES], b"end".to_vec());
    server.put("/box/end", "end").await.expect(200);
    for number in 1..=2 {
        let part = server.call("PUT", &format!("{}&partNumber={number}", upload.target));
        let etag = if number == 1 {
            let stored = part.body(first.clone()).send().await.expect(200);
            stored.header("etag").expect("an ETag").to_owned()
        } else {
            let copied = part.header("x-amz-copy-source", "/box/end").send().await.expect(200);
            copied.element("ETag").expect("an ETag")
        };
        upload.parts.push(format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"));
    }
    let mut hasher = ChecksumHasher::new(ChecksumAlgorithm::Crc64Nvme);
    hasher.update(&[first, last].concat());
    let expected = base64(&hasher.finish().value);
    let composite = [("x-amz-checksum-type", "COMPOSITE")];
    upload.complete(&composite).await.refused(400, "InvalidRequest");
    upload.complete(&[("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")]).await.refused(400, "BadDigest");
    let completed = upload.complete(&[("x-amz-checksum-crc64nvme", &expected)]).await.expect(200);
    assert_eq!(completed.element("ChecksumCRC64NVME").as_deref(), Some(&*expected));
    assert_eq!(completed.element("ChecksumType").as_deref(), Some("FULL_OBJECT"));
    let asked = server.call("HEAD", "/box/key").header(MODE.0, MODE.1).send().await.expect(200);
    check(&asked, "crc64nvme", Some(&expected), Some("FULL_OBJECT"));
}

/// Whoever says nothing of its upload's checksum may still send one with a part.
#[tokio::test]
async fn a_part_may_come_with_any_checksum_where_none_was_planned() {
    let server = Server::with_box().await;
    let begun = server.call("POST", "/box/key?uploads").send().await.expect(200);
    let target = format!("/box/key?uploadId={}", begun.element("UploadId").expect("an id"));
    let mut upload = Upload { server: &server, target, parts: Vec::new() };
    upload.put(b"123456789", "crc32", "CRC32", "y/Q5Jg==").await;
    upload.complete(&[("x-amz-checksum-crc32", "AAAAAA==")]).await.expect(200);
    let asked = server.call("HEAD", "/box/key").header(MODE.0, MODE.1).send().await.expect(200);
    check(&asked, "crc64nvme", None, None);
}

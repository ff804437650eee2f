//! Bodies in chunks of their own, with and without signatures and trailers.

use martlet_auth::sigv4::{Payload, Streaming, encode};

use crate::harness::{Answer, Call, Server};

/// Nine bytes whose checksums everybody knows.
const BODY: &[u8] = b"123456789";
const CHECKSUMS: [(&str, &str); 5] = [
    ("x-amz-checksum-crc32", "y/Q5Jg=="),
    ("x-amz-checksum-crc32c", "4waSgw=="),
    ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
    ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
    ("x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
];
const CRC32: (&str, &str) = CHECKSUMS[0];
const FORMS: [Streaming; 3] =
    [Streaming::Signed, Streaming::SignedWithTrailer, Streaming::UnsignedWithTrailer];

async fn with_old() -> Server {
    let server = Server::with_box().await;
    server.put("/box/key", "old").await.expect(200);
    server
}

fn put(server: &Server, form: Streaming) -> Call {
    let call = server.call("PUT", "/box/key").payload(Payload::Streaming(form));
    call.header("content-encoding", "aws-chunked").header("x-amz-decoded-content-length", "9")
}

/// A request whose body is `BODY` in chunks, changed by `change`: of 4 bytes, or one where small ones aren't allowed.
fn chunked(
    call: &Call,
    form: Streaming,
    trailer: Option<(&str, &str)>,
    change: impl Fn(String) -> String,
) -> Vec<u8> {
    let written = |chain| {
        let (chain, bytes) =
            if form == Streaming::UnsignedWithTrailer { (None, 4) } else { (Some(chain), BODY.len()) };
        change(String::from_utf8(encode(BODY, bytes, chain, trailer)).expect("all of it is text"))
    };
    // The length of the body is signed with the head, and the body with the head's signature.
    let bytes = written(call.chained(0).1).len();
    let (head, chain) = call.chained(bytes);
    [head.into_bytes(), written(chain).into_bytes()].concat()
}

async fn sent(server: &Server, form: Streaming, change: impl Fn(String) -> String) -> Answer {
    let (call, trailer) = match form {
        Streaming::Signed => (put(server, form), None),
        Streaming::SignedWithTrailer | Streaming::UnsignedWithTrailer => {
            (put(server, form).header("x-amz-trailer", CRC32.0), Some(CRC32))
        }
    };
    server.raw(chunked(&call, form, trailer, change)).await
}

async fn check_kept(server: &Server) {
    assert_eq!(server.get("/box/key").await.expect(200).body, b"old");
}

#[tokio::test]
async fn every_form_is_stored_without_its_framing() {
    let server = Server::with_box().await;
    for form in FORMS {
        sent(&server, form, |body| body).await.expect(200);
        let got = server.get("/box/key").await.expect(200);
        assert_eq!(got.body, BODY);
        assert_eq!(got.header("etag"), Some("\"25f9e794323b453885f5181f1b624d0b\""));
        assert_eq!(got.header("content-encoding"), None);
        server.call("DELETE", "/box/key").send().await.expect(204);
    }
}

#[tokio::test]
async fn the_objects_own_encoding_is_kept() {
    let server = Server::with_box().await;
    let form = Streaming::Signed;
    let call = server.call("PUT", "/box/key").payload(Payload::Streaming(form));
    let call =
        call.header("content-encoding", "gzip,aws-chunked").header("x-amz-decoded-content-length", "9");
    server.raw(chunked(&call, form, None, |body| body)).await.expect(200);
    assert_eq!(server.get("/box/key").await.expect(200).header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn every_trailing_checksum_is_verified() {
    let server = with_old().await;
    for form in [Streaming::SignedWithTrailer, Streaming::UnsignedWithTrailer] {
        for (name, value) in CHECKSUMS {
            let call = put(&server, form).header("x-amz-trailer", name);
            let send = |value| server.raw(chunked(&call, form, Some((name, value)), |body| body));
            let other = format!("{}{}", if value.starts_with('A') { 'B' } else { 'A' }, &value[1..]);
            send(&other).await.refused(400, "BadDigest");
            send("nonsense").await.refused(400, "InvalidRequest");
            check_kept(&server).await;
            send(value).await.expect(200);
            server.put("/box/key", "old").await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_changed_chunk_or_trailer_is_not_stored() {
    let server = with_old().await;
    for form in [Streaming::Signed, Streaming::SignedWithTrailer] {
        let changed = sent(&server, form, |body| body.replacen("1234", "1235", 1)).await;
        changed.refused(403, "SignatureDoesNotMatch");
        let last = sent(&server, form, |body| body.replacen("9\r\n", "8\r\n", 1)).await;
        last.refused(403, "SignatureDoesNotMatch");
    }
    let trailer = sent(&server, Streaming::SignedWithTrailer, |body| body.replace(CRC32.1, "AAAAAA==")).await;
    trailer.refused(403, "SignatureDoesNotMatch");
    let unsigned =
        sent(&server, Streaming::UnsignedWithTrailer, |body| body.replacen("1234", "1235", 1)).await;
    unsigned.refused(400, "BadDigest");
    check_kept(&server).await;
}

#[tokio::test]
async fn broken_framing_is_not_stored() {
    let server = with_old().await;
    for form in FORMS {
        for (from, to) in [
            ("4", "x"),
            ("4", "5"),
            ("4", "3"),
            ("4", "ffffffffffffffff"),
            ("4", "10000000000000000"),
            ("\r\n", "\n"),
            ("9\r\n", "9"),
        ] {
            let broken = sent(&server, form, |body| body.replacen(from, to, 1)).await;
            assert!([400, 403].contains(&broken.status), "{form:?} {from} {to}: {broken:?}");
        }
        let long = sent(&server, form, |body| format!("{}{body}", "0".repeat(1000))).await;
        long.refused(400, "IncompleteBody");
        let more = sent(&server, form, |body| format!("{body}{}", "x".repeat(5000))).await;
        more.refused(400, "MalformedTrailerError");
        for bytes in [0, 1, 5, 20] {
            let short = sent(&server, form, |body| body[..bytes].to_owned()).await;
            short.refused(400, "IncompleteBody");
        }
        let no_end = sent(&server, form, |body| body.trim_end().to_owned()).await;
        no_end.refused(400, "IncompleteBody");
    }
    let no_trailer =
        sent(&server, Streaming::UnsignedWithTrailer, |body| body.replace(CRC32.0, "x-other")).await;
    no_trailer.refused(400, "MalformedTrailerError");
    check_kept(&server).await;
}

#[tokio::test]
async fn the_decoded_length_is_enforced() {
    let server = with_old().await;
    for form in FORMS {
        let of_length = |length: &str| {
            let call = server.call("PUT", "/box/key").payload(Payload::Streaming(form));
            let call = call.header("x-amz-decoded-content-length", length);
            server.raw(chunked(&call, form, None, |body| body))
        };
        for length in ["8", "10", "0", "99"] {
            of_length(length).await.refused(400, "IncompleteBody");
        }
        for length in ["-9", "+9", "nine", "99999999999999999999"] {
            of_length(length).await.refused(411, "MissingContentLength");
        }
        of_length("5368709121").await.refused(400, "EntityTooLarge");
        let call = server.call("PUT", "/box/key").payload(Payload::Streaming(form));
        let without = server.raw(chunked(&call, form, None, |body| body)).await;
        without.refused(411, "MissingContentLength");
    }
    check_kept(&server).await;
}

#[tokio::test]
async fn what_a_head_announces_must_fit_its_payload() {
    let server = with_old().await;
    let signed = put(&server, Streaming::Signed).header("x-amz-trailer", CRC32.0);
    let signed = server.raw(chunked(&signed, Streaming::Signed, None, |body| body)).await;
    signed.refused(400, "MalformedTrailerError");
    let plain =
        |name: &str, value: &str| server.call("PUT", "/box/key").header(name, value).body("new").send();
    plain("x-amz-trailer", CRC32.0).await.refused(400, "MalformedTrailerError");
    plain("x-amz-decoded-content-length", "3").await.refused(400, "InvalidRequest");
    let form = Streaming::UnsignedWithTrailer;
    for (name, status, code) in [
        ("x-amz-checksum-sha512", 501, "NotImplemented"),
        ("x-amz-meta-a", 400, "InvalidRequest"),
        ("x-amz-checksum-made-up", 400, "InvalidRequest"),
        ("x-amz-checksum-crc32,x-amz-checksum-sha1", 400, "InvalidRequest"),
        ("x-amz-checksum-crc32, ,", 400, "InvalidRequest"),
        (",x-amz-checksum-crc32", 400, "InvalidRequest"),
        ("x-amz-checksum-crc32,,", 200, ""),
    ] {
        let call = put(&server, form).header("x-amz-trailer", name);
        let answer = server.raw(chunked(&call, form, Some(CRC32), |body| body)).await;
        if status == 200 {
            answer.expect(200);
            server.put("/box/key", "old").await.expect(200);
        } else {
            answer.refused(status, code);
        }
    }
    let both = put(&server, form).header("x-amz-trailer", CRC32.0).header(CRC32.0, CRC32.1);
    server.raw(chunked(&both, form, Some(CRC32), |body| body)).await.refused(400, "InvalidRequest");
    let other = put(&server, form).header("x-amz-trailer", CRC32.0);
    let other = other.header("x-amz-sdk-checksum-algorithm", "SHA1");
    server.raw(chunked(&other, form, Some(CRC32), |body| body)).await.refused(400, "InvalidRequest");
    check_kept(&server).await;
    let same = put(&server, form).header("x-amz-trailer", CRC32.0);
    let same = same.header("x-amz-sdk-checksum-algorithm", "CRC32");
    server.raw(chunked(&same, form, Some(CRC32), |body| body)).await.expect(200);
}

#[tokio::test]
async fn parts_and_documents_come_in_chunks_too() {
    let server = with_old().await;
    let begun = server.call("POST", "/box/big?uploads").send().await.expect(200);
    let upload = begun.element("UploadId").unwrap();
    let form = Streaming::UnsignedWithTrailer;
    let target = format!("/box/big?partNumber=1&uploadId={upload}");
    let part = server.call("PUT", &target).payload(Payload::Streaming(form));
    let part = part.header("x-amz-decoded-content-length", "9").header("x-amz-trailer", CRC32.0);
    server
        .raw(chunked(&part, form, Some((CRC32.0, "AAAAAA==")), |body| body))
        .await
        .refused(400, "BadDigest");
    server.raw(chunked(&part, form, Some(CRC32), |body| body)).await.expect(200);
    let document = server.call("POST", "/box?delete").payload(Payload::Streaming(form));
    let document = document.header("x-amz-decoded-content-length", "9").header("x-amz-trailer", CRC32.0);
    let wrong = chunked(&document, form, Some((CRC32.0, "AAAAAA==")), |body| body);
    server.raw(wrong).await.refused(400, "BadDigest");
    let right = chunked(&document, form, Some(CRC32), |body| body);
    server.raw(right).await.refused(400, "MalformedXML");
    check_kept(&server).await;
}

#[tokio::test]
async fn a_body_in_chunks_of_both_kinds_is_stored() {
    let server = Server::with_box().await;
    let call = put(&server, Streaming::Signed).header("transfer-encoding", "chunked");
    let (head, chain) = call.chained(0);
    let inner = encode(BODY, BODY.len(), Some(chain), None);
    let mut request = head.into_bytes();
    for piece in inner.chunks(50) {
        request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    server.raw(request).await.expect(200);
    assert_eq!(server.get("/box/key").await.expect(200).body, BODY);
}

#[tokio::test]
async fn nobody_signs_no_chunks() {
    let server = Server::with_box().await;
    for (form, status, code) in [
        (Streaming::Signed, 400, "InvalidRequest"),
        (Streaming::SignedWithTrailer, 400, "InvalidRequest"),
        (Streaming::UnsignedWithTrailer, 403, "AccessDenied"),
    ] {
        let call =
            put(&server, form).header("x-amz-content-sha256", form.text()).anonymous().body("0\r\n\r\n");
        call.send().await.refused(status, code);
    }
}

#[tokio::test]
async fn a_small_chunk_is_the_last_where_chunks_are_signed() {
    let server = with_old().await;
    let put = put(&server, Streaming::Signed);
    let written = |chain| encode(BODY, 4, Some(chain), None);
    let (head, chain) = put.chained(written(put.chained(0).1).len());
    let refused = server.raw([head.into_bytes(), written(chain)].concat()).await;
    let refused = refused.refused(403, "InvalidChunkSizeError");
    assert_eq!(refused.element("BadChunkSize").as_deref(), Some("4"));
    check_kept(&server).await;
}

#[tokio::test]
async fn a_chunk_that_does_not_fit_is_told_what_should_have_been_signed() {
    let server = with_old().await;
    let refused = sent(&server, Streaming::Signed, |body| body.replacen("1234", "1235", 1)).await;
    let refused = refused.refused(403, "SignatureDoesNotMatch");
    assert!(refused.element("StringToSign").unwrap().starts_with("AWS4-HMAC-SHA256-PAYLOAD"));
    assert!(refused.element("CanonicalRequest").unwrap().starts_with("PUT"));
}

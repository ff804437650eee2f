//! Archives that are unpacked into objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Server, Session};

/// The same archive twice, by Python's `tarfile`: `./one.txt` with attributes, a directory, `dir/ddd…/ü.html` with a
/// name of 160 bytes, a link, and `/abs`.
const GZIP: &str = "\
    H4sIAO2mBWsC/+3Xu2rDMBgFYM15Cr1AdfEtdDAUuqTQodCpU1FipRa1nSD/BvfduvXF2rRQSJuQSY6Jz7dYCIwGcX6OhBTy5sH0\
    C2sK61kQ6sexr9Jx8rv+3tcq0jHjPRtA15LxX8ezaUqu+ePt4u7+SfSGyIuutV7UloyoumZV5svOv1jPTVPwtXe2nSXxoR9cbZ/p\
    bWtzsj3J/qq2TTdjMHpCbhorqKeAZ+xCnSXJ0fwrle7nX80TPWdcIf/BrZ1vCTGYrMJ5GfqM0/n/u87SSDGeIv8DzP/z978oPdD/\
    MvS/Ieh5xLeGynw3CIpRkh/voqS6Qp8MNP9DX+Dp+Z/t5z/WcaTR/4bQ2tWmKZCDqapc8zq6/qeVjlPGo/BP08nnX5ple/77T//1\
    f4X3/yCodB7jHwAAAAAAAADgcn0CF0VyOgAoAAA=";
const BZIP2: &str = "\
    QlpoOTFBWSZTWYQMgdIAAJDfvM2wQAP/okhkeKT/795gEAAgAAAECAAIyDABONhhKKaZT1T2Uj0nqPTU9TJoZAaeo9QNDyMoNImN\
    QgA00DTEA0yaNNAAwRSijT0TTZI9I2o9TIyDQHqNGmQwbj6NBovfGDScrNCwznrblAJONVSrBFuarDOtBUkC2qYiUtSLxJcFSBWM\
    +mmVK7t2evhKatmE/9dlwzkHsRkCaQkr15HnWiFAoWBQLLIfc4AgBESFjQg0Eh/W01DdjM2A7Trakkkgth6oyDrjNgUIzMyoRGKq\
    x3GfpLTaaj0LCwimYX1FNikFE0xYOYiXwLTXbc9dixSAo4x+XyuIX0FkjS5hfLm7KJ7pTax3xBNN87cX5f6Qh98KlHVz1+FGDR6I\
    qTDwmnkwbS0pVE1FStkRNEMmeIwoOFVfHKYblQ5iniGkxyLo145JERd4u5IpwoSEIGQOkA==";

fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[148..156].fill(b' ');
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = block.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = members.iter().flat_map(|(name, content)| member(name, content)).collect();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

async fn unpack(session: &Session, path: &str, headers: &[(&str, &str)], archive: &[u8]) -> Value {
    let mut headers = headers.to_vec();
    headers.push(("Accept", "application/json"));
    let answer = session.send("PUT", path, &headers, archive).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json; charset=utf-8"));
    serde_json::from_slice(&answer.body).expect("a report")
}

#[track_caller]
fn check(report: &Value, status: &str, created: u64, errors: &Value) {
    assert_eq!(report["Response Status"], status, "{report}");
    assert_eq!((&report["Number Files Created"], &report["Errors"]), (&created.into(), errors), "{report}");
}

#[tokio::test]
async fn files_become_objects_with_their_attributes() {
    let long = "d".repeat(150);
    for (format, packed) in [("tar.gz", GZIP), ("tar.bz2", BZIP2)] {
        let server = Server::start().await;
        let session = server.login().await;
        let packed = STANDARD.decode(packed).unwrap();
        let path = format!("/box/in/?extract-archive={format}");
        let report = unpack(&session, &path, &[("X-Object-Meta-All", "yes")], &packed).await;
        check(&report, "201 Created", 3, &json!([]));
        let names = session.get("/box").await;
        assert_eq!(names.text(), format!("in/abs\nin/dir/{long}/ü.html\nin/one.txt\n"));
        let one = session.get("/box/in/one.txt").await;
        assert_eq!((one.text(), one.header("content-type")), ("first", "text/x-menu"));
        assert_eq!(one.header("x-object-meta-lunch"), "burger and fries");
        assert_eq!(one.header("x-object-meta-all"), "yes");
        assert_eq!(one.header("etag"), "8b04d5e3775d298e78455efc5ca404d5");
        let long = session.get(&format!("/box/in/dir/{long}/%C3%BC.html")).await;
        assert_eq!((long.text(), long.header("content-type")), ("second", "text/html"));
    }
}

#[tokio::test]
async fn without_a_place_the_first_directory_is_the_container() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/there", b"").await;
    let large = vec![7; 300_000];
    let files: [(&str, &[u8]); 4] =
        [("there/a", b"x"), ("new/dir/b", &large), ("nowhere", b"x"), ("new/c", b"")];
    let report = unpack(&session, "?extract-archive=tar", &[], &archive(&files)).await;
    check(&report, "201 Created", 3, &json!([]));
    assert_eq!(session.get("").await.text(), "new\nthere\n");
    assert_eq!(session.get("/new").await.text(), "c\ndir/b\n");
    assert_eq!(session.get("/new/dir/b").await.body, large);
    assert_eq!(session.get("/new/c").await.header("content-length"), "0");
}

#[tokio::test]
async fn what_the_head_says_counts_for_every_file() {
    let server = Server::start().await;
    let session = server.login().await;
    let headers = [("Content-Type", "text/css"), ("X-Delete-After", "60")];
    unpack(&session, "/box?extract-archive=tar", &headers, &archive(&[("a.jpg", b"x")])).await;
    let found = session.head("/box/a.jpg").await;
    assert_eq!(found.header("content-type"), "text/css");
    assert!(found.find("x-delete-at").is_some());
    let headers = [("Content-Type", "text/css"), ("X-Detect-Content-Type", "true")];
    unpack(&session, "/box?extract-archive=tar", &headers, &archive(&[("a.jpg", b"x")])).await;
    assert_eq!(session.head("/box/a.jpg").await.header("content-type"), "image/jpeg");
}

#[tokio::test]
async fn one_file_that_fails_is_told_and_the_others_are_stored() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/box", b"").await;
    session.send("POST", "/box", &[("X-Container-Meta-Quota-Bytes", "10")], b"").await;
    let files: [(&str, &[u8]); 3] = [("a", b"12345"), ("too large", b"1234567890"), ("b", b"12345")];
    let report = unpack(&session, "/box?extract-archive=tar", &[], &archive(&files)).await;
    check(&report, "400 Bad Request", 2, &json!([["box/too%20large", "413 Payload Too Large"]]));
    assert_eq!(session.get("/box").await.text(), "a\nb\n");
    let long = format!("/box/{}?extract-archive=tar", "x".repeat(1020));
    let report = unpack(&session, &long, &[], &archive(&[("12345", b"")])).await;
    assert_eq!(report["Errors"][0][1], "400 Bad Request");
}

#[tokio::test]
async fn an_archive_that_breaks_off_keeps_what_was_whole() {
    let server = Server::start().await;
    let session = server.login().await;
    let whole = archive(&[("a", b"one"), ("b", &[7; 5000])]);
    let report = unpack(&session, "/box?extract-archive=tar", &[], &whole[..4000]).await;
    check(&report, "400 Bad Request", 1, &json!([]));
    assert_eq!(report["Response Body"], "Invalid Tar File: it ends in the middle");
    assert_eq!(session.get("/box").await.text(), "a\n");
    for (archive, words) in [
        (&b""[..], "Invalid Tar File: it is empty"),
        (&[b'x'; 600], "Invalid Tar File: a header is damaged"),
        (&[0; 1024], "Invalid Tar File: No Valid Files"),
    ] {
        let report = unpack(&session, "/box?extract-archive=tar", &[], archive).await;
        check(&report, "400 Bad Request", 0, &json!([]));
        assert_eq!(report["Response Body"], words);
    }
    let report = unpack(&session, "/box?extract-archive=tar.gz", &[], b"not compressed").await;
    check(&report, "400 Bad Request", 0, &json!([]));
    assert!(report["Response Body"].as_str().unwrap().starts_with("Invalid Tar File: "), "{report}");
}

#[tokio::test]
async fn an_archive_is_unpacked_with_the_rights_of_its_sender() {
    let server = Server::start().await;
    let session = server.login().await;
    session.put("/box", b"").await;
    let one = archive(&[("a", b"x"), ("b", b"x")]);
    let nobody = server.send("PUT", "/v1/AUTH_test/box?extract-archive=tar", &[], &one).await;
    assert_eq!(nobody.status, 200);
    assert!(nobody.text().contains("Response Status: 401 Unauthorized"), "{}", nobody.text());
    let other = server.login_as("other").await;
    let other = Session { root: "/v1/AUTH_test".to_owned(), ..other };
    let report = unpack(&other, "/box?extract-archive=tar", &[], &one).await;
    check(&report, "400 Bad Request", 0, &json!([["box/a", "403 Forbidden"], ["box/b", "403 Forbidden"]]));
    session.send("POST", "/box", &[("X-Container-Write", "other:tester")], b"").await;
    let report = unpack(&other, "/box?extract-archive=tar", &[], &one).await;
    check(&report, "201 Created", 2, &json!([]));
}

#[tokio::test]
async fn the_report_comes_in_all_formats() {
    let server = Server::start().await;
    let session = server.login().await;
    let one = archive(&[("a", b"x")]);
    let xml = session.send("PUT", "/box?extract-archive=tar", &[("Accept", "text/xml")], &one).await;
    assert_eq!(xml.header("content-type"), "text/xml; charset=utf-8");
    assert!(
        xml.text().contains("<extract>\n<number_files_created>1</number_files_created>"),
        "{}",
        xml.text()
    );
    let text = session.send("PUT", "/box?extract-archive=tar", &[], &one).await;
    assert!(text.text().contains("Number Files Created: 1\n"), "{}", text.text());
    let refused = session.send("PUT", "/box?extract-archive=tar", &[("Accept", "image/png")], &one).await;
    assert!(refused.text().contains("Response Status: 406 Not Acceptable"), "{}", refused.text());
    assert_eq!(session.send("PUT", "/box?extract-archive=zip", &[], &one).await.status, 400);
}

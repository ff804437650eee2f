//! One namespace: what is written through one API is read through the other.

use std::fs;

use martlet_tests::server::Server;
use martlet_tests::swift::{Reply, Session};
use martlet_tests::{client, files};

use crate::work::Work;

#[test]
fn what_s3_writes_swift_reads() {
    let work = Work::new();
    let server = Server::start(&work.data());
    fs::write(work.path("file"), "through s3").unwrap();
    client::run(&server, "aws s3 mb s3://shared");
    client::run(&server, "aws s3 cp file s3://shared/a/b --content-type text/x-own --metadata colour=blue");

    assert_eq!(client::run(&server, "swift list"), "shared\n");
    assert_eq!(client::run(&server, "swift list shared"), "a/b\n");
    assert_eq!(client::run(&server, "swift download shared a/b --output -"), "through s3");
    let stat = client::run(&server, "swift stat shared a/b");
    for expected in ["Content Type: text/x-own", "Meta Colour: blue", "Content Length: 10"] {
        assert!(stat.contains(expected), "{stat}");
    }
}

#[test]
fn what_swift_writes_s3_reads() {
    let work = Work::new();
    let server = Server::start(&work.data());
    fs::write(work.path("file"), "through swift").unwrap();
    client::run(&server, "swift upload shared file --object-name a/b -H X-Object-Meta-Colour:blue");

    assert!(client::run(&server, "aws s3 ls").contains("shared"));
    assert!(client::run(&server, "aws s3 ls s3://shared/a/").contains(" 13 b"));
    assert_eq!(client::run(&server, "aws s3 cp s3://shared/a/b -"), "through swift");
    let head = client::run(&server, "aws s3api head-object --bucket shared --key a/b");
    assert!(head.contains(r#""colour": "blue""#), "{head}");
    client::run(&server, "aws s3 rm s3://shared/a/b");
    assert_eq!(client::run(&server, "swift list shared"), "");
}

#[test]
fn a_multipart_object_has_the_etag_that_each_side_expects() {
    let work = Work::new();
    let server = Server::start(&work.data());
    files::write_large(&work.path("large"), 7, 20 << 20);
    client::run(&server, "aws s3 mb s3://shared");
    client::run(&server, "aws s3 cp --only-show-errors large s3://shared/large");
    let head = client::run(&server, "aws s3api head-object --bucket shared --key large");
    assert!(head.contains("-3\\\"\""), "parts of 8 MiB make three: {head}");
    client::run(&server, "swift download shared large --output copy");
    assert_eq!(fs::read(work.path("large")).unwrap(), fs::read(work.path("copy")).unwrap());
}

#[test]
fn a_container_counts_what_both_sides_put_into_it() {
    let work = Work::new();
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    fs::write(work.path("file"), "12345").unwrap();
    assert_eq!(session.put("shared", b"").status(), 201);
    assert_eq!(session.put("shared/one", b"123").status(), 201);
    client::run(&server, "aws s3 cp file s3://shared/two");
    let stat = client::run(&server, "swift stat shared");
    assert!(stat.contains("Objects: 2") && stat.contains("Bytes: 8"), "{stat}");
    assert_eq!(session.delete("shared/two").status(), 204);
    let stat = client::run(&server, "swift stat shared");
    assert!(stat.contains("Objects: 1") && stat.contains("Bytes: 3"), "{stat}");
}

#[test]
fn keys_are_kept_to_the_byte() {
    let work = Work::new();
    let server = Server::start(&work.data());
    let session = Session::open(&server);
    assert_eq!(session.put("odd", b"").status(), 201);
    let keys = ["%2e%2e", "a/%2e%2e/b", "/lead", "a//b", "trail/", "%C3%BC", "tab%09", "a%25b", "q%3Fr%23s"];
    for key in keys {
        assert_eq!(session.put(&format!("odd/{key}"), key.as_bytes()).status(), 201, "{key}");
    }
    for key in keys {
        let expected = Reply::Answer { status: 200, body: key.as_bytes().to_vec() };
        assert_eq!(session.get(&format!("odd/{key}")), expected);
    }
    let listing =
        client::run(&server, "aws s3api list-objects-v2 --bucket odd --query Contents[].Key --output text");
    let mut listed: Vec<_> = listing.trim_end_matches('\n').split('\t').collect();
    // The text output separates by tabs, and one key ends with one.
    listed.retain(|key| !key.is_empty());
    assert_eq!(listed, ["..", "/lead", "a%b", "a/../b", "a//b", "q?r#s", "tab", "trail/", "ü"]);
}

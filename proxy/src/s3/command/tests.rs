//! Which operation a head asks for: one line a case.

use http::Request;
use proptest::prelude::*;

use super::*;

const UPLOAD: &str = "00112233445566778899aabbccddeeff";

fn parse(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Command, Refusal> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).expect("a good request").into_parts();
    Command::parse(&head, None)
}

/// The operation's name, or the refusal's.
fn name(outcome: Result<Command, Refusal>) -> String {
    let text = match outcome {
        Ok(Command { operation: Operation::Object { operation, .. }, .. }) => format!("{operation:?}"),
        Ok(command) => format!("{:?}", command.operation),
        Err(refusal) => format!("{refusal:?}"),
    };
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[track_caller]
fn check(method: &str, target: &str, expected: &str) {
    let target = target.replace("UPLOAD", UPLOAD);
    assert_eq!(name(parse(method, &target, &[])), expected, "{method} {target}");
}

#[track_caller]
fn check_header(method: &str, header: (&str, &str), expected: &str) {
    assert_eq!(name(parse(method, "/b/k", &[header])), expected, "{method} {header:?}");
}

#[test]
fn accounts() {
    check("GET", "/", "ListBuckets");
    check("GET", "/?x-id=ListBuckets&prefix=a&max-buckets=5&continuation-token=YQ", "ListBuckets");
    check("GET", "/?bucket-region=here", "ListBuckets");
    check("GET", "/?marker=a", "NotOffered");
    check("PUT", "/", "MethodNotAllowed");
    check("OPTIONS", "/", "Cors");
}

#[test]
fn buckets() {
    check("PUT", "/b", "CreateBucket");
    check("HEAD", "/b/", "HeadBucket");
    check("DELETE", "/b", "DeleteBucket");
    check("GET", "/b?location", "GetBucketLocation");
    check("GET", "/b?location=&x-id=GetBucketLocation", "GetBucketLocation");
    check("GET", "/b", "ListObjects");
    check("GET", "/b?list-type=2&fetch-owner=true&start-after=a", "ListObjects");
    check("GET", "/b?list-type=2&marker=a", "NotOffered");
    check("GET", "/b?start-after=a", "NotOffered");
    check("GET", "/b?uploads", "ListMultipartUploads");
    check("GET", "/b?uploads&delimiter=/", "ListMultipartUploads");
    check("POST", "/b?delete", "Request");
    let digest = [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    assert_eq!(name(parse("POST", "/b?delete", &digest)), "DeleteObjects");
    check("DELETE", "/b?delete", "NotOffered");
    check("PUT", "/b?location", "NotOffered");
    check("GET", "/b?location&uploads", "NotOffered");
    check("GET", "/b?Location", "NotOffered");
}

#[test]
fn objects() {
    check("GET", "/b/k", "GetObject");
    check("GET", "/b/k?response-content-type=a", "GetObject");
    check("GET", "/b/k?x-id=GetObject", "GetObject");
    check("GET", "/b/k?partNumber=1", "GetObject");
    check("HEAD", "/b/k?partNumber=1&versionId=null", "HeadObject");
    check("GET", "/b/k?partNumber=0", "Argument");
    check("GET", "/b/k?versionId=x", "Argument");
    check("HEAD", "/b/k", "HeadObject");
    check("PUT", "/b/k", "PutObject");
    check("DELETE", "/b/k", "DeleteObject");
    check("DELETE", "/b/k?versionId=null", "DeleteObject");
    check("PUT", "/b/k?versionId=null", "NotOffered");
    check("POST", "/b/k", "MethodNotAllowed");
    check("GET", "/b/k?location", "NotOffered");
    check_header("PUT", ("x-amz-copy-source", "/b/other"), "CopyObject");
    check_header("PUT", ("x-amz-copy-source", "other"), "Argument");
    check_header("GET", ("x-amz-checksum-mode", "ENABLED"), "GetObject");
    check_header("GET", ("x-amz-checksum-mode", "SOME"), "Argument");
    check_header("GET", ("x-amz-expected-bucket-owner", "a"), "GetObject");
    check_header("PUT", ("x-amz-tagging", "a=b"), "PutObject");
    check_header("DELETE", ("x-amz-if-match-size", "1"), "DeleteObject");
    check_header("DELETE", ("x-amz-if-match-size", "-1"), "Argument");
    check_header("GET", ("x-amz-request-payer", "requester"), "NotOffered");
    check_header("DELETE", ("x-amz-mfa", "1 2"), "NotOffered");
    check_header("DELETE", ("if-match", "\"a\""), "DeleteObject");
    check_header("PUT", ("x-amz-metadata-directive", "REPLACE"), "NotOffered");
}

#[test]
fn versions_tags_and_attributes() {
    check("GET", "/b?versioning", "GetBucketVersioning");
    check("PUT", "/b?versioning", "PutBucketVersioning");
    check("DELETE", "/b?versioning", "NotOffered");
    check("GET", "/b?versions&key-marker=a&version-id-marker=null&delimiter=/", "ListObjectVersions");
    check("GET", "/b?versions&marker=a", "NotOffered");
    for (method, expected) in [
        ("GET", "GetObjectTagging"),
        ("PUT", "PutObjectTagging"),
        ("DELETE", "DeleteObjectTagging"),
        ("POST", "NotOffered"),
        ("HEAD", "NotOffered"),
    ] {
        check(method, "/b/k?tagging", expected);
        check(method, "/b/k?tagging&versionId=null", expected);
    }
    check("GET", "/b/k?attributes", "Argument");
    assert_eq!(
        name(parse("GET", "/b/k?attributes&versionId=null", &[("x-amz-object-attributes", "ETag,Checksum")])),
        "GetObjectAttributes"
    );
    check("PUT", "/b/k?attributes", "NotOffered");
}

#[test]
fn uploads() {
    check("POST", "/b/k?uploads", "CreateMultipartUpload");
    check("POST", "/b/k?uploads=", "CreateMultipartUpload");
    check("PUT", "/b/k?partNumber=1&uploadId=UPLOAD", "UploadPart");
    check("PUT", "/b/k?uploadId=UPLOAD", "Argument");
    check("PUT", "/b/k?partNumber=1", "NotOffered");
    check("POST", "/b/k?uploadId=UPLOAD", "CompleteMultipartUpload");
    check("DELETE", "/b/k?uploadId=UPLOAD", "AbortMultipartUpload");
    check("GET", "/b/k?uploadId=UPLOAD&max-parts=5&part-number-marker=0", "ListParts");
    check("GET", "/b/k?uploadId=nonsense", "Store");
    check("POST", "/b/k?uploads&uploadId=UPLOAD", "NotOffered");
    check("HEAD", "/b/k?uploadId=UPLOAD", "MethodNotAllowed");
}

proptest! {
    #[test]
    fn every_head_is_understood_or_refused(
        method in "GET|HEAD|PUT|POST|DELETE|PATCH",
        path in "/[a-z/%0-9.]{0,12}",
        query in "[a-zA-Z=&%0-9-]{0,24}",
        header in prop::sample::select(vec![
            "range", "if-match", "content-md5", "x-amz-copy-source", "x-amz-copy-source-range",
            "x-amz-checksum-crc32", "x-amz-meta-a", "x-amz-sdk-checksum-algorithm", "content-type",
        ]),
        value in "[ -~ü]{0,24}",
    ) {
        let request = Request::builder().method(&*method).uri(format!("{path}?{query}")).header(header, &value);
        if let Ok(request) = request.body(()) {
            let (head, ()) = request.into_parts();
            let once = name(Command::parse(&head, None));
            let again = name(Command::parse(&head, None));
            prop_assert_eq!(once, again);
        }
    }

    #[test]
    fn a_parameter_that_nobody_knows_is_never_ignored(
        method in "GET|HEAD|PUT|POST|DELETE", target in "/b|/b/k|/b/k/l", name in "[a-z]{1,3}",
    ) {
        // No parameter of ours is that short.
        let outcome = parse(&method, &format!("{target}?{name}"), &[]);
        prop_assert!(matches!(outcome, Err(Refusal::NotOffered(_))), "{:?}", outcome);
    }

    #[test]
    fn an_amz_header_that_nobody_knows_is_never_ignored(
        method in "GET|HEAD|PUT|DELETE", target in "/b|/b/k", name in "[a-z]{1,3}",
    ) {
        let outcome = parse(&method, &target, &[(&format!("x-amz-{name}-unknown"), "1")]);
        prop_assert!(matches!(outcome, Err(Refusal::NotOffered(_))), "{:?}", outcome);
    }
}

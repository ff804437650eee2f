//! Policies of forms: what they allow, and what they refuse.

use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{ContainerName, Timestamp};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// The example of "Browser-Based Upload using HTTP POST (Using AWS Signature Version 4)".
const EXAMPLE: &str = r#"{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}"#;
const EXAMPLE_SIGNATURE: &str = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
/// 2015-12-29T00:00:00Z
const NOW: Timestamp = Timestamp::from_micros(1_451_347_200_000_000);

fn fields(list: &[(&str, &str)]) -> PostFields {
    let mut fields = PostFields::default();
    for (name, value) in list {
        fields.add(name, (*value).to_owned()).unwrap();
    }
    fields
}

fn example() -> Vec<(&'static str, String)> {
    let policy = STANDARD.encode(EXAMPLE.replace('\n', "\r\n"));
    [
        ("key", "user/user1/${filename}"),
        ("acl", "public-read"),
        ("success_action_redirect", "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-uuid", "14365123651274"),
        ("x-amz-server-side-encryption", "AES256"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Date", "20151229T000000Z"),
        ("x-amz-meta-tag", ""),
        ("Policy", &policy),
        ("X-Amz-Signature", EXAMPLE_SIGNATURE),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// The example with one field changed, added, or, with `None`, left out.
fn changed(name: &str, value: Option<&str>) -> PostFields {
    let mut list = example();
    list.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    let mut fields = PostFields::default();
    for (name, value) in list {
        fields.add(name, value).unwrap();
    }
    if let Some(value) = value {
        fields.add(name, value.to_owned()).unwrap();
    }
    fields
}

fn judge(mut fields: PostFields, bucket: &str) -> Result<LengthRange, PostError> {
    fields.name_file("photo.jpg");
    let signed = SignedPolicy::read(&fields, "us-east-1")?.expect("a policy");
    assert_eq!(signed.access_key(), "AKIAIOSFODNN7EXAMPLE");
    let policy = signed.prove(&Secret::new(SECRET))?;
    policy.judge(&fields, &ContainerName::parse(bucket.as_bytes()).unwrap(), NOW)
}

/// A form of the old kind, with this policy and these fields, posted to the bucket `box`.
fn old(policy: &str, list: &[(&str, &str)]) -> Result<LengthRange, PostError> {
    let text = STANDARD.encode(policy);
    let signature = STANDARD.encode(v2_signature(&Secret::new("s"), &text));
    let own = [("policy", text.as_str()), ("AWSAccessKeyId", "K"), ("signature", &signature)];
    let fields = fields(&[&own, list].concat());
    let policy = SignedPolicy::read(&fields, "r")?.expect("a policy").prove(&Secret::new("s"))?;
    policy.judge(&fields, &ContainerName::parse(b"box").unwrap(), NOW)
}

fn conditions(conditions: &str, list: &[(&str, &str)]) -> Result<LengthRange, PostError> {
    old(&format!(r#"{{"expiration": "2020-01-01T00:00:00Z", "conditions": [{conditions}]}}"#), list)
}

#[test]
fn the_example_of_aws_is_believed() {
    let range = judge(changed("x-ignore-me", Some("anything")), "sigv4examplebucket");
    assert_eq!(range, Ok(LengthRange { bytes_min: 0, bytes_max: PUT_BYTES_MAX }));
}

#[test]
fn the_name_of_the_file_stands_for_itself() {
    let mut fields = fields(&[("key", "a/${filename}"), ("policy", "${filename}")]);
    fields.name_file("C:\\pictures\\photo.jpg");
    assert_eq!((fields.key(), fields.get("policy")), (Ok("a/photo.jpg"), Some("${filename}")));
}

#[test]
fn what_breaks_the_example_is_named() {
    let bucket = "sigv4examplebucket";
    let failed = |text: &str| Err(PostError::ConditionFailed(text.to_owned()));
    assert_eq!(
        judge(changed("key", Some("user/user2/x")), bucket),
        failed(r#"["starts-with", "$key", "user/user1/"]"#)
    );
    assert_eq!(judge(changed("acl", Some("private")), bucket), failed(r#"["eq", "$acl", "public-read"]"#));
    assert_eq!(
        judge(changed("x-amz-meta-tag", None), bucket),
        failed(r#"["starts-with", "$x-amz-meta-tag", ""]"#)
    );
    assert_eq!(judge(changed("", None), "other"), failed(r#"["eq", "$bucket", "sigv4examplebucket"]"#));
    let extra = Err(PostError::ExtraField("x-amz-meta-more".to_owned()));
    assert_eq!(judge(changed("x-amz-meta-more", Some("1")), bucket), extra);
}

#[test]
fn a_signature_that_does_not_fit_is_refused() {
    let bucket = "sigv4examplebucket";
    let other = EXAMPLE_SIGNATURE.replace('8', "9");
    for signature in [other.as_str(), "", "zz"] {
        let refused = judge(changed("x-amz-signature", Some(signature)), bucket);
        let expected = if signature.is_empty() {
            PostError::MissingField("x-amz-signature")
        } else {
            PostError::SignatureMismatch
        };
        assert_eq!(refused, Err(expected), "{signature}");
    }
    let policy = STANDARD.encode(EXAMPLE);
    assert_eq!(judge(changed("policy", Some(&policy)), bucket), Err(PostError::SignatureMismatch));
    assert_eq!(judge(changed("policy", None), bucket), Err(PostError::MissingField("policy")));
    assert_eq!(judge(changed("x-amz-date", None), bucket), Err(PostError::MissingField("x-amz-date")));
    for (name, value) in [
        ("x-amz-algorithm", "AWS4-HMAC-SHA1"),
        ("x-amz-date", "20151230T000000Z"),
        ("x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-west-1/s3/aws4_request"),
        ("x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/iam/aws4_request"),
        ("x-amz-credential", "AKIAIOSFODNN7EXAMPLE"),
    ] {
        assert_eq!(judge(changed(name, Some(value)), bucket), Err(PostError::BadField(name)), "{value}");
    }
}

#[test]
fn a_form_without_policy_comes_from_nobody() {
    assert!(SignedPolicy::read(&fields(&[("key", "k"), ("acl", "private")]), "r").unwrap().is_none());
    let half = fields(&[("key", "k"), ("policy", "e30=")]);
    let refused = SignedPolicy::read(&half, "r").unwrap_err();
    assert_eq!(refused, PostError::MissingField("AWSAccessKeyId"));
}

#[test]
fn the_old_signature_is_believed_too() {
    let all = r#"{"bucket": "box"}, ["starts-with", "$key", "foo"], ["eq", "$acl", "private"]"#;
    assert!(conditions(all, &[("key", "foo.txt"), ("acl", "private")]).is_ok());
    assert!(conditions(all, &[("kEy", "foo.txt"), ("aCl", "private")]).is_ok());
    let capitals = r#"{"bUcKeT": "box"}, ["StArTs-WiTh", "$KeY", "foo"], {"AcL": "private"}"#;
    assert!(conditions(capitals, &[("key", "foo.txt"), ("acl", "private")]).is_ok());
    assert!(matches!(conditions(all, &[("key", "foo.txt")]), Err(PostError::ConditionFailed(_))));
}

#[test]
fn the_bucket_must_be_named() {
    let unnamed = conditions(r#"["starts-with", "$key", ""]"#, &[("key", "k")]);
    assert_eq!(unnamed, Err(PostError::ExtraField("bucket".to_owned())));
}

#[test]
fn the_narrowest_length_counts() {
    let rest = r#"{"bucket": "box"}, {"key": "k"}"#;
    let range = |text: &str| conditions(&format!("{rest}, {text}"), &[("key", "k")]);
    let bytes = |bytes_min, bytes_max| Ok(LengthRange { bytes_min, bytes_max });
    assert_eq!(range(r#"["content-length-range", 1, 1024]"#), bytes(1, 1024));
    assert_eq!(range(r#"["content-length-range", "1", "1024"]"#), bytes(1, 1024));
    let two = r#"["content-length-range", 0, 10], ["content-length-range", 5, 20]"#;
    assert_eq!(range(two), bytes(5, 10));
}

#[test]
fn what_is_no_policy_is_refused() {
    #[track_caller]
    fn check(policy: &str) {
        let refused = old(policy, &[("key", "k")]);
        assert!(matches!(refused, Err(PostError::InvalidPolicy(_))), "{refused:?}");
    }
    let with =
        |conditions: &str| format!(r#"{{"expiration": "2020-01-01T00:00:00Z", "conditions": {conditions}}}"#);
    check("");
    check("[]");
    check(r#"{"conditions": []}"#);
    check(r#"{"expiration": "2020-01-01T00:00:00Z"}"#);
    check(r#"{"EXPIRATION": "2020-01-01T00:00:00Z", "conditions": []}"#);
    check(r#"{"expiration": "2020-01-01T00:00:00Z", "CONDITIONS": []}"#);
    check(
        r#"{"expiration": "2020-01-01T00:00:00Z", "expiration": "2020-01-01T00:00:00Z", "conditions": []}"#,
    );
    for date in ["2020-01-01 00:00:00+00:00", "2020-01-01T00:00:00", "soon", ""] {
        check(&format!(r#"{{"expiration": "{date}", "conditions": []}}"#));
    }
    for conditions in [
        "{}",
        "[{}]",
        "[[]]",
        "[1]",
        r#"[["eq", "key", "k"]]"#,
        r#"[["like", "$key", "k"]]"#,
        r#"[["content-length-range", 0]]"#,
        r#"[["content-length-range", -1, 0]]"#,
        r#"[["content-length-range", 2, 1]]"#,
        r#"[{"key": ["k"]}]"#,
    ] {
        check(&with(conditions));
    }
}

#[test]
fn a_policy_ends() {
    let at = |date: &str| {
        let policy =
            format!(r#"{{"expiration": "{date}", "conditions": [{{"bucket": "box"}}, {{"key": "k"}}]}}"#);
        old(&policy, &[("key", "k")])
    };
    assert!(at("2015-12-29T00:00:00Z").is_ok());
    assert_eq!(at("2015-12-28T23:59:59.999Z"), Err(PostError::Expired));
}

#[test]
fn fields_out_of_bounds_are_refused() {
    let mut twice = fields(&[("key", "k")]);
    assert!(matches!(twice.add("KEY", "j".to_owned()), Err(PostError::Malformed(_))));
    let mut long = fields(&[("key", "k")]);
    assert!(matches!(long.add("more", "x".repeat(20 * 1024)), Err(PostError::Malformed(_))));
    assert_eq!(fields(&[]).key(), Err(PostError::MissingField("key")));
}

proptest! {
    #[test]
    fn no_policy_is_too_odd(text in "\\PC{0,60}|[\\[\\]{}\":,$a-z0-9 -]{0,60}") {
        let _ = PostPolicy::parse(&STANDARD.encode(&text));
        let _ = PostPolicy::parse(&text);
        let _ = conditions(&text, &[("key", "k")]);
    }

    #[test]
    fn no_unsigned_form_passes(signature in "[A-Za-z0-9+/=]{0,40}", key in "[a-zA-Z0-9/-]{0,60}") {
        let policy = STANDARD.encode(r#"{"expiration": "2020-01-01T00:00:00Z", "conditions": []}"#);
        let fields = fields(&[("policy", &policy), ("awsaccesskeyid", &key), ("signature", &signature)]);
        let proved = SignedPolicy::read(&fields, "r").map(|signed| signed.map(|signed| signed.prove(&Secret::new("s"))));
        prop_assert!(!matches!(proved, Ok(Some(Ok(_)))));
    }
}

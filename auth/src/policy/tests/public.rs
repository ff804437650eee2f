//! Which policies are public.

use super::*;

#[track_caller]
fn check(statement: &str, public: bool) {
    assert_eq!(policy_of(&[statement.to_owned()]).is_public(), public, "{statement}");
}

#[test]
fn what_everybody_may_is_public() {
    let to =
        |principal: &str, condition: &str| statement("Allow", principal, r#""s3:GetObject""#, ALL, condition);
    check(&to(ANYBODY, "{}"), true);
    check(&to(r#""Principal": {"AWS": ["friends", "*"]}"#, "{}"), true);
    check(&to(r#""Principal": {"AWS": "arn:aws:iam::friends:root"}"#, "{}"), false);
    check(&to(r#""Principal": {"CanonicalUser": "x"}"#, "{}"), false);
    check(&statement("Deny", ANYBODY, r#""s3:GetObject""#, ALL, "{}"), false);
}

#[test]
fn a_condition_that_says_who_makes_it_private() {
    for (condition, public) in [
        (r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}"#, false),
        (r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}"#, false),
        (r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, true),
        (r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::/1"]}}"#, true),
        (r#"{"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}"#, true),
        (r#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, true),
        (r#"{"StringEquals": {"aws:userid": "x"}}"#, false),
        (r#"{"StringLike": {"aws:userid": "x"}}"#, false),
        (r#"{"StringLike": {"aws:userid": "x*"}}"#, true),
        (r#"{"StringNotEquals": {"aws:userid": "x"}}"#, true),
        (r#"{"ForAllValues:StringEquals": {"aws:userid": "x"}}"#, true),
        (r#"{"StringEquals": {"aws:username": "${aws:username}"}}"#, true),
        (r#"{"StringEquals": {"aws:Referer": "http://a/"}}"#, true),
        (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, true),
    ] {
        check(&statement("Allow", ANYBODY, r#""s3:GetObject""#, ALL, condition), public);
    }
}

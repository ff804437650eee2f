//! Conditions, operator by operator and key by key.

use super::*;

#[test]
fn texts_are_compared() {
    let referred = |page: &str| ask().header("referer", page);
    for (operator, value, fits, fits_not) in [
        ("StringEquals", "http://a/", "http://a/", "http://A/"),
        ("StringEquals", "*", "*", "a"),
        ("StringNotEquals", "http://a/", "http://b/", "http://a/"),
        ("StringEqualsIgnoreCase", "http://a/", "HTTP://A/", "http://b/"),
        ("StringNotEqualsIgnoreCase", "http://a/", "http://b/", "HTTP://A/"),
        ("StringLike", "http://*.a/?", "http://www.a/x", "http://www.a/xy"),
        ("StringNotLike", "http://a/*", "http://b/", "http://a/x"),
    ] {
        let condition = format!(r#"{{"{operator}": {{"aws:Referer": "{value}"}}}}"#);
        check(&condition, &referred(fits), true);
        check(&condition, &referred(fits_not), false);
    }
}

#[test]
fn any_of_the_values_may_fit_and_none_of_those_that_must_not() {
    let referred = |page: &str| ask().header("referer", page);
    let any = r#"{"StringEquals": {"aws:Referer": ["a", "b"]}}"#;
    let none = r#"{"StringNotEquals": {"aws:Referer": ["a", "b"]}}"#;
    for (page, is_one) in [("a", true), ("b", true), ("c", false)] {
        check(any, &referred(page), is_one);
        check(none, &referred(page), !is_one);
    }
}

#[test]
fn what_is_not_said_fits_nothing_unless_that_is_allowed_for() {
    for (condition, holds) in [
        (r#"{"StringEquals": {"aws:Referer": "a"}}"#, false),
        (r#"{"StringLike": {"aws:Referer": "*"}}"#, false),
        (r#"{"StringNotEquals": {"aws:Referer": "a"}}"#, true),
        (r#"{"StringLikeIfExists": {"aws:Referer": "a"}}"#, true),
        (r#"{"StringNotEqualsIfExists": {"aws:Referer": "a"}}"#, true),
        (r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, false),
        (r#"{"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, true),
        (r#"{"NumericLessThan": {"s3:max-keys": "10"}}"#, false),
        (r#"{"NumericLessThanIfExists": {"s3:max-keys": "10"}}"#, true),
        (r#"{"Null": {"aws:Referer": "true"}}"#, true),
        (r#"{"Null": {"aws:Referer": false}}"#, false),
        (r#"{"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": "a"}}"#, true),
        (r#"{"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}"#, false),
        (r#"{"ForAnyValue:StringNotEquals": {"s3:RequestObjectTagKeys": "a"}}"#, false),
    ] {
        check(condition, &ask(), holds);
    }
    check(r#"{"Null": {"aws:Referer": "true"}}"#, &ask().header("referer", "x"), false);
    check(r#"{"Null": {"aws:Referer": "false"}}"#, &ask().header("referer", "x"), true);
    check(
        r#"{"StringLikeIfExists": {"aws:Referer": "http://a/*"}}"#,
        &ask().header("referer", "http://b/"),
        false,
    );
}

#[test]
fn all_conditions_must_hold() {
    let both = r#"{"StringLike": {"aws:Referer": "a*", "aws:UserAgent": "b*"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#;
    let said = |agent| ask().saying("/", &[("referer", "a1"), ("user-agent", agent)]);
    check(both, &said("b1").from("10.1.2.3"), true);
    check(both, &said("c1").from("10.1.2.3"), false);
    check(both, &said("b1").from("11.1.2.3"), false);
}

#[test]
fn addresses_are_in_ranges() {
    let near = r#"{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}}"#;
    for (address, inside) in [
        ("192.0.2.9", true),
        ("::ffff:192.0.2.9", true),
        ("192.0.3.9", false),
        ("2001:db8::1", true),
        ("::1", false),
    ] {
        check(near, &ask().from(address), inside);
        check(&near.replace("IpAddress", "NotIpAddress"), &ask().from(address), !inside);
    }
}

#[test]
fn the_transport_can_be_asked_for() {
    let safe =
        Ask { context: RequestContext { transport: Transport::Tls, ..RequestContext::bare(NOW) }, ..ask() };
    for value in [r#""true""#, "true", r#""True""#] {
        let condition = format!(r#"{{"Bool": {{"aws:SecureTransport": {value}}}}}"#);
        check(&condition, &safe, true);
        check(&condition, &ask(), false);
    }
    // How AWS tells people to refuse requests that aren't encrypted.
    let deny = statement("Deny", ANYBODY, r#""s3:*""#, ALL, r#"{"Bool": {"aws:SecureTransport": "false"}}"#);
    let policy = policy_of(&[deny]);
    assert_eq!(ask().judged(&policy), Verdict::Denied);
    assert_eq!(safe.judged(&policy), Verdict::Silent);
}

#[test]
fn numbers_and_dates_have_an_order() {
    let keys = |count: &str| ask().saying(&format!("/?max-keys={count}"), &[]).on_bucket(Action::ListBucket);
    for (operator, nine, ten, eleven) in [
        ("NumericEquals", false, true, false),
        ("NumericNotEquals", true, false, true),
        ("NumericLessThan", true, false, false),
        ("NumericLessThanEquals", true, true, false),
        ("NumericGreaterThan", false, false, true),
        ("NumericGreaterThanEquals", false, true, true),
    ] {
        for value in [r#""10""#, "10", "10.0"] {
            let condition = format!(r#"{{"{operator}": {{"s3:max-keys": {value}}}}}"#);
            for (count, holds) in [("9", nine), ("10", ten), ("11", eleven)] {
                check(&condition, &keys(count), holds);
            }
        }
    }
    check(r#"{"NumericLessThan": {"s3:max-keys": "10"}}"#, &keys("many"), false);
    for (operator, date, holds) in [
        ("DateGreaterThan", "2015-12-28T23:59:59Z", true),
        ("DateGreaterThan", "2015-12-29T00:00:00Z", false),
        ("DateLessThanEquals", "2015-12-29", true),
        ("DateEquals", "1451347200", true),
        ("DateNotEquals", "2015-12-29T00:00:00Z", false),
        ("DateLessThan", "2016-01-01T00:00:00.000Z", true),
    ] {
        check(&format!(r#"{{"{operator}": {{"aws:CurrentTime": "{date}"}}}}"#), &ask(), holds);
    }
}

#[test]
fn who_asks_can_be_asked_for() {
    for (key, value) in [
        ("aws:username", "alice"),
        ("aws:userid", "id-of-alice"),
        ("aws:PrincipalArn", "arn:aws:iam::friends:user/alice"),
        ("aws:PrincipalAccount", "friends"),
        ("aws:PrincipalType", "User"),
    ] {
        let condition = format!(r#"{{"StringEquals": {{"{key}": "{value}"}}}}"#);
        check(&condition, &ask(), true);
        check(&condition, &ask().by(user("strangers", "bob")).by(Identity::Anonymous), false);
    }
    check(r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::friends:user/*"}}"#, &ask(), true);
    check(r#"{"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::friends:user/*"}}"#, &ask(), false);
    check(r#"{"StringEquals": {"aws:PrincipalType": "Anonymous"}}"#, &ask().by(Identity::Anonymous), true);
}

#[test]
fn a_listing_can_be_narrowed() {
    let list = |prefix, delimiter| Ask { prefix, delimiter, ..ask() }.on_bucket(Action::ListBucket);
    let home = r#"{"StringLike": {"s3:prefix": ["", "home/${aws:username}/*"]}, "StringEquals": {"s3:delimiter": "/"}}"#;
    check(home, &list(Some("home/alice/x"), Some("/")), true);
    check(home, &list(Some(""), Some("/")), true);
    check(home, &list(Some("home/bob/"), Some("/")), false);
    check(home, &list(Some("home/alice/x"), None), false);
}

#[test]
fn headers_can_be_asked_for() {
    for (header, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "id=x"),
        ("x-amz-grant-full-control", "id=x"),
        ("x-amz-metadata-directive", "COPY"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ] {
        let condition = format!(r#"{{"StringEquals": {{"s3:{header}": "{value}"}}}}"#);
        check(&condition, &ask().header(header, value), true);
        check(&condition, &ask().header(header, "other"), false);
        check(&condition, &ask(), false);
    }
    check(r#"{"StringLike": {"AWS:USERAGENT": "curl/*"}}"#, &ask().header("user-agent", "curl/8"), true);
}

#[test]
fn the_source_of_a_copy_is_known_with_and_without_its_slash() {
    for source in ["other/public/a", "/other/public/a", "other%2Fpublic%2Fa", "/other/public/a?versionId=x"] {
        let from = ask().header("x-amz-copy-source", source);
        for pattern in ["other/public/*", "/other/public/*"] {
            check(&format!(r#"{{"StringLike": {{"s3:x-amz-copy-source": "{pattern}"}}}}"#), &from, true);
            check(&format!(r#"{{"StringNotLike": {{"s3:x-amz-copy-source": "{pattern}"}}}}"#), &from, false);
        }
        check(r#"{"StringLike": {"s3:x-amz-copy-source": "other/private/*"}}"#, &from, false);
    }
}

#[test]
fn tags_can_be_asked_for() {
    let existing = r#"{"StringEquals": {"s3:ExistingObjectTag/security": "public"}}"#;
    let has = |list: &[(&str, &str)]| Ask { old_tags: Some(tags(list)), ..ask() };
    check(existing, &has(&[("security", "public"), ("a", "b")]), true);
    check(existing, &has(&[("security", "private")]), false);
    check(existing, &has(&[("Security", "public")]), false);
    check(existing, &ask(), false);
    assert!(under(existing).reads_object_tags());

    let requested = r#"{"StringEquals": {"s3:RequestObjectTag/security": "public"}}"#;
    let sets = |list: &[(&str, &str)]| Ask { new_tags: tags(list), ..ask() }.to(Action::PutObject);
    check(requested, &sets(&[("security", "public")]), true);
    check(requested, &sets(&[("security", "private")]), false);
    assert!(!under(requested).reads_object_tags());

    let only = r#"{"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["a", "b*"]}}"#;
    check(only, &sets(&[("a", ""), ("b1", "")]), true);
    check(only, &sets(&[("a", ""), ("c", "")]), false);
    let some = r#"{"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}"#;
    check(some, &sets(&[("a", ""), ("c", "")]), true);
    check(some, &sets(&[("c", "")]), false);
}

#[test]
fn versions_and_signatures_can_be_asked_for() {
    let version = VersionId::Id([7; 16]);
    let condition = format!(r#"{{"StringEquals": {{"s3:VersionId": "{version}"}}}}"#);
    check(&condition, &Ask { version: Some(version), ..ask() }.to(Action::GetObjectVersion), true);
    check(&condition, &Ask { version: Some(VersionId::Null), ..ask() }.to(Action::GetObjectVersion), false);

    let form = [("content-type", "multipart/form-data; boundary=x")];
    let v4 = [("authorization", "AWS4-HMAC-SHA256 Credential=x")];
    for (ask, version, kind) in [
        (ask().saying("/", &v4), "AWS4-HMAC-SHA256", "REST-HEADER"),
        (ask().header("authorization", "AWS K:s"), "AWS", "REST-HEADER"),
        (ask().saying("/?X-Amz-Signature=x", &[]), "AWS4-HMAC-SHA256", "REST-QUERY-STRING"),
        (ask().saying("/?Signature=x", &[]), "AWS", "REST-QUERY-STRING"),
    ] {
        check(&format!(r#"{{"StringEquals": {{"s3:signatureversion": "{version}"}}}}"#), &ask, true);
        check(&format!(r#"{{"StringEquals": {{"s3:authType": "{kind}"}}}}"#), &ask, true);
    }
    check(r#"{"Null": {"s3:authType": "true"}}"#, &ask().saying("/", &form), true);
}

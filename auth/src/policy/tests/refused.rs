//! What is refused when it is set.

use super::*;

fn refused(json: &str) -> MalformedPolicy {
    parse(json).expect_err(json)
}

/// A statement that allows everything to everybody, with one field put in, or in the place of another.
fn with(name: &str, value: &str) -> MalformedPolicy {
    let mut fields = vec![
        (r#""Effect""#, r#""Allow""#),
        (r#""Principal""#, r#""*""#),
        (r#""Action""#, r#""s3:GetObject""#),
        (r#""Resource""#, r#""arn:aws:s3:::box/*""#),
    ];
    let quoted = format!("\"{name}\"");
    let opposite = name.strip_prefix("Not").map(|name| format!("\"{name}\""));
    fields.retain(|(other, _)| *other != quoted && Some((*other).to_owned()) != opposite);
    if !value.is_empty() {
        fields.push((&quoted, value));
    }
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    refused(&format!(r#"{{"Version": "2012-10-17", "Statement": [{{{}}}]}}"#, fields.join(", ")))
}

#[test]
fn what_is_no_policy() {
    for json in ["", "{", "hello", "\u{feff}{}"] {
        assert!(matches!(refused(json), MalformedPolicy::NotJson(_)), "{json}");
    }
    assert_eq!(refused("[]"), MalformedPolicy::NotAnObject);
    assert_eq!(refused("{}"), MalformedPolicy::MissingField("Statement"));
    assert_eq!(refused(r#"{"Statement": []}"#), MalformedPolicy::MissingField("Statement"));
    assert_eq!(refused(r#"{"Statement": ["x"]}"#), MalformedPolicy::NotAnObject);
    assert_eq!(refused(r#"{"Version": "2020-01-01", "Statement": []}"#), MalformedPolicy::InvalidVersion);
    assert_eq!(
        refused(r#"{"Statements": [], "Statement": []}"#),
        MalformedPolicy::UnknownField("Statements".to_owned())
    );
    let twice = r#"{"Version": "2012-10-17", "Version": "2008-10-17", "Statement": []}"#;
    assert!(matches!(refused(twice), MalformedPolicy::NotJson(_)));
    let long = format!(r#"{{"Id": "{}", "Statement": []}}"#, "x".repeat(POLICY_BYTES_MAX));
    assert_eq!(refused(&long), MalformedPolicy::TooLong);
    assert!(matches!(refused(&"[".repeat(10_000)), MalformedPolicy::NotJson(_)));
}

#[test]
fn what_is_no_statement() {
    for name in ["Effect", "Principal", "Action", "Resource"] {
        assert_eq!(
            with(name, ""),
            MalformedPolicy::MissingField(match name {
                "Effect" => "Effect",
                "Principal" => "Principal",
                "Action" => "Action",
                _ => "Resource",
            })
        );
    }
    assert_eq!(with("Effect", r#""allow""#), MalformedPolicy::InvalidEffect("allow".to_owned()));
    assert_eq!(with("More", "1"), MalformedPolicy::UnknownField("More".to_owned()));
    assert_eq!(with("Sid", "1"), MalformedPolicy::NotText("Sid"));
    assert_eq!(with("NotPrincipal", r#"{"AWS": "friends"}"#), MalformedPolicy::NotPrincipalAllows);
    assert_eq!(with("Action", "[]"), MalformedPolicy::NotText("Action"));
    let both = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "NotAction": "*", "Resource": "*"}}"#;
    assert_eq!(refused(both), MalformedPolicy::BothOf("Action", "NotAction"));
}

#[test]
fn who_can_not_be_known_here() {
    for principal in [
        r#""alice""#,
        "{}",
        "[]",
        r#"{"AWS": ""}"#,
        r#"{"AWS": "arn:aws:iam::friends:*"}"#,
        r#"{"AWS": "arn:aws:iam::friends:role/x"}"#,
        r#"{"AWS": "arn:aws:iam::friends:user/"}"#,
        r#"{"AWS": "arn:aws:iam:::root"}"#,
        r#"{"AWS": "arn:aws:sts::friends:assumed-role/x/y"}"#,
        r#"{"Service": "logging.s3.amazonaws.com"}"#,
        r#"{"Federated": "x"}"#,
    ] {
        assert!(matches!(with("Principal", principal), MalformedPolicy::InvalidPrincipal(_)), "{principal}");
    }
}

#[test]
fn actions_and_resources_of_others() {
    for action in [r#""s3:Nothing""#, r#""ec2:*""#, r#""GetObject""#, r#""""#] {
        assert!(matches!(with("Action", action), MalformedPolicy::InvalidAction(_)), "{action}");
    }
    for resource in [
        r#""arn:aws:s3:::other/*""#,
        r#""arn:aws:s3:::box2""#,
        r#""box""#,
        r#""arn:aws:s3:::""#,
        r#""arn:aws:s3:::?/*""#,
    ] {
        assert!(matches!(with("Resource", resource), MalformedPolicy::InvalidResource(_)), "{resource}");
    }
}

#[test]
fn conditions_that_could_not_be_held_to() {
    for condition in [
        r#"{"StringIs": {"aws:Referer": "a"}}"#,
        r#"{"stringequals": {"aws:Referer": "a"}}"#,
        r#"{"BinaryEquals": {"aws:Referer": "a"}}"#,
        r#"{"NullIfExists": {"aws:Referer": "true"}}"#,
        r#"{"ForSomeValues:StringEquals": {"aws:Referer": "a"}}"#,
    ] {
        assert!(matches!(with("Condition", condition), MalformedPolicy::UnknownOperator(_)), "{condition}");
    }
    for key in [
        "aws:SourceVpc",
        "s3:x-amz-object-ownership",
        "Referer",
        "",
        "s3:ExistingObjectTag/",
        "s3:LocationConstraint",
    ] {
        let condition = format!(r#"{{"StringEquals": {{"{key}": "a"}}}}"#);
        assert!(matches!(with("Condition", &condition), MalformedPolicy::UnknownKey(_)), "{key}");
    }
    for condition in [
        r#"{"StringEquals": {"aws:Referer": []}}"#,
        r#"{"StringEquals": {"aws:Referer": {"a": "b"}}}"#,
        r#"{"Bool": {"aws:SecureTransport": "yes"}}"#,
        r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}"#,
        r#"{"NumericEquals": {"s3:max-keys": "ten"}}"#,
        r#"{"DateEquals": {"aws:CurrentTime": "tomorrow"}}"#,
        r#"{"Null": {"aws:Referer": ["true", "false"]}}"#,
    ] {
        assert!(matches!(with("Condition", condition), MalformedPolicy::BadValue(_)), "{condition}");
    }
    assert_eq!(with("Condition", "[]"), MalformedPolicy::NotAnObject);
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,80}|[\\[\\]{}\":,$*a-zA-Z0-9 -]{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_part_of_a_statement_is_too_odd(
        principal in "[\\[\\]{}\":,*a-zA-Z/]{0,30}",
        action in "[\\[\\]\",*?a-zA-Z:]{0,20}",
        resource in "\"(arn:aws:s3:::)?[box/*?$}{a-z:]{0,20}\"",
        operator in "(For(All|Any)Values?:)?(String|Date|Numeric|Null|Bool)[A-Za-z]{0,12}",
        value in "\\PC{0,20}",
    ) {
        let condition = serde_json::json!({ operator: { "aws:Referer": value } }).to_string();
        let json = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Principal": {principal}, "Action": {action}, "Resource": {resource}, "Condition": {condition}}}}}"#
        );
        if let Ok(policy) = parse(&json) {
            let _ = ask().judged(&policy);
            let _ = policy.is_public();
        }
    }
}

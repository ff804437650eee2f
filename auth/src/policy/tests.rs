//! Policies held to what AWS documents of every element.

use std::net::IpAddr;
use std::sync::Arc;

use http::Request as HttpRequest;
use martlet_model::{
    AccountName, Annotations, ContainerId, ContainerName, ObjectId, ObjectKey, Tags, Timestamp, VersionId,
};
use proptest::prelude::*;

use super::*;
use crate::account_acl::AccountRight;
use crate::identity::{CanonicalId, Identity, Role, User};
use crate::request::{Details, Listing, RequestContext, Resource, Transport};

const BUCKET: &str = "box";
/// 2015-12-29T00:00:00Z
const NOW: Timestamp = Timestamp::from_micros(1_451_347_200_000_000);

fn container() -> ContainerId {
    let account = AccountName::parse(b"AUTH_own").unwrap();
    ContainerId { account, name: ContainerName::parse(BUCKET.as_bytes()).unwrap() }
}

fn object(key: &str) -> ObjectId {
    ObjectId { container: container(), key: ObjectKey::parse(key.to_owned()).unwrap() }
}

fn user(account: &str, name: &str) -> Identity {
    let account = AccountName::parse(format!("AUTH_{account}").as_bytes()).unwrap();
    User { id: CanonicalId::new(format!("id-of-{name}")), ..User::new(account, name, Role::Owner) }.into()
}

fn tags(list: &[(&str, &str)]) -> Tags {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn parse(json: &str) -> Result<Policy, MalformedPolicy> {
    Policy::parse(json.as_bytes(), &container().name)
}

/// A request, by alice of the account `friends` for the object `key`, unless something else is said.
#[derive(Clone)]
struct Ask {
    identity: Identity,
    action: Action,
    /// `None`: the bucket.
    key: Option<&'static str>,
    context: RequestContext,
    version: Option<VersionId>,
    prefix: Option<&'static str>,
    delimiter: Option<&'static str>,
    new_tags: Tags,
    old_tags: Option<Tags>,
}

fn ask() -> Ask {
    Ask {
        identity: user("friends", "alice"),
        action: Action::GetObject,
        key: Some("key"),
        context: RequestContext::bare(NOW),
        version: None,
        prefix: None,
        delimiter: None,
        new_tags: Tags::default(),
        old_tags: None,
    }
}

impl Ask {
    fn by(self, identity: Identity) -> Self {
        Self { identity, ..self }
    }

    fn to(self, action: Action) -> Self {
        Self { action, ..self }
    }

    fn of(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    fn on_bucket(self, action: Action) -> Self {
        Self { key: None, action, ..self }
    }

    fn from(mut self, address: &str) -> Self {
        self.context.client = Some(address.parse::<IpAddr>().unwrap());
        self
    }

    fn saying(mut self, uri: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = HttpRequest::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.context.head = Some(Arc::new(request.body(()).unwrap().into_parts().0));
        self
    }

    fn header(self, name: &str, value: &str) -> Self {
        self.saying("/", &[(name, value)])
    }

    fn judged(&self, policy: &Policy) -> Verdict {
        let object = object(self.key.unwrap_or("-"));
        let resource = match self.key {
            Some(_) => Resource::Object(&object),
            None => Resource::Container(&object.container),
        };
        let annotations = self.old_tags.clone().map(|tags| Annotations { acl: None, tags });
        let listing = self.prefix.or(self.delimiter).map(|_| Listing {
            prefix: self.prefix.unwrap_or_default().as_bytes(),
            delimiter: self.delimiter.map(str::as_bytes),
        });
        let details = Details {
            version: self.version,
            listing,
            new_tags: (!self.new_tags.is_empty()).then_some(&self.new_tags),
            object: annotations.as_ref(),
        };
        policy.judge(
            self.action,
            &Request {
                identity: &self.identity,
                resource,
                context: &self.context,
                details,
                right: AccountRight::Nothing,
            },
        )
    }
}

fn statement(effect: &str, principal: &str, action: &str, resource: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect": "{effect}", {principal}, "Action": {action}, "Resource": {resource}, "Condition": {condition}}}"#
    )
}

fn policy_of(statements: &[String]) -> Policy {
    parse(&format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(", "))).unwrap()
}

const ANYBODY: &str = r#""Principal": "*""#;
const ALL: &str = r#"["arn:aws:s3:::box", "arn:aws:s3:::box/*"]"#;

/// A policy that allows everything to everybody under this condition.
fn under(condition: &str) -> Policy {
    policy_of(&[statement("Allow", ANYBODY, r#""s3:*""#, ALL, condition)])
}

#[track_caller]
fn check(condition: &str, ask: &Ask, holds: bool) {
    let expected = if holds { Verdict::Allowed } else { Verdict::Silent };
    assert_eq!(ask.judged(&under(condition)), expected, "{condition}");
}

mod conditions;
mod public;
mod refused;

#[test]
fn a_statement_that_denies_outweighs_those_that_allow_wherever_it_stands() {
    let allow = statement("Allow", ANYBODY, r#""s3:*""#, ALL, "{}");
    let deny = statement("Deny", ANYBODY, r#""s3:GetObject""#, r#""arn:aws:s3:::box/secret/*""#, "{}");
    for statements in [[allow.clone(), deny.clone()], [deny, allow]] {
        let policy = policy_of(&statements);
        assert_eq!(ask().of("secret/1").judged(&policy), Verdict::Denied);
        assert_eq!(ask().of("open/1").judged(&policy), Verdict::Allowed);
        assert_eq!(ask().of("secret/1").to(Action::PutObject).judged(&policy), Verdict::Allowed);
    }
}

#[test]
fn principals_are_everybody_accounts_users_and_ids() {
    let anonymous = || Identity::Anonymous;
    let alice = || user("friends", "alice");
    let bob = || user("friends", "bob");
    let other_alice = || user("strangers", "alice");
    for (principal, expected) in [
        (r#""*""#, [true, true, true, true]),
        (r#"{"AWS": "*"}"#, [true, true, true, true]),
        (r#"{"AWS": "friends"}"#, [false, true, true, false]),
        (r#"{"AWS": "AUTH_friends"}"#, [false, true, true, false]),
        (r#"{"AWS": "arn:aws:iam::friends:root"}"#, [false, true, true, false]),
        (r#"{"AWS": ["arn:aws:iam::friends:user/alice"]}"#, [false, true, false, false]),
        (r#"{"AWS": ["arn:aws:iam::friends:user/alice", "strangers"]}"#, [false, true, false, true]),
        (r#"{"AWS": "arn:aws:iam:::user/id-of-bob"}"#, [false, false, true, false]),
        (r#"{"CanonicalUser": "id-of-bob"}"#, [false, false, true, false]),
    ] {
        let policy =
            policy_of(&[statement("Allow", &format!("\"Principal\": {principal}"), r#""s3:*""#, ALL, "{}")]);
        let who = [anonymous(), alice(), bob(), other_alice()];
        let allowed = who.map(|who| ask().by(who).judged(&policy) == Verdict::Allowed);
        assert_eq!(allowed, expected, "{principal}");
    }
}

#[test]
fn all_but_some_are_denied() {
    let principal = r#""NotPrincipal": {"AWS": "arn:aws:iam::friends:user/alice"}"#;
    let policy = policy_of(&[statement("Deny", principal, r#""*""#, ALL, "{}")]);
    assert_eq!(ask().judged(&policy), Verdict::Silent);
    assert_eq!(ask().by(user("friends", "bob")).judged(&policy), Verdict::Denied);
    assert_eq!(ask().by(Identity::Anonymous).judged(&policy), Verdict::Denied);
}

#[test]
fn actions_are_named_with_wildcards_and_in_any_case() {
    for (action, get, get_version, put) in [
        (r#""*""#, true, true, true),
        (r#""s3:*""#, true, true, true),
        (r#""s3:GetObject""#, true, false, false),
        (r#""S3:getobject""#, true, false, false),
        (r#""s3:GetObject*""#, true, true, false),
        (r#"["s3:PutObject", "s3:GetObjectVersion"]"#, false, true, true),
        (r#""s3:?etObject""#, true, false, false),
        (r#""s3:GetObjectTorrent""#, false, false, false),
    ] {
        let policy = policy_of(&[statement("Allow", ANYBODY, action, ALL, "{}")]);
        for (of, expected) in
            [(Action::GetObject, get), (Action::GetObjectVersion, get_version), (Action::PutObject, put)]
        {
            assert_eq!(ask().to(of).judged(&policy) == Verdict::Allowed, expected, "{action} {of:?}");
        }
    }
}

#[test]
fn what_is_not_named_can_be_meant() {
    let json = r#"{"Version": "2012-10-17", "Statement": {"Sid": "s", "Effect": "Deny", "Principal": "*",
        "NotAction": ["s3:GetObject", "s3:ListBucket"], "NotResource": "arn:aws:s3:::box/open/*"}}"#;
    let policy = parse(json).unwrap();
    assert_eq!(ask().judged(&policy), Verdict::Silent);
    assert_eq!(ask().to(Action::PutObject).judged(&policy), Verdict::Denied);
    assert_eq!(ask().to(Action::PutObject).of("open/1").judged(&policy), Verdict::Silent);
    assert_eq!(ask().on_bucket(Action::InspectBucket).judged(&policy), Verdict::Silent);
    assert_eq!(ask().on_bucket(Action::DeleteBucket).judged(&policy), Verdict::Denied);
}

#[test]
fn a_bucket_and_its_objects_are_different_resources() {
    let on = |resource: &str| policy_of(&[statement("Allow", ANYBODY, r#""s3:*""#, resource, "{}")]);
    for (resource, bucket, object) in [
        (r#""arn:aws:s3:::box""#, true, false),
        (r#""arn:aws:s3:::box/*""#, false, true),
        (r#""arn:aws:s3:::box/k?y""#, false, true),
        (r#""arn:aws:s3:::box/other""#, false, false),
        (r#""arn:aws:s3:::box*""#, true, true),
        (r#""arn:aws:s3:::*""#, true, true),
        (r#""arn:aws:s3:::*/*""#, false, true),
        (r#""*""#, true, true),
    ] {
        let policy = on(resource);
        assert_eq!(
            ask().on_bucket(Action::ListBucket).judged(&policy) == Verdict::Allowed,
            bucket,
            "{resource}"
        );
        assert_eq!(ask().judged(&policy) == Verdict::Allowed, object, "{resource}");
    }
}

#[test]
fn everybody_can_be_given_a_home() {
    let home = statement("Allow", ANYBODY, r#""s3:*""#, r#""arn:aws:s3:::box/home/${aws:username}/*""#, "{}");
    let policy = policy_of(std::slice::from_ref(&home));
    assert_eq!(ask().of("home/alice/1").judged(&policy), Verdict::Allowed);
    assert_eq!(ask().of("home/bob/1").judged(&policy), Verdict::Silent);
    assert_eq!(ask().of("home//1").by(Identity::Anonymous).judged(&policy), Verdict::Silent);
    // In policies of 2008 there are no variables.
    let old = parse(&format!(r#"{{"Version": "2008-10-17", "Statement": [{home}]}}"#)).unwrap();
    assert_eq!(ask().of("home/alice/1").judged(&old), Verdict::Silent);
    assert_eq!(ask().of("home/${aws:username}/1").judged(&old), Verdict::Allowed);
}

#[test]
fn names_of_users_in_policies_are_those_that_policies_read() {
    let identity = user("friends", "alice");
    let alice = identity.as_user().unwrap();
    assert_eq!(user_arn(alice), "arn:aws:iam::friends:user/alice");
    assert_eq!(account_arn(&alice.account), "arn:aws:iam::friends:root");
}

//! What is decided, case by case.

use std::sync::Arc;

use bytes::Bytes;
use http::Request as HttpRequest;
use martlet_model::{
    AccountName, Annotations, ContainerId, ContainerName, ObjectId, ObjectKey, Setting, Settings, Tags,
    Timestamp,
};

use super::*;
use crate::bearer::Reach;
use crate::bucket_controls::{ObjectOwnership, PublicAccessBlock};
use crate::grants::GrantsDamaged;
use crate::identity::{CanonicalId, User};
use crate::request::{Details, RequestContext};
use crate::s3_acl::{Acl, CannedAcl};

fn account(name: &str) -> AccountName {
    AccountName::parse(name.as_bytes()).unwrap()
}

fn container() -> ContainerId {
    ContainerId { account: account("AUTH_own"), name: ContainerName::parse(b"box").unwrap() }
}

fn object(key: &'static str) -> ObjectId {
    ObjectId { container: container(), key: ObjectKey::parse(key).unwrap() }
}

fn user(account_name: &str, name: &str, role: Role) -> Identity {
    Identity::user(account(&format!("AUTH_{account_name}")), name, role)
}

fn owner() -> Identity {
    user("own", "owner", Role::Owner)
}

fn member() -> Identity {
    user("own", "member", Role::Member)
}

fn stranger() -> Identity {
    user("other", "stranger", Role::Owner)
}

fn grants(documents: &[(Setting, Bytes)]) -> ContainerGrants {
    let settings: Settings = documents.iter().cloned().collect();
    ContainerGrants::compile(&settings, &container().name).unwrap()
}

fn policy(effect: &str, action: &str) -> (Setting, Bytes) {
    let json = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "{effect}", "Principal": "*", "Action": "{action}",
            "Resource": ["arn:aws:s3:::box", "arn:aws:s3:::box/*"]}}]}}"#
    );
    (Setting::Policy, json.into())
}

fn canned(name: &str) -> Bytes {
    let owner = CanonicalId::new("own:owner");
    CannedAcl::parse(name).unwrap().acl(&owner, &owner).encode()
}

fn bucket_acl(name: &str) -> (Setting, Bytes) {
    (Setting::Acl, canned(name))
}

fn read_acl(text: &'static str) -> (Setting, Bytes) {
    (Setting::SwiftRead, Bytes::from(text))
}

fn write_acl(text: &'static str) -> (Setting, Bytes) {
    (Setting::SwiftWrite, Bytes::from(text))
}

/// Whether somebody may do something with the object `key`, or with its bucket where the action is about that.
struct Case<'a> {
    identity: &'a Identity,
    grants: &'a ContainerGrants,
    object_acl: Option<Bytes>,
    referer: Option<&'a str>,
}

impl Case<'_> {
    fn may(&self, action: Action) -> bool {
        let object = object("key");
        let mut context = RequestContext::bare(Timestamp::from_micros(0));
        if let Some(referer) = self.referer {
            let request = HttpRequest::builder().header("referer", referer).body(()).unwrap();
            context.head = Some(Arc::new(request.into_parts().0));
        }
        let annotations = Annotations { acl: self.object_acl.clone(), tags: Tags::default() };
        let of_object = matches!(action, Action::PutObject) || format!("{action:?}").contains("Object");
        let resource =
            if of_object { Resource::Object(&object) } else { Resource::Container(&object.container) };
        let details = Details { object: Some(&annotations), ..Details::default() };
        decide(
            action,
            &Request {
                identity: self.identity,
                resource,
                context: &context,
                details,
                right: AccountRight::Nothing,
            },
            self.grants,
        )
        .is_ok()
    }
}

#[track_caller]
fn check(identity: &Identity, grants: &ContainerGrants, action: Action, expected: bool) {
    let case = Case { identity, grants, object_acl: None, referer: None };
    assert_eq!(case.may(action), expected, "{identity:?} {action:?}");
}

#[test]
fn an_owner_and_an_admin_may_everything() {
    let nothing = ContainerGrants::default();
    let admin = user("other", "admin", Role::Admin);
    for action in Action::ALL {
        check(&owner(), &nothing, *action, true);
        check(&admin, &nothing, *action, true);
    }
}

#[test]
fn nobody_else_may_anything_unless_it_is_granted() {
    let nothing = ContainerGrants::default();
    let longer = user("own2", "owner", Role::Owner);
    for identity in [Identity::Anonymous, member(), stranger(), longer, user("own", "s", Role::Service)] {
        for action in Action::ALL {
            check(&identity, &nothing, *action, false);
        }
    }
}

#[test]
fn no_grant_of_a_container_opens_an_account() {
    let everything =
        grants(&[policy("Allow", "*"), read_acl("*:*"), write_acl("*:*"), bucket_acl("public-read-write")]);
    let context = RequestContext::bare(Timestamp::from_micros(0));
    let account = account("AUTH_own");
    for identity in [Identity::Anonymous, member(), stranger()] {
        for action in Action::ALL {
            let resource = Resource::Account(&account);
            let (details, right) = (Details::default(), AccountRight::Nothing);
            let request = Request { identity: &identity, resource, context: &context, details, right };
            assert_eq!(decide(*action, &request, &everything), Err(Denied));
        }
    }
}

#[test]
fn an_account_acl_opens_what_it_gives_and_a_policy_may_deny_that() {
    let context = RequestContext::bare(Timestamp::from_micros(0));
    let id = container();
    let may = |right, grants: &ContainerGrants, action| {
        let (resource, details) = (Resource::Container(&id), Details::default());
        let request = Request { identity: &stranger(), resource, context: &context, details, right };
        decide(action, &request, grants).is_ok()
    };
    let (nothing, closed) = (ContainerGrants::default(), grants(&[policy("Deny", "*")]));
    for action in Action::ALL {
        for right in [AccountRight::Nothing, AccountRight::Read, AccountRight::Write, AccountRight::Admin] {
            assert_eq!(may(right, &nothing, *action), right.permits(*action), "{action:?} {right:?}");
            let is_owner = right == AccountRight::Admin;
            let expected = is_owner && is_about_policy(*action);
            assert_eq!(may(right, &closed, *action), expected, "{action:?} {right:?}");
        }
    }
}

#[test]
fn what_a_policy_denies_is_denied_to_owners_too_but_never_the_policy_itself() {
    let closed = grants(&[policy("Deny", "*"), read_acl(".r:*,.rlistings"), bucket_acl("public-read-write")]);
    for action in Action::ALL {
        check(&owner(), &closed, *action, is_about_policy(*action));
        check(&stranger(), &closed, *action, false);
        check(&Identity::Anonymous, &closed, *action, false);
        check(&user("other", "admin", Role::Admin), &closed, *action, true);
    }
}

#[test]
fn a_policy_opens_what_it_names() {
    let open = grants(&[policy("Allow", "s3:GetObject")]);
    for identity in [Identity::Anonymous, member(), stranger()] {
        check(&identity, &open, Action::GetObject, true);
        check(&identity, &open, Action::GetObjectVersion, false);
        check(&identity, &open, Action::PutObject, false);
        check(&identity, &open, Action::ListBucket, false);
    }
}

#[test]
fn swift_acls_open_reading_listing_and_writing() {
    let readers = grants(&[read_acl("other,own:member")]);
    let writers = grants(&[write_acl("other,own:member")]);
    for identity in [member(), stranger()] {
        for action in [Action::GetObject, Action::ListBucket, Action::InspectBucket] {
            check(&identity, &readers, action, true);
            check(&identity, &writers, action, false);
        }
        for action in [Action::PutObject, Action::UpdateObject, Action::DeleteObject] {
            check(&identity, &readers, action, false);
            check(&identity, &writers, action, true);
        }
        for action in
            [Action::ConfigureBucket, Action::DeleteBucket, Action::PutBucketAcl, Action::GetBucketAcl]
        {
            check(&identity, &readers, action, false);
            check(&identity, &writers, action, false);
        }
    }
    check(&Identity::Anonymous, &readers, Action::GetObject, false);
    check(&user("own", "other", Role::Member), &readers, Action::GetObject, false);
}

#[test]
fn referrers_read_and_list_only_where_that_is_said() {
    let public = grants(&[read_acl(".r:*")]);
    let listed = grants(&[read_acl(".r:*,.rlistings")]);
    let from_a = grants(&[read_acl(".r:.a.com,.rlistings")]);
    for identity in [Identity::Anonymous, stranger()] {
        check(&identity, &public, Action::GetObject, true);
        check(&identity, &public, Action::ListBucket, false);
        check(&identity, &public, Action::InspectBucket, false);
        check(&identity, &listed, Action::ListBucket, true);
        check(&identity, &listed, Action::PutObject, false);
        check(&identity, &from_a, Action::GetObject, false);
        for (referer, expected) in [("http://www.a.com/", true), ("http://www.b.com/", false)] {
            let case =
                Case { identity: &identity, grants: &from_a, object_acl: None, referer: Some(referer) };
            assert_eq!([case.may(Action::GetObject), case.may(Action::ListBucket)], [expected; 2]);
        }
    }
}

#[test]
fn an_acl_on_a_bucket_opens_the_bucket_and_one_on_an_object_the_object() {
    let readable = grants(&[bucket_acl("public-read")]);
    let writable = grants(&[bucket_acl("public-read-write")]);
    let nobody = Identity::Anonymous;
    check(&nobody, &readable, Action::ListBucket, true);
    check(&nobody, &readable, Action::GetObject, false);
    check(&nobody, &readable, Action::PutObject, false);
    check(&nobody, &writable, Action::PutObject, true);
    check(&nobody, &writable, Action::DeleteObject, true);
    check(&nobody, &writable, Action::GetBucketAcl, false);
    check(&nobody, &writable, Action::DeleteBucket, false);

    let closed = ContainerGrants::default();
    let object_acl =
        |name| Case { identity: &nobody, grants: &closed, object_acl: Some(canned(name)), referer: None };
    assert!(object_acl("public-read").may(Action::GetObject));
    assert!(object_acl("public-read").may(Action::GetObjectVersion));
    assert!(!object_acl("public-read").may(Action::GetObjectAcl));
    assert!(!object_acl("public-read-write").may(Action::PutObject));
    assert!(!object_acl("authenticated-read").may(Action::GetObject));
    let known = Case { identity: &stranger(), ..object_acl("authenticated-read") };
    assert!(known.may(Action::GetObject));
}

#[test]
fn who_owns_an_object_in_the_bucket_of_another_reads_and_changes_its_acl() {
    let writable = grants(&[bucket_acl("public-read-write")]);
    let stranger = stranger();
    let id = stranger.as_user().unwrap().id.clone();
    let own = Some(Acl::private(id).encode());
    let case = Case { identity: &stranger, grants: &writable, object_acl: own, referer: None };
    for action in [Action::GetObject, Action::GetObjectAcl, Action::PutObjectAcl] {
        assert!(case.may(action), "{action:?}");
    }
    assert!(!Case { identity: &Identity::Anonymous, ..case }.may(Action::GetObject));
}

#[test]
fn public_access_can_be_blocked_whatever_is_granted() {
    let block = |block: PublicAccessBlock| (Setting::PublicAccessBlock, block.encode());
    let ignoring = block(PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() });
    let ignored = grants(&[bucket_acl("public-read-write"), read_acl(".r:*,.rlistings,other"), ignoring]);
    check(&Identity::Anonymous, &ignored, Action::ListBucket, false);
    check(&Identity::Anonymous, &ignored, Action::PutObject, false);
    check(&Identity::Anonymous, &ignored, Action::GetObject, false);
    // Who is named isn't the public.
    check(&stranger(), &ignored, Action::GetObject, true);
    let nobody = Identity::Anonymous;
    let case =
        Case { identity: &nobody, grants: &ignored, object_acl: Some(canned("public-read")), referer: None };
    assert!(!case.may(Action::GetObject));
    assert!(!ignored.is_public());

    let restricting =
        block(PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() });
    let restricted = grants(&[policy("Allow", "*"), restricting]);
    check(&Identity::Anonymous, &restricted, Action::GetObject, false);
    check(&stranger(), &restricted, Action::GetObject, false);
    check(&member(), &restricted, Action::GetObject, true);
    check(&owner(), &restricted, Action::GetObject, true);
    assert!(!restricted.is_public());
    assert!(grants(&[policy("Allow", "*")]).is_public());
    assert!(grants(&[read_acl(".r:*")]).is_public());
    assert!(!grants(&[read_acl("other,.r:-a.com")]).is_public());
}

#[test]
fn where_the_bucket_owner_owns_everything_acls_grant_nothing() {
    let enforced = (Setting::OwnershipControls, ObjectOwnership::BucketOwnerEnforced.encode());
    let grants = grants(&[bucket_acl("public-read-write"), enforced]);
    let nobody = Identity::Anonymous;
    check(&nobody, &grants, Action::ListBucket, false);
    let case =
        Case { identity: &nobody, grants: &grants, object_acl: Some(canned("public-read")), referer: None };
    assert!(!case.may(Action::GetObject));
}

#[test]
fn documents_that_can_not_be_read_open_nothing() {
    for setting in [
        Setting::SwiftRead,
        Setting::SwiftWrite,
        Setting::Acl,
        Setting::Policy,
        Setting::PublicAccessBlock,
        Setting::OwnershipControls,
    ] {
        let settings: Settings = [(setting, Bytes::from_static(b".x:\xff"))].into_iter().collect();
        let refused = ContainerGrants::compile(&settings, &container().name);
        assert_eq!(refused, Err(GrantsDamaged(setting)));
    }
}

#[test]
fn a_bearer_may_what_the_link_says_and_nothing_else() {
    let nothing = ContainerGrants::default();
    let below = Bearer::PutBelow { container: container(), prefix: Bytes::from_static(b"ke") };
    let beside = Bearer::PutBelow { container: container(), prefix: Bytes::from_static(b"kex") };
    for (bearer, may) in [
        (Bearer::Put(object("key")), &[Action::PutObject][..]),
        (Bearer::Put(object("other")), &[]),
        (Bearer::Post(object("key")), &[Action::UpdateObject]),
        (Bearer::Delete(object("key")), &[Action::DeleteObject]),
        (below, &[Action::PutObject]),
        (beside, &[]),
        (Bearer::Read(Reach::Account(account("AUTH_own"))), &[Action::GetObject, Action::ListBucket]),
        (Bearer::Read(Reach::Container(container())), &[Action::GetObject, Action::ListBucket]),
        (Bearer::Read(Reach::Account(account("AUTH_other"))), &[]),
    ] {
        let identity = Identity::Bearer(Arc::new(bearer));
        for action in Action::ALL {
            check(&identity, &nothing, *action, may.contains(action));
        }
    }
}

#[test]
fn a_policy_that_denies_everybody_stops_bearers_too() {
    let identity = Identity::Bearer(Arc::new(Bearer::Put(object("key"))));
    check(&identity, &grants(&[policy("Deny", "s3:PutObject")]), Action::PutObject, false);
    check(&identity, &grants(&[policy("Deny", "s3:GetObject")]), Action::PutObject, true);
    // And what is granted to the public is no affair of the link's.
    check(&identity, &grants(&[policy("Allow", "*"), read_acl(".r:*")]), Action::GetObject, false);
}

#[test]
fn users_are_told_apart_by_their_ids_alone_in_acls() {
    let acl = Acl { grants: vec![], ..Acl::private(CanonicalId::new("own:owner")) };
    let same_name =
        User { id: CanonicalId::new("another"), ..User::new(account("AUTH_own"), "owner", Role::Member) };
    let grants = grants(&[(Setting::Acl, acl.encode())]);
    check(&same_name.into(), &grants, Action::GetBucketAcl, false);
    check(&user("own", "owner", Role::Member), &grants, Action::GetBucketAcl, true);
}

//! ACLs: canned, in headers, kept and read again.

use futures_util::FutureExt as _;
use http::HeaderMap;
use martlet_model::AccountName;
use proptest::prelude::*;

use super::*;
use crate::identity::{Identity, Role, Secret, User};
use crate::users::UserTable;

fn id(text: &str) -> CanonicalId {
    CanonicalId::new(text)
}

fn users() -> UserTable {
    let account = AccountName::parse(b"AUTH_alt").unwrap();
    let email = Some("john.doe@example.com".to_owned());
    let user = User { id: id("alt"), email, ..User::new(account, "alt", Role::Owner) };
    UserTable::default().with_access_key("K", Secret::new("s"), Identity::from(user))
}

fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn resolve(list: &[(&'static str, &'static str)]) -> Result<Acl, AclError> {
    let request = AclRequest::from_headers(&headers(list))?.expect("an ACL");
    request.resolve(&id("main"), &id("bucket"), &users()).now_or_never().expect("a table answers at once")
}

fn canned(name: &str) -> Acl {
    CannedAcl::parse(name).unwrap().acl(&id("main"), &id("bucket"))
}

/// Who has a permission: the owner, the bucket's owner, another user, and nobody in particular.
#[track_caller]
fn check(acl: &Acl, permission: Permission, expected: [bool; 4]) {
    let who = [Some(id("main")), Some(id("bucket")), Some(id("alt")), None];
    assert_eq!(who.map(|who| acl.permits(who.as_ref(), permission)), expected, "{permission:?} {acl:?}");
}

#[test]
fn canned_acls_mean_what_aws_says() {
    const OWNER: [bool; 4] = [true, false, false, false];
    for (name, read, write, read_acp, write_acp) in [
        ("private", OWNER, OWNER, OWNER, OWNER),
        ("public-read", [true; 4], OWNER, OWNER, OWNER),
        ("public-read-write", [true; 4], [true; 4], OWNER, OWNER),
        ("authenticated-read", [true, true, true, false], OWNER, OWNER, OWNER),
        ("bucket-owner-read", [true, true, false, false], OWNER, OWNER, OWNER),
        ("log-delivery-write", OWNER, OWNER, OWNER, OWNER),
    ] {
        let acl = canned(name);
        check(&acl, Permission::Read, read);
        check(&acl, Permission::Write, write);
        check(&acl, Permission::ReadAcp, read_acp);
        check(&acl, Permission::WriteAcp, write_acp);
    }
    let shared = canned("bucket-owner-full-control");
    for permission in Permission::ALL {
        check(&shared, permission, [true, true, false, false]);
    }
}

#[test]
fn a_bucket_owner_is_not_named_twice() {
    for name in ["bucket-owner-read", "bucket-owner-full-control"] {
        assert_eq!(CannedAcl::parse(name).unwrap().acl(&id("main"), &id("main")), Acl::private(id("main")));
    }
}

#[test]
fn the_owner_can_always_get_back_in() {
    let nobody = Acl { owner: id("main"), grants: vec![] };
    check(&nobody, Permission::ReadAcp, [true, false, false, false]);
    check(&nobody, Permission::WriteAcp, [true, false, false, false]);
    check(&nobody, Permission::Read, [false; 4]);
}

#[test]
fn what_is_open_to_people_without_a_name_is_public() {
    for (name, public) in [
        ("private", false),
        ("public-read", true),
        ("public-read-write", true),
        ("authenticated-read", true),
        ("bucket-owner-full-control", false),
        ("log-delivery-write", false),
    ] {
        assert_eq!(canned(name).is_public(), public, "{name}");
    }
}

#[test]
fn headers_grant_to_ids_groups_and_addresses() {
    let acl = resolve(&[
        ("x-amz-grant-read", "id=alt, uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""),
        ("x-amz-grant-full-control", "emailAddress=\"John.Doe@example.com\""),
    ])
    .unwrap();
    let grant = |grantee, permission| Grant { grantee, permission };
    let expected = vec![
        grant(Grantee::User(id("alt")), Permission::Read),
        grant(Grantee::Group(Group::AllUsers), Permission::Read),
        grant(Grantee::User(id("alt")), Permission::FullControl),
    ];
    assert_eq!(acl, Acl { owner: id("main"), grants: expected });
}

#[test]
fn five_headers_make_five_grants() {
    let all = ["read", "write", "read-acp", "write-acp", "full-control"];
    let names = [
        "x-amz-grant-read",
        "x-amz-grant-write",
        "x-amz-grant-read-acp",
        "x-amz-grant-write-acp",
        "x-amz-grant-full-control",
    ];
    let acl = resolve(&names.map(|name| (name, "id=alt"))).unwrap();
    assert_eq!(acl.grants.len(), all.len());
    assert_eq!(acl.grants.iter().map(|grant| grant.permission).collect::<Vec<_>>(), Permission::ALL);
}

#[test]
fn what_can_not_be_granted_is_named() {
    assert!(matches!(resolve(&[("x-amz-acl", "publicread")]), Err(AclError::UnknownCanned(_))));
    assert!(matches!(resolve(&[("x-amz-acl", "")]), Err(AclError::UnknownCanned(_))));
    assert!(matches!(resolve(&[("x-amz-grant-read", "id=nobody")]), Err(AclError::UnknownId(_))));
    assert!(matches!(resolve(&[("x-amz-grant-read", "emailAddress=x@y")]), Err(AclError::UnknownEmail(_))));
    assert!(matches!(resolve(&[("x-amz-grant-read", "uri=http://x")]), Err(AclError::UnknownGroup(_))));
    for value in ["", "alt", "id=", "id=\"\"", "name=alt", "id=alt,"] {
        let refused = resolve(&[("x-amz-grant-write", value)]);
        assert!(matches!(refused, Err(AclError::MalformedHeader { header: "x-amz-grant-write" })), "{value}");
    }
    let both = resolve(&[("x-amz-acl", "private"), ("x-amz-grant-read", "id=alt")]);
    assert!(matches!(both, Err(AclError::CannedAndGrants)));
    assert!(AclRequest::from_headers(&HeaderMap::new()).unwrap().is_none());
}

#[test]
fn the_stored_form_is_fixed() {
    let acl = canned("public-read");
    assert_eq!(acl.encode(), &b"\x01\x04main\x02\x01\x00\x00\x04main\x04"[..]);
}

#[test]
fn damaged_bytes_are_no_acl() {
    for bytes in
        [&b""[..], b"\x01", b"\x02\x04main\x00", b"\x01\x04main\x00\x00", b"\x01\x04main\x01\x09\x00"]
    {
        assert_eq!(Acl::decode(bytes), Err(AclDamaged), "{bytes:?}");
    }
}

fn any_acl() -> impl Strategy<Value = Acl> {
    let grantee = prop_oneof![
        ".{0,20}".prop_map(|text| Grantee::User(CanonicalId::new(text))),
        prop::sample::select(Group::ALL.to_vec()).prop_map(Grantee::Group),
    ];
    let permission = prop::sample::select(Permission::ALL.to_vec());
    let grant = (grantee, permission).prop_map(|(grantee, permission)| Grant { grantee, permission });
    (".{0,20}", prop::collection::vec(grant, 0..8))
        .prop_map(|(owner, grants)| Acl { owner: CanonicalId::new(owner), grants })
}

proptest! {
    #[test]
    fn what_is_stored_comes_back(acl in any_acl()) {
        prop_assert_eq!(Acl::decode(&acl.encode()), Ok(acl));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Acl::decode(&bytes);
    }

    #[test]
    fn no_header_is_too_odd(value in "[ -~]{0,60}") {
        let value = value.parse().unwrap();
        let _ = AclRequest::from_headers(&HeaderMap::from_iter([("x-amz-grant-read".parse().unwrap(), value)]));
    }

    #[test]
    fn nobody_unknown_gets_what_no_user_gets(acl in any_acl(), permission in prop::sample::select(Permission::ALL.to_vec())) {
        let somebody = id("somebody whom no ACL names");
        prop_assert!(!acl.permits(None, permission) || acl.permits(Some(&somebody), permission));
    }
}

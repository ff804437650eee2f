//! Swift's account ACLs: the header `X-Account-Access-Control`.
//!
//! Source: "Account ACLs" in "Access Control Lists (ACLs)" of the Swift documentation.
//!
//! An ACL is a JSON object. Its members are lists of users (`account:user`) and accounts (`account`, which means all its
//! users), with or without the prefix `AUTH_`:
//!
//! | member | what they may in the account |
//! | --- | --- |
//! | `read-only` | see everything but what is for owners alone: keys, ACLs |
//! | `read-write` | make, change and remove containers and objects besides, but not change the account |
//! | `admin` | everything that an owner may |

use std::fmt::Write as _;

use crate::action::{Action, SwiftRight};
use crate::identity::User;
use crate::json::Json;
use crate::swift_acl::short;

/// An account's ACL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountAcl {
    admin: Vec<String>,
    read_only: Vec<String>,
    read_write: Vec<String>,
}

/// What an account's ACL lets somebody do, each including those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountRight {
    #[default]
    Nothing,
    Read,
    Write,
    Admin,
}

/// Why a text is no ACL of an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountAclError {
    #[error("it is not a JSON object with different members")]
    NotAnObject,
    #[error("{0:?} is none of admin, read-only, read-write")]
    UnknownMember(String),
    #[error("{0} is not a list of names")]
    NotAList(&'static str),
}

const ADMIN: &str = "admin";
const READ_ONLY: &str = "read-only";
const READ_WRITE: &str = "read-write";

impl AccountAcl {
    /// Reads the value of the header; nothing at all grants nothing.
    pub fn parse(raw: &str) -> Result<Self, AccountAclError> {
        if raw.trim().is_empty() {
            return Ok(Self::default());
        }
        let Ok(Json::Object(members)) = Json::parse(raw.as_bytes()) else {
            return Err(AccountAclError::NotAnObject);
        };
        let mut acl = Self::default();
        for (name, value) in members {
            let (member, list) = match name.as_str() {
                ADMIN => (ADMIN, &mut acl.admin),
                READ_ONLY => (READ_ONLY, &mut acl.read_only),
                READ_WRITE => (READ_WRITE, &mut acl.read_write),
                _ => return Err(AccountAclError::UnknownMember(name)),
            };
            *list = names(value).ok_or(AccountAclError::NotAList(member))?;
        }
        Ok(acl)
    }

    /// The ACL as it is stored and shown: JSON without blanks, in ASCII.
    pub fn text(&self) -> String {
        let lists = [(ADMIN, &self.admin), (READ_ONLY, &self.read_only), (READ_WRITE, &self.read_write)];
        let members: Vec<_> = lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| {
                let quoted: Vec<_> = list.iter().map(|name| quoted(name)).collect();
                format!("\"{name}\":[{}]", quoted.join(","))
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// Whether it grants nothing to anybody.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The most that it lets the user do.
    pub fn right_of(&self, user: &User) -> AccountRight {
        let names_user = |list: &[String]| list.iter().any(|name| is_user(name, user));
        if names_user(&self.admin) {
            AccountRight::Admin
        } else if names_user(&self.read_write) {
            AccountRight::Write
        } else if names_user(&self.read_only) {
            AccountRight::Read
        } else {
            AccountRight::Nothing
        }
    }
}

impl AccountRight {
    pub(crate) fn permits(self, action: Action) -> bool {
        Self::needed_for(action) <= self
    }

    fn needed_for(action: Action) -> Self {
        match (action.swift_right(), action) {
            (SwiftRight::Read | SwiftRight::List, _) => Self::Read,
            (SwiftRight::Write, _) => Self::Write,
            (SwiftRight::Neither, action) => match action {
                Action::InspectAccount
                | Action::ListAllMyBuckets
                | Action::GetBucketLocation
                | Action::GetBucketVersioning => Self::Read,
                Action::CreateBucket
                | Action::DeleteBucket
                | Action::ConfigureBucket
                | Action::PutBucketVersioning
                | Action::ListBucketMultipartUploads
                | Action::AbortMultipartUpload
                | Action::ListMultipartUploadParts => Self::Write,
                _ => Self::Admin,
            },
        }
    }
}

fn names(value: Json) -> Option<Vec<String>> {
    let Json::List(list) = value else { return None };
    list.iter().map(|name| name.text().map(str::to_owned)).collect()
}

/// Whether a name in an ACL means the user: by name, or by account.
fn is_user(name: &str, user: &User) -> bool {
    let account = short(user.account.as_str());
    match name.split_once(':') {
        None => short(name) == account,
        Some((of, own)) => short(of) == account && own == user.name,
    }
}

fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for character in name.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ' '..='~' => text.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _infallible = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use martlet_model::AccountName;
    use proptest::prelude::*;

    use super::*;
    use crate::identity::Role;

    #[track_caller]
    fn shown(raw: &str, expected: &str) {
        assert_eq!(AccountAcl::parse(raw).unwrap().text(), expected, "{raw}");
    }

    #[track_caller]
    fn refused(raw: &str, expected: &AccountAclError) {
        assert_eq!(AccountAcl::parse(raw).as_ref(), Err(expected), "{raw}");
    }

    #[track_caller]
    fn right(raw: &str, account: &str, name: &str, expected: AccountRight) {
        let user = User::new(AccountName::parse(account.as_bytes()).unwrap(), name, Role::Member);
        assert_eq!(AccountAcl::parse(raw).unwrap().right_of(&user), expected, "{raw} {user:?}");
    }

    #[test]
    fn an_acl_is_shown_in_its_shortest_form() {
        shown("", "{}");
        shown("{}", "{}");
        shown(
            r#"{ "read-only" : [ "a:b" , "c" ], "admin": ["\u00fc\ud83d\ude00\"\\\n"], "read-write": [] }"#,
            r#"{"admin":["\u00fc\ud83d\ude00\"\\\u000a"],"read-only":["a:b","c"]}"#,
        );
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for raw in ["yuck", "[]", "1", r#"{"admin":["a"],"admin":["b"]}"#, r#"{"admin":["a"]"#] {
            refused(raw, &AccountAclError::NotAnObject);
        }
        refused(r#"{"owner":["a"]}"#, &AccountAclError::UnknownMember("owner".to_owned()));
        refused(r#"{"admin":"a"}"#, &AccountAclError::NotAList("admin"));
        refused(r#"{"read-only":[1]}"#, &AccountAclError::NotAList("read-only"));
    }

    #[test]
    fn users_are_named_alone_or_with_all_of_their_account() {
        use AccountRight::{Admin, Nothing, Read, Write};
        for name in ["test", "AUTH_test", "test:tester", "AUTH_test:tester"] {
            right(&format!(r#"{{"read-only":["{name}"]}}"#), "AUTH_test", "tester", Read);
        }
        for name in ["", "te", "test2", "test:", ":tester", "test:*", "*:tester", "*", "tester", ".r:*"] {
            right(&format!(r#"{{"admin":["{name}"]}}"#), "AUTH_test", "tester", Nothing);
        }
        let all = r#"{"read-only":["a","b","c"],"read-write":["a","b"],"admin":["a"]}"#;
        for (account, expected) in [("a", Admin), ("b", Write), ("c", Read), ("d", Nothing)] {
            right(all, account, "x", expected);
        }
    }

    #[test]
    fn only_an_admin_changes_the_account_and_who_may_what() {
        use AccountRight::{Admin, Nothing, Read, Write};
        for (action, least) in [
            (Action::InspectAccount, Read),
            (Action::ListBucket, Read),
            (Action::GetObject, Read),
            (Action::PutObject, Write),
            (Action::DeleteObject, Write),
            (Action::CreateBucket, Write),
            (Action::ConfigureBucket, Write),
            (Action::ConfigureAccount, Admin),
            (Action::ConfigureAccess, Admin),
            (Action::PutBucketPolicy, Admin),
            (Action::PutObjectAcl, Admin),
        ] {
            for right in [Nothing, Read, Write, Admin] {
                assert_eq!(right.permits(action), least <= right, "{action:?} {right:?}");
            }
        }
        assert!(Action::ALL.iter().all(|action| Admin.permits(*action) && !Nothing.permits(*action)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_the_same(names in prop::collection::vec(".{0,12}", 1..4)) {
            let acl = AccountAcl { admin: names.clone(), read_only: Vec::new(), read_write: names };
            prop_assert!(acl.text().is_ascii());
            prop_assert_eq!(AccountAcl::parse(&acl.text()), Ok(acl));
        }
    }
}

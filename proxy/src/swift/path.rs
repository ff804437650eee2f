//! Where a request points: its path, decoded and split.

use bytes::Bytes;
use martlet_model::{AccountName, ContainerId, ContainerName, NameError, ObjectId, ObjectKey};
use percent_encoding::percent_decode_str;

use super::refusal::{Realm, Refusal};

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/info`
    Capabilities,
    /// `/healthcheck`
    Health,
    /// `/auth/v1.0`, and its short forms `/auth` and `/v1.0`.
    Login,
    /// `/v1/account`
    Account(AccountName),
    /// `/v1/account/container`
    Container(ContainerId),
    /// `/v1/account/container/object`
    Object(ObjectId),
}

const BAD_BYTES: &str = "Invalid UTF8 or contains NULL";
const BAD_URL: &str = "Bad URL";

impl Target {
    /// Reads the path of a request's head.
    ///
    /// As in Swift the whole path is decoded before it is split, so that `%2F` is a slash like any other;
    /// a broken escape stands for itself. The object's name is everything after the third slash, untouched.
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let path: Vec<u8> = percent_decode_str(path).collect();
        let path = Bytes::from(path);
        match &path[..] {
            b"/info" => return Ok(Self::Capabilities),
            b"/healthcheck" => return Ok(Self::Health),
            b"/auth/v1.0" | b"/auth/v1.0/" | b"/auth" | b"/auth/" | b"/v1.0" | b"/v1.0/" => {
                return Ok(Self::Login);
            }
            _ => {}
        }
        if path.contains(&0) || std::str::from_utf8(&path).is_err() {
            return Err(Refusal::Precondition(BAD_BYTES.into()));
        }
        stored(&path)
    }

    /// What a decoded `container[/object]` names in an account; slashes in front are of no account.
    pub(super) fn below(account: &AccountName, name: &[u8]) -> Result<Self, Refusal> {
        let name: &[u8] = &name[name.iter().position(|byte| *byte != b'/').unwrap_or(name.len())..];
        if name.contains(&0) || std::str::from_utf8(name).is_err() {
            return Err(Refusal::Precondition(BAD_BYTES.into()));
        }
        let path = Bytes::from([b"/v1/", account.as_str().as_bytes(), b"/", name].concat());
        stored(&path)
    }

    /// The account that is named, or that has what is named.
    pub(super) fn account(&self) -> Option<&AccountName> {
        match self {
            Self::Capabilities | Self::Health | Self::Login => None,
            Self::Account(account) => Some(account),
            Self::Container(id) => Some(&id.account),
            Self::Object(id) => Some(&id.container.account),
        }
    }
}

/// `/version/account[/container[/object]]`
fn stored(path: &Bytes) -> Result<Target, Refusal> {
    let mut segments = path.strip_prefix(b"/").ok_or(Refusal::NoSuchPath)?.splitn(4, |byte| *byte == b'/');
    let version = segments.next().filter(|version| !version.is_empty()).ok_or(Refusal::NoSuchPath)?;
    let bad_url = || Refusal::Precondition(BAD_URL.into());
    let account = segments.next().ok_or_else(bad_url)?;
    if account.is_empty() {
        let names_more = segments.any(|segment| !segment.is_empty());
        return Err(if names_more { Refusal::NoSuchPath } else { bad_url() });
    }
    if !matches!(version, b"v1" | b"v1.0") {
        return Err(Refusal::Malformed("Invalid path".into()));
    }
    let account = AccountName::parse(account).map_err(|error| refuse_account(account, error))?;
    let (container, key) = match (segments.next(), segments.next()) {
        (None | Some(b""), None) => return Ok(Target::Account(account)),
        (None | Some(b""), Some(b"")) => return Err(bad_url()),
        (None | Some(b""), Some(_)) => return Err(Refusal::NoSuchPath),
        (Some(container), key) => (container, key.filter(|key| !key.is_empty())),
    };
    let name = ContainerName::parse(container).map_err(|error| refuse_name("Container", error))?;
    let container = ContainerId { account, name };
    match key {
        None => Ok(Target::Container(container)),
        Some(key) => {
            let key = ObjectKey::parse(path.slice_ref(key)).map_err(|error| refuse_name("Object", error))?;
            Ok(Target::Object(ObjectId { container, key }))
        }
    }
}

/// An account of such a name can't be, and so nobody's credentials are good for it.
fn refuse_account(raw: &[u8], error: NameError) -> Refusal {
    match error {
        NameError::ForbiddenByte(_) => {
            Refusal::Unauthorized { realm: Realm::Account(String::from_utf8_lossy(raw).into_owned()) }
        }
        error => refuse_name("Account", error),
    }
}

fn refuse_name(noun: &str, error: NameError) -> Refusal {
    match error {
        NameError::TooLong { bytes, bytes_max } => {
            Refusal::LongName(format!("{noun} name length of {bytes} longer than {bytes_max}").into())
        }
        NameError::Empty => Refusal::Precondition(BAD_URL.into()),
        NameError::NotUtf8 | NameError::ForbiddenByte(_) => Refusal::Precondition(BAD_BYTES.into()),
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn names(path: &str) -> Vec<String> {
        match Target::parse(path).unwrap() {
            Target::Account(account) => vec![account.to_string()],
            Target::Container(id) => vec![id.account.to_string(), id.name.to_string()],
            Target::Object(id) => vec![
                id.container.account.to_string(),
                id.container.name.to_string(),
                id.key.as_str().to_owned(),
            ],
            fixed => panic!("{fixed:?}"),
        }
    }

    #[track_caller]
    fn check(path: &str, expected: &[&str]) {
        assert_eq!(names(path), expected, "{path}");
    }

    #[track_caller]
    fn refused(path: &str, status: u16) {
        assert_eq!(Target::parse(path).unwrap_err().status(), status, "{path}");
    }

    #[test]
    fn fixed_paths_with_and_without_a_trailing_slash() {
        for path in ["/auth/v1.0", "/auth/v1.0/", "/auth", "/auth/", "/v1.0", "/v1.0/"] {
            assert_eq!(Target::parse(path).unwrap(), Target::Login, "{path}");
        }
        assert_eq!(Target::parse("/info").unwrap(), Target::Capabilities);
        assert_eq!(Target::parse("/healthcheck").unwrap(), Target::Health);
    }

    #[test]
    fn accounts_containers_and_objects() {
        check("/v1/AUTH_a", &["AUTH_a"]);
        check("/v1/AUTH_a/", &["AUTH_a"]);
        check("/v1.0/AUTH_a", &["AUTH_a"]);
        check("/v1/AUTH_a/c", &["AUTH_a", "c"]);
        check("/v1/AUTH_a/c/", &["AUTH_a", "c"]);
        check("/v1/AUTH_a/c/o", &["AUTH_a", "c", "o"]);
        check("/v1/AUTH_a/%c3%bc/%C3%BC%20+", &["AUTH_a", "ü", "ü +"]);
        check("/v1/AUTH_a/c%2Fo", &["AUTH_a", "c", "o"]);
        check("/v1/AUTH_a/c/100%", &["AUTH_a", "c", "100%"]);
    }

    #[test]
    fn odd_keys_are_never_normalised() {
        for key in ["..", "a/../b", "/", "//", "/lead", "trail/", "a//b", ".", "a/./b"] {
            check(&format!("/v1/AUTH_a/c/{key}"), &["AUTH_a", "c", key]);
        }
    }

    #[test]
    fn what_is_not_text_is_412() {
        refused("/v1/AUTH_a/c/%ff", 412);
        refused("/v1/AUTH_a/c/a%00b", 412);
        refused("/v1/AUTH_a/%00", 412);
        refused("/v1/%ff", 412);
        refused("/v1/a%00/c", 412);
    }

    #[test]
    fn empty_elements_name_nothing() {
        refused("/", 404);
        refused("//v1/AUTH_a", 404);
        refused("/v1", 412);
        refused("/v1/", 412);
        refused("/v1//", 412);
        refused("/v1//c/o", 404);
        refused("/v1///o", 404);
        refused("/v1/AUTH_a//o", 404);
        refused("/v1/AUTH_a//", 412);
    }

    #[test]
    fn nobody_has_credentials_for_an_account_that_cannot_be() {
        refused("/v1/a%0a/c", 401);
    }

    #[test]
    fn other_versions_are_400() {
        refused("/v2/AUTH_a/c", 400);
    }

    #[test]
    fn long_names_are_400() {
        refused(&format!("/v1/{}", "a".repeat(257)), 400);
        refused(&format!("/v1/a/{}", "c".repeat(257)), 400);
        refused(&format!("/v1/a/c/{}", "o".repeat(1025)), 400);
        check(&format!("/v1/a/c/{}", "o".repeat(1024)), &["a", "c", &"o".repeat(1024)]);
    }

    proptest! {
        #[test]
        fn every_key_comes_through_unchanged(key in "[^\\x00]{1,256}", container in "[^/\\x00]{1,64}") {
            let encoded = |name: &str| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
            let path = format!("/v1/AUTH_a/{}/{}", encoded(&container), encoded(&key));
            prop_assert_eq!(names(&path), ["AUTH_a", &container, &key]);
        }

        #[test]
        fn no_path_is_too_strange_to_be_answered(path in "/(v1/)?[a%/.0-9\\x00-\\xff]{0,64}") {
            let _refused_or_not = Target::parse(&path);
        }
    }
}

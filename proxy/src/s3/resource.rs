//! What a request's target names.

use bytes::Bytes;
use martlet_model::{ContainerName, ObjectKey};

use super::refusal::Refusal;

/// The thing that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// The caller's buckets.
    Account,
    Bucket(ContainerName),
    Object(ContainerName, ObjectKey),
}

impl Resource {
    /// `path` is decoded and begins with `/`; `host_bucket` is the bucket that the host names, if it does.
    pub(super) fn parse(path: &[u8], host_bucket: Option<&str>) -> Result<Self, Refusal> {
        let rest = path.strip_prefix(b"/").unwrap_or(path);
        let (bucket, key) = match host_bucket {
            Some(bucket) => (bucket.as_bytes(), rest),
            None if rest.is_empty() => return Ok(Self::Account),
            None => match rest.iter().position(|&byte| byte == b'/') {
                Some(at) => (&rest[..at], &rest[at + 1..]),
                None => (rest, &rest[..0]),
            },
        };
        let bucket = ContainerName::parse(bucket).map_err(|_| Refusal::BucketName)?;
        if key.is_empty() {
            return Ok(Self::Bucket(bucket));
        }
        Ok(Self::Object(bucket, ObjectKey::parse(Bytes::copy_from_slice(key))?))
    }
}

#[cfg(test)]
mod tests {
    use martlet_model::{Error, NameError};

    use super::*;

    #[track_caller]
    fn check(path: &[u8], host_bucket: Option<&str>, expected: Option<(&str, &str)>) {
        let found = match Resource::parse(path, host_bucket).unwrap() {
            Resource::Account => None,
            Resource::Bucket(bucket) => Some((bucket.to_string(), String::new())),
            Resource::Object(bucket, key) => Some((bucket.to_string(), key.as_str().to_owned())),
        };
        assert_eq!(found, expected.map(|(bucket, key)| (bucket.to_owned(), key.to_owned())));
    }

    #[test]
    fn paths_name_buckets_and_keys() {
        check(b"/", None, None);
        check(b"/b", None, Some(("b", "")));
        check(b"/b/", None, Some(("b", "")));
        check(b"/b/k", None, Some(("b", "k")));
        check(b"/", Some("b"), Some(("b", "")));
        check(b"/k/l", Some("b"), Some(("b", "k/l")));
    }

    #[test]
    fn keys_are_opaque() {
        for key in ["..", "../x", "a/../b", "/lead", "//", "a//b/", "\u{1}\n", "ü"] {
            check(format!("/b/{key}").as_bytes(), None, Some(("b", key)));
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert!(matches!(Resource::parse(b"//k", None), Err(Refusal::BucketName)));
        assert!(matches!(Resource::parse(b"/a\0b", None), Err(Refusal::BucketName)));
        let key = |key: &[u8]| match Resource::parse(&[b"/b/", key].concat(), None) {
            Err(Refusal::Store(Error::Name(error))) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(key(b"a\0"), NameError::ForbiddenByte(0));
        assert_eq!(key(b"\xff"), NameError::NotUtf8);
        assert_eq!(key(&[b'k'; 1025]), NameError::TooLong { bytes: 1025, bytes_max: 1024 });
    }
}

//! Names of accounts, containers and objects.
//!
//! Names are opaque bytes: never joined to a path, never normalised.
//! The same decoded bytes serve signature, authorization and storage.

use std::fmt;

use bytes::Bytes;

use crate::limits::{ACCOUNT_NAME_BYTES_MAX, CONTAINER_NAME_BYTES_MAX, OBJECT_KEY_BYTES_MAX};

/// The name of an account, e.g. `AUTH_test`: valid UTF-8 without `/` and control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

/// The name of a container (S3: bucket) within its account: 1 to 256 bytes of UTF-8 without `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName(String);

/// The name of an object within its container: 1 to 1024 bytes of UTF-8 without NUL, kept exactly as given.
///
/// `..`, `//` and a leading `/` are ordinary bytes of a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Bytes);

/// A container and its account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerId {
    pub account: AccountName,
    pub name: ContainerName,
}

/// An object and its container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId {
    pub container: ContainerId,
    pub key: ObjectKey,
}

/// Why bytes are not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("the name has {bytes} bytes; {bytes_max} are allowed")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("the name is not valid UTF-8")]
    NotUtf8,
    #[error("the name contains the forbidden byte {0:#04x}")]
    ForbiddenByte(u8),
}

impl AccountName {
    pub fn parse(raw: &[u8]) -> Result<Self, NameError> {
        text(raw, ACCOUNT_NAME_BYTES_MAX, |byte| byte == b'/' || byte.is_ascii_control()).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ContainerName {
    pub fn parse(raw: &[u8]) -> Result<Self, NameError> {
        text(raw, CONTAINER_NAME_BYTES_MAX, |byte| byte == b'/' || byte == 0).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ObjectKey {
    pub fn parse(raw: impl Into<Bytes>) -> Result<Self, NameError> {
        let raw = raw.into();
        check(&raw, OBJECT_KEY_BYTES_MAX, |byte| byte == 0)?;
        Ok(Self(raw))
    }

    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The key as text; `parse` has made sure that it is.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn text(raw: &[u8], bytes_max: usize, forbidden: fn(u8) -> bool) -> Result<String, NameError> {
    check(raw, bytes_max, forbidden).map(str::to_owned)
}

fn check(raw: &[u8], bytes_max: usize, forbidden: fn(u8) -> bool) -> Result<&str, NameError> {
    if raw.is_empty() {
        return Err(NameError::Empty);
    }
    if raw.len() > bytes_max {
        return Err(NameError::TooLong { bytes: raw.len(), bytes_max });
    }
    if let Some(&byte) = raw.iter().find(|&&byte| forbidden(byte)) {
        return Err(NameError::ForbiddenByte(byte));
    }
    std::str::from_utf8(raw).map_err(|_| NameError::NotUtf8)
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_but_legal_keys_are_kept_to_the_byte() {
        for raw in ["..", "a/../b", "//", "/lead", "trail/", "a//b", "\u{1}", "ü", " "] {
            assert_eq!(ObjectKey::parse(raw).unwrap().as_bytes(), raw.as_bytes());
        }
    }

    #[test]
    fn a_key_of_1024_bytes_is_the_longest() {
        assert!(ObjectKey::parse(vec![b'k'; 1024]).is_ok());
        assert_eq!(
            ObjectKey::parse(vec![b'k'; 1025]),
            Err(NameError::TooLong { bytes: 1025, bytes_max: 1024 })
        );
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        assert_eq!(ObjectKey::parse(""), Err(NameError::Empty));
        assert_eq!(ObjectKey::parse("a\0b"), Err(NameError::ForbiddenByte(0)));
        assert_eq!(ObjectKey::parse(&b"\xff\xfe"[..]), Err(NameError::NotUtf8));
        assert_eq!(ContainerName::parse(b"a/b"), Err(NameError::ForbiddenByte(b'/')));
        assert_eq!(AccountName::parse(b"a\n"), Err(NameError::ForbiddenByte(b'\n')));
    }
}

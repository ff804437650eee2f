//! What a writer says about an object besides its bytes.

use std::collections::BTreeMap;

use crate::limits::{USER_METADATA_BYTES_MAX, USER_METADATA_COUNT_MAX};
use crate::time::Timestamp;

/// The headers that the model understands, and the user's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectMetadata {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_disposition: Option<String>,
    pub content_language: Option<String>,
    pub cache_control: Option<String>,
    /// The `Expires` header, as text: it speaks to HTTP caches and removes nothing.
    pub expires: Option<String>,
    /// When the object ends (Swift's `X-Delete-At`): from that moment on there is none.
    /// A version with an id of its own stays, and is found by that.
    pub delete_at: Option<Timestamp>,
    /// Swift's `X-Object-Manifest`: reading gives the objects whose names begin so, in order.
    /// `container/prefix` as the writer gave it, percent-encoded or not.
    pub dynamic_manifest: Option<String>,
    pub user: UserMetadata,
}

/// An object's tags: names and values, ascending by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, String>);

/// The user's own items (`x-amz-meta-*`, `X-Object-Meta-*`): lower-case names without that prefix.
/// A value is what a header can have, which is mostly text, and may be any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserMetadata(BTreeMap<String, Vec<u8>>);

/// Why user metadata is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    #[error("user metadata has {bytes} bytes; {USER_METADATA_BYTES_MAX} are allowed")]
    TooLarge { bytes: usize },
    #[error("user metadata has {count} items; {USER_METADATA_COUNT_MAX} are allowed")]
    TooMany { count: usize },
}

impl ObjectMetadata {
    /// Whether the object has ended at this moment.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.delete_at.is_some_and(|end| end <= now)
    }
}

impl Tags {
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of two of the same name the later stays; who must refuse that looks before.
impl FromIterator<(String, String)> for Tags {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(items: T) -> Self {
        Self(items.into_iter().collect())
    }
}

impl UserMetadata {
    /// Takes `items`; names are folded to lower case, and of two of the same name the later stays.
    pub fn collect<V: Into<Vec<u8>>>(
        items: impl IntoIterator<Item = (String, V)>,
    ) -> Result<Self, MetadataError> {
        let items: BTreeMap<_, Vec<u8>> =
            items.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into())).collect();
        if items.len() > USER_METADATA_COUNT_MAX {
            return Err(MetadataError::TooMany { count: items.len() });
        }
        let bytes = items.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > USER_METADATA_BYTES_MAX {
            return Err(MetadataError::TooLarge { bytes });
        }
        Ok(Self(items))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// What an item says; `None` also where that isn't text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `changes` item by item: an empty value removes (Swift's POST on accounts and containers).
    pub fn merged(&self, changes: &Self) -> Result<Self, MetadataError> {
        let mut items = self.0.clone();
        for (name, value) in &changes.0 {
            if value.is_empty() {
                items.remove(name)
            } else {
                items.insert(name.clone(), value.clone())
            };
        }
        Self::collect(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(items: &[(&str, &str)]) -> UserMetadata {
        UserMetadata::collect(items.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))).unwrap()
    }

    #[test]
    fn names_have_no_case() {
        assert_eq!(metadata(&[("MTime", "1")]).text("mtime"), Some("1"));
    }

    #[test]
    fn a_value_may_be_any_bytes() {
        let metadata = UserMetadata::collect([("a".to_owned(), b"\xff".to_vec())]).unwrap();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("a", &b"\xff"[..])]);
        assert_eq!(metadata.text("a"), None);
    }

    #[test]
    fn merging_adds_replaces_and_removes() {
        let merged =
            metadata(&[("a", "1"), ("b", "2")]).merged(&metadata(&[("a", ""), ("b", "3"), ("c", "4")]));
        assert_eq!(merged, Ok(metadata(&[("b", "3"), ("c", "4")])));
    }

    #[test]
    fn too_much_is_refused() {
        let large = UserMetadata::collect([("a".to_owned(), "x".repeat(USER_METADATA_BYTES_MAX))]);
        assert_eq!(large, Err(MetadataError::TooLarge { bytes: USER_METADATA_BYTES_MAX + 1 }));
        let many = UserMetadata::collect((0..=USER_METADATA_COUNT_MAX).map(|n| (n.to_string(), Vec::new())));
        assert_eq!(many, Err(MetadataError::TooMany { count: USER_METADATA_COUNT_MAX + 1 }));
    }
}

//! What a container says about itself beyond its metadata: documents, each enforced by whoever understands it.

use std::collections::BTreeMap;

use bytes::Bytes;

/// A document that a container may carry.
///
/// The store keeps the bytes and gives them back; their form is the affair of who enforces them,
/// who has also checked them before they were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Swift's `X-Container-Read`, in its canonical form (crate `auth`).
    SwiftRead,
    /// Swift's `X-Container-Write`, in its canonical form (crate `auth`).
    SwiftWrite,
    /// The bucket's ACL (crate `auth`).
    Acl,
    /// The bucket policy, the JSON text as it was given (crate `auth`).
    Policy,
    /// S3's public access block (crate `auth`).
    PublicAccessBlock,
    /// S3's ownership controls (crate `auth`).
    OwnershipControls,
    /// The bucket's CORS rules, the XML as it was given (crate `proxy`).
    Cors,
    /// The bucket's tags (crate `proxy`).
    Tagging,
    /// Swift's `X-Versions-Location`: the container where overwritten objects go (crate `proxy`).
    VersionsLocation,
    /// Swift's `X-History-Location`: as above, and removed objects go there as well (crate `proxy`).
    HistoryLocation,
}

/// The documents that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<Setting, Bytes>);

/// Documents to set (`Some`) and to remove (`None`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange(BTreeMap<Setting, Option<Bytes>>);

impl Settings {
    pub fn get(&self, setting: Setting) -> Option<&Bytes> {
        self.0.get(&setting)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Setting, &Bytes)> {
        self.0.iter().map(|(setting, document)| (*setting, document))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn changed(&self, change: &SettingsChange) -> Self {
        let mut documents = self.0.clone();
        for (setting, document) in &change.0 {
            match document {
                Some(document) => documents.insert(*setting, document.clone()),
                None => documents.remove(setting),
            };
        }
        Self(documents)
    }
}

impl FromIterator<(Setting, Bytes)> for Settings {
    fn from_iter<T: IntoIterator<Item = (Setting, Bytes)>>(documents: T) -> Self {
        Self(documents.into_iter().collect())
    }
}

impl SettingsChange {
    #[must_use]
    pub fn set(mut self, setting: Setting, document: impl Into<Bytes>) -> Self {
        self.0.insert(setting, Some(document.into()));
        self
    }

    #[must_use]
    pub fn remove(mut self, setting: Setting) -> Self {
        self.0.insert(setting, None);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Setting, Option<&Bytes>)> {
        self.0.iter().map(|(setting, document)| (*setting, document.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_sets_and_removes_and_leaves_the_rest() {
        let before: Settings =
            [(Setting::Acl, Bytes::from("a")), (Setting::Policy, Bytes::from("p"))].into_iter().collect();
        let change = SettingsChange::default().remove(Setting::Acl).set(Setting::Cors, "c");
        let after: Settings =
            [(Setting::Policy, Bytes::from("p")), (Setting::Cors, Bytes::from("c"))].into_iter().collect();
        assert_eq!(before.changed(&change), after);
    }
}

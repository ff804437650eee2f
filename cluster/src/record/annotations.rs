//! Annotations as bytes: part of the records of objects and uploads.

use bytes::Bytes;
use martlet_model::Annotations;
use serde::{Deserialize, Serialize};

/// The object's ACL, and its tags' names and values, ascending by name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct AnnotationsTwin<'a> {
    acl: Option<&'a [u8]>,
    #[serde(borrow)]
    tags: Vec<(&'a str, &'a str)>,
}

impl<'a> AnnotationsTwin<'a> {
    pub(super) fn of(annotations: &'a Annotations) -> Self {
        let Annotations { acl, tags } = annotations;
        Self { acl: acl.as_deref(), tags: tags.iter().collect() }
    }

    pub(super) fn annotations(&self) -> Annotations {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Annotations { acl: self.acl.map(Bytes::copy_from_slice), tags: self.tags.iter().map(owned).collect() }
    }
}

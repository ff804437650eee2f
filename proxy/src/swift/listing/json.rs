//! Listings in JSON.

use std::borrow::Cow;

use martlet_model::{ContainerId, ListEntry, Shape, Timestamp};
use serde::{Serialize, Serializer};

use super::lossless;
use crate::swift::date;
use crate::swift::symlink;

#[derive(Serialize)]
pub(super) struct JsonContainer<'a> {
    pub(super) name: &'a str,
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) last_modified: JsonDate,
    pub(super) storage_policy: &'static str,
}

#[derive(Serialize)]
pub(super) struct JsonObject<'a> {
    pub(super) name: &'a str,
    pub(super) hash: String,
    pub(super) bytes: u64,
    pub(super) content_type: &'a str,
    pub(super) last_modified: JsonDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) slo_etag: Option<String>,
    /// Swift stores the versions of objects elsewhere, and tells where; clients know by this that there are any.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) version_symlink: bool,
    /// Where the version is found that is the current one; of a link, what it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symlink_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symlink_etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symlink_bytes: Option<u64>,
}

impl JsonObject<'_> {
    /// With what it stands for, if it is a link.
    pub(super) fn linked(self, shape: &Shape, container: &ContainerId) -> Self {
        let Some(link) = shape.link() else { return self };
        let slo_etag = link.pin.and_then(|pin| pin.joined).map(|md5| format!("\"{md5}\""));
        Self {
            slo_etag: self.slo_etag.or(slo_etag),
            symlink_path: Some(symlink::path_from(link, container)),
            symlink_etag: link.pin.map(|pin| pin.md5.to_string()),
            symlink_bytes: link.pin.map(|pin| pin.bytes),
            ..self
        }
    }
}

#[derive(Serialize)]
pub(super) struct JsonVersion<'a> {
    #[serde(flatten)]
    pub(super) object: JsonObject<'a>,
    pub(super) version_id: String,
    pub(super) is_latest: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum JsonEntry<'a, T> {
    Item(T),
    Prefix { subdir: Cow<'a, str> },
}

pub(super) struct JsonDate(pub(super) Timestamp);

impl Serialize for JsonDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&date::in_listing(self.0))
    }
}

pub(super) fn json<'a, T, J: Serialize>(entries: &'a [ListEntry<T>], item: impl Fn(&'a T) -> J) -> String {
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Item(entry) => JsonEntry::Item(item(entry)),
            ListEntry::Prefix(prefix) => JsonEntry::Prefix { subdir: lossless(prefix) },
        })
        .collect();
    serde_json::to_string(&entries).expect("names and numbers are always JSON")
}

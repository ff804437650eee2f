//! Listings as text: plain, JSON and XML.

mod json;
mod xml;

use std::borrow::Cow;

use martlet_model::{
    AccountName, ContainerEntry, ContainerId, Content, Digest, ETagStyle, ListEntry, Md5, ObjectEntry, Shape,
    VersionEntry, VersionId, VersionKind,
};

use crate::archive::DELETE_MARKER;

use super::capabilities::STORAGE_POLICY;
use super::format::Format;
use super::versions::location_of;

use json::{JsonContainer, JsonDate, JsonObject, JsonVersion, json};
pub(super) use xml::escape;

/// What an object is said to be when its writer didn't say.
pub(super) const CONTENT_TYPE_UNKNOWN: &str = "application/octet-stream";

/// The containers of an account.
pub(super) fn containers(
    account: &AccountName,
    entries: &[ListEntry<ContainerEntry>],
    format: Format,
) -> String {
    match format {
        Format::Plain => plain(entries, |entry| entry.name.as_str()),
        Format::Json => json(entries, |entry| JsonContainer {
            name: entry.name.as_str(),
            count: entry.usage.objects,
            bytes: entry.usage.bytes,
            last_modified: JsonDate(entry.modified),
            storage_policy: STORAGE_POLICY,
        }),
        Format::Xml | Format::TextXml => xml::containers(account, entries),
    }
}

/// The objects of a container.
pub(super) fn objects(container: &ContainerId, entries: &[ListEntry<ObjectEntry>], format: Format) -> String {
    match format {
        Format::Plain => plain(entries, |entry| entry.key.as_str()),
        Format::Json => json(entries, |entry| {
            let object = JsonObject {
                name: entry.key.as_str(),
                hash: hash(&entry.content, &entry.shape),
                bytes: entry.content.bytes,
                content_type: entry.content_type.as_deref().unwrap_or(CONTENT_TYPE_UNKNOWN),
                last_modified: JsonDate(entry.modified),
                slo_etag: slo_etag(&entry.content),
                version_symlink: matches!(entry.version, Some(VersionId::Id(_))),
                symlink_path: match entry.version {
                    Some(version @ VersionId::Id(_)) => Some(location_of(container, &entry.key, version)),
                    Some(VersionId::Null) | None => None,
                },
                symlink_etag: None,
                symlink_bytes: None,
            };
            object.linked(&entry.shape, container)
        }),
        Format::Xml | Format::TextXml => xml::objects(&container.name, entries),
    }
}

/// The versions of a container's objects, as JSON.
pub(super) fn versions(container: &ContainerId, entries: &[ListEntry<VersionEntry>]) -> String {
    json(entries, |entry| {
        let slo_etag = match &entry.kind {
            VersionKind::Object { content, .. } => slo_etag(content),
            VersionKind::DeleteMarker => None,
        };
        let (hash, bytes, content_type) = match &entry.kind {
            VersionKind::Object { content, content_type, shape } => {
                (hash(content, shape), content.bytes, content_type.as_deref().unwrap_or(CONTENT_TYPE_UNKNOWN))
            }
            VersionKind::DeleteMarker => (Md5::of(b"").to_string(), 0, DELETE_MARKER),
        };
        let object = JsonObject {
            name: entry.key.as_str(),
            hash,
            bytes,
            content_type,
            last_modified: JsonDate(entry.modified),
            slo_etag,
            version_symlink: false,
            symlink_path: None,
            symlink_etag: None,
            symlink_bytes: None,
        };
        JsonVersion {
            object: match &entry.kind {
                VersionKind::Object { shape, .. } => object.linked(shape, container),
                VersionKind::DeleteMarker => object,
            },
            version_id: entry.version.to_string(),
            is_latest: entry.is_latest,
        }
    })
}

/// The MD5 of what is stored: of a list of segments, that of the list.
fn hash(content: &Content, shape: &Shape) -> String {
    match shape {
        Shape::SegmentList { list_md5: Some(md5), .. } => md5.to_string(),
        Shape::SegmentList { list_md5: None, .. } | Shape::Plain | Shape::Link(_) => {
            content.etag(ETagStyle::Swift)
        }
    }
}

/// The ETag of an object that has parts, as its reader gets it.
fn slo_etag(content: &Content) -> Option<String> {
    match content.digest {
        Digest::Whole(_) => None,
        Digest::Parts { .. } => Some(format!("\"{}\"", content.etag(ETagStyle::Swift))),
    }
}

/// One name a line, whatever bytes the name has.
fn plain<T>(entries: &[ListEntry<T>], name: impl Fn(&T) -> &str) -> String {
    let mut text = String::new();
    for entry in entries {
        match entry {
            ListEntry::Item(item) => text.push_str(name(item)),
            ListEntry::Prefix(prefix) => text.push_str(&lossless(prefix)),
        }
        text.push('\n');
    }
    text
}

/// A common prefix ends at a delimiter that is text, so it is text itself.
fn lossless(prefix: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(prefix)
}

#[cfg(test)]
mod tests {
    use martlet_model::{ContainerName, ObjectKey, Timestamp, Usage};

    use super::*;

    const AT: Timestamp = Timestamp::from_micros(1_309_422_047_736_680);

    fn object(key: &'static str, content_type: Option<&str>) -> ListEntry<ObjectEntry> {
        ListEntry::Item(ObjectEntry {
            key: ObjectKey::parse(key).unwrap(),
            content: Content { bytes: 1, digest: Digest::Whole(Md5::of(b"a")) },
            content_type: content_type.map(str::to_owned),
            modified: AT,
            version: None,
            shape: Shape::Plain,
        })
    }

    fn container(name: &str) -> ListEntry<ContainerEntry> {
        ListEntry::Item(ContainerEntry {
            name: ContainerName::parse(name.as_bytes()).unwrap(),
            created: Timestamp::from_micros(0),
            modified: AT,
            usage: Usage { objects: 2, bytes: 3 },
        })
    }

    fn prefix<T>(text: &'static str) -> ListEntry<T> {
        ListEntry::Prefix(text.into())
    }

    #[track_caller]
    fn check_objects(entries: &[ListEntry<ObjectEntry>], format: Format, expected: &str) {
        let account = AccountName::parse(b"AUTH_a").unwrap();
        let id = ContainerId { account, name: ContainerName::parse(b"c&d").unwrap() };
        assert_eq!(objects(&id, entries, format), expected);
    }

    #[track_caller]
    fn check_containers(entries: &[ListEntry<ContainerEntry>], format: Format, expected: &str) {
        assert_eq!(containers(&AccountName::parse(b"AUTH_a").unwrap(), entries, format), expected);
    }

    #[test]
    fn plain_text_has_a_name_a_line() {
        check_objects(&[object("ü", None), prefix("a/")], Format::Plain, "ü\na/\n");
        check_containers(&[container("box")], Format::Plain, "box\n");
        check_objects(&[], Format::Plain, "");
    }

    #[test]
    fn json_objects() {
        check_objects(&[], Format::Json, "[]");
        check_objects(
            &[object("a\"\n", Some("text/plain")), prefix("p/")],
            Format::Json,
            "[{\"name\":\"a\\\"\\n\",\"hash\":\"0cc175b9c0f1b6a831c399e269772661\",\"bytes\":1,\
             \"content_type\":\"text/plain\",\"last_modified\":\"2011-06-30T08:20:47.736680\"},{\"subdir\":\"p/\"}]",
        );
    }

    #[test]
    fn json_containers() {
        check_containers(
            &[container("box"), prefix("p/")],
            Format::Json,
            "[{\"name\":\"box\",\"count\":2,\"bytes\":3,\
             \"last_modified\":\"2011-06-30T08:20:47.736680\",\"storage_policy\":\"Policy-0\"},\
             {\"subdir\":\"p/\"}]",
        );
    }

    #[test]
    fn xml_objects_and_their_odd_names() {
        check_objects(
            &[object("<a>&\"\r\u{1}", None), prefix("p\"/")],
            Format::Xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<container name=\"c&amp;d\">\
             <object><name>&lt;a&gt;&amp;&quot;&#13;&#1;</name><hash>0cc175b9c0f1b6a831c399e269772661</hash>\
             <bytes>1</bytes><content_type>application/octet-stream</content_type>\
             <last_modified>2011-06-30T08:20:47.736680</last_modified></object>\
             <subdir name=\"p&quot;/\"><name>p&quot;/</name></subdir></container>",
        );
    }

    #[test]
    fn xml_containers() {
        check_containers(
            &[container("box"), prefix("p/")],
            Format::TextXml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account name=\"AUTH_a\">\
             <container><name>box</name><count>2</count><bytes>3</bytes>\
             <last_modified>2011-06-30T08:20:47.736680</last_modified><storage_policy>Policy-0</storage_policy></container>\
             <subdir name=\"p/\" /></account>",
        );
    }
}

//! Listings as text: plain, JSON and XML.

use std::fmt::Write as _;

use martlet_model::{
    AccountName, ContainerEntry, ContainerId, ContainerName, Content, Digest, ETagStyle, ListEntry, Md5,
    ObjectEntry, Shape, Timestamp, VersionEntry, VersionId, VersionKind,
};
use serde::{Serialize, Serializer};

use crate::archive::DELETE_MARKER;

use super::capabilities::STORAGE_POLICY;
use super::date;
use super::format::Format;
use super::symlink;
use super::versions::location_of;

/// What an object is said to be when its writer didn't say.
pub(super) const CONTENT_TYPE_UNKNOWN: &str = "application/octet-stream";

const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

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
        Format::Xml | Format::TextXml => xml_containers(account, entries),
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
        Format::Xml | Format::TextXml => xml_objects(&container.name, entries),
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
fn lossless(prefix: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(prefix)
}

#[derive(Serialize)]
struct JsonContainer<'a> {
    name: &'a str,
    count: u64,
    bytes: u64,
    last_modified: JsonDate,
    storage_policy: &'static str,
}

#[derive(Serialize)]
struct JsonObject<'a> {
    name: &'a str,
    hash: String,
    bytes: u64,
    content_type: &'a str,
    last_modified: JsonDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    slo_etag: Option<String>,
    /// Swift stores the versions of objects elsewhere, and tells where; clients know by this that there are any.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    version_symlink: bool,
    /// Where the version is found that is the current one; of a link, what it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    symlink_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symlink_etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symlink_bytes: Option<u64>,
}

impl JsonObject<'_> {
    /// With what it stands for, if it is a link.
    fn linked(self, shape: &Shape, container: &ContainerId) -> Self {
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
struct JsonVersion<'a> {
    #[serde(flatten)]
    object: JsonObject<'a>,
    version_id: String,
    is_latest: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum JsonEntry<'a, T> {
    Item(T),
    Prefix { subdir: std::borrow::Cow<'a, str> },
}

struct JsonDate(Timestamp);

impl Serialize for JsonDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&date::in_listing(self.0))
    }
}

fn json<'a, T, J: Serialize>(entries: &'a [ListEntry<T>], item: impl Fn(&'a T) -> J) -> String {
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Item(entry) => JsonEntry::Item(item(entry)),
            ListEntry::Prefix(prefix) => JsonEntry::Prefix { subdir: lossless(prefix) },
        })
        .collect();
    serde_json::to_string(&entries).expect("names and numbers are always JSON")
}

fn xml_containers(account: &AccountName, entries: &[ListEntry<ContainerEntry>]) -> String {
    let mut xml = opened("account", account.as_str());
    for entry in entries {
        match entry {
            ListEntry::Item(entry) => {
                xml.push_str("<container>");
                element(&mut xml, "name", entry.name.as_str());
                element(&mut xml, "count", &entry.usage.objects.to_string());
                element(&mut xml, "bytes", &entry.usage.bytes.to_string());
                element(&mut xml, "last_modified", &date::in_listing(entry.modified));
                element(&mut xml, "storage_policy", STORAGE_POLICY);
                xml.push_str("</container>");
            }
            ListEntry::Prefix(prefix) => {
                xml.push_str("<subdir name=\"");
                escape(&mut xml, &lossless(prefix));
                xml.push_str("\" />");
            }
        }
    }
    xml.push_str("</account>");
    xml
}

fn xml_objects(container: &ContainerName, entries: &[ListEntry<ObjectEntry>]) -> String {
    let mut xml = opened("container", container.as_str());
    for entry in entries {
        match entry {
            ListEntry::Item(entry) => {
                xml.push_str("<object>");
                element(&mut xml, "name", entry.key.as_str());
                element(&mut xml, "hash", &hash(&entry.content, &entry.shape));
                element(&mut xml, "bytes", &entry.content.bytes.to_string());
                let content_type = entry.content_type.as_deref().unwrap_or(CONTENT_TYPE_UNKNOWN);
                element(&mut xml, "content_type", content_type);
                element(&mut xml, "last_modified", &date::in_listing(entry.modified));
                xml.push_str("</object>");
            }
            ListEntry::Prefix(prefix) => {
                let prefix = lossless(prefix);
                xml.push_str("<subdir name=\"");
                escape(&mut xml, &prefix);
                xml.push_str("\">");
                element(&mut xml, "name", &prefix);
                xml.push_str("</subdir>");
            }
        }
    }
    xml.push_str("</container>");
    xml
}

fn opened(tag: &str, name: &str) -> String {
    let mut xml = format!("{XML_DECLARATION}<{tag} name=\"");
    escape(&mut xml, name);
    xml.push_str("\">");
    xml
}

fn element(xml: &mut String, tag: &str, text: &str) {
    let _infallible = write!(xml, "<{tag}>");
    escape(xml, text);
    let _infallible = write!(xml, "</{tag}>");
}

/// Writes `text` so that it comes back unchanged, in an element and in an attribute.
///
/// XML 1.0 can't express most control characters. They are written as references all the same:
/// a parser that takes them gives the right name, and one that doesn't fails instead of giving a wrong one.
pub(super) fn escape(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => reference(xml, character),
            character if character.is_control() => reference(xml, character),
            character => xml.push(character),
        }
    }
}

fn reference(xml: &mut String, character: char) {
    let _infallible = write!(xml, "&#{};", u32::from(character));
}

#[cfg(test)]
mod tests {
    use martlet_model::{Md5, ObjectKey, Usage};
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn every_name_survives_xml(name in "\\PC{0,64}") {
            let mut xml = String::new();
            escape(&mut xml, &name);
            prop_assert_eq!(quick_xml::escape::unescape(&xml).unwrap(), name);
        }
    }
}

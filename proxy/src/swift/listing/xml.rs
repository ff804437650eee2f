//! Listings in XML.

use std::fmt::Write as _;

use martlet_model::{AccountName, ContainerEntry, ContainerName, ListEntry, ObjectEntry};

use super::{CONTENT_TYPE_UNKNOWN, hash, lossless};
use crate::swift::capabilities::STORAGE_POLICY;
use crate::swift::date;

const XML_DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

pub(super) fn containers(account: &AccountName, entries: &[ListEntry<ContainerEntry>]) -> String {
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

pub(super) fn objects(container: &ContainerName, entries: &[ListEntry<ObjectEntry>]) -> String {
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
pub(in crate::swift) fn escape(xml: &mut String, text: &str) {
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_survives_xml(name in "\\PC{0,64}") {
            let mut xml = String::new();
            escape(&mut xml, &name);
            prop_assert_eq!(quick_xml::escape::unescape(&xml).unwrap(), name);
        }
    }
}

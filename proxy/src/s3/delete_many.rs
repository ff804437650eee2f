//! `DeleteObjects`: many keys in one request.

use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use martlet_model::{BodyError, Conditions, Deleted, ETagStyle, Error, ObjectKey, Timestamp};

use super::command::parse_version;
use super::conditions::{parse_date, parse_match};
use super::integrity::Integrity;
use super::refusal::Refusal;
use super::xml::{Element, Writer};
use super::{Scene, answer};
use crate::body::RequestBody;

/// S3's limit on the keys of one request.
pub(crate) const KEYS_COUNT_MAX: usize = 1000;
/// S3's limit on the document.
const DOCUMENT_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// How many keys of one request are worked on at once.
const CONCURRENCY: usize = 16;

/// What to delete.
#[derive(Debug, PartialEq, Eq)]
struct Deletion {
    objects: Vec<Doomed>,
    /// Whether only failures are told.
    quiet: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Doomed {
    /// As it was written; it may be no possible key.
    key: String,
    /// As it was written.
    version: Option<String>,
    conditions: Conditions,
}

impl Scene<'_> {
    pub(super) async fn delete_objects(
        &self,
        integrity: Integrity,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        let document = match integrity.document(body, DOCUMENT_BYTES_MAX).await {
            Err(Refusal::Store(Error::Body(BodyError::TooLarge { .. }))) => {
                return Err(Refusal::MalformedXml("the document is too large"));
            }
            document => document?,
        };
        let deletion = Deletion::read(&document)?;
        // Before the first key: a bucket that isn't there has no keys to report on.
        self.store.unguarded().recent_container(self.container).await?;
        let deletions: Vec<_> = deletion.objects.iter().map(|object| self.delete_one(object)).collect();
        let outcomes: Vec<_> = stream::iter(deletions).buffered(CONCURRENCY).collect().await;
        let mut xml = Writer::new("DeleteResult");
        for (object, outcome) in deletion.objects.iter().zip(outcomes) {
            match outcome {
                Ok(_) if deletion.quiet => {}
                Ok(deleted) => write_deleted(&mut xml, object, deleted),
                Err(refusal) => {
                    let (code, message) = refusal.told(self.about);
                    xml.open("Error").text("Key", &object.key);
                    if let Some(version) = &object.version {
                        xml.text("VersionId", version);
                    }
                    xml.text("Code", code).text("Message", &message).close("Error");
                }
            }
        }
        Ok(answer::xml(xml))
    }

    async fn delete_one(&self, object: &Doomed) -> Result<Deleted, Refusal> {
        let key = ObjectKey::parse(Bytes::copy_from_slice(object.key.as_bytes()))?;
        let version = object.version.as_deref().map(|text| parse_version("VersionId", text)).transpose()?;
        self.remove(&self.object(key), version, &object.conditions).await
    }
}

fn write_deleted(xml: &mut Writer, object: &Doomed, deleted: Deleted) {
    xml.open("Deleted").text("Key", &object.key);
    if let Some(version) = &object.version {
        xml.text("VersionId", version);
    }
    if let (true, Some(marker)) = (deleted.is_delete_marker, deleted.version) {
        xml.word("DeleteMarker", true).word("DeleteMarkerVersionId", marker);
    }
    xml.close("Deleted");
}

impl Deletion {
    fn read(document: &[u8]) -> Result<Self, Refusal> {
        let root = Element::read(document, "Delete")?;
        let mut deletion = Self { objects: Vec::with_capacity(root.children.len()), quiet: false };
        for element in &root.children {
            match element.name.as_str() {
                "Object" => deletion.objects.push(Doomed::read(element)?),
                "Quiet" => deletion.quiet = element.word()?.eq_ignore_ascii_case("true"),
                _ => return Err(Refusal::MalformedXml("Delete has an unknown element")),
            }
        }
        if deletion.objects.is_empty() || deletion.objects.len() > KEYS_COUNT_MAX {
            return Err(Refusal::MalformedXml("Delete must have 1 to 1000 objects"));
        }
        Ok(deletion)
    }
}

impl Doomed {
    fn read(object: &Element) -> Result<Self, Refusal> {
        let (mut key, mut version, mut conditions) = (None, None, Conditions::none(ETagStyle::S3));
        for element in &object.children {
            match element.name.as_str() {
                "Key" => key = Some(element.exact_text()?.to_owned()),
                "VersionId" => version = Some(element.word()?.to_owned()).filter(|text| !text.is_empty()),
                "ETag" => {
                    let tags = parse_match(element.word()?);
                    conditions.if_match = tags.ok_or(Refusal::MalformedXml("ETag is not an ETag"))?;
                }
                "LastModifiedTime" => conditions.if_modified_at = Some(read_date(element.word()?)?),
                "Size" => {
                    let bytes = element.word()?.parse();
                    conditions.if_bytes =
                        Some(bytes.map_err(|_| Refusal::MalformedXml("Size is not a number of bytes"))?);
                }
                _ => return Err(Refusal::MalformedXml("Object has an unknown element")),
            }
        }
        let key = key.ok_or(Refusal::MalformedXml("Object has no Key"))?;
        if key.is_empty() {
            return Err(Refusal::NoKey);
        }
        Ok(Self { key, version, conditions })
    }
}

/// Clients write it as headers have dates, or as documents do.
fn read_date(text: &str) -> Result<Timestamp, Refusal> {
    let of_document = || {
        let at: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(at.as_microsecond()).ok().map(Timestamp::from_micros)
    };
    parse_date(text).or_else(of_document).ok_or(Refusal::MalformedXml("LastModifiedTime is not a date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(inner: &str, expected: Option<(&[&str], bool)>) {
        let deletion = Deletion::read(format!("<Delete>{inner}</Delete>").as_bytes()).ok();
        let doomed = |key: &&str| Doomed {
            key: (*key).to_owned(),
            version: None,
            conditions: Conditions::none(ETagStyle::S3),
        };
        let expected =
            expected.map(|(keys, quiet)| Deletion { objects: keys.iter().map(doomed).collect(), quiet });
        assert_eq!(deletion, expected);
    }

    #[test]
    fn keys_are_taken_to_the_byte() {
        check("<Object><Key>a</Key></Object>", Some((&["a"], false)));
        check("<Quiet>true</Quiet><Object><Key> a </Key></Object>", Some((&[" a "], true)));
        check(
            "<Object><Key>a&amp;&#10;</Key></Object><Object><Key>b</Key></Object>",
            Some((&["a&\n", "b"], false)),
        );
    }

    #[test]
    fn what_is_not_a_deletion_is_refused() {
        check("", None);
        check("<Object></Object>", None);
        check("<Object><Key></Key></Object>", None);
        check("<Object><Key><x/></Key></Object>", None);
        check("<Object><Key>a</Key><Size>-1</Size></Object>", None);
        check("<Object><Key>a</Key><LastModifiedTime>today</LastModifiedTime></Object>", None);
        check("<Object><Key>a</Key><New/></Object>", None);
        check(&"<Object><Key>a</Key></Object>".repeat(KEYS_COUNT_MAX + 1), None);
    }

    #[test]
    fn an_object_may_name_a_version_and_conditions() {
        for date in ["Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:00.000Z"] {
            let document = format!(
                "<Delete><Object><Key>a</Key><VersionId>null</VersionId><ETag>\"e\"</ETag><Size>3</Size>\
                 <LastModifiedTime>{date}</LastModifiedTime></Object></Delete>"
            );
            let [doomed] = &Deletion::read(document.as_bytes()).unwrap().objects[..] else { panic!() };
            assert_eq!(doomed.version.as_deref(), Some("null"));
            let conditions = Conditions {
                if_match: martlet_model::Match::OneOf(vec!["e".to_owned()]),
                if_bytes: Some(3),
                if_modified_at: Some(Timestamp::from_micros(1_767_225_600_000_000)),
                ..Conditions::none(ETagStyle::S3)
            };
            assert_eq!(doomed.conditions, conditions);
        }
    }
}

//! `DeleteObjects`: many keys in one request.

use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use martlet_model::{
    Conditions, ContainerStore as _, ETagStyle, Error, Md5, Noun, ObjectKey, ObjectStore as _,
};

use super::headers::Integrity;
use super::refusal::Refusal;
use super::xml::{Element, Writer};
use super::{Scene, answer};
use crate::body::RequestBody;

/// S3's limit on the keys of one request.
const KEYS_COUNT_MAX: usize = 1000;
/// S3's limit on the document.
const DOCUMENT_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// How many keys of one request are worked on at once.
const CONCURRENCY: usize = 16;

/// What to delete.
#[derive(Debug, PartialEq, Eq)]
struct Deletion {
    /// As they were written; some may be no possible keys.
    keys: Vec<String>,
    /// Whether only failures are told.
    quiet: bool,
}

impl Scene<'_> {
    pub(super) async fn delete_objects(
        &self,
        integrity: Integrity,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        let document = integrity.checked(body.collect(DOCUMENT_BYTES_MAX).await?)?;
        let deletion = Deletion::read(&document)?;
        // Before the first key: a bucket that isn't there has no keys to report on.
        self.store.container(self.container).await?;
        let deletions: Vec<_> = deletion.keys.iter().map(|key| self.delete_one(key)).collect();
        let outcomes: Vec<_> = stream::iter(deletions).buffered(CONCURRENCY).collect().await;
        let mut xml = Writer::new("DeleteResult");
        for (key, outcome) in deletion.keys.iter().zip(outcomes) {
            match outcome {
                Ok(()) if deletion.quiet => {}
                Ok(()) => {
                    xml.open("Deleted").text("Key", key).close("Deleted");
                }
                Err(refusal) => {
                    let (code, message) = refusal.told(self.about);
                    xml.open("Error").text("Key", key);
                    xml.text("Code", code).text("Message", &message).close("Error");
                }
            }
        }
        Ok(answer::xml(xml))
    }

    async fn delete_one(&self, key: &str) -> Result<(), Refusal> {
        let key = ObjectKey::parse(Bytes::copy_from_slice(key.as_bytes()))?;
        match self.store.delete(&self.object(key), None, &Conditions::none(ETagStyle::S3)).await {
            Ok(_) | Err(Error::NotFound(Noun::Object)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Deletion {
    fn read(document: &[u8]) -> Result<Self, Refusal> {
        let root = Element::read(document, "Delete")?;
        let mut deletion = Self { keys: Vec::with_capacity(root.children.len()), quiet: false };
        for element in &root.children {
            match element.name.as_str() {
                "Object" => deletion.keys.push(key_of(element)?),
                "Quiet" => deletion.quiet = element.word()?.eq_ignore_ascii_case("true"),
                _ => return Err(Refusal::MalformedXml("Delete has an unknown element")),
            }
        }
        if deletion.keys.is_empty() || deletion.keys.len() > KEYS_COUNT_MAX {
            return Err(Refusal::MalformedXml("Delete must have 1 to 1000 objects"));
        }
        Ok(deletion)
    }
}

fn key_of(object: &Element) -> Result<String, Refusal> {
    let mut key = None;
    for element in &object.children {
        match element.name.as_str() {
            "Key" => key = Some(element.exact_text()?.to_owned()),
            "VersionId" | "ETag" | "LastModifiedTime" | "Size" => {
                return Err(Refusal::NotOffered(format!("{} of an object to delete", element.name)));
            }
            _ => return Err(Refusal::MalformedXml("Object has an unknown element")),
        }
    }
    key.ok_or(Refusal::MalformedXml("Object has no Key"))
}

impl Integrity {
    /// The whole body, if it is what was declared.
    pub(super) fn checked(self, body: Bytes) -> Result<Bytes, Refusal> {
        if let Some(expected) = self.md5 {
            let computed = Md5::of(&body);
            if computed != expected {
                return Err(Error::Md5Mismatch { expected, computed }.into());
            }
        }
        match self.checksum {
            Some(checksum) if !checksum.fits(&body) => Err(checksum.algorithm.mismatch().into()),
            _ => Ok(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(inner: &str, expected: Option<(&[&str], bool)>) {
        let deletion = Deletion::read(format!("<Delete>{inner}</Delete>").as_bytes()).ok();
        let expected = expected.map(|(keys, quiet)| Deletion {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            quiet,
        });
        assert_eq!(deletion, expected);
    }

    #[test]
    fn keys_are_taken_to_the_byte() {
        check("<Object><Key>a</Key></Object>", Some((&["a"], false)));
        check("<Quiet>true</Quiet><Object><Key> a </Key></Object>", Some((&[" a "], true)));
        check(
            "<Object><Key>a&amp;&#10;</Key></Object><Object><Key></Key></Object>",
            Some((&["a&\n", ""], false)),
        );
    }

    #[test]
    fn what_is_not_a_deletion_is_refused() {
        check("", None);
        check("<Object></Object>", None);
        check("<Object><Key><x/></Key></Object>", None);
        check("<Object><Key>a</Key><VersionId>v</VersionId></Object>", None);
        check("<Object><Key>a</Key><New/></Object>", None);
        check(&"<Object><Key>a</Key></Object>".repeat(KEYS_COUNT_MAX + 1), None);
    }
}

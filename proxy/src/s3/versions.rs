//! Versions: whether a bucket keeps them, and which it has.

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use martlet_auth::Action;
use martlet_model::{
    ContainerChange, ContainerStore as _, ListEntry, ObjectStore as _, VersionEntry, VersionKind,
    VersionPage, VersionQuery, Versioning,
};

use super::acl::Person;
use super::command::parse_version;
use super::integrity::Integrity;
use super::listing::{Encoding, PAGE_MAX, bytes_unless_empty, write_prefixes};
use super::query::Query;
use super::refusal::Refusal;
use super::xml::{Element, Writer};
use super::{Scene, answer};
use crate::body::RequestBody;

/// The largest document that says whether versions are kept.
const DOCUMENT_BYTES_MAX: u64 = 16 * 1024;

#[derive(Debug)]
pub(super) struct ListVersions {
    prefix: String,
    /// Told again where it was told, empty or not.
    delimiter: Option<String>,
    limit: usize,
    encoding: Encoding,
    key_marker: String,
    version_marker: String,
}

impl ListVersions {
    pub(super) fn parse(query: &mut Query<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            prefix: query.take_text("prefix")?,
            delimiter: query.take("delimiter")?,
            limit: query.take_count("max-keys", PAGE_MAX)?,
            encoding: Encoding::take(query)?,
            key_marker: query.take_text("key-marker")?,
            version_marker: query.take_text("version-id-marker")?,
        })
    }

    fn query(&self) -> Result<VersionQuery, Refusal> {
        const MARKER: &str = "version-id-marker";
        let version = match self.version_marker.as_str() {
            "" => None,
            text => Some(parse_version(MARKER, text)?),
        };
        let after = match bytes_unless_empty(&self.key_marker) {
            None if version.is_some() => {
                const ALONE: &str = "A version-id marker cannot be specified without a key marker.";
                return Err(Refusal::invalid(MARKER, ALONE, &self.version_marker));
            }
            None => None,
            Some(key) => Some((key, version)),
        };
        Ok(VersionQuery {
            prefix: Bytes::copy_from_slice(self.prefix.as_bytes()),
            delimiter: self.delimiter.as_deref().and_then(bytes_unless_empty),
            after,
            limit: self.limit,
        })
    }
}

impl Scene<'_> {
    pub(super) async fn versioning(&self) -> Result<Response, Refusal> {
        self.store.allow_container(Action::GetBucketVersioning, self.container).await?;
        let info = self.store.unguarded().container(self.container).await?;
        let mut xml = Writer::new("VersioningConfiguration");
        match info.versioning {
            Versioning::Off => {}
            Versioning::Enabled => {
                xml.word("Status", "Enabled");
            }
            Versioning::Suspended => {
                xml.word("Status", "Suspended");
            }
        }
        Ok(answer::xml(xml))
    }

    pub(super) async fn set_versioning(
        &self,
        integrity: Integrity,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        let document = integrity.document(body, DOCUMENT_BYTES_MAX).await?;
        let versioning = Some(read_versioning(&document)?);
        let change = ContainerChange { versioning, ..ContainerChange::default() };
        self.store.update_container(self.container, change).await?;
        Ok(answer::empty(StatusCode::OK))
    }

    pub(super) async fn list_versions(&self, list: &ListVersions) -> Result<Response, Refusal> {
        let page = self.store.versions(self.container, &list.query()?).await?;
        let mut xml = Writer::new("ListVersionsResult");
        xml.text("Name", self.container.name.as_str());
        list.encoding.write(&mut xml, "Prefix", list.prefix.as_bytes());
        list.encoding.write(&mut xml, "KeyMarker", list.key_marker.as_bytes());
        xml.text("VersionIdMarker", &list.version_marker);
        write_next(&mut xml, &page, list.encoding);
        xml.word("MaxKeys", list.limit);
        if list.encoding == Encoding::Url {
            xml.word("EncodingType", "url");
        }
        if let Some(delimiter) = &list.delimiter {
            list.encoding.write(&mut xml, "Delimiter", delimiter.as_bytes());
        }
        xml.word("IsTruncated", page.is_truncated);
        let owner = self.owner().await?;
        for entry in &page.entries {
            if let ListEntry::Item(version) = entry {
                write_version(&mut xml, version, list.encoding, &owner);
            }
        }
        write_prefixes(&mut xml, &page.entries, list.encoding);
        Ok(answer::xml(xml))
    }
}

fn write_version(xml: &mut Writer, version: &VersionEntry, encoding: Encoding, owner: &Person) {
    let element = match &version.kind {
        VersionKind::Object { .. } => "Version",
        VersionKind::DeleteMarker => "DeleteMarker",
    };
    xml.open(element);
    encoding.write(xml, "Key", version.key.as_bytes());
    xml.word("VersionId", version.version).word("IsLatest", version.is_latest);
    xml.word("LastModified", answer::iso_date(version.modified));
    if let VersionKind::Object { content, .. } = &version.kind {
        xml.text("ETag", &answer::quoted_etag(content)).word("Size", content.bytes);
    }
    owner.write(xml, "Owner");
    if let VersionKind::Object { .. } = &version.kind {
        xml.word("StorageClass", "STANDARD");
    }
    xml.close(element);
}

/// Where the next page begins: after a version, or after all of a common prefix.
fn write_next(xml: &mut Writer, page: &VersionPage, encoding: Encoding) {
    let Some(last) = page.entries.last().filter(|_| page.is_truncated) else { return };
    match last {
        ListEntry::Item(version) => {
            encoding.write(xml, "NextKeyMarker", version.key.as_bytes());
            xml.word("NextVersionIdMarker", version.version);
        }
        ListEntry::Prefix(prefix) => encoding.write(xml, "NextKeyMarker", prefix),
    }
}

fn read_versioning(document: &[u8]) -> Result<Versioning, Refusal> {
    let root = Element::read(document, "VersioningConfiguration")?;
    let mut versioning = None;
    for element in &root.children {
        match (element.name.as_str(), element.word()?) {
            ("Status", "Enabled") => versioning = Some(Versioning::Enabled),
            ("Status", "Suspended") => versioning = Some(Versioning::Suspended),
            ("MfaDelete" | "MFADelete", "Disabled") => {}
            ("MfaDelete" | "MFADelete", "Enabled") => {
                return Err(Refusal::NotOffered("MfaDelete".to_owned()));
            }
            _ => return Err(Refusal::MalformedXml("VersioningConfiguration has an unknown element or word")),
        }
    }
    versioning.ok_or(Refusal::VersioningConfiguration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> Result<Versioning, Refusal> {
        read_versioning(format!("<VersioningConfiguration>{inner}</VersioningConfiguration>").as_bytes())
    }

    #[test]
    fn what_a_bucket_is_asked_to_keep() {
        let right = |inner, expected| assert_eq!(read(inner).unwrap(), expected, "{inner}");
        right("<Status>Enabled</Status>", Versioning::Enabled);
        right("<MfaDelete>Disabled</MfaDelete><Status>Suspended</Status>", Versioning::Suspended);
        assert!(matches!(read(""), Err(Refusal::VersioningConfiguration)));
        assert!(matches!(read("<Status>Off</Status>"), Err(Refusal::MalformedXml(_))));
        let with_device = "<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>";
        assert!(matches!(read(with_device), Err(Refusal::NotOffered(_))));
    }
}

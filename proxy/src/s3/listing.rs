//! Listing objects.

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use martlet_model::{ListEntry, ListQuery, ObjectEntry, ObjectStore as _, Page};

use super::acl::Person;
use super::query::Query;
use super::refusal::Refusal;
use super::xml::Writer;
use super::{Scene, answer};

/// The most entries of one page.
pub(crate) const PAGE_MAX: usize = 1000;

/// `ListObjects` and `ListObjectsV2`.
#[derive(Debug)]
pub(super) struct ListObjects {
    prefix: String,
    delimiter: String,
    limit: usize,
    encoding: Encoding,
    start: Start,
}

/// Where a page begins, as each version has it.
#[derive(Debug)]
enum Start {
    V1 { marker: String },
    V2 { start_after: Option<String>, token: Option<String>, fetch_owner: bool },
}

/// How names are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Url,
}

impl ListObjects {
    pub(super) fn parse(query: &mut Query<'_>) -> Result<Self, Refusal> {
        let start = match query.take("list-type")?.as_deref() {
            Some("2") => Start::V2 {
                start_after: query.take("start-after")?,
                token: query.take("continuation-token")?,
                fetch_owner: query.take("fetch-owner")?.is_some_and(|value| value == "true"),
            },
            Some(_) => return Err(Refusal::argument("list-type", "it is not 2")),
            None => Start::V1 { marker: query.take_text("marker")? },
        };
        Ok(Self {
            prefix: query.take_text("prefix")?,
            delimiter: query.take_text("delimiter")?,
            limit: query.take_count("max-keys", PAGE_MAX)?,
            encoding: Encoding::take(query)?,
            start,
        })
    }

    fn query(&self) -> Result<ListQuery, Refusal> {
        let marker = match &self.start {
            Start::V1 { marker } => bytes_unless_empty(marker),
            Start::V2 { token: Some(token), .. } if !token.is_empty() => Some(decode_token(token)?),
            Start::V2 { start_after, .. } => start_after.as_deref().and_then(bytes_unless_empty),
        };
        Ok(ListQuery {
            prefix: Bytes::copy_from_slice(self.prefix.as_bytes()),
            delimiter: bytes_unless_empty(&self.delimiter),
            marker,
            ..ListQuery::all(self.limit)
        })
    }
}

impl Encoding {
    pub(super) fn take(query: &mut Query<'_>) -> Result<Self, Refusal> {
        match query.take("encoding-type")?.as_deref() {
            None | Some("") => Ok(Self::Plain),
            Some("url") => Ok(Self::Url),
            Some(_) => Err(Refusal::argument("encoding-type", "it is not url")),
        }
    }

    pub(super) fn write(self, xml: &mut Writer, element: &str, name: &[u8]) {
        match self {
            // Names are UTF-8; a common prefix may end within a character when the delimiter does.
            Self::Plain => xml.text(element, &String::from_utf8_lossy(name)),
            Self::Url => xml.word(element, answer::url_encoded(name)),
        };
    }
}

impl Scene<'_> {
    /// The elements stand in the order of S3's schema, as everywhere: there are clients that hold them to it.
    pub(super) async fn list_objects(&self, list: &ListObjects) -> Result<Response, Refusal> {
        let page = self.store.list(self.container, &list.query()?).await?;
        let mut xml = Writer::new("ListBucketResult");
        xml.text("Name", self.container.name.as_str());
        list.encoding.write(&mut xml, "Prefix", list.prefix.as_bytes());
        // A page of no entries is said to be the last: its reader could never get on.
        let next = page.next.as_ref().filter(|_| list.limit > 0);
        write_positions(&mut xml, list, &page, next);
        xml.word("MaxKeys", list.limit);
        if !list.delimiter.is_empty() {
            list.encoding.write(&mut xml, "Delimiter", list.delimiter.as_bytes());
        }
        if list.encoding == Encoding::Url {
            xml.word("EncodingType", "url");
        }
        xml.word("IsTruncated", next.is_some());
        let owner = self.owner_shown(&list.start).await?;
        for entry in &page.entries {
            if let ListEntry::Item(object) = entry {
                write_object(&mut xml, object, list.encoding, owner.as_ref());
            }
        }
        write_prefixes(&mut xml, &page.entries, list.encoding);
        Ok(answer::xml(xml))
    }

    /// Version 1 always tells the owner, version 2 when it is asked to.
    async fn owner_shown(&self, start: &Start) -> Result<Option<Person>, Refusal> {
        match start {
            Start::V2 { fetch_owner: false, .. } => Ok(None),
            Start::V1 { .. } | Start::V2 { fetch_owner: true, .. } => self.owner().await.map(Some),
        }
    }
}

/// What tells the reader how to go on; the elements differ by version.
fn write_positions(xml: &mut Writer, list: &ListObjects, page: &Page<ObjectEntry>, next: Option<&Bytes>) {
    match &list.start {
        Start::V1 { marker } => {
            list.encoding.write(xml, "Marker", marker.as_bytes());
            // Without a delimiter the reader takes the last key.
            if let Some(next) = next.filter(|_| !list.delimiter.is_empty()) {
                list.encoding.write(xml, "NextMarker", next);
            }
        }
        Start::V2 { start_after, token, .. } => {
            if let Some(next) = next {
                xml.text("NextContinuationToken", &encode_token(next));
            }
            if let Some(token) = token {
                xml.text("ContinuationToken", token);
            }
            if let Some(start_after) = start_after {
                list.encoding.write(xml, "StartAfter", start_after.as_bytes());
            }
            xml.word("KeyCount", page.entries.len());
        }
    }
}

fn write_object(xml: &mut Writer, object: &ObjectEntry, encoding: Encoding, owner: Option<&Person>) {
    xml.open("Contents");
    encoding.write(xml, "Key", object.key.as_bytes());
    xml.word("LastModified", answer::iso_date(object.modified));
    xml.text("ETag", &answer::quoted_etag(&object.content));
    xml.word("Size", object.content.bytes);
    if let Some(owner) = owner {
        owner.write(xml, "Owner");
    }
    xml.word("StorageClass", "STANDARD").close("Contents");
}

pub(super) fn write_prefixes<T>(xml: &mut Writer, entries: &[ListEntry<T>], encoding: Encoding) {
    for entry in entries {
        if let ListEntry::Prefix(prefix) = entry {
            xml.open("CommonPrefixes");
            encoding.write(xml, "Prefix", prefix);
            xml.close("CommonPrefixes");
        }
    }
}

/// A continuation token: the marker, in a form that survives every client.
pub(super) fn encode_token(marker: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(marker)
}

pub(super) fn decode_token(token: &str) -> Result<Bytes, Refusal> {
    match URL_SAFE_NO_PAD.decode(token) {
        Ok(marker) if !marker.is_empty() => Ok(Bytes::from(marker)),
        _ => Err(Refusal::argument("continuation-token", "it is not one that was given out")),
    }
}

pub(super) fn bytes_unless_empty(text: &str) -> Option<Bytes> {
    (!text.is_empty()).then(|| Bytes::copy_from_slice(text.as_bytes()))
}

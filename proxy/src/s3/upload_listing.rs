//! Listing uploads that are open.

use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use martlet_model::{Error, ListEntry, ListQuery, UploadEntry, UploadId, UploadQuery, UploadStore as _};

use super::acl::Person;
use super::listing::{Encoding, PAGE_MAX, bytes_unless_empty, write_prefixes};
use super::query::Query;
use super::refusal::Refusal;
use super::xml::Writer;
use super::{Scene, answer};

/// In the order of bytes after everything that goes on behind a name: no name has this byte.
const AFTER_NAMES: u8 = 0xff;
/// How many uploads of one page are looked up at once.
const LOOKUPS_AT_ONCE: usize = 16;

#[derive(Debug)]
pub(super) struct ListUploads {
    prefix: String,
    delimiter: String,
    limit: usize,
    encoding: Encoding,
    key_marker: String,
    upload_marker: String,
}

impl ListUploads {
    pub(super) fn parse(query: &mut Query<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            prefix: query.take_text("prefix")?,
            delimiter: query.take_text("delimiter")?,
            limit: query.take_count("max-uploads", PAGE_MAX)?,
            encoding: Encoding::take(query)?,
            key_marker: query.take_text("key-marker")?,
            upload_marker: query.take_text("upload-id-marker")?,
        })
    }

    /// An upload marker has a meaning only beside a key marker.
    fn query(&self, grouping: &ListQuery) -> Result<UploadQuery, Refusal> {
        let after = match bytes_unless_empty(&self.key_marker) {
            None => None,
            Some(key) if self.upload_marker.is_empty() && grouping.common_prefix(&key) == Some(&key[..]) => {
                Some((after_all(&key), None))
            }
            Some(key) if self.upload_marker.is_empty() => Some((key, None)),
            Some(key) => match UploadId::from_hex(&self.upload_marker) {
                Some(upload) => Some((key, Some(upload))),
                None => return Err(Refusal::argument("upload-id-marker", "it is not the id of an upload")),
            },
        };
        Ok(UploadQuery { prefix: grouping.prefix.clone(), after, limit: 0 })
    }

    fn grouping(&self) -> ListQuery {
        ListQuery {
            prefix: Bytes::copy_from_slice(self.prefix.as_bytes()),
            delimiter: bytes_unless_empty(&self.delimiter),
            ..ListQuery::all(self.limit)
        }
    }
}

/// A key after all that begin with `prefix`.
fn after_all(prefix: &[u8]) -> Bytes {
    [prefix, &[AFTER_NAMES]].concat().into()
}

impl Scene<'_> {
    pub(super) async fn list_uploads(&self, list: &ListUploads) -> Result<Response, Refusal> {
        let (entries, more) = self.page_of_uploads(list).await?;
        let mut xml = Writer::new("ListMultipartUploadsResult");
        xml.text("Bucket", self.container.name.as_str());
        list.encoding.write(&mut xml, "KeyMarker", list.key_marker.as_bytes());
        xml.text("UploadIdMarker", &list.upload_marker);
        // Of several, S3 tells the last also where nothing comes after it.
        match entries.last().filter(|_| more || entries.len() > 1) {
            None => {
                xml.word("NextKeyMarker", "").word("NextUploadIdMarker", "");
            }
            Some(ListEntry::Item(upload)) => {
                list.encoding.write(&mut xml, "NextKeyMarker", upload.key.as_bytes());
                xml.word("NextUploadIdMarker", upload.id);
            }
            Some(ListEntry::Prefix(prefix)) => {
                list.encoding.write(&mut xml, "NextKeyMarker", prefix);
                xml.word("NextUploadIdMarker", "");
            }
        }
        if !list.delimiter.is_empty() {
            list.encoding.write(&mut xml, "Delimiter", list.delimiter.as_bytes());
        }
        list.encoding.write(&mut xml, "Prefix", list.prefix.as_bytes());
        xml.word("MaxUploads", list.limit);
        if list.encoding == Encoding::Url {
            xml.word("EncodingType", "url");
        }
        xml.word("IsTruncated", more);
        let uploads: Vec<&UploadEntry> = entries.iter().filter_map(as_upload).collect();
        for (upload, owner) in uploads.iter().zip(self.owners_of(&uploads).await?) {
            write_upload(&mut xml, upload, list.encoding, &owner);
        }
        write_prefixes(&mut xml, &entries, list.encoding);
        Ok(answer::xml(xml))
    }

    /// The owners of uploads. They are looked up one by one only where they can be others than the bucket's.
    async fn owners_of(&self, uploads: &[&UploadEntry]) -> Result<Vec<Person>, Refusal> {
        let owner = self.owner().await?;
        if !self.lets_strangers_write().await? {
            return Ok(vec![owner; uploads.len()]);
        }
        let lookups: Vec<_> = uploads.iter().map(|upload| self.owner_of_open(upload, &owner)).collect();
        stream::iter(lookups).buffered(LOOKUPS_AT_ONCE).try_collect().await
    }

    async fn owner_of_open(&self, upload: &UploadEntry, otherwise: &Person) -> Result<Person, Refusal> {
        match self.store.unguarded().upload(&self.object(upload.key.clone()), upload.id).await {
            Ok(info) => self.owner_of_upload(&info.new).await,
            // It has ended since it was listed.
            Err(Error::NotFound(_)) => Ok(otherwise.clone()),
            Err(error) => Err(error.into()),
        }
    }

    /// A page, and whether there is more. Below a common prefix nothing is looked at but its first upload.
    async fn page_of_uploads(
        &self,
        list: &ListUploads,
    ) -> Result<(Vec<ListEntry<UploadEntry>>, bool), Refusal> {
        let grouping = list.grouping();
        let mut query = list.query(&grouping)?;
        let mut entries = Vec::new();
        loop {
            // One more than are shown tells whether there is more.
            query.limit = if list.limit == 0 { 0 } else { list.limit + 1 - entries.len() };
            let (uploads, more) = self.store.uploads(self.container, &query).await?;
            query.after = None;
            for upload in uploads {
                let key = upload.key.as_bytes().clone();
                if let Some(prefix) = grouping.common_prefix(&key) {
                    entries.push(ListEntry::Prefix(Bytes::copy_from_slice(prefix)));
                    query.after = Some((after_all(prefix), None));
                    break;
                }
                query.after = more.then_some((key, Some(upload.id)));
                entries.push(ListEntry::Item(upload));
            }
            if entries.len() > list.limit {
                entries.truncate(list.limit);
                return Ok((entries, true));
            }
            if query.after.is_none() {
                return Ok((entries, false));
            }
        }
    }
}

fn as_upload(entry: &ListEntry<UploadEntry>) -> Option<&UploadEntry> {
    match entry {
        ListEntry::Item(upload) => Some(upload),
        ListEntry::Prefix(_) => None,
    }
}

fn write_upload(xml: &mut Writer, upload: &UploadEntry, encoding: Encoding, owner: &Person) {
    xml.open("Upload");
    encoding.write(xml, "Key", upload.key.as_bytes());
    xml.word("UploadId", upload.id);
    owner.write_roles(xml, &["Initiator", "Owner"]);
    xml.word("StorageClass", "STANDARD").word("Initiated", answer::iso_date(upload.initiated));
    xml.close("Upload");
}

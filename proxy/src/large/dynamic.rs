//! Dynamic large objects: whatever begins so, in the order of names.

use bytes::Bytes;
use martlet_auth::Guarded;
use martlet_model::limits::LISTING_ENTRIES_MAX;
use martlet_model::{
    AccountName, ContainerId, ContainerName, ETagStyle, Error, ListEntry, ListQuery, ObjectId,
    ObjectStore as _, Result, Span,
};
use percent_encoding::percent_decode_str;

use super::plan::{Segment, SegmentOf};
use crate::links::{self, LinkError};

/// The most segments of a dynamic large object; one that has more can't be read.
pub(crate) const SEGMENTS_COUNT_MAX: usize = 100_000;

/// Where the segments are: a container, and how their names begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DynamicManifest {
    pub(crate) container: ContainerName,
    pub(crate) prefix: Bytes,
}

impl DynamicManifest {
    /// Reads `container/prefix`, percent-encoded or not.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let decoded = String::from_utf8(percent_decode_str(text).collect()).ok()?;
        let (container, prefix) = decoded.split_once('/')?;
        if prefix.is_empty() || prefix.starts_with('/') {
            return None;
        }
        let container = ContainerName::parse(container.as_bytes()).ok()?;
        Some(Self { container, prefix: Bytes::copy_from_slice(prefix.as_bytes()) })
    }
}

/// The segments as they are now. Each is held to the ETag that it has in the listing,
/// so that what is read is what length and ETag of the whole were told of.
pub(super) async fn segments(
    store: &Guarded,
    account: &AccountName,
    manifest: DynamicManifest,
) -> Result<Vec<Segment>> {
    let container = ContainerId { account: account.clone(), name: manifest.container };
    let mut query = ListQuery { prefix: manifest.prefix, ..ListQuery::all(LISTING_ENTRIES_MAX) };
    let mut segments = Vec::new();
    loop {
        let page = store.list(&container, &query).await?;
        for entry in page.entries {
            let ListEntry::Item(entry) = entry else { continue };
            let id = ObjectId { container: container.clone(), key: entry.key };
            let content = match entry.shape.link() {
                None => entry.content,
                Some(_) => links::head_of_segment(store, &id).await.map_err(of_link)?.content,
            };
            segments.push(Segment::Object(SegmentOf {
                id,
                version: None,
                etag: content.etag(ETagStyle::Swift),
                bytes: content.bytes,
                span: Span::whole(content.bytes),
            }));
        }
        if segments.len() > SEGMENTS_COUNT_MAX {
            return Err(Error::TooLarge);
        }
        match page.next {
            Some(next) => query.marker = Some(next),
            None => return Ok(segments),
        }
    }
}

/// A segment that can't be found is a fault of the object.
fn of_link(error: LinkError) -> Error {
    match error {
        LinkError::Store(Error::NotFound(_) | Error::DeleteMarker { .. }) => {
            Error::Damaged("a segment is a link to nothing")
        }
        LinkError::Store(error) => error,
        LinkError::TooMany | LinkError::Changed { .. } | LinkError::Contradiction => {
            Error::Damaged("a segment is a link that can't be followed")
        }
    }
}

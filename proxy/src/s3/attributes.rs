//! `GetObjectAttributes`: what is known of an object, and of the parts that it was joined from.

use axum::response::Response;
use http::header::LAST_MODIFIED;
use martlet_auth::Action;
use martlet_model::{
    Conditions, Digest, ETagStyle, Error, ObjectId, ObjectInfo, PartLayout, PartNumber, VersionId,
};

use super::command::{PARTS_PAGE_MAX, parse_part_marker};
use super::headers::Headers;
use super::refusal::Refusal;
use super::xml::Writer;
use super::{Scene, answer, checksum};
use crate::large;
use crate::links::Way;

const HEADER: &str = "x-amz-object-attributes";

#[derive(Debug)]
pub(super) struct ReadAttributes {
    version: Option<VersionId>,
    wanted: Vec<Attribute>,
    after: Option<PartNumber>,
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    ETag,
    Checksum,
    ObjectParts,
    StorageClass,
    ObjectSize,
}

impl ReadAttributes {
    pub(super) fn take(version: Option<VersionId>, headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        const MARKER: &str = "x-amz-part-number-marker";
        let after = headers.take(MARKER)?.map_or(Ok(None), |text| parse_part_marker(MARKER, text))?;
        let limit = headers.take_number("x-amz-max-parts")?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PARTS_PAGE_MAX);
        let text = headers.take_list(HEADER)?;
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let wanted = words.map(Attribute::parse).collect::<Option<Vec<_>>>();
        match wanted {
            Some(wanted) if !wanted.is_empty() => {
                Ok(Self { version, wanted, after, limit: limit.min(PARTS_PAGE_MAX) })
            }
            _ => Err(Refusal::argument(HEADER, "it is not a list of attributes")),
        }
    }

    fn wants(&self, attribute: Attribute) -> bool {
        self.wanted.contains(&attribute)
    }
}

impl Attribute {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "ETag" => Some(Self::ETag),
            "Checksum" => Some(Self::Checksum),
            "ObjectParts" => Some(Self::ObjectParts),
            "StorageClass" => Some(Self::StorageClass),
            "ObjectSize" => Some(Self::ObjectSize),
            _ => None,
        }
    }
}

impl Scene<'_> {
    pub(super) async fn attributes(
        &self,
        object: &ObjectId,
        read: ReadAttributes,
    ) -> Result<Response, Refusal> {
        let action = match read.version {
            None => Action::GetObjectAttributes,
            Some(_) => Action::GetObjectVersionAttributes,
        };
        self.store.allow_object(action, object, read.version).await?;
        let mut way = Way::to(object, read.version);
        let none = Conditions::none(ETagStyle::S3);
        let info = loop {
            match large::head(self.store, way.id(), way.version(), &none).await {
                Err(Error::Link(link)) => way.follow(&link, self.store).await?,
                outcome => break outcome?,
            }
        };
        let object = way.id();
        let is_joined = matches!(info.content.digest, Digest::Parts { .. });
        let parts = if is_joined && read.wants(Attribute::ObjectParts) {
            large::layout(self.store, object, &info).await?
        } else {
            Vec::new()
        };
        let mut response = answer::xml(write(&info, &parts, &read));
        let headers = response.headers_mut();
        answer::set(headers, LAST_MODIFIED, &answer::http_date(info.modified));
        if let Some(version) = info.version {
            answer::set_version(headers, version);
        }
        Ok(response)
    }
}

fn write(info: &ObjectInfo, parts: &[PartLayout], read: &ReadAttributes) -> Writer {
    let mut xml = Writer::new("GetObjectAttributesResponse");
    if read.wants(Attribute::ETag) {
        xml.text("ETag", &info.content.etag(ETagStyle::S3));
    }
    if let Some(sum) = info.checksum.as_ref().filter(|_| read.wants(Attribute::Checksum)) {
        xml.open("Checksum");
        xml.word(checksum::element(sum.algorithm), checksum::show_of(sum, &info.content));
        xml.word("ChecksumType", checksum::kind_name(sum.kind)).close("Checksum");
    }
    if !parts.is_empty() {
        write_parts(&mut xml, parts, read);
    }
    if read.wants(Attribute::StorageClass) {
        xml.word("StorageClass", "STANDARD");
    }
    if read.wants(Attribute::ObjectSize) {
        xml.word("ObjectSize", info.content.bytes);
    }
    xml
}

fn write_parts(xml: &mut Writer, parts: &[PartLayout], read: &ReadAttributes) {
    let from = parts.partition_point(|part| Some(part.number) <= read.after);
    let page = &parts[from..];
    let is_truncated = page.len() > read.limit && read.limit > 0;
    let page = &page[..page.len().min(read.limit)];
    xml.open("ObjectParts").word("PartsCount", parts.len());
    xml.word("PartNumberMarker", read.after.map_or(0, PartNumber::get));
    if let Some(last) = page.last() {
        xml.word("NextPartNumberMarker", last.number.get());
    }
    xml.word("MaxParts", read.limit).word("IsTruncated", is_truncated);
    for part in page {
        xml.open("Part").word("PartNumber", part.number.get()).word("Size", part.bytes);
        if let Some(sum) = &part.checksum {
            xml.word(checksum::element(sum.algorithm), checksum::show(sum));
        }
        xml.close("Part");
    }
    xml.close("ObjectParts");
}

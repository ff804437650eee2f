//! Multipart uploads.

use axum::response::Response;
use http::header::{ETAG, HOST};
use http::{HeaderValue, StatusCode};
use martlet_model::{
    Annotations, ChecksumPlan, ChosenPart, Completion, Error, NewPart, NewUpload, Noun, ObjectId, ObjectInfo,
    ObjectKey, PartInfo, PartNumber, StoredChecksum, UploadError, UploadId, UploadStore as _,
};

use super::command::{BeginUpload, CompleteUpload};
use super::integrity::{Integrity, JoinedChecksum};
use super::object::declared;
use super::refusal::Refusal;
use super::xml::{Element, Writer};
use super::{Scene, answer, checksum};
use crate::body::RequestBody;

/// The largest document that names 10,000 parts: about 300 bytes for each.
const DOCUMENT_BYTES_MAX: u64 = 3 * 1024 * 1024;

/// A page of an upload's parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartsPage {
    pub(super) after: Option<PartNumber>,
    pub(super) limit: usize,
}

impl Scene<'_> {
    pub(super) async fn create_upload(
        &self,
        object: &ObjectId,
        begin: BeginUpload,
    ) -> Result<Response, Refusal> {
        let BeginUpload { metadata, tags, acl, plan } = begin;
        let annotations = Annotations { acl: self.acl_of_new(acl.as_ref()).await?, tags };
        let new = NewUpload { metadata, annotations, checksum: plan };
        let upload = self.store.begin_upload(object, new).await?;
        let mut xml = Writer::new("InitiateMultipartUploadResult");
        xml.text("Bucket", self.container.name.as_str()).text("Key", object.key.as_str());
        xml.word("UploadId", upload);
        let mut response = answer::xml(xml);
        if let Some(ChecksumPlan { algorithm, kind }) = plan {
            let headers = response.headers_mut();
            headers.insert("x-amz-checksum-algorithm", HeaderValue::from_static(checksum::name(algorithm)));
            headers.insert("x-amz-checksum-type", HeaderValue::from_static(checksum::kind_name(kind)));
        }
        Ok(response)
    }

    pub(super) async fn upload_part(
        &self,
        object: &ObjectId,
        upload: UploadId,
        number: PartNumber,
        (integrity, body): (Integrity, RequestBody),
    ) -> Result<Response, Refusal> {
        let bytes = declared(&self.about.head, &body)?;
        let plan = self.store.upload(object, upload).await?.new.checksum;
        let md5 = integrity.md5;
        let (body, checksum) = integrity.held_under(plan, body)?;
        let part = NewPart { number, md5, bytes: Some(bytes), body, checksum };
        let part = self.store.put_part(object, upload, part).await?;
        let mut response = answer::empty(StatusCode::OK);
        let headers = response.headers_mut();
        answer::set(headers, ETAG, &quoted_md5(&part));
        if let Some(sum) = &part.checksum {
            answer::set_checksum(headers, sum, None);
        }
        Ok(response)
    }

    pub(super) async fn complete_upload(
        &self,
        object: &ObjectId,
        upload: UploadId,
        completion: CompleteUpload,
        body: RequestBody,
    ) -> Result<Response, Refusal> {
        let CompleteUpload { conditions, integrity, checksum, bytes } = completion;
        // Before the document: a bucket that isn't there has no uploads.
        self.store.unguarded().recent_container(self.container).await?;
        let document = integrity.document(body, DOCUMENT_BYTES_MAX).await?;
        let parts = read_parts(&document)?;
        let checksum = self.planned(object, upload, checksum).await?;
        let completion = Completion { parts: parts.clone(), conditions, bytes, checksum };
        let completed = self.store.complete_upload(object, upload, completion).await;
        let info = completed.map_err(|error| match error {
            Error::Upload(UploadError::InvalidPart(number)) => {
                let etag = parts.into_iter().find(|part| part.number == number).map(|part| part.etag);
                Refusal::Part { upload, number, etag: etag.unwrap_or_default() }
            }
            error => error.into(),
        })?;
        let mut response = answer::xml(self.completed(&object.key, &info));
        answer::set_written_version(response.headers_mut(), &info);
        Ok(response)
    }

    /// The checksum that the joined object must have, if the upload was begun with one of that kind.
    async fn planned(
        &self,
        object: &ObjectId,
        upload: UploadId,
        joined: JoinedChecksum,
    ) -> Result<Option<StoredChecksum>, Refusal> {
        if joined == JoinedChecksum::default() {
            return Ok(None);
        }
        let plan = match self.store.upload(object, upload).await {
            Ok(info) => info.new.checksum,
            // It has been completed before: the store knows.
            Err(Error::NotFound(Noun::Upload)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        joined.under(plan)
    }

    fn completed(&self, key: &ObjectKey, info: &ObjectInfo) -> Writer {
        let bucket = self.container.name.as_str();
        let host = self.about.head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let mut xml = Writer::new("CompleteMultipartUploadResult");
        let path = answer::url_encoded(key.as_bytes());
        xml.text("Location", &format!("http://{host}/{bucket}/{path}"));
        xml.text("Bucket", bucket).text("Key", key.as_str());
        xml.text("ETag", &answer::quoted_etag(&info.content));
        if let Some(sum) = &info.checksum {
            xml.word(checksum::element(sum.algorithm), checksum::show_of(sum, &info.content));
            xml.word("ChecksumType", checksum::kind_name(sum.kind));
        }
        xml
    }

    pub(super) async fn abort_upload(
        &self,
        object: &ObjectId,
        upload: UploadId,
    ) -> Result<Response, Refusal> {
        self.store.abort_upload(object, upload).await?;
        Ok(answer::empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn list_parts(
        &self,
        object: &ObjectId,
        upload: UploadId,
        page: PartsPage,
    ) -> Result<Response, Refusal> {
        let PartsPage { after, limit } = page;
        let new = self.store.upload(object, upload).await?.new;
        let plan = new.checksum;
        let (parts, more) = self.store.parts(object, upload, after, limit).await?;
        let more = more && limit > 0;
        let mut xml = Writer::new("ListPartsResult");
        xml.text("Bucket", self.container.name.as_str()).text("Key", object.key.as_str());
        xml.word("UploadId", upload);
        self.owner_of_upload(&new).await?.write_roles(&mut xml, &["Initiator", "Owner"]);
        xml.word("StorageClass", "STANDARD");
        if let Some(ChecksumPlan { algorithm, kind }) = plan {
            xml.word("ChecksumAlgorithm", checksum::name(algorithm));
            xml.word("ChecksumType", checksum::kind_name(kind));
        }
        xml.word("PartNumberMarker", after.map_or(0, PartNumber::get));
        xml.word("NextPartNumberMarker", parts.last().map_or(0, |last| last.number.get()));
        xml.word("MaxParts", limit).word("IsTruncated", more);
        for part in &parts {
            xml.open("Part").word("PartNumber", part.number.get());
            xml.word("LastModified", answer::iso_date(part.modified)).text("ETag", &quoted_md5(part));
            xml.word("Size", part.bytes);
            if let Some(sum) = &part.checksum {
                xml.word(checksum::element(sum.algorithm), checksum::show(sum));
            }
            xml.close("Part");
        }
        Ok(answer::xml(xml))
    }
}

fn quoted_md5(part: &PartInfo) -> String {
    format!("\"{}\"", part.md5)
}

/// The parts that make the object, in the order in which they were named.
fn read_parts(document: &[u8]) -> Result<Vec<ChosenPart>, Refusal> {
    let root = Element::read(document, "CompleteMultipartUpload")?;
    root.children.iter().map(read_part).collect()
}

fn read_part(part: &Element) -> Result<ChosenPart, Refusal> {
    if part.name != "Part" {
        return Err(Refusal::MalformedXml("CompleteMultipartUpload has an unknown element"));
    }
    let (mut number, mut etag, mut checksum) = (None, None, None);
    for element in &part.children {
        match element.name.as_str() {
            "PartNumber" => number = element.word()?.parse().ok().and_then(PartNumber::new),
            "ETag" => etag = Some(element.word()?.trim_matches('"').to_owned()),
            name => match checksum::of_element(name) {
                Some(algorithm) if checksum.is_none() => {
                    let read = checksum::parse(algorithm, element.word()?);
                    checksum = Some(read.ok_or(Refusal::MalformedXml("a part's checksum is none"))?);
                }
                Some(_) => return Err(Refusal::MalformedXml("Part has two checksums")),
                None if name.starts_with("Checksum") => {
                    return Err(Refusal::NotOffered(format!("{name} of a part")));
                }
                None => return Err(Refusal::MalformedXml("Part has an unknown element")),
            },
        }
    }
    match (number, etag) {
        (Some(number), Some(etag)) => Ok(ChosenPart { number, etag, checksum }),
        (None, _) => Err(Refusal::MalformedXml("Part has no PartNumber from 1 to 10000")),
        (_, None) => Err(Refusal::MalformedXml("Part has no ETag")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inner: &str) -> Option<Vec<(u16, String)>> {
        let document = format!("<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>");
        let parts = read_parts(document.as_bytes()).ok()?;
        Some(parts.into_iter().map(|part| (part.number.get(), part.etag)).collect())
    }

    #[test]
    fn parts_are_taken_in_their_order() {
        assert_eq!(
            read(
                "<Part><ETag>&quot;b&quot;</ETag><PartNumber>2</PartNumber></Part>\
                 <Part><PartNumber> 1 </PartNumber><ETag>\"a\"</ETag></Part>"
            ),
            Some(vec![(2, "b".to_owned()), (1, "a".to_owned())])
        );
        assert_eq!(read(""), Some(vec![]));
    }

    #[test]
    fn what_is_not_a_part_is_refused() {
        for inner in [
            "<Part/>",
            "<Part><PartNumber>0</PartNumber><ETag>a</ETag></Part>",
            "<Part><PartNumber>10001</PartNumber><ETag>a</ETag></Part>",
            "<Part><PartNumber>-1</PartNumber><ETag>a</ETag></Part>",
            "<Part><PartNumber>1</PartNumber></Part>",
            "<Part><PartNumber>1</PartNumber><ETag>a</ETag><Size>1</Size></Part>",
            "<Else/>",
        ] {
            assert_eq!(read(inner), None, "{inner}");
        }
    }
}

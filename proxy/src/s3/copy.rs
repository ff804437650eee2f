//! Copies: an object, or a part of an upload, made of what is stored already.

use axum::response::Response;
use http::HeaderName;
use http::header::RANGE;
use martlet_auth::s3_acl::AclRequest;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    Annotations, ByteRange, ByteStream, ChecksumAlgorithm, ChecksumCell, ChecksumKind, ChecksumPlan,
    Conditions, ContainerName, Digest, Download, Error, NewObject, NewPart, ObjectId, ObjectInfo, ObjectKey,
    ObjectMetadata, ObjectStore as _, PartNumber, Read, StoredChecksum, Tags, Timestamp, UploadId,
    UploadStore as _, VersionId,
};
use percent_encoding::percent_decode_str;

use super::command::parse_version;
use super::conditions::parse_range;
use super::headers::Headers;
use super::refusal::Refusal;
use super::resource::Resource;
use super::xml::Writer;
use super::{Scene, answer, check_owner, checksum, container_of};
use crate::large;
use crate::links::Way;
use crate::trouble::Trouble;

/// The header that makes a write a copy.
pub(super) const SOURCE: &str = "x-amz-copy-source";

/// What is copied, if the conditions hold.
#[derive(Debug)]
pub(super) struct Source {
    named: NamedSource,
    /// The account that its bucket must belong to.
    expected_owner: Option<String>,
    conditions: Conditions,
    /// `None`: all of it.
    range: Option<ByteRange>,
}

#[derive(Debug, PartialEq, Eq)]
struct NamedSource {
    bucket: ContainerName,
    key: ObjectKey,
    version: Option<VersionId>,
}

#[derive(Debug)]
pub(super) struct CopyObject {
    source: Source,
    /// `None`: the source's.
    metadata: Option<ObjectMetadata>,
    /// `None`: the source's.
    tags: Option<Tags>,
    /// `None`: the source's.
    algorithm: Option<ChecksumAlgorithm>,
    /// Never the source's.
    acl: Option<AclRequest>,
    /// Of the object that is written.
    conditions: Conditions,
}

impl CopyObject {
    pub(super) fn take(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        if let Some(range) = headers.all.get(RANGE) {
            let given = String::from_utf8_lossy(range.as_bytes());
            return Err(Refusal::invalid("Range", "RANGE is not supported in Copy!", &given));
        }
        let replaces_metadata = take_directive(headers, "x-amz-metadata-directive")?;
        let replaces_tags = take_directive(headers, "x-amz-tagging-directive")?;
        // Metadata and tags beside COPY have no effect in S3 either.
        let metadata = headers.take_metadata()?;
        let tags = headers.take_tags()?.unwrap_or_default();
        Ok(Self {
            source: Source::take(headers)?,
            metadata: replaces_metadata.then_some(metadata),
            tags: replaces_tags.then_some(tags),
            acl: headers.take_acl()?,
            algorithm: headers.take_algorithm()?,
            conditions: headers.write_conditions()?,
        })
    }
}

/// Whether what the request brings takes the place of the source's.
fn take_directive(headers: &mut Headers<'_>, name: &'static str) -> Result<bool, Refusal> {
    match headers.take(name)? {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(Refusal::argument(name, "it is neither COPY nor REPLACE")),
    }
}

impl Source {
    fn take(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        let text = headers.take_utf8(SOURCE)?.unwrap_or_default();
        Ok(Self {
            named: parse_source(text)?,
            expected_owner: headers.take("x-amz-source-expected-bucket-owner")?.map(str::to_owned),
            conditions: headers.take_source_conditions()?,
            range: None,
        })
    }

    pub(super) fn take_part(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        const SOURCE_RANGE: &str = "x-amz-copy-source-range";
        let range = match headers.take(SOURCE_RANGE)?.map(parse_range) {
            None => None,
            Some(Some(range @ ByteRange::Between { .. })) => Some(range),
            Some(_) => return Err(Refusal::argument(SOURCE_RANGE, "it is not bytes=first-last")),
        };
        Ok(Self { range, ..Self::take(headers)? })
    }
}

/// Reads `bucket/key`, percent-encoded, with or without a leading slash, and `?versionId=` behind it.
/// As in S3, what isn't encoded is taken as it is: there are clients that encode nothing.
fn parse_source(text: &str) -> Result<NamedSource, Refusal> {
    let problem = || Refusal::argument(SOURCE, "it is not bucket/key");
    if text.starts_with("arn:") {
        return Err(Refusal::NotOffered(format!("{SOURCE}: {text}")));
    }
    let (path, version) = match text.split_once('?') {
        None => (text, None),
        Some((path, query)) => {
            let id = query.strip_prefix("versionId=").ok_or_else(problem)?;
            (path, Some(parse_version(SOURCE, id)?))
        }
    };
    let path: Vec<u8> = percent_decode_str(path).collect();
    match Resource::parse(&path, None) {
        Ok(Resource::Object(bucket, key)) => Ok(NamedSource { bucket, key, version }),
        Ok(Resource::Account | Resource::Bucket(_)) | Err(Refusal::BucketName) => Err(problem()),
        Err(refusal) => Err(refusal),
    }
}

impl Scene<'_> {
    pub(super) async fn copy_object(&self, target: &ObjectId, copy: CopyObject) -> Result<Response, Refusal> {
        let CopyObject { source, metadata, tags, algorithm, acl, conditions } = copy;
        let acl = self.acl_of_new(acl.as_ref()).await?;
        let restores = source.named.version.is_some();
        let (from, found) = self.open(source).await?;
        if from == *target && metadata.is_none() && !restores {
            return Err(Refusal::Request("a copy of an object to itself must replace its metadata"));
        }
        let ObjectInfo { content, version, annotations, checksum, metadata: present, .. } = found.info;
        // What the copy of a dynamic large object has are its bytes.
        let present = ObjectMetadata { dynamic_manifest: None, ..present };
        let trouble = Trouble::default();
        let cell = ChecksumCell::default();
        let body = summed(trouble.watch(found.body), algorithm, checksum, &cell);
        let new = NewObject {
            md5: match content.digest {
                Digest::Whole(md5) => Some(md5),
                Digest::Parts { .. } => None,
            },
            bytes: Some(content.bytes),
            annotations: Annotations { acl, tags: tags.unwrap_or(annotations.tags) },
            checksum: cell,
            ..NewObject::new(metadata.unwrap_or(present), conditions, body)
        };
        let stored = self.store.put(target, new).await;
        let info = stored.map_err(|error| trouble.explain(error))?;
        let mut xml = Writer::new("CopyObjectResult");
        write_copied(&mut xml, info.modified, &answer::quoted_etag(&info.content), info.checksum.as_ref());
        let mut response = answered(xml, version);
        answer::set_written_version(response.headers_mut(), &info);
        Ok(response)
    }

    pub(super) async fn copy_part(
        &self,
        target: &ObjectId,
        upload: UploadId,
        number: PartNumber,
        source: Source,
    ) -> Result<Response, Refusal> {
        let plan = self.store.upload(target, upload).await?.new.checksum;
        let asked = source.range;
        let (_, found) = self.open(source).await?;
        if let Some(ByteRange::Between { last, .. }) = asked
            && last >= found.info.content.bytes
        {
            return Err(Error::RangeUnsatisfiable(Box::new(found.info)).into());
        }
        let trouble = Trouble::default();
        let checksum = ChecksumCell::default();
        let algorithm = plan.unwrap_or(ChecksumPlan::UNSAID).algorithm;
        let part = NewPart {
            number,
            md5: None,
            bytes: Some(found.span.bytes()),
            body: checksum::measured(trouble.watch(found.body), algorithm, checksum.clone()),
            checksum,
        };
        let stored = self.store.put_part(target, upload, part).await;
        let part = stored.map_err(|error| trouble.explain(error))?;
        let mut xml = Writer::new("CopyPartResult");
        write_copied(&mut xml, part.modified, &format!("\"{}\"", part.md5), part.checksum.as_ref());
        Ok(answered(xml, found.info.version))
    }

    /// The source, ready to be read. It may be in another bucket, to which the caller must have the right.
    async fn open(&self, source: Source) -> Result<(ObjectId, Download), Refusal> {
        let Source { named, expected_owner, conditions, range } = source;
        let NamedSource { bucket, key, version } = named;
        let container = container_of(&bucket, self.store).await?;
        check_owner(&container, expected_owner.as_deref(), self.store).await?;
        let object = ObjectId { container, key };
        let mut way = Way::to(&object, version);
        let found = loop {
            let read = Read { version: way.version(), conditions: conditions.clone(), range };
            match large::get(self.store, way.id(), read).await {
                Err(Error::Link(link)) => way.follow(&link, self.store).await?,
                outcome => break outcome,
            }
        };
        way.confirm(self.store).await?;
        match found {
            Ok(found) if found.span.bytes() > PUT_BYTES_MAX => {
                Err(Refusal::Request("the source is larger than 5368709120 bytes"))
            }
            Ok(found) => Ok((object, found)),
            // Nothing is read that a cache could have: every condition that fails, fails.
            Err(Error::NotModified(_)) => Err(Error::PreconditionFailed.into()),
            Err(Error::DeleteMarker { is_current: false, .. }) => {
                Err(Refusal::Request("the version that is to be copied is a delete marker"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The body with the checksum that the copy will have: of the algorithm asked for, or of the source's,
/// or of the one that every object has about which nobody has said anything.
fn summed(
    body: ByteStream,
    asked: Option<ChecksumAlgorithm>,
    source: Option<StoredChecksum>,
    cell: &ChecksumCell,
) -> ByteStream {
    let of_source = source.as_ref().map(|checksum| checksum.algorithm);
    let algorithm = asked.or(of_source).unwrap_or(ChecksumPlan::UNSAID.algorithm);
    let same = |checksum: &StoredChecksum| {
        checksum.algorithm == algorithm && checksum.kind == ChecksumKind::FullObject
    };
    match source.filter(same) {
        Some(checksum) => checksum::verified(body, checksum, cell.clone()),
        None => checksum::measured(body, algorithm, cell.clone()),
    }
}

fn write_copied(xml: &mut Writer, modified: Timestamp, etag: &str, checksum: Option<&StoredChecksum>) {
    xml.text("LastModified", &answer::iso_date(modified)).text("ETag", etag);
    if let Some(sum) = checksum {
        xml.word(checksum::element(sum.algorithm), checksum::show(sum));
        xml.word("ChecksumType", checksum::kind_name(sum.kind));
    }
}

/// The answer about a copy of that version.
fn answered(xml: Writer, source: Option<VersionId>) -> Response {
    let mut response = answer::xml(xml);
    if let Some(version) = source {
        let name = HeaderName::from_static("x-amz-copy-source-version-id");
        answer::set(response.headers_mut(), name, &version.to_string());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str, Option<VersionId>)>) {
        let found = parse_source(text).ok();
        let found =
            found.map(|named| (named.bucket.to_string(), named.key.as_str().to_owned(), named.version));
        let expected = expected.map(|(bucket, key, version)| (bucket.to_owned(), key.to_owned(), version));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sources() {
        check("/box/key", Some(("box", "key", None)));
        check("box/dir/key", Some(("box", "dir/key", None)));
        check("/box/a%20b+c%3Fd", Some(("box", "a b+c?d", None)));
        check("%2Fbox%2Fkey", Some(("box", "key", None)));
        check("box/100% grün %zz%C3%BC", Some(("box", "100% grün %zzü", None)));
        check("/box/a%3FversionId=1?versionId=null", Some(("box", "a?versionId=1", Some(VersionId::Null))));
        let id = "00112233445566778899aabbccddeeff";
        let version = VersionId::parse(id);
        check(&format!("box/key?versionId={id}"), Some(("box", "key", version)));
        for text in [
            "",
            "/",
            "box",
            "/box/",
            "//key",
            "/box/%00",
            "/box/key?versionId=1",
            "/box/key?x=1",
            "arn:aws:s3",
        ] {
            check(text, None);
        }
    }
}

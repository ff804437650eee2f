//! Copies: an object, or a part of an upload, made of what is stored already.

use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use futures_util::TryStreamExt as _;
use martlet_auth::TargetError;
use martlet_auth::target::decode_path;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    BodyError, ByteRange, ByteStream, ChecksumCell, Conditions, ContainerName, Digest, Download, Error,
    NewObject, NewPart, Noun, ObjectId, ObjectKey, ObjectMetadata, ObjectStore as _, ObjectStream,
    PartNumber, Read, Timestamp, UploadId, UploadStore as _,
};

use super::conditions::parse_range;
use super::headers::Headers;
use super::refusal::Refusal;
use super::resource::Resource;
use super::xml::Writer;
use super::{Scene, absent, answer, container_of};

/// The header that makes a write a copy.
pub(super) const SOURCE: &str = "x-amz-copy-source";

/// What is copied, if the conditions hold.
#[derive(Debug)]
pub(super) struct Source {
    bucket: ContainerName,
    key: ObjectKey,
    conditions: Conditions,
    /// `None`: all of it.
    range: Option<ByteRange>,
}

#[derive(Debug)]
pub(super) struct CopyObject {
    source: Source,
    /// `None`: the source's.
    metadata: Option<ObjectMetadata>,
    /// Of the object that is written.
    conditions: Conditions,
}

impl CopyObject {
    pub(super) fn take(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        headers.take_only("x-amz-tagging-directive", "COPY")?;
        let replaces = match headers.take("x-amz-metadata-directive")? {
            None | Some("COPY") => false,
            Some("REPLACE") => true,
            Some(_) => {
                return Err(Refusal::argument("x-amz-metadata-directive", "it is neither COPY nor REPLACE"));
            }
        };
        // Metadata beside COPY has no effect in S3 either.
        let metadata = headers.take_metadata()?;
        Ok(Self {
            source: Source::take(headers)?,
            metadata: replaces.then_some(metadata),
            conditions: headers.write_conditions()?,
        })
    }
}

impl Source {
    fn take(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        let text = headers.take(SOURCE)?.unwrap_or_default();
        let (bucket, key) = parse_source(text)?;
        Ok(Self { bucket, key, conditions: headers.take_source_conditions()?, range: None })
    }

    pub(super) fn take_part(headers: &mut Headers<'_>) -> Result<Self, Refusal> {
        const RANGE: &str = "x-amz-copy-source-range";
        let range = match headers.take(RANGE)?.map(parse_range) {
            None => None,
            Some(Some(range @ ByteRange::Between { .. })) => Some(range),
            Some(_) => return Err(Refusal::argument(RANGE, "it is not bytes=first-last")),
        };
        Ok(Self { range, ..Self::take(headers)? })
    }
}

/// Reads `bucket/key`, percent-encoded, with or without a leading slash.
fn parse_source(text: &str) -> Result<(ContainerName, ObjectKey), Refusal> {
    const PROBLEM: Refusal = Refusal::Argument { name: SOURCE, problem: "it is not bucket/key" };
    if text.starts_with("arn:") || text.contains('?') {
        return Err(Refusal::NotOffered(format!("{SOURCE}: {text}")));
    }
    let path = decode_path(text.as_bytes()).map_err(|TargetError::BadPercentEncoding| PROBLEM)?;
    match Resource::parse(&path, None) {
        Ok(Resource::Object(bucket, key)) => Ok((bucket, key)),
        Ok(Resource::Account | Resource::Bucket(_)) | Err(Refusal::BucketName) => Err(PROBLEM),
        Err(refusal) => Err(refusal),
    }
}

impl Scene<'_> {
    pub(super) async fn copy_object(&self, key: ObjectKey, copy: CopyObject) -> Result<Response, Refusal> {
        let CopyObject { source, metadata, conditions } = copy;
        let target = self.object(key);
        let (from, found) = self.open(source).await?;
        if from == target && metadata.is_none() {
            return Err(Refusal::Request("a copy of an object to itself must replace its metadata"));
        }
        let content = found.info.content;
        let trouble = Trouble::default();
        let new = NewObject {
            md5: match content.digest {
                Digest::Whole(md5) => Some(md5),
                Digest::Parts { .. } => None,
            },
            bytes: Some(content.bytes),
            ..NewObject::new(metadata.unwrap_or(found.info.metadata), conditions, trouble.watch(found.body))
        };
        let stored = self.store.put(&target, new).await;
        let info = stored.map_err(|error| trouble.explain(error))?;
        Ok(copied("CopyObjectResult", info.modified, &answer::quoted_etag(&info.content)))
    }

    pub(super) async fn copy_part(
        &self,
        key: ObjectKey,
        upload: UploadId,
        number: PartNumber,
        source: Source,
    ) -> Result<Response, Refusal> {
        let asked = source.range;
        let (_, found) = self.open(source).await?;
        if let Some(ByteRange::Between { last, .. }) = asked
            && last >= found.info.content.bytes
        {
            return Err(Error::RangeUnsatisfiable(Box::new(found.info)).into());
        }
        let trouble = Trouble::default();
        let part = NewPart {
            number,
            md5: None,
            bytes: Some(found.span.bytes()),
            body: trouble.watch(found.body),
            checksum: ChecksumCell::default(),
        };
        let stored = self.store.put_part(&self.object(key), upload, part).await;
        let part = stored.map_err(|error| trouble.explain(error))?;
        Ok(copied("CopyPartResult", part.modified, &format!("\"{}\"", part.md5)))
    }

    /// The source, ready to be read. It may be in another bucket, to which the caller must have the right.
    async fn open(&self, source: Source) -> Result<(ObjectId, Download), Refusal> {
        let Source { bucket, key, conditions, range } = source;
        let container = container_of(&bucket, self.store).await?;
        let object = ObjectId { container, key };
        match self.store.get(&object, Read { version: None, conditions, range }).await {
            Ok(found) if found.span.bytes() > PUT_BYTES_MAX => {
                Err(Refusal::Request("the source is larger than 5368709120 bytes"))
            }
            Ok(found) => Ok((object, found)),
            Err(Error::NotFound(Noun::Container)) => Err(absent(&object.container, self.store).await),
            // Nothing is read that a cache could have: every condition that fails, fails.
            Err(Error::NotModified(_)) => Err(Error::PreconditionFailed.into()),
            Err(error) => Err(error.into()),
        }
    }
}

fn copied(root: &'static str, modified: Timestamp, etag: &str) -> Response {
    let mut xml = Writer::new(root);
    xml.text("LastModified", &answer::iso_date(modified)).text("ETag", etag);
    answer::xml(xml)
}

/// What went wrong with the source while it was read: an error of a body can't say so.
#[derive(Clone, Debug, Default)]
struct Trouble(Arc<Mutex<Option<Error>>>);

impl Trouble {
    fn watch(&self, source: ObjectStream) -> ByteStream {
        let trouble = self.clone();
        Box::pin(source.map_err(move |error| {
            *trouble.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            BodyError::Disconnected
        }))
    }

    /// An error of the store, or what made it one.
    fn explain(&self, error: Error) -> Refusal {
        let trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        trouble.unwrap_or(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let found =
            parse_source(text).ok().map(|(bucket, key)| (bucket.to_string(), key.as_str().to_owned()));
        assert_eq!(found, expected.map(|(bucket, key)| (bucket.to_owned(), key.to_owned())), "{text}");
    }

    #[test]
    fn sources() {
        check("/box/key", Some(("box", "key")));
        check("box/dir/key", Some(("box", "dir/key")));
        check("/box/a%20b+c%3Fd", Some(("box", "a b+c?d")));
        check("%2Fbox%2Fkey", Some(("box", "key")));
        for text in
            ["", "/", "box", "/box/", "//key", "/box/%zz", "/box/%00", "/box/key?versionId=1", "arn:aws:s3"]
        {
            check(text, None);
        }
    }
}

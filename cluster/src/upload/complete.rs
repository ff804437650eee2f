//! Joining an upload's parts to the object: without copying, and without a round trip a part.

use std::sync::Arc;

use martlet_model::limits::OBJECT_BYTES_MAX;
use martlet_model::{
    Completion, Error, Noun, ObjectId, ObjectInfo, PartInfo, Result, UploadError, UploadId, upload,
};
use martlet_protocol::{BlobRef, SealToken};
use tokio::time::Instant;

use super::{Place, end, made, part, parts_devices};
use crate::cluster::Shared;
use crate::container::seal;
use crate::objects::expiry;
use crate::objects::place::Placing;
use crate::record::object::{Layout, Origin};
use crate::record::upload::UploadRow;

/// Completes an upload. Said again of the same parts, it answers the same while the object still is the one that it made.
pub(crate) async fn complete(
    shared: &Arc<Shared>,
    id: &ObjectId,
    upload: UploadId,
    completion: Completion,
) -> Result<ObjectInfo> {
    let place = Place::find(shared, id, upload).await?;
    let (row, token) = match end::mark(shared, &place).await {
        Err(Error::NotFound(Noun::Upload)) => {
            return made_by(shared, &place, &completion).await?.ok_or(Error::NotFound(Noun::Upload));
        }
        marked => marked?,
    };
    let joined = join(shared, &place, &row, token, completion).await;
    let ended = match &joined {
        Ok(_) => end::end(shared, &place, &row, token).await,
        // The object may have been made: only a later look can tell.
        Err(Error::OutcomeUnknown) => Ok(()),
        Err(_) => match made(shared, &place).await {
            // By an earlier completion, whose outcome nobody had learnt.
            Ok(Some(_)) => end::end(shared, &place, &row, token).await,
            Ok(None) => end::reopen(shared, &place, row.parts, token).await,
            Err(error) => Err(error),
        },
    };
    // What was left half done is finished or undone by whoever comes next.
    if let Err(error) = ended {
        tracing::warn!(%upload, %error, is_completed = joined.is_ok(), "an upload is neither ended nor open yet");
    }
    joined
}

/// The object, if this very completion has made it before.
async fn made_by(shared: &Arc<Shared>, place: &Place, completion: &Completion) -> Result<Option<ObjectInfo>> {
    let Some(object) = made(shared, place).await? else { return Ok(None) };
    let parts = object.origin.map(|origin| origin.layout.parts()).transpose()?.unwrap_or_default();
    Ok(completion.has_made(&object.info.content, &parts).then_some(object.info))
}

async fn join(
    shared: &Arc<Shared>,
    place: &Place,
    row: &UploadRow,
    token: SealToken,
    completion: Completion,
) -> Result<ObjectInfo> {
    let deadline = Instant::now() + shared.options.completion_deadline;
    if completion.parts.is_empty() {
        return Err(UploadError::NoParts.into());
    }
    let devices = parts_devices(shared, row.parts);
    let sealed = seal::seal_one(shared, &devices, row.parts, token, row.seal.lifted()).await?;
    let stored = part::all(shared, row.parts, sealed, completion.parts.len()).await?;
    let info_of = |number| stored.get(&number).map(|part| part.info.clone());
    let joined = upload::join(&completion, row.new.checksum, info_of)?;
    if joined.content.bytes > OBJECT_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    let layout = Layout::of_parts(&joined.parts);
    let blobs_of = |part: &PartInfo| stored.get(&part.number).map(|row| &row.blobs[..]);
    let blobs: Vec<BlobRef> = joined.parts.iter().filter_map(blobs_of).flatten().copied().collect();
    let keeper = place.keeper(shared);
    expiry::note(&keeper, row.new.metadata.delete_at).await?;
    // Later than this, somebody else may have opened the upload again.
    if deadline < Instant::now() {
        return Err(Error::Unavailable("joining the parts took too long"));
    }
    let info = ObjectInfo {
        annotations: row.new.annotations.clone(),
        checksum: joined.checksum,
        ..ObjectInfo::new(joined.content, row.new.metadata.clone(), shared.now())
    };
    let origin = Some(Origin { upload: place.upload, layout });
    let conditions = completion.conditions;
    Placing { keeper, info, origin, blobs, conditions, staged: None }.run(None).await
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use martlet_model::checksum::ChecksumHasher;
    use martlet_model::limits::{PART_BYTES_MIN, PART_NUMBER_MAX};
    use martlet_model::{ChecksumPlan, Md5, NewUpload, ObjectStore, PartInfo, PartNumber, UploadStore};
    use martlet_protocol::{BlobId, Checksum};
    use martlet_testkit::conformance::steps::{chosen as name, completion, create, object, unconditional};

    use martlet_protocol::RowState;

    use super::*;
    use crate::record::part::{PartRow, row_key};
    use crate::row::change::change;
    use crate::row::{Access, Verdict};
    use crate::testing::cluster;
    use crate::upload::find_open;

    /// Writes the rows of parts that are too many and too large to be sent in a test.
    async fn stored_part(shared: &Arc<Shared>, row: &UploadRow, number: PartNumber) -> PartInfo {
        let info = PartInfo {
            number,
            bytes: PART_BYTES_MIN,
            md5: Md5::of(b""),
            modified: shared.now(),
            checksum: Some(ChecksumHasher::new(ChecksumPlan::UNSAID.algorithm).finish()),
        };
        let id = BlobId(u128::from(number.get()).to_be_bytes());
        let blob = BlobRef { id, hash: shared.hash_blob(id), bytes: PART_BYTES_MIN, checksum: Checksum(0) };
        let value = PartRow { info: info.clone(), blobs: vec![blob] }.to_value();
        let access = Access::open(shared, row.parts, row_key(number));
        let decide = |_: Option<&RowState>| Verdict::Write { value: value.clone(), answer: info.clone() };
        change(shared, &access, None, decide).await.unwrap()
    }

    #[tokio::test]
    async fn ten_thousand_parts_are_joined_in_a_second() {
        let store = cluster();
        let key = object(&create(&store, "many").await, "key");
        let upload = store.begin_upload(&key, NewUpload::default()).await.unwrap();
        let shared = &store.shared;
        let place = Place::find(shared, &key, upload).await.unwrap();
        let row = find_open(shared, &place).await.unwrap();
        let mut parts = Vec::new();
        for number in (1..=PART_NUMBER_MAX).filter_map(PartNumber::new) {
            parts.push(name(&stored_part(shared, &row, number).await));
        }
        let started = Instant::now();
        let info = store.complete_upload(&key, upload, completion(&parts, &unconditional())).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(info.content.bytes, PART_BYTES_MIN * u64::from(PART_NUMBER_MAX));
        assert!(info.checksum.is_some());
        assert_eq!(store.head(&key, None, &unconditional()).await.unwrap(), info);
    }

    #[tokio::test(start_paused = true)]
    async fn a_completion_that_died_is_taken_over() {
        let store = cluster();
        let key = object(&create(&store, "died").await, "key");
        let upload = store.begin_upload(&key, NewUpload::default()).await.unwrap();
        let shared = &store.shared;
        let place = Place::find(shared, &key, upload).await.unwrap();
        let row = find_open(shared, &place).await.unwrap();
        let part = name(&stored_part(shared, &row, PartNumber::new(1).unwrap()).await);
        // Marked, sealed, and never heard of again.
        let (row, token) = end::mark(shared, &place).await.unwrap();
        seal::seal_one(shared, &parts_devices(shared, row.parts), row.parts, token, &[]).await.unwrap();
        let parts = [part];
        let info = store.complete_upload(&key, upload, completion(&parts, &unconditional())).await.unwrap();
        assert_eq!(store.head(&key, None, &unconditional()).await.unwrap(), info);
        let again = store.complete_upload(&key, upload, completion(&parts, &unconditional())).await.unwrap();
        assert_eq!(again, info);
    }

    #[tokio::test]
    async fn a_completion_that_died_after_its_commit_is_ended() {
        let store = cluster();
        let key = object(&create(&store, "died-late").await, "key");
        let upload = store.begin_upload(&key, NewUpload::default()).await.unwrap();
        let shared = &store.shared;
        let place = Place::find(shared, &key, upload).await.unwrap();
        let row = find_open(shared, &place).await.unwrap();
        let part = name(&stored_part(shared, &row, PartNumber::new(1).unwrap()).await);
        let (row, token) = end::mark(shared, &place).await.unwrap();
        let completed = completion(&[part], &unconditional());
        let info = join(shared, &place, &row, token, completed).await.unwrap();
        let ended = store.abort_upload(&key, upload).await;
        assert!(matches!(ended, Err(Error::NotFound(Noun::Upload))), "{ended:?}");
        assert_eq!(store.head(&key, None, &unconditional()).await.unwrap(), info);
    }
}

//! Parts: stored by their own ids all over the cluster, listed from one place.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_model::{NewPart, ObjectId, PartInfo, PartNumber, Result, StoredChecksum, UploadId};
use martlet_protocol::{BlobOwner, RowState, TableId};

use super::{PartsOf, Place, find_open};
use crate::blob::receive::{Data, Home, Incoming, Received, receive};
use crate::cluster::Shared;
use crate::container::seal::Sealed;
use crate::list::{Found, Lister, Question};
use crate::record::live;
use crate::record::part::{PartRow, row_key};
use crate::row::change::change;
use crate::row::{Access, Guard, Verdict};

/// Stores a part. The commit goes on when the caller leaves.
pub(crate) async fn put(
    shared: &Arc<Shared>,
    id: &ObjectId,
    upload: UploadId,
    part: NewPart,
) -> Result<PartInfo> {
    let place = Place::find(shared, id, upload).await?;
    let open = find_open(shared, &place).await?;
    let owner = BlobOwner::PartOf {
        part: shared.address(open.parts, row_key(part.number)),
        object: place.object(shared).row,
    };
    let access = Access {
        row: shared.address(open.parts, row_key(part.number)),
        seal: None,
        guard: Guard::Parts(Arc::new(PartsOf { place })),
        spared: None,
    };
    let incoming = Incoming { body: part.body, bytes: part.bytes, md5: part.md5 };
    let received = receive(shared, incoming, Home::Apart(owner)).await?;
    // The body has ended: now its checksum is known.
    let (number, checksum) = (part.number, part.checksum.get());
    let worker = shared.clone();
    let committing = async move { commit(&worker, &access, (number, checksum), received).await };
    shared.background.carry_through(committing).await
}

async fn commit(
    shared: &Arc<Shared>,
    access: &Access,
    (number, checksum): (PartNumber, Option<StoredChecksum>),
    mut received: Received,
) -> Result<PartInfo> {
    let blobs = received.blobs();
    let (bytes, md5) = (received.bytes, received.md5);
    let decide = |predecessor: Option<&RowState>| {
        let previous = live(predecessor).map(|live| PartRow::read(&access.row.row.key, live.entry));
        let previous = match previous.transpose() {
            Ok(previous) => previous.map(|previous| previous.info.modified),
            Err(error) => return Verdict::Leave(Err(error.into())),
        };
        if let Data::Staged(staged) = &mut received.data {
            staged.commit();
        }
        let modified = shared.now().not_before(previous);
        let info = PartInfo { number, bytes, md5, modified, checksum: checksum.clone() };
        let row = PartRow { info: info.clone(), blobs: blobs.clone() };
        Verdict::Write { value: row.to_value(), answer: info }
    };
    change(shared, access, None, decide).await
}

/// Parts in ascending order after `after`, at most `limit`, and whether there are more.
pub(crate) async fn list(
    shared: &Arc<Shared>,
    place: Place,
    after: Option<PartNumber>,
    limit: usize,
) -> Result<(Vec<PartInfo>, bool)> {
    let open = find_open(shared, &place).await?;
    let guard = Guard::Parts(Arc::new(PartsOf { place }));
    let question = Question {
        after: after.map(row_key),
        expected: limit.saturating_add(1),
        ..question(shared, open.parts, guard)
    };
    let mut lister = Lister::new(shared, question);
    let mut parts = Vec::new();
    while let Some(Found::Row { key, entry }) = if limit > 0 { lister.next().await? } else { None } {
        if parts.len() == limit {
            return Ok((parts, true));
        }
        parts.push(PartRow::read(&key, &entry)?.info);
    }
    Ok((parts, false))
}

/// All parts of an upload whose table is sealed.
pub(crate) async fn all(
    shared: &Arc<Shared>,
    parts: TableId,
    sealed: Sealed,
    expected: usize,
) -> Result<BTreeMap<PartNumber, PartRow>> {
    let question = Question { sealed: Some(sealed), expected, ..question(shared, parts, Guard::None) };
    let mut lister = Lister::new(shared, question);
    let mut found = BTreeMap::new();
    while let Some(Found::Row { key, entry }) = lister.next().await? {
        let row = PartRow::read(&key, &entry)?;
        found.insert(row.info.number, row);
    }
    Ok(found)
}

/// The parts of one upload live together: one partition is asked, not all.
pub(crate) fn question(shared: &Shared, parts: TableId, guard: Guard) -> Question {
    let hash = shared.address(parts, bytes::Bytes::new()).hash;
    let partition = Some(shared.ring.partition_of(hash));
    Question { partition, ..Question::all(parts, guard) }
}

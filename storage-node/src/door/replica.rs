//! The trait by which a cluster knows a device.

use async_trait::async_trait;
use martlet_protocol::{
    Accept, BlobFact, BlobId, BlobStanding, BlobWriter, BlockStream, CARRIED_BYTES_MAX, Checksum, Garbage,
    HeldBlob, InspectBlobs, ListRows, ListTables, NewBlob, Prepare, Promise, ReadBlob, ReadRow, Replica,
    ReplicaError, RowAddress, RowPage, RowReply, SealToken, Survey, SurveyPage, TableCounters, TableId,
    TablePage, Tombstone,
};
use martlet_ring::Partition;

use super::blob_writer::Place;
use super::{Admitted, UpkeepJob, answer, blob_stream, blob_writer, closed, inspect};
use crate::device::Device;
use crate::disk::registers::Route;
use crate::disk::since::Since;
use crate::disk::writer::{Job, Reply, Work};

/// The longest key of a row. With it a segment record's header stays below 4 KiB.
pub(crate) const KEY_BYTES_MAX: usize = 1536;

#[async_trait]
impl Replica for Device {
    async fn prepare(&self, request: Prepare) -> Result<Promise, ReplicaError> {
        let door = &self.door;
        door.health.check()?;
        check_key(&request.row)?;
        let (row, ballot) = (request.row.clone(), request.ballot);
        match door.registers.promise(&row, ballot, door.clocks.wall_micros())? {
            Route::Reader { bound_is_due } => {
                if bound_is_due {
                    door.request_bound(ballot);
                }
                let key = row.row.clone();
                let accepted = door.read(move |reader| reader.accepted(&key)).await?;
                let accepted_ballot = accepted.as_ref().map(|accepted| accepted.ballot);
                let forgotten = door.registers.confirm(&row, ballot, accepted_ballot)?;
                Ok(Promise { accepted, forgotten })
            }
            Route::Writer => match door.write(Work::Prepare(request)).await? {
                Reply::Promise(promise) => Ok(*promise),
                Reply::Done => Err(ReplicaError::Invalid("a prepare is answered with a promise")),
            },
        }
    }

    async fn accept(&self, request: Accept) -> Result<(), ReplicaError> {
        let door = &self.door;
        door.health.check()?;
        check_accept(&request)?;
        let (row, ballot) = (request.row.clone(), request.ballot);
        let work = Work::Accept(Box::new(request));
        let room = door.writer_room(&work).await?;
        let (answer, told) = answer();
        let job = Admitted { job: Job::new(work, answer), room: Some(room) };
        let queue = || drop(door.queues.writer.push(job));
        if let Err(refused) = door.registers.admit(&row, ballot, queue) {
            // The same accept may have been carried out before a higher promise was made, and its answer lost.
            let key = row.row.clone();
            let accepted = door.read(move |reader| reader.accepted_ballot(&key)).await?;
            return if accepted == Some(ballot) { Ok(()) } else { Err(refused.into()) };
        }
        door.hear(told).await.map(drop)
    }

    async fn read(&self, request: ReadRow) -> Result<RowReply, ReplicaError> {
        self.door.read(move |reader| reader.read(&request)).await
    }

    async fn list(&self, request: ListRows) -> Result<RowPage, ReplicaError> {
        check_page(request.limit)?;
        if request.delimiter.as_ref().is_some_and(bytes::Bytes::is_empty) {
            return Err(ReplicaError::Invalid("a delimiter has at least one byte"));
        }
        self.door.read(move |reader| reader.list(&request)).await
    }

    async fn counters(&self, tables: Vec<TableId>) -> Result<Vec<TableCounters>, ReplicaError> {
        self.door.read(move |reader| reader.counters(&tables)).await
    }

    async fn stage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.door.health.check()?;
        check_owner(&blob)?;
        Ok(Box::new(blob_writer::begin(&self.door, blob, Place::Free).await?))
    }

    async fn read_blob(&self, request: ReadBlob) -> Result<BlockStream, ReplicaError> {
        blob_stream::open(&self.door, &request).await
    }

    async fn seal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.door.write(Work::Seal(table, token)).await.map(drop)
    }

    async fn unseal(&self, table: TableId, token: SealToken) -> Result<(), ReplicaError> {
        self.door.write(Work::Unseal(table, token)).await.map(drop)
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<Garbage>, ReplicaError> {
        let grace_seconds = self.door.options.garbage_grace.as_secs();
        match Since::at_least(grace_seconds, self.door.clocks.present()) {
            Some(until) => self.door.read(move |reader| reader.garbage(until, limit)).await,
            None => Ok(Vec::new()),
        }
    }

    async fn settle_garbage(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.door.write(Work::SettleGarbage(blobs)).await.map(drop)
    }

    async fn reclaim(&self, blobs: Vec<BlobId>) -> Result<(), ReplicaError> {
        self.door.write(Work::Reclaim(blobs)).await?;
        let (answer, told) = answer();
        self.door.queues.upkeep.push(UpkeepJob::GiveBack(answer)).map_err(|_| closed())?;
        self.door.hear(told).await.map(drop)
    }

    async fn unreferenced(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobFact>, ReplicaError> {
        let (mut found, mut after) = (Vec::new(), after);
        loop {
            let (present, missing) = (self.door.clocks.present(), limit - found.len());
            let page = self.door.read(move |reader| reader.unreferenced(after, missing, present));
            let (facts, next) = page.await?;
            found.extend(facts);
            match next {
                Some(next) if found.len() < limit => after = Some(next),
                _ => return Ok(found),
            }
        }
    }

    async fn tombstones(&self, limit: usize) -> Result<Vec<Tombstone>, ReplicaError> {
        self.door.read(move |reader| reader.tombstones(limit)).await
    }

    async fn forget(&self, tombstones: Vec<Tombstone>) -> Result<(), ReplicaError> {
        self.door.write(Work::Forget(tombstones)).await.map(drop)
    }

    async fn digests(&self, partitions: Vec<Partition>) -> Result<Vec<u64>, ReplicaError> {
        self.door.read(move |reader| reader.digests(&partitions)).await
    }

    async fn tables(&self, mut request: ListTables) -> Result<TablePage, ReplicaError> {
        check_page(request.limit)?;
        request.partitions.sort_unstable();
        self.door.read(move |reader| reader.tables(&request)).await
    }

    async fn survey(&self, mut request: Survey) -> Result<SurveyPage, ReplicaError> {
        check_page(request.limit)?;
        request.partitions.sort_unstable();
        self.door.read(move |reader| reader.survey(&request)).await
    }

    async fn inspect(&self, request: InspectBlobs) -> Result<Vec<BlobStanding>, ReplicaError> {
        inspect::inspect(&self.door, request).await
    }

    async fn held(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<HeldBlob>, ReplicaError> {
        let (mut found, mut after) = (Vec::new(), after);
        while found.len() < limit {
            let missing = limit - found.len();
            let (held, next) = self.door.read(move |reader| reader.held(after, missing)).await?;
            found.extend(held);
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        Ok(found)
    }

    async fn restage(&self, blob: NewBlob) -> Result<Box<dyn BlobWriter>, ReplicaError> {
        self.door.health.check()?;
        check_owner(&blob)?;
        Ok(Box::new(blob_writer::begin(&self.door, blob, Place::Taken).await?))
    }
}

fn check_accept(request: &Accept) -> Result<(), ReplicaError> {
    check_key(&request.row)?;
    let Some(body) = &request.body else { return Ok(()) };
    if body.bytes.len() > CARRIED_BYTES_MAX || body.bytes.len() as u64 != body.blob.bytes {
        return Err(ReplicaError::Invalid("a carried body has another length"));
    }
    if body.blob.hash != request.row.hash || !request.state.value.blobs().contains(&body.blob) {
        return Err(ReplicaError::Invalid("a carried body isn't the value's"));
    }
    if Checksum::of(&body.bytes) != body.blob.checksum {
        return Err(ReplicaError::Invalid("a carried body doesn't match its checksum"));
    }
    Ok(())
}

fn check_page(limit: usize) -> Result<(), ReplicaError> {
    if limit == 0 { Err(ReplicaError::Invalid("a page has at least one item")) } else { Ok(()) }
}

fn check_owner(blob: &NewBlob) -> Result<(), ReplicaError> {
    match &blob.owner {
        martlet_protocol::BlobOwner::Row(row) => check_key(row),
        martlet_protocol::BlobOwner::PartOf { part, object } => {
            check_key(part).and_then(|()| check_key(object))
        }
    }
}

fn check_key(row: &RowAddress) -> Result<(), ReplicaError> {
    let fits = row.row.key.len() <= KEY_BYTES_MAX;
    if fits { Ok(()) } else { Err(ReplicaError::Invalid("the key is too long")) }
}

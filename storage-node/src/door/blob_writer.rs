//! Taking in a blob that is too large to ride in an accept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use martlet_protocol::{
    BLOCK_BYTES, BlobRef, BlobStanding, BlobWriter, Block, NewBlob, ReplicaError, RunningChecksum,
};
use tokio::sync::oneshot;

use super::Door;
use super::memory::Room;
use crate::disk::blob_file::StagedFile;
use crate::disk::error::DiskError;
use crate::disk::segment::SEGMENT_BODY_BYTES_MAX;
use crate::disk::writer::Work;

/// What is gathered before a thread is asked to write it, while there is room.
/// Twice this is in memory for one upload: one piece is being written while the next comes in.
const PIECE_BYTES: usize = 1024 * 1024;

/// Tells attempts to store the same blob apart, within this process.
static ATTEMPTS: AtomicU64 = AtomicU64::new(0);

/// An upload. Dropped before its end, it leaves nothing behind.
pub(super) struct Upload {
    door: Arc<Door>,
    new: NewBlob,
    place: Place,
    stage: Stage,
    gathered: Vec<Block>,
    /// For what is gathered.
    rooms: Vec<Room>,
    gathered_bytes: usize,
    total_bytes: u64,
    checksum: RunningChecksum,
    /// The piece that is being written.
    writing: Option<oneshot::Receiver<Result<(), ReplicaError>>>,
    last_was_short: bool,
}

/// Where a blob goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where nothing is yet. If the blob is there already, it stays.
    Free,
    /// In the place of the blob's old bytes.
    Taken,
}

/// ```text
/// InMemory ──too large, or no room──► InFile ──publish──► Published ──row──► Done
///     └────────────────────────────────── row ───────────────────────────────► Done
/// ```
enum Stage {
    InMemory,
    InFile(SharedFile),
    Published(SharedFile),
    Done,
}

type SharedFile = Arc<Mutex<StagedFile>>;

/// Begins an upload, unless there is no room for one.
pub(super) async fn begin(door: &Arc<Door>, new: NewBlob, place: Place) -> Result<Upload, ReplicaError> {
    let (files, layout) = (door.files().clone(), door.layout.clone());
    let free = door.write_blob(move || {
        files.free_bytes(layout.root()).map_err(|error| DiskError::of_sync("ask for the free space", error))
    });
    if free.await? < door.options.reserve_bytes {
        return Err(ReplicaError::Full);
    }
    Ok(Upload {
        door: door.clone(),
        new,
        place,
        stage: Stage::InMemory,
        gathered: Vec::new(),
        rooms: Vec::new(),
        gathered_bytes: 0,
        total_bytes: 0,
        checksum: RunningChecksum::default(),
        writing: None,
        last_was_short: false,
    })
}

#[async_trait]
impl BlobWriter for Upload {
    async fn write(&mut self, block: Block) -> Result<(), ReplicaError> {
        self.door.health.check()?;
        if block.bytes.is_empty() || block.bytes.len() > BLOCK_BYTES || self.last_was_short {
            return Err(ReplicaError::Invalid("only the last block of a blob may be shorter"));
        }
        if !block.is_intact() {
            return Err(ReplicaError::Invalid("a block doesn't match its checksum"));
        }
        self.last_was_short = block.bytes.len() < BLOCK_BYTES;
        self.checksum.add(block.checksum, block.bytes.len());
        self.total_bytes += block.bytes.len() as u64;
        self.gathered_bytes += block.bytes.len();
        self.gathered.push(block);
        let Some(room) = Room::to_gather() else {
            self.write_gathered().await?;
            return self.written().await;
        };
        self.rooms.push(room);
        if self.total_bytes > SEGMENT_BODY_BYTES_MAX && self.gathered_bytes >= PIECE_BYTES {
            self.write_gathered().await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ReplicaError> {
        let new = self.new.clone();
        if matches!(self.stage, Stage::InMemory) && self.total_bytes <= SEGMENT_BODY_BYTES_MAX {
            let blob = BlobRef {
                id: new.id,
                hash: new.hash,
                bytes: self.total_bytes,
                checksum: self.checksum.checksum(),
            };
            let blocks = std::mem::take(&mut self.gathered);
            let work = match self.place {
                Place::Free => Work::StoreBlob { new, blob, blocks },
                Place::Taken => Work::ReplaceBlob { new, blob, blocks },
            };
            self.door.write(work).await?;
            self.stage = Stage::Done;
            if self.place == Place::Taken {
                self.door.give_back();
            }
            return Ok(());
        }
        self.write_gathered().await?;
        self.written().await?;
        let Stage::InFile(file) = &self.stage else {
            return Err(ReplicaError::Invalid("the upload is over"));
        };
        let (file, published) = (file.clone(), new.clone());
        if self.place == Place::Taken {
            self.check_same(&file).await?;
        }
        // From here on the final name may be there.
        self.stage = Stage::Published(file.clone());
        let place = self.place;
        let publish = move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            match place {
                Place::Free => file.publish(&published),
                Place::Taken => file.publish_over(&published, ATTEMPTS.fetch_add(1, Ordering::Relaxed)),
            }
        };
        let blob = self.door.write_blob(publish).await?;
        let record = match self.place {
            Place::Free => Work::RecordFile { new, blob },
            Place::Taken => Work::ReplaceFile { new, blob },
        };
        self.door.write(record).await?;
        if let Stage::Published(file) = std::mem::replace(&mut self.stage, Stage::Done) {
            remove_staged_name(&self.door, file);
        }
        Ok(())
    }
}

impl Upload {
    /// Hands what is gathered to a thread, once it has written the piece before.
    async fn write_gathered(&mut self) -> Result<(), ReplicaError> {
        self.written().await?;
        let file = match &self.stage {
            Stage::InFile(file) => file.clone(),
            Stage::InMemory => {
                let (files, layout, id) = (self.door.files().clone(), self.door.layout.clone(), self.new.id);
                let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
                let create = move || {
                    let staged = StagedFile::create(files, layout, id, attempt)?;
                    Ok(Arc::new(Mutex::new(staged)))
                };
                let file = self.door.write_blob(create).await?;
                self.stage = Stage::InFile(file.clone());
                file
            }
            Stage::Published(_) | Stage::Done => return Err(ReplicaError::Invalid("the upload is over")),
        };
        let (blocks, rooms) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.rooms));
        self.gathered_bytes = 0;
        let append = move || {
            let appended = file.lock().unwrap_or_else(PoisonError::into_inner).append(&blocks);
            drop(rooms);
            appended
        };
        self.writing = Some(self.door.begin_write_blob(append).await?);
        Ok(())
    }

    /// Nothing but the blob's own bytes may take their place.
    async fn check_same(&self, file: &SharedFile) -> Result<(), ReplicaError> {
        let blob = file.lock().unwrap_or_else(PoisonError::into_inner).reference(&self.new);
        match self.door.read(move |reader| reader.inspect(blob.id)).await? {
            BlobStanding::Held(held) | BlobStanding::Damaged(held) if held.blob != blob => {
                Err(ReplicaError::Invalid("the bytes aren't those of the blob"))
            }
            _ => Ok(()),
        }
    }

    async fn written(&mut self) -> Result<(), ReplicaError> {
        match self.writing.take() {
            Some(writing) => writing.await.unwrap_or_else(|_| Err(super::closed())),
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::InMemory | Stage::Done => {}
            Stage::InFile(file) => remove_staged_name(&self.door, file),
            // Its row may be on the way; the writer comes to this after it, and knows.
            Stage::Published(file) => {
                let door = self.door.clone();
                self.door.withdraw(self.new.id, move || remove_staged_name(&door, file));
            }
        }
    }
}

/// Without waiting. What doesn't happen any more is done by the next start.
fn remove_staged_name(door: &Arc<Door>, file: SharedFile) {
    let health = door.health.clone();
    let _ = door.queues.blobs.push(Box::new(move || {
        let settled = file.lock().unwrap_or_else(PoisonError::into_inner).settle();
        if let Err(error) = settled {
            health.fail(error.with_sources());
        }
    }));
}

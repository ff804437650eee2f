//! Streaming a blob without holding a thread for a slow client.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use martlet_protocol::{Block, BlockStream, ReadBlob, ReplicaError};
use tokio::sync::oneshot;

use super::Door;
use super::memory::Room;
use crate::disk::reader::BlobSource;

/// Blocks that one job reads where there is room: 512 KiB. At most two jobs' worth are in memory for one stream.
const BLOCKS_AT_ONCE: u32 = 8;

type Blocks = Result<Vec<Block>, ReplicaError>;

struct Reading {
    door: Arc<Door>,
    source: BlobSource,
    /// The first block that nobody has been asked for yet.
    next: u64,
    end: u64,
    ready: VecDeque<Block>,
    /// Without it, blocks are read one by one.
    room: Option<Room>,
    /// What is being read while `ready` is handed out.
    ahead: Option<oneshot::Receiver<Blocks>>,
}

/// Opens a blob and reads its first blocks at once.
pub(super) async fn open(door: &Arc<Door>, request: &ReadBlob) -> Result<BlockStream, ReplicaError> {
    let (id, first, count) = (request.id, u64::from(request.first), u64::from(request.count));
    let mut room = None;
    let at_once = blocks_at_once(&mut room, count);
    let found = door.read(move |reader| {
        let Some(source) = reader.open_blob(id)? else { return Ok(None) };
        let blocks = source.read(first, count.min(at_once))?;
        Ok(Some((source, blocks)))
    });
    let Some((source, blocks)) = found.await? else { return Err(ReplicaError::MissingBlobs(vec![id])) };
    let end = source.blocks_count().min(first.saturating_add(count));
    let next = first.saturating_add(blocks.len() as u64);
    let mut reading =
        Reading { door: door.clone(), source, next, end, ready: blocks.into(), room, ahead: None };
    if reading.room.is_some() {
        reading.read_ahead().await?;
    }
    Ok(Box::pin(stream::unfold(reading, |mut reading| async move {
        let block = reading.next_block().await?;
        Some((block, reading))
    })))
}

/// How many blocks the next job reads, of so many that are left.
fn blocks_at_once(room: &mut Option<Room>, left: u64) -> u64 {
    if room.is_none() && left > 1 {
        *room = Room::to_read_ahead(2 * BLOCKS_AT_ONCE);
    }
    if room.is_some() { u64::from(BLOCKS_AT_ONCE) } else { 1 }
}

impl Reading {
    async fn next_block(&mut self) -> Option<Result<Block, ReplicaError>> {
        if let Some(block) = self.ready.pop_front() {
            return Some(Ok(block));
        }
        match self.read_on().await {
            Ok(()) => self.ready.pop_front().map(Ok),
            Err(error) => {
                // Nothing comes after an error.
                self.ready.clear();
                (self.ahead, self.next) = (None, self.end);
                Some(Err(error))
            }
        }
    }

    /// Gets the next blocks, if there are any.
    async fn read_on(&mut self) -> Result<(), ReplicaError> {
        if self.ahead.is_none() {
            self.read_ahead().await?;
        }
        let Some(ahead) = self.ahead.take() else { return Ok(()) };
        self.ready = ahead.await.unwrap_or_else(|_| Err(super::closed()))?.into();
        // Where memory is short, a block is read when it is wanted.
        if self.room.is_some() { self.read_ahead().await } else { Ok(()) }
    }

    async fn read_ahead(&mut self) -> Result<(), ReplicaError> {
        if self.next >= self.end {
            return Ok(());
        }
        let (source, first) = (self.source.clone(), self.next);
        let left = self.end - self.next;
        let count = left.min(blocks_at_once(&mut self.room, left));
        self.next += count;
        self.ahead = Some(self.door.begin_read(move |_| source.read(first, count)).await?);
        Ok(())
    }
}

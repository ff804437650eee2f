//! Streaming a blob without holding a thread for a slow client.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use martlet_protocol::{Block, BlockStream, ReadBlob, ReplicaError};
use tokio::sync::oneshot;

use super::Door;
use crate::disk::reader::BlobSource;

/// Blocks that one job reads: 512 KiB. At most two jobs' worth are in memory for one stream.
const BLOCKS_AT_ONCE: u64 = 8;

type Blocks = Result<Vec<Block>, ReplicaError>;

struct Reading {
    door: Arc<Door>,
    source: BlobSource,
    /// The first block that nobody has been asked for yet.
    next: u64,
    end: u64,
    ready: VecDeque<Block>,
    /// What is being read while `ready` is handed out.
    ahead: Option<oneshot::Receiver<Blocks>>,
}

/// Opens a blob and reads its first blocks at once.
pub(super) async fn open(door: &Arc<Door>, request: &ReadBlob) -> Result<BlockStream, ReplicaError> {
    let (id, first, count) = (request.id, u64::from(request.first), u64::from(request.count));
    let found = door.read(move |reader| {
        let Some(source) = reader.open_blob(id)? else { return Ok(None) };
        let blocks = source.read(first, count.min(BLOCKS_AT_ONCE))?;
        Ok(Some((source, blocks)))
    });
    let Some((source, blocks)) = found.await? else { return Err(ReplicaError::MissingBlobs(vec![id])) };
    let end = source.blocks_count().min(first.saturating_add(count));
    let next = first.saturating_add(blocks.len() as u64);
    let mut reading = Reading { door: door.clone(), source, next, end, ready: blocks.into(), ahead: None };
    reading.read_ahead().await?;
    Ok(Box::pin(stream::unfold(reading, |mut reading| async move {
        let block = reading.next_block().await?;
        Some((block, reading))
    })))
}

impl Reading {
    async fn next_block(&mut self) -> Option<Result<Block, ReplicaError>> {
        if let Some(block) = self.ready.pop_front() {
            return Some(Ok(block));
        }
        let blocks = self.ahead.take()?.await.unwrap_or_else(|_| Err(super::closed()));
        // After an error nothing is ahead, and the stream ends.
        let outcome = match blocks {
            Ok(blocks) => {
                self.ready = blocks.into();
                self.read_ahead().await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => self.ready.pop_front().map(Ok),
            Err(error) => {
                self.ready.clear();
                Some(Err(error))
            }
        }
    }

    async fn read_ahead(&mut self) -> Result<(), ReplicaError> {
        if self.next >= self.end {
            return Ok(());
        }
        let (source, first) = (self.source.clone(), self.next);
        let count = BLOCKS_AT_ONCE.min(self.end - self.next);
        self.next += count;
        self.ahead = Some(self.door.begin_read(move |_| source.read(first, count)).await?);
        Ok(())
    }
}

//! Bytes on their way out: from whichever replica has them undamaged, changed in the middle if need be.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use martlet_model::{Error, ObjectStream, Result, Span};
use martlet_protocol::{
    BLOCK_BYTES, BlobRef, BlockStream, Checksum, ReadBlob, ReplicaError, RunningChecksum,
};
use tokio::time::timeout;

use super::copy::block_count;
use crate::cluster::Shared;
use crate::device::{Device, healthy_first};
use crate::repair::mend::mend_later;
use crate::repair::missed::{handoffs, lies_apart};

/// The bytes of `span` of a body that is made of these blobs.
pub(crate) fn download(shared: &Arc<Shared>, blobs: &[BlobRef], span: Span) -> ObjectStream {
    let mut pieces = VecDeque::new();
    let mut offset = 0;
    for blob in blobs {
        let end = offset + blob.bytes;
        let (start, stop) = (span.start.clamp(offset, end), span.end.clamp(offset, end));
        if start < stop {
            pieces.push_back(Piece { blob: *blob, span: Span { start: start - offset, end: stop - offset } });
        }
        offset = end;
    }
    let outgoing = Outgoing { shared: shared.clone(), pieces, reading: None };
    Box::pin(stream::try_unfold(outgoing, |mut outgoing| async move {
        Ok(outgoing.next().await?.map(|bytes| (bytes, outgoing)))
    }))
}

/// A body that came along with its row, if it is what the row says.
pub(crate) fn verified(blob: &BlobRef, body: Bytes) -> Option<Bytes> {
    let is_right = body.len() as u64 == blob.bytes && Checksum::of(&body) == blob.checksum;
    is_right.then_some(body)
}

struct Outgoing {
    shared: Arc<Shared>,
    pieces: VecDeque<Piece>,
    reading: Option<Reading>,
}

/// Which bytes of a blob are wanted.
struct Piece {
    blob: BlobRef,
    span: Span,
}

/// A piece that is being read.
struct Reading {
    piece: Piece,
    /// The next block, counted from 0.
    next: u32,
    /// The first block that isn't wanted.
    end: u32,
    /// Over all blocks so far, where the piece is the whole blob.
    checksum: RunningChecksum,
    /// Replicas that haven't been tried, the best last.
    untried: Vec<Arc<Device>>,
    /// Those that may keep it in a replica's stead have been added to them.
    has_keepers: bool,
    source: Option<(Arc<Device>, BlockStream)>,
    is_damaged: bool,
}

impl Outgoing {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(reading) = &mut self.reading {
                if reading.next < reading.end {
                    return reading.next_block(&self.shared).await.map(Some);
                }
                self.reading = None;
            }
            match self.pieces.pop_front() {
                Some(piece) => self.reading = Some(Reading::of(&self.shared, piece)),
                None => return Ok(None),
            }
        }
    }
}

impl Reading {
    fn of(shared: &Shared, piece: Piece) -> Self {
        let block = |position: u64| u32::try_from(position / BLOCK_BYTES as u64).unwrap_or(u32::MAX);
        let mut untried = shared.devices_of(piece.blob.hash);
        healthy_first(&mut untried);
        untried.reverse();
        Self {
            next: block(piece.span.start),
            end: block(piece.span.end - 1) + 1,
            checksum: RunningChecksum::default(),
            untried,
            has_keepers: !lies_apart(shared, piece.blob.id, piece.blob.hash),
            piece,
            source: None,
            is_damaged: false,
        }
    }

    /// The next block, cut to what is wanted.
    async fn next_block(&mut self, shared: &Arc<Shared>) -> Result<Bytes> {
        loop {
            self.open(shared).await?;
            let patience = self.patience(shared, shared.options.block_deadline);
            let Some((device, blocks)) = &mut self.source else { continue };
            let block = match timeout(patience, blocks.next()).await {
                Ok(Some(block)) => block,
                Ok(None) => Err(ReplicaError::Damaged("a blob that ends too early".to_owned())),
                Err(_) => Err(ReplicaError::Unreachable("a block took too long".to_owned())),
            };
            device.note(&block);
            let block = match block {
                Ok(block) if block.is_intact() && block.bytes.len() as u64 == self.bytes_of_next() => block,
                Ok(_) => {
                    self.give_up_source(shared, &ReplicaError::Damaged("a block on its way".to_owned()));
                    continue;
                }
                Err(error) => {
                    self.give_up_source(shared, &error);
                    continue;
                }
            };
            let mut sum = self.checksum;
            sum.add(block.checksum, block.bytes.len());
            if self.is_whole() && self.next + 1 == self.end && sum.checksum() != self.piece.blob.checksum {
                let error = ReplicaError::Damaged("a blob that isn't what its row says".to_owned());
                self.give_up_source(shared, &error);
                if self.next == 0 {
                    continue;
                }
                // Earlier blocks have been sent, and any of them may be the wrong one: the rest can't make up for that.
                return Err(Error::Damaged("a blob isn't what its row says"));
            }
            self.checksum = sum;
            let bytes = self.cut(&block.bytes);
            self.next += 1;
            return Ok(bytes);
        }
    }

    /// Makes sure that there is a replica to read from.
    async fn open(&mut self, shared: &Arc<Shared>) -> Result<()> {
        while self.source.is_none() {
            if self.untried.is_empty() && !self.has_keepers {
                self.has_keepers = true;
                self.untried = handoffs(shared, self.piece.blob.hash);
                self.untried.reverse();
            }
            let Some(device) = self.untried.pop() else {
                shared.figures.bodies_unreadable.increment();
                return Err(if self.is_damaged {
                    Error::Damaged("no replica has the bytes undamaged")
                } else {
                    Error::Unavailable("no replica that has the bytes answered")
                });
            };
            let request = ReadBlob { id: self.piece.blob.id, first: self.next, count: self.end - self.next };
            let opening = device.replica.read_blob(request);
            match timeout(self.patience(shared, shared.options.answer_deadline), opening).await {
                Ok(Ok(blocks)) => self.source = Some((device, blocks)),
                Ok(Err(error)) => {
                    device.note::<()>(&Err(error.clone()));
                    self.refuse(shared, &device, &error);
                }
                Err(_) => device.note_lateness(),
            }
        }
        Ok(())
    }

    /// The last replica is given all the time there is; before that, another one is tried sooner.
    fn patience(&self, shared: &Shared, deadline: Duration) -> Duration {
        if self.untried.is_empty() { deadline } else { deadline.min(shared.options.straggler_delay) }
    }

    fn give_up_source(&mut self, shared: &Arc<Shared>, error: &ReplicaError) {
        if let Some((device, _)) = self.source.take() {
            self.refuse(shared, &device, error);
        }
    }

    /// Another replica is read, and one whose copy is damaged gets a new one meanwhile.
    fn refuse(&mut self, shared: &Arc<Shared>, device: &Device, error: &ReplicaError) {
        tracing::warn!(device = %device.id, blob = ?self.piece.blob.id, %error, "another replica is read");
        let is_home = shared.ring.devices_of_hash(self.piece.blob.hash).contains(&device.id);
        if is_home && matches!(error, ReplicaError::Damaged(_) | ReplicaError::MissingBlobs(_)) {
            self.is_damaged = true;
            mend_later(shared, self.piece.blob, device.id);
        }
    }

    fn is_whole(&self) -> bool {
        self.piece.span == Span::whole(self.piece.blob.bytes) && self.end == block_count(&self.piece.blob)
    }

    fn bytes_of_next(&self) -> u64 {
        (self.piece.blob.bytes - self.offset()).min(BLOCK_BYTES as u64)
    }

    fn offset(&self) -> u64 {
        u64::from(self.next) * BLOCK_BYTES as u64
    }

    fn cut(&self, block: &Bytes) -> Bytes {
        let (offset, bytes) = (self.offset(), block.len() as u64);
        let within = |position: u64| {
            usize::try_from(position.saturating_sub(offset).min(bytes)).unwrap_or(block.len())
        };
        block.slice(within(self.piece.span.start)..within(self.piece.span.end))
    }
}

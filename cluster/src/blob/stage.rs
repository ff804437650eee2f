//! Staging: a blob's blocks go to all devices that shall hold it, and a majority must have them durably.

use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use martlet_model::{Error, Result};
use martlet_protocol::{
    BlobId, BlobOwner, BlobRef, BlobWriter, Block, NewBlob, ReplicaError, RunningChecksum,
};
use martlet_ring::{DeviceId, PlacementHash};
use tokio::sync::oneshot;

use crate::cluster::Shared;
use crate::device::{Answered, Device, healthy_first};
use crate::fanout::{Patience, collect, note_silent};
use crate::repair::missed::{lies_apart, note};

/// A blob that is being written to its devices, in lockstep.
///
/// A device that fails, or that keeps a majority waiting for too long, is dropped: it gets the blob later, by copy.
pub(crate) struct Stage {
    shared: Arc<Shared>,
    id: BlobId,
    hash: PlacementHash,
    owner: BlobOwner,
    bytes: u64,
    checksum: RunningChecksum,
    writers: Vec<Writer>,
    is_full: bool,
}

struct Writer {
    device: Arc<Device>,
    blob: Box<dyn BlobWriter>,
}

/// Blobs that are durable at majorities and that no row refers to yet.
/// Dropped before a row is about to refer to them, they are reclaimed.
pub(crate) struct Staged {
    shared: Arc<Shared>,
    blobs: Vec<BlobRef>,
    /// Devices that were slower than a majority; each is heard of when it is done.
    pending: Vec<oneshot::Receiver<()>>,
}

/// A blob that a majority has durably.
pub(crate) struct Finished {
    blob: BlobRef,
    /// Ends once the slower devices have it too, or have failed.
    pending: Option<oneshot::Receiver<()>>,
}

impl Stage {
    pub(crate) async fn begin(
        shared: &Arc<Shared>,
        hash: PlacementHash,
        id: BlobId,
        owner: BlobOwner,
    ) -> Result<Self> {
        let mut devices = shared.devices_of(hash);
        let healthy = healthy_first(&mut devices);
        if healthy >= shared.majority() {
            devices.truncate(healthy);
        }
        let mut calls: FuturesUnordered<_> = devices
            .iter()
            .map(|device| {
                let (device, new) = (device.clone(), NewBlob { id, hash, owner: owner.clone() });
                async move {
                    let writer = device.replica.stage(new).await;
                    device.note(&writer);
                    (device.id, writer.map(|blob| Writer { device, blob }))
                }
            })
            .collect();
        let mut stage = Self {
            shared: shared.clone(),
            id,
            hash,
            owner,
            bytes: 0,
            checksum: RunningChecksum::default(),
            writers: Vec::new(),
            is_full: false,
        };
        let answers = collect(&mut calls, stage.patience(), enough(shared.majority())).await;
        stage.go_on_with(&devices, answers)?;
        Ok(stage)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits until every device that is still with us has taken the block.
    pub(crate) async fn write(&mut self, block: Block) -> Result<()> {
        let block_bytes = block.bytes.len() as u64;
        self.bytes += block_bytes;
        self.checksum.add(block.checksum, block.bytes.len());
        let writers = std::mem::take(&mut self.writers);
        let devices: Vec<_> = writers.iter().map(|writer| writer.device.clone()).collect();
        let mut calls: FuturesUnordered<_> = writers
            .into_iter()
            .map(|mut writer| {
                let block = block.clone();
                async move {
                    let outcome = writer.blob.write(block).await;
                    writer.device.note(&outcome);
                    (writer.device.id, outcome.map(|()| writer))
                }
            })
            .collect();
        let answers = collect(&mut calls, self.patience(), enough(self.shared.majority())).await;
        self.go_on_with(&devices, answers)
    }

    /// Waits until a majority has the blob durably. A slower device goes on in the background.
    pub(crate) async fn finish(mut self) -> Result<Finished> {
        let blob =
            BlobRef { id: self.id, hash: self.hash, bytes: self.bytes, checksum: self.checksum.checksum() };
        let writers = std::mem::take(&mut self.writers);
        let mut late: Vec<DeviceId> = writers.iter().map(|writer| writer.device.id).collect();
        let mut calls: FuturesUnordered<BoxFuture<'static, (DeviceId, Answered<()>)>> =
            FuturesUnordered::new();
        for Writer { device, blob } in writers {
            calls.push(Box::pin(async move {
                let outcome = blob.finish().await;
                device.note(&outcome);
                (device.id, outcome)
            }));
        }
        let answers = collect(&mut calls, self.patience(), enough(self.shared.majority())).await;
        late.retain(|device| answers.iter().all(|(heard, _)| heard != device));
        let have = stored(&answers);
        let apart = Apart { shared: self.shared.clone(), blob, owner: self.owner.clone() };
        let mut pending = None;
        if !calls.is_empty() {
            let patience = Patience { straggler_delay: self.patience().deadline, ..self.patience() };
            let (done, receiver) = oneshot::channel();
            pending = Some(receiver);
            let (apart, late) = (apart.clone(), late.clone());
            self.shared.background.spawn(async move {
                let heard = stored(&collect(&mut calls, patience, |_| false).await);
                apart.note_missing(late.into_iter().filter(|device| !heard.contains(device))).await;
                // Nobody may be waiting.
                let _ = done.send(());
            });
        }
        self.count(&answers)?;
        let homes = self.shared.devices_of(self.hash).into_iter().map(|device| device.id);
        apart.note_missing(homes.filter(|device| !have.contains(device) && !late.contains(device))).await;
        Ok(Finished { blob, pending })
    }

    fn go_on_with(
        &mut self,
        asked: &[Arc<Device>],
        answers: Vec<(DeviceId, Answered<Writer>)>,
    ) -> Result<()> {
        let heard: Vec<_> = answers.iter().map(|(device, _)| *device).collect();
        note_silent(asked, &heard);
        self.count(&answers)?;
        self.writers = answers.into_iter().filter_map(|(_, answer)| answer.ok()).collect();
        Ok(())
    }

    fn count<T>(&mut self, answers: &[(DeviceId, Answered<T>)]) -> Result<()> {
        self.is_full |= answers.iter().any(|(_, answer)| matches!(answer, Err(ReplicaError::Full)));
        let good = answers.iter().filter(|(_, answer)| answer.is_ok()).count();
        if good >= self.shared.majority() {
            Ok(())
        } else if self.is_full {
            Err(Error::OutOfSpace)
        } else {
            self.shared.figures.bodies_without_quorum.increment();
            Err(Error::Unavailable("too few devices took the data"))
        }
    }

    fn patience(&self) -> Patience {
        let options = &self.shared.options;
        Patience { straggler_delay: options.straggler_delay, deadline: options.block_deadline }
    }
}

/// A blob that a majority has.
#[derive(Clone)]
struct Apart {
    shared: Arc<Shared>,
    blob: BlobRef,
    owner: BlobOwner,
}

impl Apart {
    /// Which of its devices don't have it. What lies with its row comes to them with the row.
    async fn note_missing(&self, devices: impl Iterator<Item = DeviceId>) {
        let missing: Vec<DeviceId> = devices.collect();
        if !missing.is_empty() && lies_apart(&self.shared, self.blob.id, self.blob.hash) {
            note(&self.shared, self.blob, self.owner.clone(), missing).await;
        }
    }
}

/// The devices that have stored it.
fn stored(answers: &[(DeviceId, Answered<()>)]) -> Vec<DeviceId> {
    answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(device, _)| *device).collect()
}

impl Staged {
    pub(crate) fn none(shared: &Arc<Shared>) -> Self {
        Self { shared: shared.clone(), blobs: Vec::new(), pending: Vec::new() }
    }

    pub(crate) fn add(&mut self, finished: Finished) {
        self.blobs.push(finished.blob);
        self.pending.extend(finished.pending);
    }

    pub(crate) fn blobs(&self) -> &[BlobRef] {
        &self.blobs
    }

    /// A row may refer to them from now on: whether they are lost is for the sweep to find out.
    pub(crate) fn commit(&mut self) {
        self.blobs.clear();
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let blobs = std::mem::take(&mut self.blobs);
        if blobs.is_empty() {
            return;
        }
        let (shared, pending) = (self.shared.clone(), std::mem::take(&mut self.pending));
        self.shared.background.spawn(async move {
            // What a slow device has not got yet can't be reclaimed there.
            join_all(pending).await;
            reclaim(&shared, &blobs).await;
        });
    }
}

/// Gives the space back of blobs that nothing refers to. Who can't be reached now is left to the sweep.
async fn reclaim(shared: &Arc<Shared>, blobs: &[BlobRef]) {
    let mut calls: FuturesUnordered<_> = blobs
        .iter()
        .flat_map(|blob| shared.devices_of(blob.hash).into_iter().map(|device| (device, blob.id)))
        .map(|(device, id)| async move { device.replica.reclaim(vec![id]).await })
        .collect();
    let deadline = shared.options.answer_deadline;
    drop(collect(&mut calls, Patience { straggler_delay: deadline, deadline }, |_| false).await);
}

fn enough<T>(majority: usize) -> impl FnMut(&(DeviceId, Answered<T>)) -> bool {
    let mut good = 0;
    move |(_, answer)| {
        good += usize::from(answer.is_ok());
        good >= majority
    }
}

//! What a device is asked for.

use bytes::Bytes;
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobId, Block, NewBlob, Prepare, Promise, Replica, ReplicaError, SealToken, TableId,
    Tombstone,
};
use martlet_storage_node::disk::segment::SEGMENT_BODY_BYTES_MAX;

/// One request, with everything that it carries.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Prepare(Prepare),
    Accept(Box<Accept>),
    Stage { new: NewBlob, bytes: Bytes, end: StageEnd },
    Seal(TableId, SealToken),
    Unseal(TableId, SealToken),
    Settle(Vec<BlobId>),
    Reclaim(Vec<BlobId>),
    Forget(Vec<Tombstone>),
}

/// How a client ends an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StageEnd {
    Finish,
    /// The client hangs up after this many blocks.
    Abandon(usize),
}

/// What the device said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Promised(Box<Promise>),
}

impl Operation {
    /// How the upload of a blob ends that is too large for a segment.
    pub(crate) fn stages_file(&self) -> Option<StageEnd> {
        match self {
            Self::Stage { bytes, end, .. } if bytes.len() as u64 > SEGMENT_BODY_BYTES_MAX => Some(*end),
            _ => None,
        }
    }

    /// Asks the device, and waits for its answer.
    pub(crate) async fn perform(&self, device: &dyn Replica) -> Result<Answer, ReplicaError> {
        match self {
            Self::Prepare(prepare) => {
                return device
                    .prepare(prepare.clone())
                    .await
                    .map(|promise| Answer::Promised(Box::new(promise)));
            }
            Self::Accept(accept) => device.accept(Accept::clone(accept)).await,
            Self::Stage { new, bytes, end } => stage(device, new, bytes, *end).await,
            Self::Seal(table, token) => device.seal(*table, *token).await,
            Self::Unseal(table, token) => device.unseal(*table, *token).await,
            Self::Settle(blobs) => device.settle_garbage(blobs.clone()).await,
            Self::Reclaim(blobs) => device.reclaim(blobs.clone()).await,
            Self::Forget(tombstones) => device.forget(tombstones.clone()).await,
        }
        .map(|()| Answer::Done)
    }
}

async fn stage(
    device: &dyn Replica,
    new: &NewBlob,
    bytes: &Bytes,
    end: StageEnd,
) -> Result<(), ReplicaError> {
    let mut writer = device.stage(new.clone()).await?;
    for (number, start) in (0..bytes.len()).step_by(BLOCK_BYTES).enumerate() {
        if end == StageEnd::Abandon(number) {
            return Ok(());
        }
        writer.write(Block::new(bytes.slice(start..bytes.len().min(start + BLOCK_BYTES)))).await?;
    }
    match end {
        StageEnd::Finish => writer.finish().await,
        StageEnd::Abandon(_) => Ok(()),
    }
}

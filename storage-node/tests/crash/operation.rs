//! What a device is asked for.

use bytes::Bytes;
use martlet_protocol::{
    Accept, BLOCK_BYTES, BlobId, Block, NewBlob, Prepare, Promise, Replica, ReplicaError, SealToken, TableId,
    Tombstone,
};

/// One request, with everything that it carries.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Prepare(Prepare),
    Accept(Accept),
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
    Promised(Promise),
}

impl Operation {
    /// Asks the device, and waits for its answer.
    pub(crate) async fn perform(&self, device: &dyn Replica) -> Result<Answer, ReplicaError> {
        match self {
            Self::Prepare(prepare) => return device.prepare(prepare.clone()).await.map(Answer::Promised),
            Self::Accept(accept) => device.accept(accept.clone()).await,
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

//! Asks one replica to accept a state, and gives it the blobs that it misses.

use std::sync::Arc;

use martlet_protocol::{
    Accept, BlobId, BlobOwner, BlobRef, CarriedBody, ReplicaError, RowAddress, RowState, SealToken,
};
use martlet_register::Ballot;

use crate::blob::copy::{Onto, copy};
use crate::cluster::Shared;
use crate::device::Device;
use crate::record::version::head_of;

/// One accept as it goes to all replicas of a row.
pub(super) struct Proposal {
    pub(super) row: RowAddress,
    pub(super) ballot: Ballot,
    pub(super) state: RowState,
    pub(super) body: Option<CarriedBody>,
    pub(super) garbage: Vec<BlobRef>,
    pub(super) seal: Option<SealToken>,
}

impl Proposal {
    fn request(&self) -> Accept {
        Accept {
            row: self.row.clone(),
            ballot: self.ballot,
            state: self.state.clone(),
            body: self.body.clone(),
            garbage: self.garbage.clone(),
            seal: self.seal,
        }
    }

    /// Sends it to `devices[to]`. A replica that misses blobs gets them from one that has them, and is asked again.
    pub(super) async fn send(
        self: Arc<Self>,
        shared: Arc<Shared>,
        devices: Vec<Arc<Device>>,
        to: usize,
    ) -> Result<(), ReplicaError> {
        let device = &devices[to];
        match device.replica.accept(self.request()).await {
            Err(ReplicaError::MissingBlobs(missing)) => {
                self.supply(&shared, &devices, to, &missing).await?;
                device.replica.accept(self.request()).await
            }
            answer => answer,
        }
    }

    async fn supply(
        &self,
        shared: &Shared,
        devices: &[Arc<Device>],
        to: usize,
        missing: &[BlobId],
    ) -> Result<(), ReplicaError> {
        let owner = BlobOwner::Row(head_of(&self.row));
        for blob in self.state.value.blobs().iter().filter(|blob| missing.contains(&blob.id)) {
            let holders = (0..devices.len()).filter(|&index| index != to).map(|index| &devices[index]);
            copy(shared, (blob, &owner), holders, &devices[to], Onto::Free).await?;
        }
        Ok(())
    }
}

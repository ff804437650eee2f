//! Staging a blob at the other end.

use std::sync::Arc;

use async_trait::async_trait;
use martlet_protocol::{BlobWriter, Block, ReplicaError};
use martlet_ring::DeviceId;
use tokio::sync::{Semaphore, oneshot};

use super::call::{Call, ClientConnection, Waiter};
use crate::frame::Kind;
use crate::limits::{FRAME_BYTES_MAX, STREAM_WINDOW_BLOCKS_MIN};
use crate::message::{Message, Reply, Request, encode_block};

/// A blob on its way out. Dropped before its end, it is abandoned at the other end too.
pub(super) struct Upload {
    call: Call,
    credit: Arc<Semaphore>,
    outcome: oneshot::Receiver<Reply>,
}

pub(super) async fn begin(
    connection: &Arc<ClientConnection>,
    device: DeviceId,
    request: &Request,
    message: Message,
) -> Result<Upload, ReplicaError> {
    let room = connection.room(device, request, message.len()).await?;
    let (opened, is_open) = oneshot::channel();
    let (sender, outcome) = oneshot::channel();
    let credit = Arc::new(Semaphore::new(STREAM_WINDOW_BLOCKS_MIN));
    let waiter = Waiter::Upload { opened: Some(opened), outcome: sender, credit: credit.clone() };
    let mut call = connection.begin(waiter, message, room)?;
    match is_open.await {
        Ok(Ok(_)) => Ok(Upload { call, credit, outcome }),
        Ok(Err(refusal)) => {
            call.over();
            Err(refusal)
        }
        Err(_) => Err(connection.why_ended()),
    }
}

#[async_trait]
impl BlobWriter for Upload {
    /// `Ok` when the block is on its way; what the device says against it comes with a later block or the end.
    async fn write(&mut self, block: Block) -> Result<(), ReplicaError> {
        let message = encode_block(&block);
        if message.len() > FRAME_BYTES_MAX {
            return Err(ReplicaError::Invalid("a block above the limit of the link"));
        }
        let Ok(credit) = self.credit.clone().acquire_owned().await else {
            return Err(self.failure().await);
        };
        credit.forget();
        let outbox = &self.call.connection.outbox;
        let sent = match outbox.block_permit().await {
            Ok(permit) => outbox.push_block(self.call.id, message, permit),
            Err(ended) => Err(ended),
        };
        sent.map_err(|_| self.call.connection.why_ended())
    }

    async fn finish(self: Box<Self>) -> Result<(), ReplicaError> {
        let Self { call, outcome, .. } = *self;
        let finish = call.connection.outbox.push_after_blocks(Kind::Finish, call.id, Message::default());
        finish.map_err(|_| call.connection.why_ended())?;
        call.reply(outcome).await.map(|_| ())
    }
}

impl Upload {
    /// Why the blob ended before its time.
    async fn failure(&mut self) -> ReplicaError {
        match (&mut self.outcome).await {
            Ok(Err(error)) => {
                self.call.over();
                error
            }
            Ok(Ok(_)) => super::other_answer(),
            Err(_) => self.call.connection.why_ended(),
        }
    }
}

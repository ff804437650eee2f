//! Reading a blob from the other end.

use std::sync::Arc;

use futures_util::stream;
use martlet_protocol::{Block, BlockStream, ReplicaError};
use martlet_ring::DeviceId;
use tokio::sync::{mpsc, oneshot};

use super::call::{Call, ClientConnection, Event, Waiter};
use crate::frame::Kind;
use crate::limits::STREAM_WINDOW_BLOCKS;
use crate::message::{Message, Request};

struct Download {
    call: Call,
    events: mpsc::Receiver<Event>,
    has_ended: bool,
}

pub(super) async fn begin(
    connection: &Arc<ClientConnection>,
    device: DeviceId,
    request: &Request,
    message: Message,
) -> Result<BlockStream, ReplicaError> {
    let room = connection.room(device, request, message.len()).await?;
    let (opened, is_open) = oneshot::channel();
    // The window, and the end.
    let (sender, events) = mpsc::channel(STREAM_WINDOW_BLOCKS + 1);
    let waiter = Waiter::Download { opened: Some(opened), events: sender };
    let mut call = connection.begin(waiter, message, room)?;
    match is_open.await {
        Ok(Ok(_)) => {
            let download = Download { call, events, has_ended: false };
            Ok(Box::pin(stream::unfold(download, |mut download| async {
                download.next().await.map(|block| (block, download))
            })))
        }
        Ok(Err(refusal)) => {
            call.over();
            Err(refusal)
        }
        Err(_) => Err(connection.why_ended()),
    }
}

impl Download {
    async fn next(&mut self) -> Option<Result<Block, ReplicaError>> {
        if self.has_ended {
            return None;
        }
        match self.events.recv().await {
            Some(Event::Block(block)) => {
                let credit = Message { head: 1_u32.to_le_bytes().to_vec().into(), ..Message::default() };
                // A connection that has ended shows when the blocks that came are used up.
                let _ = self.call.connection.outbox.push(Kind::Credit, self.call.id, credit);
                Some(Ok(block))
            }
            Some(Event::End(outcome)) => {
                self.has_ended = true;
                self.call.over();
                outcome.err().map(Err)
            }
            None => {
                self.has_ended = true;
                Some(Err(self.call.connection.why_ended()))
            }
        }
    }
}

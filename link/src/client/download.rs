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
use crate::window::Window;

struct Download {
    call: Call,
    events: mpsc::Receiver<Event>,
    window: Window,
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
            let mut download = Download { call, events, window: Window::default(), has_ended: false };
            download.give_credit(0);
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
    fn give_credit(&mut self, taken: u32) {
        if let Some(credit) = self.window.credit(taken) {
            // A connection that has ended shows when the blocks that came are used up.
            let _ = self.call.connection.outbox.push(Kind::Credit, self.call.id, credit);
        }
    }

    async fn next(&mut self) -> Option<Result<Block, ReplicaError>> {
        if self.has_ended {
            return None;
        }
        match self.events.recv().await {
            Some(Event::Block(block)) => {
                self.give_credit(1);
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

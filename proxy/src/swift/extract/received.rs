//! The body of a request as the archive that it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use martlet_model::ByteStream;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio::sync::oneshot;

/// The archive as it comes off the connection.
pub(super) struct Received {
    stream: ByteStream,
    chunk: Bytes,
    /// Told when the client has sent everything.
    ended: Option<oneshot::Sender<()>>,
}

impl Received {
    pub(super) fn new(stream: ByteStream, ended: oneshot::Sender<()>) -> Self {
        Self { stream, chunk: Bytes::new(), ended: Some(ended) }
    }
}

impl AsyncBufRead for Received {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let received = self.get_mut();
        while received.chunk.is_empty() {
            match ready!(received.stream.poll_next_unpin(context)) {
                Some(Ok(chunk)) => received.chunk = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => {
                    if let Some(ended) = received.ended.take() {
                        let _nobody_waits = ended.send(());
                    }
                    break;
                }
            }
        }
        Poll::Ready(Ok(&received.chunk))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        self.get_mut().chunk.advance(bytes);
    }
}

impl AsyncRead for Received {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let there = ready!(self.as_mut().poll_fill_buf(context))?;
        let taken = there.len().min(buffer.remaining());
        buffer.put_slice(&there[..taken]);
        self.consume(taken);
        Poll::Ready(Ok(()))
    }
}

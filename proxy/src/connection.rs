//! One connection: HTTP/1.1 over a stream whose reader mustn't fall asleep.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::TryFutureExt as _;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::gateway::Gateway;
use crate::limits::{
    HEAD_BYTES_MAX, HEAD_DURATION_MAX, HEADERS_COUNT_MAX, LINGER_BYTES_MAX, LINGER_DURATION_MAX,
    READ_BUFFER_BYTES_MAX, WRITE_PAUSE_MAX,
};
use crate::server::Presence;

/// Serves one request after the other, until the client goes or `closing` turns true.
pub(crate) async fn serve(
    (stream, client): (TcpStream, IpAddr),
    gateway: Arc<Gateway>,
    presence: Presence,
    mut closing: watch::Receiver<bool>,
) {
    // Without it, the last piece of an answer waits for the client's delayed acknowledgement: 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY can't be set");
    }
    let service = service_fn(move |request| {
        let (answering, gateway) = (gateway.answer(request, client, presence.clone()), gateway.clone());
        answering.map_ok(move |mut response| {
            // Whoever comes back opens another connection, and doesn't send a request into one that is about to end.
            if gateway.is_stopping() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DURATION_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_COUNT_MAX)
        .max_buf_size(READ_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Impatient::new(stream)), service);

    let finished = tokio::select! {
        biased;
        outcome = poll_fn(|context| connection.poll_without_shutdown(context)) => Some(outcome),
        _ = closing.wait_for(|closing| *closing) => None,
    };
    let outcome = if let Some(outcome) = finished {
        outcome
    } else {
        Pin::new(&mut connection).graceful_shutdown();
        poll_fn(|context| connection.poll_without_shutdown(context)).await
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended badly");
    }
    let stream = connection.into_parts().io.into_inner().stream;
    if !*closing.borrow() {
        linger(stream).await;
    }
}

/// Lets the client read the answer before the connection goes away:
/// closing it with bytes unread would make the client's system forget what it has received.
async fn linger(mut stream: TcpStream) {
    let drained = async {
        stream.shutdown().await?;
        let mut ignored = [0; 4096];
        let mut drained = 0;
        while drained < LINGER_BYTES_MAX {
            match stream.read(&mut ignored).await? {
                0 => break,
                bytes => drained += bytes,
            }
        }
        io::Result::Ok(())
    };
    // Whatever goes wrong here, the connection is over.
    let _: Result<io::Result<()>, _> = timeout(LINGER_DURATION_MAX, drained).await;
}

/// A stream that gives up on a client that takes nothing for [`WRITE_PAUSE_MAX`].
struct Impatient {
    stream: TcpStream,
    /// Set while the client takes nothing.
    deadline: Option<Instant>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Impatient {
    fn new(stream: TcpStream) -> Self {
        Self { stream, deadline: None, pause: None }
    }

    fn patiently<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let outcome = write(Pin::new(&mut self.stream), context);
        if outcome.is_ready() {
            self.deadline = None;
            return outcome;
        }
        let fresh = self.deadline.is_none();
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + WRITE_PAUSE_MAX);
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if fresh {
            pause.as_mut().reset(deadline);
        }
        pause.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.patiently(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.patiently(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patiently(context, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patiently(context, AsyncWrite::poll_shutdown)
    }
}

//! Bodies: from a connection to the store, and back.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body::Body as _;
use hyper::body::Incoming;
use martlet_model::{BodyError, ByteStream, ChecksumCell, ObjectStream};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::{BODY_PAUSE_MAX, BODY_RATE_MIN};
use crate::request_id::RequestId;

/// The body of a request. Until it is read, a client that asked with `Expect: 100-continue` hasn't sent it.
pub struct RequestBody {
    declared: Option<u64>,
    stream: ByteStream,
    checksum: ChecksumCell,
    call: BodyCall,
}

/// How far a body has come that was asked for.
#[derive(Clone, Debug, Default)]
pub struct BodyCall(Arc<BodyProgress>);

#[derive(Debug, Default)]
struct BodyProgress {
    has_ended: AtomicBool,
    received_bytes: AtomicU64,
    waited_micros: AtomicU64,
}

impl BodyCall {
    /// Whether all of a body of this length, or of one whose length wasn't told, has come off the connection.
    pub fn is_answered(&self, declared: Option<u64>) -> bool {
        let has_ended = || self.0.has_ended.load(Ordering::Relaxed);
        declared.map_or_else(has_ended, |bytes| self.received_bytes() >= bytes)
    }

    /// How much of the body has come off the connection.
    pub fn received_bytes(&self) -> u64 {
        self.0.received_bytes.load(Ordering::Relaxed)
    }

    /// How long the client has been waited for, in sum.
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.0.waited_micros.load(Ordering::Relaxed))
    }

    fn note(&self, received_bytes: u64, waited: Duration) {
        self.0.received_bytes.store(received_bytes, Ordering::Relaxed);
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.0.waited_micros.store(micros, Ordering::Relaxed);
    }
}

impl RequestBody {
    /// The body as it comes off a connection: held to its declared length, and given up when it stands still.
    pub fn received(incoming: Incoming) -> Self {
        let declared = incoming.size_hint().exact();
        let call = BodyCall::default();
        let received = Received { call: call.clone(), ..Received::new(incoming, declared) };
        Self { call, ..Self::new(declared, Box::pin(received)) }
    }

    pub fn call(&self) -> BodyCall {
        self.call.clone()
    }

    /// A body that `stream` gives; `declared` is the length that was promised for it.
    pub fn new(declared: Option<u64>, stream: ByteStream) -> Self {
        Self { declared, stream, checksum: ChecksumCell::default(), call: BodyCall::default() }
    }

    /// The same body, whose end fills `checksum`: it is sent after the body, and verified there.
    #[must_use]
    pub fn with_trailing(self, checksum: ChecksumCell) -> Self {
        Self { checksum, ..self }
    }

    /// Where the checksum appears that is sent after the body, if one is.
    pub fn trailing(&self) -> ChecksumCell {
        self.checksum.clone()
    }

    /// The length that the client declared, in bytes; `None`: it sends chunks and doesn't say how many.
    pub fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// The same body with a check around it.
    #[must_use]
    pub fn guarded(self, guard: impl FnOnce(ByteStream) -> ByteStream) -> Self {
        Self { stream: guard(self.stream), ..self }
    }

    /// The body for a store; it ends in [`BodyError::TooLarge`] after `bytes_max`.
    pub fn into_stream(self, bytes_max: u64) -> ByteStream {
        if self.declared.is_some_and(|declared| declared <= bytes_max) {
            return self.stream;
        }
        let mut received = 0u64;
        Box::pin(self.stream.map(move |item| {
            let bytes = item?;
            received = received.saturating_add(bytes.len() as u64);
            if received > bytes_max { Err(BodyError::TooLarge { bytes_max }) } else { Ok(bytes) }
        }))
    }

    /// The whole body, where it is small by nature.
    pub async fn collect(self, bytes_max: u64) -> Result<Bytes, BodyError> {
        if self.declared.is_some_and(|declared| declared > bytes_max) {
            return Err(BodyError::TooLarge { bytes_max });
        }
        let mut stream = self.into_stream(bytes_max);
        let Some(first) = stream.try_next().await? else { return Ok(Bytes::new()) };
        let Some(second) = stream.try_next().await? else { return Ok(first) };
        let mut whole = BytesMut::from(&first[..]);
        whole.extend_from_slice(&second);
        while let Some(bytes) = stream.try_next().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }
}

/// An object's bytes as the body of an answer.
/// An error in the middle is logged and breaks the connection: a client never takes the beginning for the whole.
pub fn download(mut bytes: ObjectStream, id: RequestId) -> Body {
    // The handler is over, and whoever sends the answer asks for the bytes.
    let bytes = stream::poll_fn(move |context| {
        let _entered = martlet_request::enter(Some(id));
        bytes.poll_next_unpin(context)
    });
    Body::from_stream(bytes.inspect_err(move |error| {
        tracing::error!(request = %id, %error, "a download broke off");
    }))
}

/// What comes off a connection, one frame after the other.
struct Received<B> {
    body: B,
    declared: Option<u64>,
    bytes: u64,
    /// Set while waiting for the next frame.
    waiting_since: Option<Instant>,
    /// How long earlier frames have been waited for, in sum; the time that the store takes doesn't count.
    waited: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    ended: bool,
    call: BodyCall,
}

impl<B> Received<B> {
    fn new(body: B, declared: Option<u64>) -> Self {
        Self {
            body,
            declared,
            bytes: 0,
            waiting_since: None,
            waited: Duration::ZERO,
            pause: None,
            ended: false,
            call: BodyCall::default(),
        }
    }

    /// Ready once the body has been waited for too long.
    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let fresh = self.waiting_since.is_none();
        let deadline = *self.waiting_since.get_or_insert_with(Instant::now) + self.patience();
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if fresh {
            pause.as_mut().reset(deadline);
        }
        pause.as_mut().poll(context)
    }

    /// How long the next frame is waited for.
    fn patience(&self) -> Duration {
        let earned = Duration::from_secs(self.bytes / BODY_RATE_MIN);
        (BODY_PAUSE_MAX + earned).saturating_sub(self.waited).min(BODY_PAUSE_MAX)
    }

    /// The error of a body that stopped before its end.
    fn cut_short(&self) -> BodyError {
        match self.declared {
            Some(declared) => BodyError::Truncated { received: self.bytes, declared },
            None => BodyError::Disconnected,
        }
    }
}

impl<B: http_body::Body<Data = Bytes, Error = hyper::Error> + Unpin> Received<B> {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                ready!(self.poll_pause(context));
                return Poll::Ready(Some(Err(BodyError::TooSlow)));
            };
            if let Some(since) = self.waiting_since.take() {
                self.waited += since.elapsed();
            }
            match frame {
                Some(Ok(frame)) => {
                    // Trailers say nothing here: what they could mean was refused with the head.
                    if let Ok(bytes) = frame.into_data() {
                        self.bytes += bytes.len() as u64;
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Some(Err(error)) if is_bad_framing(&error) => {
                    return Poll::Ready(Some(Err(BodyError::BadFraming("a chunk"))));
                }
                Some(Err(_)) => return Poll::Ready(Some(Err(self.cut_short()))),
                None if self.declared.is_some_and(|declared| declared != self.bytes) => {
                    return Poll::Ready(Some(Err(self.cut_short())));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<B: http_body::Body<Data = Bytes, Error = hyper::Error> + Unpin> Stream for Received<B> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_frame(context));
        self.call.note(self.bytes, self.waited);
        self.ended = !matches!(item, Some(Ok(_)));
        if item.is_none() {
            self.call.0.has_ended.store(true, Ordering::Relaxed);
        }
        Poll::Ready(item)
    }
}

/// Whether the client wrote chunks that aren't any, rather than nothing more.
fn is_bad_framing(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData))
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("declared", &self.declared).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http_body::Frame;
    use martlet_model::store::whole_body;

    use super::*;

    /// A body that gives a frame of so many bytes every 29 seconds.
    struct Dripping {
        frame_bytes: usize,
        next: Pin<Box<Sleep>>,
    }

    const DRIP: Duration = Duration::from_secs(29);

    impl Dripping {
        fn new(frame_bytes: usize) -> Self {
            Self { frame_bytes, next: Box::pin(sleep_until(Instant::now() + DRIP)) }
        }
    }

    impl http_body::Body for Dripping {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            ready!(self.next.as_mut().poll(context));
            self.next.as_mut().reset(Instant::now() + DRIP);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; self.frame_bytes])))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_too_slowly_is_given_up() {
        let mut body = Received::new(Dripping::new(1), None);
        assert_eq!(body.next().await, Some(Ok(Bytes::from("x"))));
        assert_eq!(body.next().await, Some(Err(BodyError::TooSlow)));
        let mut body = Received::new(Dripping::new(32 * 1024), None);
        for _ in 0..100 {
            assert!(body.next().await.unwrap().is_ok());
        }
    }

    /// A body that gives some frames and then stands still.
    struct Stuck(VecDeque<&'static str>);

    impl http_body::Body for Stuck {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            match self.0.pop_front() {
                Some(text) => Poll::Ready(Some(Ok(Frame::data(Bytes::from(text))))),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up() {
        let mut body = Received::new(Stuck(VecDeque::from(["mart"])), Some(7));
        let begun = Instant::now();
        assert_eq!(body.next().await, Some(Ok(Bytes::from("mart"))));
        assert_eq!(body.next().await, Some(Err(BodyError::TooSlow)));
        assert!(begun.elapsed() >= BODY_PAUSE_MAX && begun.elapsed() < 2 * BODY_PAUSE_MAX);
        assert_eq!(body.next().await, None);
    }

    #[tokio::test]
    async fn a_body_is_not_read_beyond_its_limit() {
        let body = || RequestBody::new(None, whole_body("martlet"));
        assert_eq!(body().collect(7).await, Ok(Bytes::from("martlet")));
        assert_eq!(body().collect(6).await, Err(BodyError::TooLarge { bytes_max: 6 }));
    }

    #[tokio::test]
    async fn a_body_that_declares_too_much_is_not_read_at_all() {
        let body = RequestBody::new(Some(8), Box::pin(futures_util::stream::pending()));
        assert_eq!(body.collect(7).await, Err(BodyError::TooLarge { bytes_max: 7 }));
    }
}

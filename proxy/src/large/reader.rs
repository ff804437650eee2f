//! Pieces of several objects as one stream.
//!
//! The next object is opened while the present one is still sent, one ahead:
//! so many small segments are read as fast as one large object, and no more than two are open at a time.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::BoxFuture;
use martlet_auth::Guarded;
use martlet_model::{ByteRange, Conditions, ETagStyle, Error, Match, ObjectStream, Read, Span};

use super::plan::{Piece, SegmentOf};
use super::{DEPTH_MAX, Found, LargeError, find};
use crate::links::{LinkError, Way};

/// The bytes of some pieces, in order.
pub(super) struct Reader {
    store: Guarded,
    waiting: VecDeque<Waiting>,
    /// How many of those that wait are objects.
    objects: usize,
    ahead: Ahead,
    current: Option<Current>,
}

/// What is still to be sent.
enum Waiting {
    Inline(Bytes),
    Object(SegmentOf, usize),
    /// The object that [`Ahead`] is about.
    Ahead,
}

/// The first object of those that wait.
enum Ahead {
    Nothing,
    Opening(BoxFuture<'static, Result<Opened, LargeError>>),
    Open(Current),
    Failed(LargeError),
}

enum Opened {
    Bytes(Current),
    /// It is made of segments itself.
    Pieces(Vec<Piece>),
}

struct Current {
    body: ObjectStream,
    /// How many bytes it still has to give.
    left: u64,
}

impl Reader {
    /// Ready to give its first bytes: the first object is open.
    pub(super) async fn start(store: Guarded, pieces: Vec<Piece>) -> Result<Self, LargeError> {
        let waiting: VecDeque<_> = pieces.into_iter().map(Waiting::from).collect();
        let objects = waiting.iter().filter(|waiting| matches!(waiting, Waiting::Object(..))).count();
        let mut reader = Self { store, waiting, objects, ahead: Ahead::Nothing, current: None };
        poll_fn(|context| {
            reader.look_ahead(context);
            match std::mem::replace(&mut reader.ahead, Ahead::Nothing) {
                Ahead::Failed(error) => Poll::Ready(Err(error)),
                ahead => {
                    let is_opening = matches!(ahead, Ahead::Opening(_));
                    reader.ahead = ahead;
                    if is_opening { Poll::Pending } else { Poll::Ready(Ok(())) }
                }
            }
        })
        .await?;
        Ok(reader)
    }

    /// Begins to open the next object, and goes on with it.
    fn look_ahead(&mut self, context: &mut Context<'_>) {
        loop {
            match &mut self.ahead {
                Ahead::Nothing => match self.take_next_object() {
                    Some((segment, depth)) => {
                        let store = self.store.clone();
                        self.ahead = Ahead::Opening(Box::pin(open(store, segment, depth)));
                    }
                    None => return,
                },
                Ahead::Opening(opening) => match opening.as_mut().poll(context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(Opened::Bytes(current))) => self.ahead = Ahead::Open(current),
                    Poll::Ready(Ok(Opened::Pieces(pieces))) => self.expand(pieces),
                    Poll::Ready(Err(error)) => self.ahead = Ahead::Failed(error),
                },
                Ahead::Open(_) | Ahead::Failed(_) => return,
            }
        }
    }

    fn take_next_object(&mut self) -> Option<(SegmentOf, usize)> {
        if self.objects == 0 {
            return None;
        }
        let next = self.waiting.iter_mut().find(|waiting| matches!(waiting, Waiting::Object(..)))?;
        self.objects -= 1;
        match std::mem::replace(next, Waiting::Ahead) {
            Waiting::Object(segment, depth) => Some((segment, depth)),
            Waiting::Inline(_) | Waiting::Ahead => None,
        }
    }

    /// Puts the pieces of the object that was opened ahead in its place.
    fn expand(&mut self, pieces: Vec<Piece>) {
        self.ahead = Ahead::Nothing;
        let place = self.waiting.iter().position(|waiting| matches!(waiting, Waiting::Ahead)).unwrap_or(0);
        let mut after = self.waiting.split_off(place);
        after.pop_front();
        for piece in pieces {
            let waiting = Waiting::from(piece);
            self.objects += usize::from(matches!(waiting, Waiting::Object(..)));
            self.waiting.push_back(waiting);
        }
        self.waiting.append(&mut after);
    }

    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            self.look_ahead(context);
            if let Some(current) = &mut self.current {
                match ready!(current.poll(context)) {
                    Some(item) => return Poll::Ready(Some(item)),
                    None => self.current = None,
                }
            }
            match self.waiting.pop_front() {
                None => return Poll::Ready(None),
                Some(Waiting::Inline(bytes)) if bytes.is_empty() => {}
                Some(Waiting::Inline(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Waiting::Ahead) => match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
                    Ahead::Open(current) => self.current = Some(current),
                    Ahead::Failed(error) => return Poll::Ready(Some(Err(error.into()))),
                    opening => {
                        self.ahead = opening;
                        self.waiting.push_front(Waiting::Ahead);
                        return Poll::Pending;
                    }
                },
                // It is what `look_ahead` takes next.
                Some(object @ Waiting::Object(..)) => self.waiting.push_front(object),
            }
        }
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.poll_bytes(context));
        if matches!(item, Some(Err(_))) {
            self.waiting.clear();
            self.objects = 0;
            self.current = None;
            self.ahead = Ahead::Nothing;
        }
        Poll::Ready(item)
    }
}

impl Current {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Poll::Ready(match ready!(self.body.as_mut().poll_next(context)) {
            Some(Ok(bytes)) => match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => {
                    self.left = left;
                    Some(Ok(bytes))
                }
                None => Some(Err(Error::Damaged("a segment gave more than its length"))),
            },
            None if self.left > 0 => Some(Err(Error::Damaged("a segment ended early"))),
            item => item,
        })
    }
}

impl From<Piece> for Waiting {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Inline(bytes) => Self::Inline(bytes),
            Piece::Object { segment, depth } => Self::Object(segment, depth),
        }
    }
}

async fn open(store: Guarded, segment: SegmentOf, depth: usize) -> Result<Opened, LargeError> {
    let SegmentOf { id, version, etag, bytes, span } = segment;
    let conditions = Conditions { if_match: Match::OneOf(vec![etag]), ..Conditions::none(ETagStyle::Swift) };
    let range = (span != Span::whole(bytes))
        .then(|| ByteRange::Between { first: span.start, last: span.end.saturating_sub(1) });
    let mut way = Way::to(&id, version);
    let found = loop {
        let read = Read { version: way.version(), conditions: conditions.clone(), range };
        match find(&store, way.id(), read).await {
            Err(LargeError::Store(Error::Link(link))) => way.follow(&link, &store).await.map_err(of_link)?,
            found => break found.map_err(as_segment)?,
        }
    };
    way.confirm(&store).await.map_err(of_link)?;
    match found {
        Found::Plain(download) if download.info.content.bytes == bytes => {
            Ok(Opened::Bytes(Current { body: download.body, left: span.bytes() }))
        }
        Found::Large(_) if depth >= DEPTH_MAX => Err(LargeError::Broken("manifests are nested too deeply")),
        Found::Large(large) if large.info.content.bytes == bytes => {
            Ok(Opened::Pieces(super::plan::pieces(&large.segments, span, depth + 1)))
        }
        Found::Plain(_) | Found::Large(_) => Err(LargeError::Broken("a segment has another length")),
    }
}

fn of_link(error: LinkError) -> LargeError {
    match error {
        LinkError::Store(error) => as_segment(error.into()),
        LinkError::TooMany | LinkError::Changed { .. } | LinkError::Contradiction => {
            LargeError::Broken("a segment is a link that can't be followed")
        }
    }
}

/// What is wrong with a segment is no fault of the object's reader.
fn as_segment(error: LargeError) -> LargeError {
    match error {
        LargeError::Store(Error::NotFound(_) | Error::DeleteMarker { .. }) => {
            LargeError::Broken("a segment is missing")
        }
        LargeError::Store(
            Error::PreconditionFailed | Error::NothingToMatch | Error::RangeUnsatisfiable(_),
        ) => LargeError::Broken("a segment has changed"),
        LargeError::Store(Error::Denied) => LargeError::Broken("a segment may not be read"),
        error => error,
    }
}

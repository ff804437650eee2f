//! Pieces of several objects as one stream.
//!
//! What comes next is opened while the present object is still sent: one object, or a few where they are small
//! ([`AHEAD_COUNT_MAX`]). So many small segments are read as fast as one large object.

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

/// Objects that are opened ahead at most, if they have no more than [`AHEAD_BYTES_MAX`] together.
/// Finding one takes about as long as sending 256 KiB.
const AHEAD_COUNT_MAX: usize = 4;
const AHEAD_BYTES_MAX: u64 = 512 * 1024;

/// The bytes of some pieces, in order.
pub(super) struct Reader {
    store: Guarded,
    waiting: VecDeque<Waiting>,
    current: Option<Current>,
}

/// What is still to be sent.
enum Waiting {
    Inline(Bytes),
    Object(SegmentOf, usize),
    Opening { bytes: u64, opening: BoxFuture<'static, Result<Opened, LargeError>> },
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
    fetched: Fetched,
}

/// What a body has given ahead of its turn.
enum Fetched {
    Nothing,
    Item(Result<Bytes, Error>),
    End,
}

impl Reader {
    /// Ready to give its first bytes: the first object is open.
    pub(super) async fn start(store: Guarded, pieces: Vec<Piece>) -> Result<Self, LargeError> {
        let waiting: VecDeque<_> = pieces.into_iter().map(Waiting::from).collect();
        let mut reader = Self { store, waiting, current: None };
        poll_fn(|context| {
            reader.look_ahead(context);
            let first = reader.waiting.iter_mut().find(|waiting| !matches!(waiting, Waiting::Inline(_)));
            match first {
                Some(Waiting::Opening { .. }) => Poll::Pending,
                Some(failed @ Waiting::Failed(_)) => {
                    match std::mem::replace(failed, Waiting::Inline(Bytes::new())) {
                        Waiting::Failed(error) => Poll::Ready(Err(error)),
                        _ => Poll::Ready(Ok(())),
                    }
                }
                _ => Poll::Ready(Ok(())),
            }
        })
        .await?;
        Ok(reader)
    }

    /// Begins to open what comes next, and goes on with what is begun.
    fn look_ahead(&mut self, context: &mut Context<'_>) {
        let (mut place, mut ahead_count, mut ahead_bytes) = (0, 0, 0);
        while let Some(waiting) = self.waiting.get_mut(place) {
            let bytes = waiting.bytes();
            if matches!(waiting, Waiting::Object(..)) {
                let has_room = ahead_count < AHEAD_COUNT_MAX && ahead_bytes + bytes <= AHEAD_BYTES_MAX;
                if ahead_count > 0 && !has_room {
                    return;
                }
                waiting.begin(&self.store);
            }
            match waiting.go_on(context) {
                Progress::Failed => return,
                Progress::Nested(pieces) => {
                    self.expand(place, pieces);
                    continue;
                }
                Progress::Underway => ahead_count += 1,
                Progress::NotNeeded => {}
            }
            ahead_bytes += bytes;
            place += 1;
        }
    }

    /// Puts the pieces of an object that is made of some in its place.
    fn expand(&mut self, place: usize, pieces: Vec<Piece>) {
        let mut after = self.waiting.split_off(place);
        after.pop_front();
        self.waiting.extend(pieces.into_iter().map(Waiting::from));
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
                Some(Waiting::Open(current)) => self.current = Some(current),
                Some(Waiting::Failed(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(opening @ Waiting::Opening { .. }) => {
                    self.waiting.push_front(opening);
                    return Poll::Pending;
                }
                // It is what `look_ahead` takes next.
                Some(object @ Waiting::Object(..)) => self.waiting.push_front(object),
            }
        }
    }
}

/// How far what waits has come.
enum Progress {
    /// There is nothing to be opened.
    NotNeeded,
    Underway,
    Nested(Vec<Piece>),
    Failed,
}

impl Waiting {
    fn bytes(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Object(segment, _) => segment.span.bytes(),
            Self::Opening { bytes, .. } => *bytes,
            Self::Open(current) => current.left,
            Self::Failed(_) => 0,
        }
    }

    fn begin(&mut self, store: &Guarded) {
        let bytes = self.bytes();
        *self = match std::mem::replace(self, Self::Inline(Bytes::new())) {
            Self::Object(segment, depth) => {
                Self::Opening { bytes, opening: Box::pin(open(store.clone(), segment, depth)) }
            }
            other => other,
        };
    }

    fn go_on(&mut self, context: &mut Context<'_>) -> Progress {
        if let Self::Opening { opening, .. } = self {
            match opening.as_mut().poll(context) {
                Poll::Pending => return Progress::Underway,
                Poll::Ready(Ok(Opened::Pieces(pieces))) => return Progress::Nested(pieces),
                Poll::Ready(Ok(Opened::Bytes(current))) => *self = Self::Open(current),
                Poll::Ready(Err(error)) => *self = Self::Failed(error),
            }
        }
        match self {
            Self::Open(current) => {
                current.fetch(context);
                Progress::Underway
            }
            Self::Failed(_) => Progress::Failed,
            Self::Inline(_) | Self::Object(..) | Self::Opening { .. } => Progress::NotNeeded,
        }
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.poll_bytes(context));
        if matches!(item, Some(Err(_))) {
            self.waiting.clear();
            self.current = None;
        }
        Poll::Ready(item)
    }
}

impl Current {
    fn new(body: ObjectStream, bytes: u64) -> Self {
        Self { body, left: bytes, fetched: Fetched::Nothing }
    }

    /// Has the first bytes come, before it is their turn.
    fn fetch(&mut self, context: &mut Context<'_>) {
        if matches!(self.fetched, Fetched::Nothing)
            && let Poll::Ready(item) = self.body.as_mut().poll_next(context)
        {
            self.fetched = item.map_or(Fetched::End, Fetched::Item);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let item = match std::mem::replace(&mut self.fetched, Fetched::Nothing) {
            Fetched::Nothing => ready!(self.body.as_mut().poll_next(context)),
            Fetched::Item(item) => Some(item),
            Fetched::End => None,
        };
        Poll::Ready(match item {
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
            Ok(Opened::Bytes(Current::new(download.body, span.bytes())))
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

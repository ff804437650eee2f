//! What is kept of every request: figures, and a line of the log.
//!
//! A [`Record`] travels with the request and then with its answer, and is told when it is dropped: once the answer
//! has been sent to its end, or nobody waits for it any more. So there is one for every request, whatever happens.
//!
//! **Invariant:** no query, no header and no body gets into a line: signatures, tokens and keys are in these.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body::{Body as _, Frame, SizeHint};
use martlet_auth::Identity;
use martlet_model::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::body::BodyCall;
use crate::limits::{BODY_TURN_WAIT_MAX, SMALL_BODY_BYTES_MAX};
use crate::request_id::RequestId;
use crate::traffic::{OperationName, Passed, Traffic, UNKNOWN};

/// The target of the lines, one a request, by which a filter can choose them.
pub const ACCESS: &str = "access";

/// How much of a request's path is told, in bytes.
const PATH_BYTES_MAX: usize = 1024;

/// Why an answer is what it is, for the log alone; carried along with the answer.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

impl Cause {
    /// An error and everything that it comes from.
    pub(crate) fn of(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Self(text)
    }
}

/// What is told of every request, and where.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) traffic: Arc<Traffic>,
    /// Whether requests without anything special get a line as well.
    pub(crate) tells_all: bool,
    /// A request that takes longer than this to answer is told as a slow one.
    pub(crate) slow: Duration,
    /// A permit for each large body that may be on its way at once.
    pub(crate) turns: Arc<Semaphore>,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Record {
    journal: Journal,
    id: RequestId,
    client: IpAddr,
    head: Arc<Parts>,
    name: OperationName,
    identity: Identity,
    body: BodyCall,
    begun: Instant,
    answer: Option<Answer>,
    /// Held from the beginning of a large body to the end of the answer.
    turn: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    cause: Option<Cause>,
    after: Duration,
    sent_bytes: u64,
    /// How much there is to be sent, where that is known beforehand.
    declared_bytes: Option<u64>,
    has_ended: bool,
}

impl Answer {
    /// Who knows beforehand how much there is doesn't ask for the end.
    fn is_whole(&self) -> bool {
        self.has_ended || self.declared_bytes == Some(self.sent_bytes)
    }
}

impl Journal {
    pub(crate) fn begin(
        &self,
        (id, client, head): (RequestId, IpAddr, Arc<Parts>),
        body: BodyCall,
    ) -> Record {
        self.traffic.requests.rise();
        Record {
            journal: self.clone(),
            id,
            client,
            head,
            name: OperationName { dialect: "", operation: UNKNOWN },
            identity: Identity::Anonymous,
            body,
            begun: Instant::now(),
            answer: None,
            turn: None,
        }
    }
}

impl Record {
    pub(crate) fn is_of(&mut self, dialect: &'static str) {
        self.name.dialect = dialect;
    }

    pub(crate) fn asks_for(&mut self, operation: &'static str) {
        self.name.operation = operation;
    }

    pub(crate) fn is_from(&mut self, identity: &Identity) {
        self.identity = identity.clone();
    }

    /// Whether the request's body has to wait for its turn: what a body may hold in memory, only so many hold at once.
    pub(crate) fn needs_turn_to_receive(declared_bytes: Option<u64>) -> bool {
        declared_bytes.is_none_or(|bytes| SMALL_BODY_BYTES_MAX < bytes)
    }

    /// The same for the answer's body.
    pub(crate) fn needs_turn_to_send(&self, response: &Response) -> bool {
        let declared_bytes = declared(response.headers()).unwrap_or(response.body().size_hint().lower());
        SMALL_BODY_BYTES_MAX < declared_bytes && self.head.method != Method::HEAD && self.turn.is_none()
    }

    /// Waits until there is room for one more large body; it is held until the record is dropped.
    pub(crate) async fn await_turn(&mut self) -> Result<(), Error> {
        let turn = timeout(BODY_TURN_WAIT_MAX, self.journal.turns.clone().acquire_owned()).await;
        self.turn = turn.map_err(|_| Error::Unavailable("too many large bodies at once"))?.ok();
        Ok(())
    }

    /// The same answer, which tells of itself when it has been sent.
    pub(crate) fn accompany(mut self, response: Response) -> Response {
        let (mut head, body) = response.into_parts();
        self.answer = Some(Answer {
            status: head.status.as_u16(),
            cause: head.extensions.remove(),
            after: self.begun.elapsed(),
            sent_bytes: 0,
            declared_bytes: body.size_hint().exact().or_else(|| declared(&head.headers)),
            // The answer to HEAD has no body, whatever it says of it.
            has_ended: self.head.method == Method::HEAD || body.is_end_stream(),
        });
        Response::from_parts(head, Body::new(Accompanied { body, record: self }))
    }

    fn note_sent(&mut self, bytes: usize) {
        if let Some(answer) = &mut self.answer {
            answer.sent_bytes += bytes as u64;
        }
    }

    fn note_end(&mut self) {
        if let Some(answer) = &mut self.answer {
            answer.has_ended = true;
        }
    }

    fn path(&self) -> &str {
        let path = self.head.uri.path();
        path.get(..PATH_BYTES_MAX).unwrap_or(path)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let traffic = &self.journal.traffic;
        traffic.requests.fall();
        let total = self.begun.elapsed();
        traffic.count(&Passed {
            name: self.name,
            status: self.answer.as_ref().map(|answer| answer.status),
            answered_after: self.answer.as_ref().map_or(total, |answer| answer.after),
            received_bytes: self.body.received_bytes(),
            sent_bytes: self.answer.as_ref().map_or(0, |answer| answer.sent_bytes),
        });
        tell(self, total);
    }
}

/// One line, at a level that says whether somebody should look at it.
macro_rules! line {
    ($level:ident, $record:expr, $total:expr, $text:expr $(, $($more:tt)+)?) => {
        tracing::$level!(
            target: ACCESS,
            request = %$record.id,
            dialect = $record.name.dialect,
            operation = $record.name.operation,
            method = %$record.head.method,
            path = $record.path(),
            status = $record.answer.as_ref().map_or(0, |answer| answer.status),
            received_bytes = $record.body.received_bytes(),
            sent_bytes = $record.answer.as_ref().map_or(0, |answer| answer.sent_bytes),
            answer_micros = $record.answer.as_ref().map_or(0, |answer| micros(answer.after)),
            total_micros = micros($total),
            client = %$record.client,
            account = $record.identity.account().map(martlet_model::AccountName::as_str),
            $($($more)+,)?
            $text
        )
    };
}

fn tell(record: &Record, total: Duration) {
    let Some(answer) = &record.answer else {
        return line!(warn, record, total, "nobody waited for the answer to this request");
    };
    let cause = answer.cause.as_ref().map_or("", |cause| cause.0.as_str());
    // What the client took to send its body is no slowness of ours.
    let is_slow = record.journal.slow <= answer.after.saturating_sub(record.body.waited());
    match answer.status {
        500 => line!(error, record, total, "a request failed", cause),
        501 => {}
        502.. => line!(warn, record, total, "a request was refused for now", cause),
        _ if is_slow => line!(warn, record, total, "a slow request", cause),
        _ if !record.journal.tells_all => {}
        _ if answer.is_whole() => line!(info, record, total, "request"),
        _ => line!(info, record, total, "request, whose answer wasn't taken to its end"),
    }
    if answer.status == 501 && record.journal.tells_all {
        line!(info, record, total, "request");
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body of an answer, and the record that waits for its end.
struct Accompanied {
    body: Body,
    record: Record,
}

impl http_body::Body for Accompanied {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.record.note_sent(bytes);
            }
            None => self.record.note_end(),
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

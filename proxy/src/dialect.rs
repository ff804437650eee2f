//! What a dialect is, and the corridor that every request walks through.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::Response;
use futures_util::FutureExt as _;
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use martlet_auth::{Guarded, Identity, RequestContext};
use martlet_model::{Error, Store};

use crate::body::RequestBody;
use crate::journal::Record;
use crate::request_id::RequestId;
use crate::server::Presence;

/// A grammar of requests and answers: Swift's or S3's.
///
/// A dialect translates. It holds no state of objects, and reaches the store through a [`Guarded`] alone.
pub trait Dialect: fmt::Debug + Send + Sync + 'static {
    /// One variant an operation, with every header and query flag already typed.
    type Command: fmt::Debug + Send;
    /// Why a request isn't carried out.
    type Refusal: From<Error> + Send;

    /// What it is called in figures and in the log.
    const NAME: &'static str;

    /// What an operation is called there: one of few words, whatever the client says.
    fn operation(command: &Self::Command) -> &'static str;

    /// What the head asks for. Pure: the same head gives the same command.
    /// What is known and not offered is refused here, and never taken for another operation.
    fn parse(&self, head: &Parts) -> Result<Self::Command, Self::Refusal>;

    /// Who is asking: checks the signature or the token.
    /// The body that it gives back fails on whatever in it isn't as was signed.
    ///
    /// The command comes along for requests that say in their body who sends them: a form's command is complete then.
    fn identify(
        &self,
        about: &About,
        command: Self::Command,
        body: RequestBody,
    ) -> impl Future<Output = Result<Identified<Self::Command>, Self::Refusal>> + Send;

    /// Carries the command out. The only place that calls the store.
    fn perform(
        &self,
        command: Self::Command,
        body: RequestBody,
        store: &Guarded,
        about: &About,
    ) -> impl Future<Output = Result<Response, Self::Refusal>> + Send;

    /// Total: from a refusal to status, code and body.
    /// What isn't the client's business goes along as the answer's [`crate::journal::Cause`].
    fn refuse(&self, refusal: Self::Refusal, about: &About) -> Response;

    /// The last touch on every answer, good or bad: what browsers are told about pages of other origins.
    fn finish(
        &self,
        response: Response,
        store: &Arc<dyn Store>,
        about: &About,
    ) -> impl Future<Output = Response> + Send;

    /// The header under which every answer tells the request's id.
    fn id_header(&self, id: RequestId) -> (HeaderName, HeaderValue);
}

/// A request whose sender is known.
#[derive(Debug)]
pub struct Identified<C> {
    pub identity: Identity,
    pub command: C,
    pub body: RequestBody,
    /// What grants may depend on: the request's own context, unless its body says more.
    pub context: RequestContext,
}

/// A request on its way to an answer; there always is one.
pub(crate) type Answering = Detachable<Result<Response, Infallible>>;

/// What answers and log lines say about a request.
#[derive(Debug)]
pub struct About {
    pub id: RequestId,
    /// From where the connection comes.
    pub client: IpAddr,
    pub head: Arc<Parts>,
    /// The same, and what else grants may depend on.
    pub context: RequestContext,
}

/// The corridor: parse, identify, perform, or refuse.
///
/// When the future is dropped because the client hung up, the work goes on without it:
/// the body then ends in an error, which stops an upload; a commit that has begun is finished.
///
/// `presence` is held until the work is done.
pub(crate) fn serve<D: Dialect>(
    dialect: Arc<D>,
    store: Arc<dyn Store>,
    (about, mut record): (About, Record),
    body: RequestBody,
    presence: Presence,
) -> Answering {
    record.is_of(D::NAME);
    Detachable::new(Some(about.id), async move {
        let call = body.call();
        let declared = body.declared();
        let attempt = attempt(&*dialect, store.clone(), body, (&about, &mut record));
        let attempt = AssertUnwindSafe(attempt).catch_unwind().await;
        let outcome = attempt.unwrap_or_else(|panic| Err(Error::Internal(told(&*panic).into()).into()));
        let response = outcome.unwrap_or_else(|refusal| dialect.refuse(refusal, &about));
        let mut response = dialect.finish(response, &store, &about).await;
        let (name, value) = dialect.id_header(about.id);
        response.headers_mut().insert(name, value);
        if !call.is_answered(declared) {
            // What is left of the body would be taken for the next request, so that there mustn't be one
            // (RFC 9112, section 9.3), and the client has to know: else its next request is lost with the connection.
            // Where it was not asked for the body, nobody can tell whether it sends that all the same.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        drop(presence);
        Ok(record.accompany(response))
    })
}

async fn attempt<D: Dialect>(
    dialect: &D,
    store: Arc<dyn Store>,
    body: RequestBody,
    (about, record): (&About, &mut Record),
) -> Result<Response, D::Refusal> {
    let command = dialect.parse(&about.head)?;
    record.asks_for(D::operation(&command));
    let Identified { identity, command, body, context } = dialect.identify(about, command, body).await?;
    record.is_from(&identity);
    if Record::needs_turn_to_receive(body.declared()) {
        record.await_turn().await?;
    }
    let store = Guarded::new(store, identity, context);
    let response = dialect.perform(command, body, &store, about).await?;
    if record.needs_turn_to_send(&response) {
        record.await_turn().await?;
    }
    Ok(response)
}

/// What a panic said.
fn told(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", text.unwrap_or_default())
}

/// A future that is finished in the background when whoever waits for it goes away.
/// Without that it costs one allocation, where a task of its own costs two switches.
pub(crate) struct Detachable<T: Send + 'static> {
    /// Whoever polls it works for this request.
    request: Option<RequestId>,
    /// `None`: it has ended.
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

impl<T: Send + 'static> Detachable<T> {
    fn new(request: Option<RequestId>, work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { request, work: Some(Box::pin(work)) }
    }
}

impl<T: Send + 'static> Future for Detachable<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let _entered = martlet_request::enter(self.request);
        let Some(work) = &mut self.work else { return Poll::Pending };
        let outcome = work.as_mut().poll(context);
        if outcome.is_ready() {
            self.work = None;
        }
        outcome
    }
}

impl<T: Send + 'static> Drop for Detachable<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(martlet_request::within(self.request, work));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it() {
        let (go, gone) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let mut work = Detachable::new(None, async move {
            gone.await.unwrap();
            tell.send("committed").unwrap();
        });
        assert!((&mut work).now_or_never().is_none());
        drop(work);
        go.send(()).unwrap();
        assert_eq!(told.await, Ok("committed"));
    }

    #[tokio::test]
    async fn finished_work_is_not_begun_again() {
        assert_eq!(Detachable::new(None, async { 1 }).await, 1);
    }
}

//! Work that goes on when nobody waits for it any more.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use martlet_request::{RequestId, enter, within};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Counts what goes on in the background, so that a shutdown can wait for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background {
    shared: Arc<Count>,
}

#[derive(Debug, Default)]
struct Count {
    running: AtomicUsize,
    idle: Notify,
}

/// One piece of work; leaving the scope ends it, also by a panic.
struct Running {
    count: Arc<Count>,
}

/// A future that is carried to its end even if the caller stops waiting.
///
/// While the caller waits, it runs in the caller's task: nothing is spawned unless it must be.
pub(crate) struct Unstoppable<T: Send + 'static> {
    work: Option<BoxFuture<'static, T>>,
    is_begun: bool,
    background: Background,
    request: Option<RequestId>,
}

impl Background {
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime the process is about to end, and what isn't done now is found by the sweeps.
        let Ok(runtime) = Handle::try_current() else { return };
        let running = self.begin();
        runtime.spawn(within(martlet_request::current(), async move {
            work.await;
            drop(running);
        }));
    }

    /// Waits until nothing goes on.
    pub(crate) async fn idle(&self) {
        loop {
            let notified = self.shared.idle.notified();
            if self.shared.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }

    pub(crate) fn carry_through<T: Send>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Unstoppable<T> {
        Unstoppable {
            work: Some(Box::pin(work)),
            is_begun: false,
            background: self.clone(),
            request: martlet_request::current(),
        }
    }

    fn begin(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        Running { count: self.shared.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.count.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.count.idle.notify_waiters();
        }
    }
}

impl<T: Send> Future for Unstoppable<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.is_begun = true;
        // A future that has ended isn't polled again.
        let Some(work) = &mut self.work else { return Poll::Pending };
        let outcome = work.as_mut().poll(context);
        if outcome.is_ready() {
            self.work = None;
        }
        outcome
    }
}

impl<T: Send + 'static> Drop for Unstoppable<T> {
    fn drop(&mut self) {
        if let (Some(work), true) = (self.work.take(), self.is_begun) {
            // Whoever drops it may not work for the request any more.
            let _entered = enter(self.request);
            self.background.spawn(async move { drop(work.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_does_not_stop_the_work() {
        let (background, is_done) = (Background::default(), Arc::new(AtomicBool::new(false)));
        let done = is_done.clone();
        let work = background.carry_through(async move {
            sleep(Duration::from_secs(10)).await;
            done.store(true, Ordering::SeqCst);
        });
        assert!(timeout(Duration::from_secs(1), work).await.is_err());
        assert!(!is_done.load(Ordering::SeqCst));
        background.idle().await;
        assert!(is_done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn what_was_never_begun_is_not_done() {
        let background = Background::default();
        drop(background.carry_through(async { panic!("nobody asked for it") }));
        background.idle().await;
    }
}

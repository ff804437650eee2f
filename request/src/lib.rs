//! Which request work is done for: an id that goes along from the proxy to the disks, so that log lines can name it.
//!
//! The id isn't passed from call to call. It belongs to the thread for as long as work for the request runs there:
//! [`Within`] sees to that for a future, which moves between threads, and [`enter`] for everything else.
//! Whoever hands work to another task, thread or process hands the id over as well.
//!
//! **Invariant:** nothing but what is logged depends on it. **Invariant:** no I/O, no clock, no runtime.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// Names one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(NonZeroU64);

impl RequestId {
    pub const fn new(number: NonZeroU64) -> Self {
        Self(number)
    }

    pub const fn number(self) -> NonZeroU64 {
        self.0
    }
}

/// `tx` and 16 hexadecimal digits: the same in answers of both dialects and in all logs.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tx{:016x}", self.0)
    }
}

thread_local! {
    static CURRENT: Cell<Option<RequestId>> = const { Cell::new(None) };
}

/// The request that this thread works for at the moment; `None`: for none.
pub fn current() -> Option<RequestId> {
    CURRENT.get()
}

/// From now on this thread works for `request`, until what is given back is dropped.
#[must_use]
pub fn enter(request: Option<RequestId>) -> Entered {
    Entered { before: CURRENT.replace(request), stays_on_its_thread: PhantomData }
}

/// Dropped, it has the thread work again for whom it worked before.
#[derive(Debug)]
pub struct Entered {
    before: Option<RequestId>,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

pin_project! {
    /// A future that is polled within a request, whichever thread polls it.
    #[derive(Debug)]
    pub struct Within<F> {
        request: Option<RequestId>,
        #[pin]
        work: F,
    }
}

/// Has `work` done within `request`.
pub fn within<F>(request: Option<RequestId>, work: F) -> Within<F> {
    Within { request, work }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = enter(*this.request);
        this.work.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_util::FutureExt;

    use super::*;

    fn request(number: u64) -> Option<RequestId> {
        NonZeroU64::new(number).map(RequestId::new)
    }

    #[test]
    fn a_future_takes_its_request_along_from_thread_to_thread() {
        let mut polls = 0;
        let mut work = Box::pin(within(
            request(7),
            std::future::poll_fn(move |_| {
                assert_eq!(current(), request(7));
                polls += 1;
                if polls < 2 { Poll::Pending } else { Poll::Ready(()) }
            }),
        ));
        assert_eq!((&mut work).now_or_never(), None);
        assert_eq!(current(), None, "the thread works for nobody any more");
        let finished = thread::spawn(move || work.now_or_never()).join().unwrap();
        assert_eq!(finished, Some(()));
    }

    #[test]
    fn who_enters_leaves_again_also_by_a_panic() {
        let outer = enter(request(1));
        let inner = std::panic::catch_unwind(|| {
            let _inner = enter(request(2));
            assert_eq!(current(), request(2));
            panic!("in the middle of the work");
        });
        assert!(inner.is_err());
        assert_eq!(current(), request(1));
        drop(outer);
        assert_eq!(current(), None);
    }

    #[test]
    fn an_id_reads_the_same_everywhere() {
        assert_eq!(request(0xab).unwrap().to_string(), "tx00000000000000ab");
    }
}

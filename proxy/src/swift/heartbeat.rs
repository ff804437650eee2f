//! Answers that are long in coming: blanks tell the client that somebody is still at work.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often a sign of life is sent (Swift: `yield_frequency`).
pub(super) const BEAT_INTERVAL: Duration = Duration::from_secs(10);

/// What parts the signs of life from the report, where there were any.
const SEPARATOR: &str = "\r\n\r\n";

/// The first sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// A blank, at once.
    Now,
    /// This text, when the work has taken that long.
    Later(&'static str),
}

/// A body that gives signs of life until `work` gives the report.
/// The work is done by whoever takes the body: when the client goes away it is begun no further.
pub(super) fn body(work: impl Future<Output = String> + Send + 'static, first: First) -> Body {
    let mut beat = interval_at(Instant::now() + BEAT_INTERVAL, BEAT_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = match first {
        First::Now => Begun::WithBlank,
        First::Later(text) => Begun::Not(text),
    };
    Body::from_stream(Beating { work: Some(Box::pin(work)), beat, begun })
}

struct Beating {
    work: Option<BoxFuture<'static, String>>,
    beat: Interval,
    begun: Begun,
}

/// What has been sent.
enum Begun {
    /// Nothing; this is what comes first.
    Not(&'static str),
    /// Nothing, but a blank is due.
    WithBlank,
    /// Some signs of life.
    Yes,
}

impl Stream for Beating {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        const BLANK: &str = " ";
        if matches!(self.begun, Begun::WithBlank) {
            self.begun = Begun::Yes;
            return Poll::Ready(Some(Ok(Bytes::from_static(BLANK.as_bytes()))));
        }
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        if let Poll::Ready(report) = work.as_mut().poll(context) {
            self.work = None;
            let separator = if matches!(self.begun, Begun::Yes) { SEPARATOR } else { "" };
            return Poll::Ready(Some(Ok(format!("{separator}{report}").into())));
        }
        if self.beat.poll_tick(context).is_pending() {
            return Poll::Pending;
        }
        let text = match self.begun {
            Begun::Not(text) => text,
            Begun::WithBlank | Begun::Yes => BLANK,
        };
        self.begun = Begun::Yes;
        Poll::Ready(Some(Ok(Bytes::from_static(text.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn text(seconds: u64, first: First) -> String {
        let work = async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            "done".to_owned()
        };
        String::from_utf8(body(work, first).collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_quickly_done_needs_no_sign_of_life() {
        assert_eq!(text(9, First::Later("<?xml?>")).await, "done");
    }

    #[tokio::test(start_paused = true)]
    async fn a_blank_comes_every_ten_seconds() {
        assert_eq!(text(35, First::Later("<?xml?>")).await, "<?xml?>  \r\n\r\ndone");
        assert_eq!(text(1, First::Now).await, " \r\n\r\ndone");
        assert_eq!(text(25, First::Now).await, "   \r\n\r\ndone");
    }
}

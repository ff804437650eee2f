//! Answers that are long in coming: blanks tell the client that somebody is still at work.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

/// How often a sign of life is sent (Swift: `yield_frequency`).
pub(super) const BEAT_INTERVAL: Duration = Duration::from_secs(10);

/// What parts the signs of life from the report, where there were any.
const SEPARATOR: &str = "\r\n\r\n";

const BLANK: &str = " ";

/// The first sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// A blank, at once.
    Now,
    /// This text, when the work has taken that long.
    /// There is no answer before: many a client looks at the status alone, and takes the work for done then.
    Later(&'static str),
}

/// A body that gives signs of life until `work` gives the report.
/// Once there is a body, the work is done by whoever takes it: when the client goes away it is begun no further.
pub(super) async fn body(work: impl Future<Output = String> + Send + 'static, first: First) -> Body {
    let mut work: BoxFuture<'static, String> = Box::pin(work);
    let sign = match first {
        First::Now => BLANK,
        First::Later(sign) => match timeout(BEAT_INTERVAL, &mut work).await {
            Ok(report) => return Body::from(report),
            Err(_) => sign,
        },
    };
    let mut beat = interval_at(Instant::now() + BEAT_INTERVAL, BEAT_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Body::from_stream(Beating { work: Some(work), beat, due: Some(sign) })
}

struct Beating {
    work: Option<BoxFuture<'static, String>>,
    beat: Interval,
    /// The sign of life that is to be sent before anything else.
    due: Option<&'static str>,
}

impl Stream for Beating {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(sign) = self.due.take() {
            return Poll::Ready(Some(Ok(Bytes::from_static(sign.as_bytes()))));
        }
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        if let Poll::Ready(report) = work.as_mut().poll(context) {
            self.work = None;
            return Poll::Ready(Some(Ok(format!("{SEPARATOR}{report}").into())));
        }
        self.beat.poll_tick(context).map(|_| Some(Ok(Bytes::from_static(BLANK.as_bytes()))))
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
        String::from_utf8(body(work, first).await.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_quickly_done_needs_no_sign_of_life() {
        assert_eq!(text(9, First::Later("<?xml?>")).await, "done");
    }

    /// A client that reads no further than the status may rely on it.
    #[tokio::test(start_paused = true)]
    async fn there_is_no_answer_before_what_is_quickly_done_is_done() {
        let begun = Instant::now();
        let work = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            "done".to_owned()
        };
        let body = body(work, First::Later(" ")).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(9));
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_blank_comes_every_ten_seconds() {
        assert_eq!(text(35, First::Later("<?xml?>")).await, "<?xml?>  \r\n\r\ndone");
        assert_eq!(text(1, First::Now).await, " \r\n\r\ndone");
        assert_eq!(text(25, First::Now).await, "   \r\n\r\ndone");
    }
}

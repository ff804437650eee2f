//! The log: lines on standard error, in words or as JSON.
//!
//! Whoever logs a line only puts it into memory; a thread writes what has gathered. So a request never waits for
//! whoever reads the log, and many lines cost one write. If the reader can't keep up, lines are dropped and counted.
//!
//! A line that is logged while a thread works for a request bears the request's id, whoever logs it.

use std::fmt;
use std::io::{self, Write};
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use martlet_meter::Counter;
use serde::{Deserialize, Serialize};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::{self as line, FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// How much may wait to be written; what comes beyond that is dropped.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a line may wait for others that are written with it.
const GATHERING: Duration = Duration::from_millis(5);

/// How a line reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people: words, and `name=value`.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

/// The running log. Whatever waits is written when it is dropped.
pub(crate) struct Log {
    outlet: Outlet,
    writer: Option<JoinHandle<()>>,
}

/// What puts lines into the outlet.
fn subscriber(format: LogFormat, filter: EnvFilter, outlet: &Outlet) -> Box<dyn Subscriber + Send + Sync> {
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    let lines = lines.with_writer(outlet.clone());
    match format {
        LogFormat::Text => {
            Box::new(lines.event_format(NamingRequest { shape: line::format(), format }).finish())
        }
        LogFormat::Json => {
            let shape = line::format().json().flatten_event(true).with_current_span(false);
            let lines = lines.fmt_fields(JsonFields::new());
            Box::new(lines.event_format(NamingRequest { shape, format }).finish())
        }
    }
}

/// Lines of this shape, with the id of the request that the thread works for, unless a line says it itself.
struct NamingRequest<F> {
    shape: F,
    format: LogFormat,
}

/// A field of this name is the id of a request.
const REQUEST: &str = "request";

impl<S, N, F> FormatEvent<S, N> for NamingRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let is_named = event.metadata().fields().field(REQUEST).is_some();
        let Some(request) = martlet_request::current().filter(|_| !is_named) else {
            return self.shape.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.shape.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        match (self.format, line.strip_suffix('}')) {
            (LogFormat::Json, Some(line)) => writeln!(writer, "{line},\"{REQUEST}\":\"{request}\"}}"),
            _ => writeln!(writer, "{line} {REQUEST}={request}"),
        }
    }
}

/// Where lines go in. A clone is another handle to the same.
#[derive(Clone, Debug, Default)]
struct Outlet {
    waiting: Arc<(Mutex<Waiting>, Condvar)>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    lost: u64,
    is_closed: bool,
}

/// Lines that were dropped because nobody took them.
pub(crate) fn lines_lost() -> u64 {
    LOST.get().map_or(0, Counter::get)
}

static LOST: OnceLock<Counter> = OnceLock::new();

impl Log {
    /// `level` holds unless `MARTLET_LOG` says otherwise.
    pub(crate) fn start(format: LogFormat, level: &str) -> Self {
        let filter = EnvFilter::try_from_env("MARTLET_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let outlet = Outlet::default();
        subscriber(format, filter, &outlet).init();
        let taken = outlet.clone();
        let writer = thread::Builder::new().name("log".to_owned()).spawn(move || taken.write_out());
        Self { outlet, writer: writer.ok() }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.outlet.lock().is_closed = true;
        self.outlet.waiting.1.notify_all();
        if let Some(writer) = self.writer.take() {
            // It doesn't panic; and there would be nobody to tell.
            let _ = writer.join();
        }
    }
}

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the log is closed and everything is written.
    fn write_out(&self) {
        loop {
            let waiting = self.lock();
            let waiting =
                self.waiting.1.wait_while(waiting, |waiting| waiting.lines.is_empty() && !waiting.is_closed);
            let is_closed = waiting.unwrap_or_else(PoisonError::into_inner).is_closed;
            if !is_closed {
                thread::sleep(GATHERING);
            }
            let (lines, lost) = {
                let mut waiting = self.lock();
                (take(&mut waiting.lines), take(&mut waiting.lost))
            };
            if lines.is_empty() && is_closed {
                return;
            }
            let mut stderr = io::stderr().lock();
            // Without a reader there is nobody to tell.
            let _ = stderr.write_all(&lines);
            if lost > 0 {
                let _ = writeln!(stderr, "{lost} lines were dropped: they came faster than they were taken");
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Takes whole lines.
impl Write for Outlet {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > WAITING_BYTES_MAX {
            waiting.lost += 1;
            LOST.get_or_init(Counter::default).increment();
            return Ok(line.len());
        }
        let was_empty = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.waiting.1.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use martlet_request::{RequestId, enter};

    use super::*;

    /// What `say` logs while the thread works for a request.
    fn logged(format: LogFormat, say: impl FnOnce()) -> String {
        let outlet = Outlet::default();
        let logging = subscriber(format, EnvFilter::new("info"), &outlet).set_default();
        let request = NonZeroU64::new(0x2a).map(RequestId::new);
        {
            let _entered = enter(request);
            say();
        }
        drop(logging);
        String::from_utf8(take(&mut outlet.lock().lines)).unwrap()
    }

    #[test]
    fn a_line_names_the_request_that_the_thread_works_for() {
        let say = || tracing::info!(device = 3, "a call failed");
        let text = logged(LogFormat::Text, say);
        assert!(text.ends_with("a call failed device=3 request=tx000000000000002a\n"), "{text}");
        let json = logged(LogFormat::Json, say);
        assert!(json.starts_with("{\"timestamp\":") && json.contains(",\"device\":3,"), "{json}");
        assert!(json.ends_with(",\"request\":\"tx000000000000002a\"}\n"), "{json}");
    }

    #[test]
    fn a_line_that_names_a_request_itself_names_no_other() {
        let text = logged(LogFormat::Text, || tracing::info!(request = "tx01", "request"));
        assert!(text.ends_with("request request=\"tx01\"\n"), "{text}");
    }

    #[test]
    fn lines_that_nobody_takes_are_dropped_and_counted() {
        let mut outlet = Outlet::default();
        let line = [b'x'; 1024];
        for _ in 0..WAITING_BYTES_MAX / 1024 + 3 {
            assert_eq!(outlet.write(&line).unwrap(), 1024);
        }
        let waiting = outlet.lock();
        assert_eq!((waiting.lines.len(), waiting.lost), (WAITING_BYTES_MAX, 3));
        assert!(lines_lost() >= 3);
    }
}

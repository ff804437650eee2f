//! A connection after its handshake: the same on both sides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::frame::{Assembler, Frame, Kind, Violation};
use crate::limits::{PING_AFTER, SILENCE_MAX};
use crate::mac::{MacKey, RecordMac};
use crate::message::Message;
use crate::outbox::Outbox;
use crate::record::{Record, RecordError, RecordReader};

/// What a side does with what arrives.
pub(crate) trait Side: Send + Sync {
    fn outbox(&self) -> &Outbox;

    /// Are several calls in hand, so that it pays to wait a moment for what others have to send?
    fn is_busy(&self) -> bool;

    /// Takes a frame or a whole message. Never waits, so that one call never keeps another from being heard.
    fn take(&self, frame: Frame) -> Result<(), Violation>;
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkEnd {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Violation(#[from] Violation),
    #[error("nothing was heard for {} ms", SILENCE_MAX.as_millis())]
    Silence,
    #[error("the connection failed: {0}")]
    Connection(#[from] std::io::Error),
}

/// The keys of the records that this side sends, and of those that it receives.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) send: MacKey,
    pub(crate) receive: MacKey,
}

/// Sends what is in the side's outbox, and hands it what arrives, until the connection ends.
///
/// One task for both directions: what a record brings and what it causes are often one wake-up.
pub(crate) async fn run<S>(stream: S, keys: Keys, side: &impl Side) -> LinkEnd
where
    S: AsyncRead + AsyncWrite + Send,
{
    let (reading, writing) = tokio::io::split(stream);
    let was_heard = AtomicBool::new(false);
    let reader = RecordReader::new(reading, RecordMac::new(keys.receive));
    let ended = tokio::select! {
        ended = receive(reader, &was_heard, side) => ended,
        ended = send(writing, RecordMac::new(keys.send), side) => ended,
        ended = keep_alive(&was_heard, side.outbox()) => ended,
    };
    match ended {
        Err(end) => end,
        Ok(never) => match never {},
    }
}

/// What a loop that only ends by failing gives.
enum Never {}

async fn receive(
    mut reader: RecordReader<impl AsyncRead + Unpin>,
    was_heard: &AtomicBool,
    side: &impl Side,
) -> Result<Never, LinkEnd> {
    let mut assembler = Assembler::default();
    loop {
        let mut record = reader.next().await?;
        was_heard.store(true, Ordering::Relaxed);
        while !record.is_empty() {
            let frame = Frame::cut(&mut record)?;
            match assembler.take(frame)? {
                Some(Frame { kind: Kind::Ping, .. }) => {
                    let _ = side.outbox().push(Kind::Pong, 0, Message::default());
                }
                None | Some(Frame { kind: Kind::Pong, .. }) => {}
                Some(frame) => side.take(frame)?,
            }
        }
    }
}

async fn send(
    mut writing: impl AsyncWrite + Unpin,
    mut mac: RecordMac,
    side: &impl Side,
) -> Result<Never, LinkEnd> {
    let outbox = side.outbox();
    let mut record = Record::default();
    loop {
        outbox.filled().await;
        if side.is_busy() {
            // Whoever is ready to run may add to the record before it goes out: fewer and longer writes.
            yield_now().await;
        }
        if !outbox.fill(&mut record) {
            continue;
        }
        record.write_to(&mut mac, &mut writing).await?;
        writing.flush().await?;
    }
}

/// Time counts only while this process runs: one that was stopped doesn't take the others for gone.
async fn keep_alive(was_heard: &AtomicBool, outbox: &Outbox) -> Result<Never, LinkEnd> {
    let mut silence = Duration::ZERO;
    loop {
        sleep(PING_AFTER).await;
        if was_heard.swap(false, Ordering::Relaxed) {
            silence = Duration::ZERO;
            continue;
        }
        silence += PING_AFTER;
        if silence >= SILENCE_MAX {
            return Err(LinkEnd::Silence);
        }
        let _ = outbox.push(Kind::Ping, 0, Message::default());
    }
}

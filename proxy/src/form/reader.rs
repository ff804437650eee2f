//! A form as bytes come in: delimiters, heads, and what is between.

use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use martlet_model::{BodyError, ByteStream};
use memchr::memmem;

use super::FormError;
use super::head::PartHead;

/// The largest head of a part, with what stands behind the delimiter before it.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The most parts of a form.
const PARTS_COUNT_MAX: usize = 1000;

/// ```text
/// Skipping ──► Delimited ──► Content ──┐
///                 │  ▲                 │
///                 ▼  └─────────────────┘
///               Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first delimiter.
    Skipping,
    /// Right behind a delimiter.
    Delimited,
    /// Within the content of the last part that was begun.
    Content,
    /// Behind the last delimiter.
    Ended,
}

/// What stands behind a delimiter.
enum Behind {
    Head(PartHead),
    /// There are no more parts.
    End,
    /// Not all of it is there.
    Unknown,
}

pub(super) struct Reader {
    body: ByteStream,
    /// What has come in and hasn't been used.
    buffer: Bytes,
    /// A line's end, two hyphens and the boundary.
    delimiter: memmem::Finder<'static>,
    state: State,
    /// How many parts have been begun.
    parts_count: usize,
}

impl Reader {
    pub(super) fn new(boundary: &str, body: ByteStream) -> Self {
        Self {
            body,
            // The line's end that the first delimiter has no room for.
            buffer: Bytes::from_static(b"\r\n"),
            delimiter: memmem::Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned(),
            state: State::Skipping,
            parts_count: 0,
        }
    }

    /// The head of the next part; whatever is before it is passed over.
    pub(super) fn poll_part(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<PartHead>, FormError>> {
        loop {
            match self.state {
                State::Skipping | State::Content => {
                    ready!(self.poll_piece(context))?;
                }
                State::Delimited => match self.take_head()? {
                    Behind::Head(head) => return Poll::Ready(Ok(Some(head))),
                    Behind::End => self.state = State::Ended,
                    Behind::Unknown => ready!(self.poll_more(context))?,
                },
                State::Ended => return Poll::Ready(Ok(None)),
            }
        }
    }

    /// The next piece of that part's content; `None` at its end.
    pub(super) fn poll_content(
        &mut self,
        part: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, FormError>> {
        if self.parts_count != part {
            return Poll::Ready(Err(FormError::Malformed("a part was left before its end")));
        }
        match self.state {
            State::Content => self.poll_piece(context),
            State::Skipping | State::Delimited | State::Ended => Poll::Ready(Ok(None)),
        }
    }

    /// What comes before the next delimiter, piece by piece; `None` when the delimiter has been passed.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, FormError>> {
        loop {
            if let Some(at) = self.delimiter.find(&self.buffer) {
                if at > 0 {
                    return Poll::Ready(Ok(Some(self.buffer.split_to(at))));
                }
                self.buffer.advance(self.delimiter.needle().len());
                self.state = State::Delimited;
                return Poll::Ready(Ok(None));
            }
            let certain = self.buffer.len() - begun(self.delimiter.needle(), &self.buffer);
            if certain > 0 {
                return Poll::Ready(Ok(Some(self.buffer.split_to(certain))));
            }
            ready!(self.poll_more(context))?;
        }
    }

    /// What stands at the beginning of the buffer, right behind a delimiter.
    fn take_head(&mut self) -> Result<Behind, FormError> {
        if self.buffer.starts_with(b"--") {
            return Ok(Behind::End);
        }
        let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let line_end = &self.buffer[padding..];
        if !b"\r\n".starts_with(&line_end[..line_end.len().min(2)]) && !b"--".starts_with(line_end) {
            return Err(FormError::Malformed("a delimiter has something behind it"));
        }
        let end = memmem::find(line_end, b"\r\n\r\n");
        if end.unwrap_or(line_end.len()) > HEAD_BYTES_MAX {
            return Err(FormError::Malformed("the head of a part is too large"));
        }
        let Some(at) = end else { return Ok(Behind::Unknown) };
        if self.parts_count >= PARTS_COUNT_MAX {
            return Err(FormError::Malformed("there are too many parts"));
        }
        let head = PartHead::read(&line_end[..at])?;
        self.buffer.advance(padding + at + b"\r\n\r\n".len());
        self.state = State::Content;
        self.parts_count += 1;
        Ok(Behind::Head(head))
    }

    /// Asks the connection for more.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<(), FormError>> {
        match ready!(self.body.poll_next_unpin(context)) {
            Some(Ok(bytes)) if self.buffer.is_empty() => self.buffer = bytes,
            Some(Ok(bytes)) => self.buffer = [&self.buffer[..], &bytes].concat().into(),
            Some(Err(error)) => return Poll::Ready(Err(error.into())),
            None => return Poll::Ready(Err(BodyError::BadFraming("the form ends before its end").into())),
        }
        Poll::Ready(Ok(()))
    }
}

/// How many bytes at the end of `text` may be the beginning of `needle`.
fn begun(needle: &[u8], text: &[u8]) -> usize {
    let longest = text.len().min(needle.len() - 1);
    (1..=longest).rev().find(|&bytes| text.ends_with(&needle[..bytes])).unwrap_or(0)
}

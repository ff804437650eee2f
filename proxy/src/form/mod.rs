//! Forms that browsers send (`multipart/form-data`), read part by part in bounded memory.
//!
//! Source: RFC 7578, with the delimiters of RFC 2046, section 5.1.
//!
//! Known readers of such bodies take in whatever the connection has ready; this one asks for more only when
//! what it has is used up, so that a large file costs no more memory than a plain upload.

mod head;
mod reader;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::TryStreamExt as _;
use http::HeaderMap;
use martlet_model::{BodyError, ByteStream};

pub use head::PartHead;
use reader::Reader;

/// A form, at the beginning of one of its parts.
pub struct Form {
    reader: Arc<Mutex<Reader>>,
    parts_count: usize,
}

/// A part of a form: a field, or a file.
pub struct Part {
    pub head: PartHead,
    pub content: PartContent,
}

/// What a part holds. It can be read until the form is asked for its next part.
pub struct PartContent {
    reader: Arc<Mutex<Reader>>,
    /// The number of the part in its form.
    part: usize,
}

/// Why a form can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the content type is not multipart/form-data with a boundary")]
    NotAForm,
    #[error("the form is malformed: {0}")]
    Malformed(&'static str),
    #[error("a field of the form has more than {bytes_max} bytes")]
    FieldTooLarge { bytes_max: usize },
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Form {
    /// A form whose head says how its parts are told apart.
    pub fn open(headers: &HeaderMap, body: ByteStream) -> Result<Self, FormError> {
        let boundary = head::boundary(headers).ok_or(FormError::NotAForm)?;
        Ok(Self { reader: Arc::new(Mutex::new(Reader::new(&boundary, body))), parts_count: 0 })
    }

    /// The next part; what is left of the one before is passed over.
    pub async fn next(&mut self) -> Result<Option<Part>, FormError> {
        let found = std::future::poll_fn(|context| locked(&self.reader).poll_part(context)).await?;
        let Some(head) = found else { return Ok(None) };
        self.parts_count += 1;
        let content = PartContent { reader: self.reader.clone(), part: self.parts_count };
        Ok(Some(Part { head, content }))
    }
}

impl PartContent {
    /// The whole content, where it is small by nature.
    pub async fn collect(mut self, bytes_max: usize) -> Result<Bytes, FormError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.try_next().await? {
            if whole.len() + piece.len() > bytes_max {
                return Err(FormError::FieldTooLarge { bytes_max });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

impl Stream for PartContent {
    type Item = Result<Bytes, FormError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        locked(&self.reader).poll_content(self.part, context).map(Result::transpose)
    }
}

/// A part's content as a body for a store.
impl From<PartContent> for ByteStream {
    fn from(content: PartContent) -> Self {
        Box::pin(content.map_err(|error| match error {
            FormError::Body(error) => error,
            FormError::Malformed(problem) => BodyError::BadFraming(problem),
            FormError::NotAForm | FormError::FieldTooLarge { .. } => BodyError::BadFraming("a form"),
        }))
    }
}

/// Nobody waits for this lock: a form is read by one task.
fn locked(reader: &Mutex<Reader>) -> std::sync::MutexGuard<'_, Reader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

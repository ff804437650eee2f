//! What went wrong with a source while it was copied: an error of a body can't say so.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use martlet_model::{BodyError, ByteStream, Error, ObjectStream};

/// Remembers why the body that is being stored has ended early.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<Error>>>);

impl Trouble {
    /// `source` as a body to store.
    pub(crate) fn watch(&self, source: ObjectStream) -> ByteStream {
        let trouble = self.clone();
        Box::pin(source.map_err(move |error| {
            *trouble.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            BodyError::Disconnected
        }))
    }

    /// An error of the store, or what made it one.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        trouble.unwrap_or(error)
    }
}

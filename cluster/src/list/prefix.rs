//! Whether anything lives below a common prefix, where the devices' evidence isn't certain.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use martlet_model::Result;

use super::lister::entry_of;
use super::{Lister, Question};
use crate::cluster::Shared;

/// Reads the evidence; if none of it is alive, looks for anything else below the prefix.
///
/// Boxed, since listing below a prefix is listing again.
pub(super) fn is_alive<'a>(
    shared: &'a Arc<Shared>,
    question: &'a Question,
    prefix: &'a Bytes,
    evidence: Vec<Bytes>,
) -> BoxFuture<'a, Result<bool>> {
    async move {
        for key in evidence {
            if entry_of(shared, question, key).await?.is_some() {
                return Ok(true);
            }
        }
        let below = Question { prefix: prefix.clone(), delimiter: None, expected: 1, ..question.clone() };
        Ok(Lister::new(shared, below).next().await?.is_some())
    }
    .boxed()
}

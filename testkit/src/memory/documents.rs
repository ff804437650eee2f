//! Documents of the cluster.

use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{DocumentKind, DocumentStore, Error, Expect, Result};

use super::MemoryStore;

#[async_trait]
impl DocumentStore for MemoryStore {
    async fn document(&self, kind: DocumentKind, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.state().documents.get(&(kind, Bytes::copy_from_slice(key))).cloned())
    }

    async fn put_document(
        &self,
        kind: DocumentKind,
        key: &[u8],
        document: Bytes,
        expect: Expect,
    ) -> Result<()> {
        let place = (kind, Bytes::copy_from_slice(key));
        let documents = &mut self.state().documents;
        check(documents.get(&place), &expect)?;
        documents.insert(place, document);
        Ok(())
    }

    async fn remove_document(&self, kind: DocumentKind, key: &[u8], expect: Expect) -> Result<()> {
        let place = (kind, Bytes::copy_from_slice(key));
        let documents = &mut self.state().documents;
        check(documents.get(&place), &expect)?;
        documents.remove(&place);
        Ok(())
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
        let from = match after {
            Some(after) => Bound::Excluded((kind, after)),
            None => Bound::Included((kind, Bytes::new())),
        };
        let state = self.state();
        let mut of_kind =
            state.documents.range((from, Bound::Unbounded)).take_while(|((of, _), _)| *of == kind);
        let found: Vec<_> = of_kind
            .by_ref()
            .take(limit)
            .map(|((_, key), document)| (key.clone(), document.clone()))
            .collect();
        let more = limit > 0 && of_kind.next().is_some();
        Ok((found, more))
    }
}

fn check(present: Option<&Bytes>, expect: &Expect) -> Result<()> {
    let holds = match expect {
        Expect::Anything => true,
        Expect::Nothing => present.is_none(),
        Expect::Document(document) => present == Some(document),
    };
    if holds { Ok(()) } else { Err(Error::PreconditionFailed) }
}

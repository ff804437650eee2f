//! The contract's part on documents of the cluster.

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{DocumentKind, DocumentStore, Error, Expect, Result};
use martlet_protocol::{RowState, RowValue};

use crate::cluster::{ClusterStore, DOCUMENTS};
use crate::list::{Found, Lister, Question};
use crate::record::document::{read, row_key, to_value};
use crate::record::live;
use crate::row::change::change;
use crate::row::read::read_value;
use crate::row::{Access, Guard, Verdict};

#[async_trait]
impl DocumentStore for ClusterStore {
    async fn document(&self, kind: DocumentKind, key: &[u8]) -> Result<Option<Bytes>> {
        let state = read_value(&self.shared, &self.document_access(kind, key)).await?;
        present(state.as_ref())
    }

    async fn put_document(
        &self,
        kind: DocumentKind,
        key: &[u8],
        document: Bytes,
        expect: Expect,
    ) -> Result<()> {
        self.change_document(self.document_access(kind, key), Some(document), expect).await
    }

    async fn remove_document(&self, kind: DocumentKind, key: &[u8], expect: Expect) -> Result<()> {
        self.change_document(self.document_access(kind, key), None, expect).await
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
        let prefix = row_key(kind, &[]);
        let question = Question {
            after: after.map(|key| row_key(kind, &key)),
            expected: limit.saturating_add(1),
            prefix: prefix.clone(),
            ..Question::all(DOCUMENTS, Guard::None)
        };
        let mut lister = Lister::new(&self.shared, question);
        let mut documents = Vec::new();
        while let Some(Found::Row { key, entry }) = if limit > 0 { lister.next().await? } else { None } {
            if documents.len() == limit {
                return Ok((documents, true));
            }
            documents.push((key.slice(prefix.len()..), read(&entry)?));
        }
        Ok((documents, false))
    }
}

impl ClusterStore {
    fn document_access(&self, kind: DocumentKind, key: &[u8]) -> Access {
        Access::open(&self.shared, DOCUMENTS, row_key(kind, key))
    }

    /// Stores a document, or removes what is there.
    async fn change_document(&self, access: Access, document: Option<Bytes>, expect: Expect) -> Result<()> {
        let shared = self.shared.clone();
        let value = document.as_deref().map_or(RowValue::Tombstone, to_value);
        let changing = async move {
            let decide = |predecessor: Option<&RowState>| match present(predecessor) {
                Err(error) => Verdict::Leave(Err(error)),
                Ok(present) if !is_as_expected(present.as_ref(), &expect) => {
                    Verdict::Leave(Err(Error::PreconditionFailed))
                }
                Ok(None) if !value.is_live() => Verdict::Leave(Ok(())),
                Ok(_) => Verdict::Write { value: value.clone(), answer: () },
            };
            change(&shared, &access, None, decide).await
        };
        self.shared.background.carry_through(changing).await
    }
}

fn present(state: Option<&RowState>) -> Result<Option<Bytes>> {
    Ok(live(state).map(|live| read(live.entry)).transpose()?)
}

fn is_as_expected(present: Option<&Bytes>, expect: &Expect) -> bool {
    match expect {
        Expect::Anything => true,
        Expect::Nothing => present.is_none(),
        Expect::Document(document) => present == Some(document),
    }
}

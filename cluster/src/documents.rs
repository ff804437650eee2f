//! The contract's part on documents of the cluster.

use async_trait::async_trait;
use bytes::Bytes;
use martlet_model::{DocumentKind, DocumentStore, Error, Expect, Result};

use crate::cluster::ClusterStore;

#[async_trait]
impl DocumentStore for ClusterStore {
    async fn document(&self, _: DocumentKind, _: &[u8]) -> Result<Option<Bytes>> {
        Err(Error::Unavailable("documents"))
    }

    async fn put_document(&self, _: DocumentKind, _: &[u8], _: Bytes, _: Expect) -> Result<()> {
        Err(Error::Unavailable("documents"))
    }

    async fn remove_document(&self, _: DocumentKind, _: &[u8], _: Expect) -> Result<()> {
        Err(Error::Unavailable("documents"))
    }

    async fn documents(
        &self,
        _: DocumentKind,
        _: Option<Bytes>,
        _: usize,
    ) -> Result<(Vec<(Bytes, Bytes)>, bool)> {
        Err(Error::Unavailable("documents"))
    }
}

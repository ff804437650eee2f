//! The reference keeps the contract that it is the reference for.

use martlet_testkit::{MemoryStore, conformance};

#[tokio::test]
async fn memory_store_keeps_the_contract() {
    conformance::all(&MemoryStore::default()).await;
}

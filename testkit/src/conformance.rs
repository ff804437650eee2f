//! The store contract as tests: every implementation passes all of them, bare, decorated, or with a fault among its parts.
//!
//! Each function makes one promise and panics where the store breaks it.
//! Each works in accounts and containers of its own, so that they can run on one store, which must be fresh.

#![expect(clippy::missing_panics_doc, reason = "a promise panics where it is broken")]

pub mod bodies;
pub mod conditions;
pub mod containers;
pub mod listing;
pub mod objects;
pub mod races;
pub mod steps;
pub mod uploads;
pub mod usage;

use martlet_model::Store;

/// The whole suite on one fresh store.
pub async fn all(store: &dyn Store) {
    containers::all(store).await;
    objects::all(store).await;
    bodies::all(store).await;
    conditions::all(store).await;
    listing::all(store).await;
    uploads::all(store).await;
    usage::all(store).await;
    races::all(store).await;
}

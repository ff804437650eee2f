//! The store contract as tests: every implementation passes all of them, bare, decorated, or with a fault among its parts.
//!
//! Each function makes one promise and panics where the store breaks it.
//! Each works in accounts and containers of its own, so that they can run on one store, which must be fresh.

#![expect(clippy::missing_panics_doc, reason = "a promise panics where it is broken")]

pub mod annotations;
pub mod bodies;
pub mod conditions;
pub mod containers;
pub mod expiry;
pub mod links;
pub mod listing;
pub mod objects;
pub mod races;
pub mod segments;
pub mod settings;
pub mod steps;
pub mod uploads;
pub mod usage;
pub mod versions;

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
    annotations::all(store).await;
    segments::all(store).await;
    links::all(store).await;
    settings::all(store).await;
    expiry::all(store).await;
    versions::all(store).await;
}

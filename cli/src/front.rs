//! The front of a process: both dialects over a store.

use std::sync::Arc;

use martlet_auth::token::TokenKey;
use martlet_auth::users::{ChainedUsers, StoredUsers};
use martlet_auth::{Identity, Role, Secret, UserTable};
use martlet_cluster::{ClusterStore, RandomSource, SystemRandom};
use martlet_model::{AccountName, NameError};
use martlet_proxy::swift::Scheme;
use martlet_proxy::{Gateway, Habits};

use crate::clock::SystemClock;
use crate::secrets::{ClusterFile, UserFile};

/// What clients see of the front.
pub(crate) struct Face {
    pub(crate) region: String,
    pub(crate) virtual_host_suffixes: Vec<String>,
    pub(crate) storage_url_scheme: Scheme,
}

pub(crate) fn gateway(
    file: &ClusterFile,
    store: ClusterStore,
    face: Face,
    habits: Habits,
) -> Result<Arc<Gateway>, NameError> {
    let mut seed = [0; 8];
    SystemRandom.fill(&mut seed);
    let options = martlet_proxy::Options {
        region: face.region,
        virtual_host_suffixes: face.virtual_host_suffixes,
        request_id_seed: u64::from_le_bytes(seed),
        token_key: TokenKey::derive(&file.token_secret.0),
        storage_url_scheme: face.storage_url_scheme,
    };
    let (store, clock) = (Arc::new(store), Arc::new(SystemClock));
    // The first user, whose keys the files have, and everybody whom `martlet user` has made.
    let stored = StoredUsers::new(store.clone(), clock.clone());
    let users = ChainedUsers::new(Arc::new(first_user(&file.user)?), Arc::new(stored));
    Ok(Arc::new(Gateway::new(store, Arc::new(users), clock, options, habits)))
}

fn first_user(user: &UserFile) -> Result<UserTable, NameError> {
    let identity =
        Identity::user(AccountName::parse(user.account.as_bytes())?, user.name.as_str(), Role::Owner);
    Ok(UserTable::default()
        .with_access_key(user.access_key.as_str(), Secret::new(user.secret_key.as_str()), identity.clone())
        .with_swift_name(user.name.as_str(), Secret::new(user.swift_key.as_str()), identity))
}

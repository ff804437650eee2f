//! The keys that links and forms are signed with.

use martlet_auth::{KeyOf, LinkKey};
use martlet_model::{ContainerId, Error, Noun, Result, Store, UserMetadata};

/// The items of metadata that are such keys: an account and a container may each have two.
pub(super) const LINK_KEYS: [&str; 2] = ["temp-url-key", "temp-url-key-2"];

/// The keys with which links and forms for a container may be signed.
#[derive(Debug, Default)]
pub(super) struct LinkKeys(Vec<(KeyOf, Vec<u8>)>);

/// A container that doesn't exist has no keys, and its account's are good for it.
/// No caller sees a key here, so nobody is asked for.
pub(super) async fn link_keys(store: &dyn Store, id: &ContainerId) -> Result<LinkKeys> {
    let mut keys = LinkKeys::default();
    keys.add(KeyOf::Account, &store.account_metadata(&id.account).await?);
    match store.recent_container(id).await {
        Ok(container) => keys.add(KeyOf::Container, &container.metadata),
        Err(Error::NotFound(Noun::Account | Noun::Container)) => {}
        Err(error) => return Err(error),
    }
    Ok(keys)
}

impl LinkKeys {
    fn add(&mut self, of: KeyOf, metadata: &UserMetadata) {
        let keys = LINK_KEYS.iter().filter_map(|name| metadata.get(name)).filter(|key| !key.is_empty());
        self.0.extend(keys.map(|key| (of, key.to_owned())));
    }

    pub(super) fn as_keys(&self) -> Vec<LinkKey<'_>> {
        self.0.iter().map(|(of, key)| LinkKey { of: *of, key }).collect()
    }
}

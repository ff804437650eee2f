//! Quotas of containers and accounts: one place for both dialects.
//!
//! As in Swift, what is stored now and what a request adds may together not be more than the quota;
//! that something may be replaced isn't taken into account. Writes at the same time may each find room that only
//! one of them has: a quota is overrun by what is under way at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use martlet_model::{
    AccountName, BodyError, ByteStream, Clock, ContainerId, Error, Result, Store, Timestamp, Usage,
    UserMetadata,
};

use crate::limits::{ACCOUNT_QUOTA_AGE_MAX, ACCOUNT_QUOTAS_COUNT_MAX};

/// The items of an account's metadata that are quotas.
pub(crate) const ACCOUNT_BYTES: &str = "quota-bytes";
pub(crate) const ACCOUNT_OBJECTS: &str = "quota-count";
/// The same for the one storage policy there is.
pub(crate) const ACCOUNT_POLICY_BYTES: &str = "quota-bytes-policy-policy-0";
pub(crate) const ACCOUNT_POLICY_OBJECTS: &str = "quota-count-policy-policy-0";

/// What may be stored at most; `None`: there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Quota {
    bytes: Option<u64>,
    objects: Option<u64>,
}

/// What may be stored yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// `None`: no quota limits it.
    bytes: Option<u64>,
    objects: Option<u64>,
}

/// Tells what room there is. Those of accounts are remembered for a moment, since few have one.
#[derive(Debug)]
pub(crate) struct Quotas {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    accounts: Mutex<HashMap<AccountName, (Timestamp, Quota)>>,
}

impl Quotas {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, accounts: Mutex::default() }
    }

    /// What may be stored in a container. Without a quota nothing is counted.
    pub(crate) async fn room(&self, id: &ContainerId) -> Result<Room> {
        let of_container = of_container(&self.store.recent_container(id).await?.metadata);
        let of_account = self.of_account(&id.account).await?;
        let mut room = Room::UNLIMITED;
        if of_container != Quota::default() {
            room = room.and(of_container, self.store.usage(id).await?);
        }
        if of_account != Quota::default() {
            room = room.and(of_account, self.store.account(&id.account).await?.usage);
        }
        Ok(room)
    }

    /// The quota of an account has been changed here, and is in force at once.
    pub(crate) fn forget(&self, account: &AccountName) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }

    async fn of_account(&self, account: &AccountName) -> Result<Quota> {
        let now = self.clock.now();
        if let Some(quota) = self.remembered(account, now) {
            return Ok(quota);
        }
        let quota = of_account(&self.store.account_metadata(account).await?);
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= ACCOUNT_QUOTAS_COUNT_MAX {
            accounts.clear();
        }
        accounts.insert(account.clone(), (now, quota));
        Ok(quota)
    }

    fn remembered(&self, account: &AccountName, now: Timestamp) -> Option<Quota> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, quota) = accounts.get(account)?;
        let age_micros = now.as_micros().saturating_sub(since.as_micros());
        (u128::from(age_micros) < ACCOUNT_QUOTA_AGE_MAX.as_micros()).then_some(*quota)
    }
}

fn of_container(metadata: &UserMetadata) -> Quota {
    Quota { bytes: number(metadata, "quota-bytes"), objects: number(metadata, "quota-count") }
}

fn of_account(metadata: &UserMetadata) -> Quota {
    let least = |one, other| number(metadata, one).into_iter().chain(number(metadata, other)).min();
    Quota {
        bytes: least(ACCOUNT_BYTES, ACCOUNT_POLICY_BYTES),
        objects: least(ACCOUNT_OBJECTS, ACCOUNT_POLICY_OBJECTS),
    }
}

/// What isn't a number limits nothing.
fn number(metadata: &UserMetadata, item: &str) -> Option<u64> {
    metadata.text(item).and_then(|value| value.parse().ok())
}

impl Room {
    const UNLIMITED: Self = Self { bytes: None, objects: None };

    fn and(self, quota: Quota, used: Usage) -> Self {
        let less = |room: Option<u64>, quota: Option<u64>, used: u64| {
            let left = quota.map(|quota| quota.saturating_sub(used));
            room.into_iter().chain(left).min()
        };
        // A quota that is overrun has no room for an object of no bytes either.
        let is_overrun = quota.bytes.is_some_and(|quota| quota < used.bytes);
        let objects = less(self.objects, quota.objects, used.objects);
        Self {
            bytes: less(self.bytes, quota.bytes, used.bytes),
            objects: if is_overrun { Some(0) } else { objects },
        }
    }

    pub(crate) fn is_limited(self) -> bool {
        self != Self::UNLIMITED
    }

    /// Whether another object fits, of so many bytes if that is known.
    pub(crate) fn takes_object(self, bytes: Option<u64>) -> Result<()> {
        if self.objects == Some(0) { Err(Error::QuotaExceeded) } else { self.takes_bytes(bytes) }
    }

    /// Whether so many bytes more fit.
    pub(crate) fn takes_bytes(self, bytes: Option<u64>) -> Result<()> {
        match (self.bytes, bytes) {
            (Some(room), Some(bytes)) if bytes > room => Err(Error::QuotaExceeded),
            _ => Ok(()),
        }
    }

    /// A body that fits: one whose length isn't known is broken off where the room ends.
    pub(crate) fn holds(self, body: ByteStream) -> ByteStream {
        let Some(bytes_max) = self.bytes else { return body };
        let mut received = 0u64;
        Box::pin(body.map(move |item: std::result::Result<Bytes, BodyError>| {
            let bytes = item?;
            received = received.saturating_add(bytes.len() as u64);
            if received > bytes_max { Err(BodyError::TooLarge { bytes_max }) } else { Ok(bytes) }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_quota_counts() {
        let used = Usage { objects: 2, bytes: 10 };
        let room = Room::UNLIMITED
            .and(Quota { bytes: Some(15), objects: Some(9) }, used)
            .and(Quota { bytes: Some(12), objects: None }, used);
        assert_eq!(room, Room { bytes: Some(2), objects: Some(7) });
        assert!(room.takes_object(Some(2)).is_ok());
        assert!(room.takes_object(None).is_ok());
        assert!(matches!(room.takes_object(Some(3)), Err(Error::QuotaExceeded)));
    }

    #[test]
    fn a_quota_that_is_overrun_takes_nothing() {
        let room =
            Room::UNLIMITED.and(Quota { bytes: Some(5), objects: None }, Usage { objects: 1, bytes: 6 });
        assert!(matches!(room.takes_object(Some(0)), Err(Error::QuotaExceeded)));
    }

    #[test]
    fn a_policys_quota_is_one_of_the_account() {
        let items = [(ACCOUNT_BYTES, "9"), (ACCOUNT_POLICY_BYTES, "7"), (ACCOUNT_OBJECTS, "many")];
        let items = items.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let metadata = UserMetadata::collect(items).unwrap();
        assert_eq!(of_account(&metadata), Quota { bytes: Some(7), objects: None });
    }
}

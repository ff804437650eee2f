//! What a container grants, in whichever dialect it was granted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use martlet_model::{AccountName, ContainerId, ContainerInfo, ContainerName, Setting, Settings, Timestamp};

use crate::account_acl::AccountAcl;
use crate::action::{AclRight, Action, SwiftRight};
use crate::bucket_controls::{ObjectOwnership, PublicAccessBlock};
use crate::policy::{Policy, Verdict};
use crate::request::Request;
use crate::s3_acl::{Acl, Permission};
use crate::swift_acl::{Direction, SwiftAcl};

/// A container's ACLs of both dialects, its policy, and what keeps them in check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerGrants {
    pub swift_read: SwiftAcl,
    pub swift_write: SwiftAcl,
    /// `None`: nobody has set one, and it grants nothing.
    pub acl: Option<Acl>,
    pub policy: Option<Policy>,
    pub block: PublicAccessBlock,
    pub ownership: ObjectOwnership,
}

/// A document that grants something, or keeps grants in check, can't be read: nothing is granted then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the container's {0:?} can't be read")]
pub struct GrantsDamaged(pub Setting);

/// The grants of containers, as they were compiled when they were last needed.
///
/// Reading a policy costs many times what asking it does, and it changes seldom.
#[derive(Debug, Default)]
pub struct GrantsCache {
    containers: Mutex<HashMap<ContainerId, Kept>>,
    /// The ACLs of accounts, and when each was looked up.
    accounts: Mutex<HashMap<AccountName, KeptAcl>>,
}

#[derive(Debug)]
struct KeptAcl {
    since: Timestamp,
    acl: Arc<AccountAcl>,
}

#[derive(Debug)]
struct Kept {
    /// Of which they are the grants.
    info: Arc<ContainerInfo>,
    grants: Arc<ContainerGrants>,
}

/// Of how many containers, and of how many accounts, the grants are kept.
const KEPT_COUNT_MAX: usize = 1024;

/// How long an account's ACL may be in force after another proxy has changed it.
const ACCOUNT_ACL_AGE_MAX: Duration = Duration::from_secs(1);

impl GrantsCache {
    /// The grants of a container; compiled anew whenever its settings aren't those of which they are kept.
    pub fn get(
        &self,
        id: &ContainerId,
        info: &Arc<ContainerInfo>,
    ) -> Result<Arc<ContainerGrants>, GrantsDamaged> {
        if let Some(kept) = self.lock().get(id)
            && (Arc::ptr_eq(&kept.info, info) || kept.info.settings == info.settings)
        {
            return Ok(kept.grants.clone());
        }
        let grants = Arc::new(ContainerGrants::compile(&info.settings, &id.name)?);
        let mut kept = self.lock();
        if kept.len() >= KEPT_COUNT_MAX && !kept.contains_key(id) {
            kept.clear();
        }
        kept.insert(id.clone(), Kept { info: info.clone(), grants: grants.clone() });
        Ok(grants)
    }

    /// The ACL of an account as it was a moment ago, empty where there is none; `None`: it has to be looked up.
    pub(crate) fn account(&self, account: &AccountName, now: Timestamp) -> Option<Arc<AccountAcl>> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let KeptAcl { since, acl } = accounts.get(account)?;
        let age_micros = u128::from(now.as_micros().saturating_sub(since.as_micros()));
        (age_micros < ACCOUNT_ACL_AGE_MAX.as_micros()).then(|| acl.clone())
    }

    pub(crate) fn keep_account(&self, account: &AccountName, now: Timestamp, acl: Arc<AccountAcl>) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= KEPT_COUNT_MAX && !accounts.contains_key(account) {
            accounts.clear();
        }
        accounts.insert(account.clone(), KeptAcl { since: now, acl });
    }

    /// The ACL of an account has been changed here, and is in force at once.
    pub(crate) fn forget_account(&self, account: &AccountName) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ContainerId, Kept>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ContainerGrants {
    pub fn compile(settings: &Settings, name: &ContainerName) -> Result<Self, GrantsDamaged> {
        let swift = |setting, direction| {
            read(settings, setting, |bytes| SwiftAcl::parse(direction, str::from_utf8(bytes).ok()?).ok())
        };
        let policy = |bytes: &[u8]| Policy::parse(bytes, name).ok();
        let block = |bytes: &[u8]| PublicAccessBlock::decode(bytes).ok();
        let ownership = |bytes: &[u8]| ObjectOwnership::decode(bytes).ok();
        Ok(Self {
            swift_read: swift(Setting::SwiftRead, Direction::Read)?.unwrap_or_default(),
            swift_write: swift(Setting::SwiftWrite, Direction::Write)?.unwrap_or_default(),
            acl: read(settings, Setting::Acl, |bytes| Acl::decode(bytes).ok())?,
            policy: read(settings, Setting::Policy, policy)?,
            block: read(settings, Setting::PublicAccessBlock, block)?.unwrap_or_default(),
            ownership: read(settings, Setting::OwnershipControls, ownership)?.unwrap_or_default(),
        })
    }

    /// What the policy says; a public one that is restricted says nothing to people of other accounts.
    pub(crate) fn verdict(&self, action: Action, request: &Request<'_>) -> Verdict {
        let Some(policy) = &self.policy else { return Verdict::Silent };
        match policy.judge(action, request) {
            Verdict::Allowed if self.block.restrict_public_buckets && policy.is_public() => {
                let own_account = request.identity.account() == Some(request.resource.account());
                if own_account { Verdict::Allowed } else { Verdict::Silent }
            }
            verdict => verdict,
        }
    }

    /// Whether an ACL of the bucket or, as far as it is known, of the object opens the action.
    pub(crate) fn acl_opens(&self, action: Action, request: &Request<'_>) -> bool {
        if !self.acls_count() {
            return false;
        }
        match action.acl_right() {
            AclRight::None => false,
            AclRight::Bucket(permission) => {
                self.acl.as_ref().is_some_and(|acl| self.permits(acl, permission, request))
            }
            AclRight::Object(permission) => {
                let stored = request.details.object.and_then(|object| object.acl.as_deref());
                let acl = stored.and_then(|bytes| Acl::decode(bytes).ok());
                acl.is_some_and(|acl| self.permits(&acl, permission, request))
            }
        }
    }

    fn permits(&self, acl: &Acl, permission: Permission, request: &Request<'_>) -> bool {
        let user = request.identity.as_user().map(|user| &user.id);
        if self.block.ignore_public_acls && acl.is_public() {
            acl.clone().without_public_grants().permits(user, permission)
        } else {
            acl.permits(user, permission)
        }
    }

    /// Whether one of Swift's ACLs opens the action.
    pub(crate) fn swift_opens(&self, action: Action, request: &Request<'_>) -> bool {
        let named = |acl: &SwiftAcl| request.identity.as_user().is_some_and(|user| acl.admits_user(user));
        let referred = || {
            let referer = request.context.referer();
            !self.block.ignore_public_acls && self.swift_read.admits_referrer(referer.as_deref())
        };
        match action.swift_right() {
            SwiftRight::Neither => false,
            SwiftRight::Write => named(&self.swift_write),
            SwiftRight::Read => named(&self.swift_read) || referred(),
            SwiftRight::List => named(&self.swift_read) || (self.swift_read.admits_listings() && referred()),
        }
    }

    /// Whether S3's ACLs grant anything here.
    pub fn acls_count(&self) -> bool {
        self.ownership != ObjectOwnership::BucketOwnerEnforced
    }

    /// Whether the public is let in, by the policy or by an ACL: S3's policy status.
    pub fn is_public(&self) -> bool {
        let by_policy =
            self.policy.as_ref().is_some_and(Policy::is_public) && !self.block.restrict_public_buckets;
        let by_acl = (self.acls_count() && self.acl.as_ref().is_some_and(Acl::is_public))
            || self.swift_read.is_public();
        by_policy || (by_acl && !self.block.ignore_public_acls)
    }
}

fn read<T>(
    settings: &Settings,
    setting: Setting,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<Option<T>, GrantsDamaged> {
    let document: Option<&Bytes> = settings.get(setting);
    document.map(|bytes| parse(bytes).ok_or(GrantsDamaged(setting))).transpose()
}

#[cfg(test)]
mod tests {
    use martlet_model::{UserMetadata, Versioning};

    use super::*;

    fn id(number: usize) -> ContainerId {
        let account = AccountName::parse(b"AUTH_own").unwrap();
        ContainerId { account, name: ContainerName::parse(format!("box{number}").as_bytes()).unwrap() }
    }

    fn info(read: &'static str) -> Arc<ContainerInfo> {
        Arc::new(ContainerInfo {
            metadata: UserMetadata::default(),
            created: Timestamp::from_micros(0),
            modified: Timestamp::from_micros(0),
            settings: [(Setting::SwiftRead, Bytes::from(read))].into_iter().collect(),
            versioning: Versioning::Off,
        })
    }

    #[test]
    fn grants_are_kept_until_the_settings_change() {
        let cache = GrantsCache::default();
        let first = cache.get(&id(0), &info("bob")).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.get(&id(0), &info("bob")).unwrap()));
        assert_eq!(cache.get(&id(0), &info("sue")).unwrap().swift_read.text(), "sue");
        assert_eq!(cache.get(&id(1), &info("bob")).unwrap().swift_read.text(), "bob");
        assert_eq!(cache.get(&id(0), &info(".x:")), Err(GrantsDamaged(Setting::SwiftRead)));
    }

    #[test]
    fn not_more_is_kept_than_there_is_room_for() {
        let cache = GrantsCache::default();
        let info = info("bob");
        for number in 0..=KEPT_COUNT_MAX {
            cache.get(&id(number), &info).unwrap();
        }
        assert!(cache.lock().len() <= KEPT_COUNT_MAX);
    }
}

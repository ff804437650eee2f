//! The guard around the store.

mod permit;
mod stores;

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{
    AccountName, Conditions, ContainerChange, ContainerId, ContainerInfo, DocumentKind, Error, Expect,
    ObjectId, ObjectInfo, Result, Setting, Store, VersionId, Versioning,
};

use crate::account_acl::{AccountAcl, AccountRight};
use crate::action::Action;
use crate::decision::{Denied, Standing, decide, is_about_policy};
use crate::grants::ContainerGrants;
use crate::identity::Identity;
use crate::policy::Policy;
use crate::request::{Absence, Details, Listing, Request, RequestContext, Resource};
use crate::s3_acl::Acl;
use crate::swift_acl::{Direction, SwiftAcl};

/// A store that does for a caller only what the caller may.
///
/// A dialect holds nothing but this, so no operation can forget to ask.
/// To owners of the account, where the container has no policy, asking costs one look at a cached container.
#[derive(Clone, Debug)]
pub struct Guarded {
    store: Arc<dyn Store>,
    identity: Identity,
    context: RequestContext,
}

impl Guarded {
    pub fn new(store: Arc<dyn Store>, identity: Identity, context: RequestContext) -> Self {
        Self { store, identity, context }
    }

    /// On whose behalf the store is used.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Whether the caller may everything in the account, and may see what only owners may (keys, ACLs).
    pub async fn owns(&self, account: &AccountName) -> Result<bool> {
        let standing = Standing::of(&self.identity, account);
        Ok(standing.with(self.right(account).await?) != Standing::Other)
    }

    /// The store without the guard: for what a request entails by the server's rules and not by its caller's wish,
    /// such as looking at a quota, or keeping what is overwritten. Nothing that is read so may be shown.
    pub fn unguarded(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The ACL of an account, for owners to see; `None`: there is none, or the caller is no owner.
    pub async fn account_acl(&self, account: &AccountName) -> Result<Option<Arc<AccountAcl>>> {
        if !self.owns(account).await? {
            return Ok(None);
        }
        Ok(Some(self.present_acl(account).await?).filter(|acl| !acl.is_empty()))
    }

    /// Gives an account an ACL. One that grants nothing is none.
    pub async fn set_account_acl(&self, account: &AccountName, acl: &AccountAcl) -> Result<()> {
        self.allow_account(Action::ConfigureAccess, account).await?;
        let (kind, key) = (DocumentKind::AccountAcl, account.as_str().as_bytes());
        let changed = if acl.is_empty() {
            self.store.remove_document(kind, key, Expect::Anything).await
        } else {
            self.store.put_document(kind, key, acl.text().into(), Expect::Anything).await
        };
        self.context.grants.forget_account(account);
        changed
    }

    /// What is known of an object, for another purpose than reading it, such as showing its ACL.
    /// Of a link that is what is known of the link itself.
    pub async fn head_for(
        &self,
        action: Action,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        match self.look(action, id, version, conditions).await {
            Err(Error::Link(info)) => Ok(*info),
            outcome => outcome,
        }
    }

    async fn look(
        &self,
        action: Action,
        id: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<ObjectInfo> {
        let permit = self.permit(action, id, Details { version, ..Details::default() }).await?;
        let outcome = self.store.head(id, version, conditions).await;
        permit.read(self, id, outcome, |info| &info.annotations)
    }

    /// A document of a container; `action` is what the document is read for, such as [`Action::GetBucketPolicy`].
    pub async fn setting(&self, action: Action, id: &ContainerId, setting: Setting) -> Result<Option<Bytes>> {
        self.allow_container(action, id).await?;
        Ok(self.store.container(id).await?.settings.get(setting).cloned())
    }

    /// Whether the caller may do something with a container; [`Error::Denied`] if not.
    pub async fn allow_container(&self, action: Action, id: &ContainerId) -> Result<()> {
        self.allow_listing(action, id, None).await
    }

    /// Whether the caller may do something with an object, as far as that can be told before it is done.
    pub async fn allow_object(
        &self,
        action: Action,
        id: &ObjectId,
        version: Option<VersionId>,
    ) -> Result<()> {
        self.permit(action, id, Details { version, ..Details::default() }).await.map(drop)
    }

    async fn allow_account(&self, action: Action, account: &AccountName) -> Result<()> {
        let right = self.right(account).await?;
        let request = self.request(right, Resource::Account(account), Details::default());
        Ok(decide(action, &request, &ContainerGrants::default())?)
    }

    async fn allow_listing(
        &self,
        action: Action,
        id: &ContainerId,
        listing: Option<Listing<'_>>,
    ) -> Result<()> {
        let Some(Granted { grants, right }) = self.grants(action, id).await? else { return Ok(()) };
        let details = Details { listing, ..Details::default() };
        Ok(decide(action, &self.request(right, Resource::Container(id), details), &grants)?)
    }

    /// Whether a change of a container may be made: everything in it must be allowed.
    async fn allow_change(&self, id: &ContainerId, change: &ContainerChange) -> Result<()> {
        let documents =
            change.settings.iter().map(|(setting, document)| change_of(setting, document.is_some()));
        let versioning = change.versioning.map(|_: Versioning| Action::PutBucketVersioning);
        let mut actions: Vec<Action> = documents.chain(versioning).collect();
        if actions.is_empty() || !change.metadata.is_empty() {
            actions.push(Action::ConfigureBucket);
        }
        for action in actions {
            self.allow_container(action, id).await?;
        }
        self.check_public(id, change.settings.iter()).await
    }

    /// Nothing public is set where that is blocked.
    async fn check_public(
        &self,
        id: &ContainerId,
        documents: impl Iterator<Item = (Setting, Option<&Bytes>)> + Send,
    ) -> Result<()> {
        let public: Vec<Setting> = documents
            .filter(|(setting, document)| document.is_some_and(|document| is_public(*setting, document, id)))
            .map(|(setting, _)| setting)
            .collect();
        if public.is_empty() {
            return Ok(());
        }
        let block = match self.store.recent_container(id).await {
            Ok(info) => self.compiled(&info, id)?.block,
            // A container that is being made blocks nothing.
            Err(Error::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let blocked = |setting: &Setting| match setting {
            Setting::Policy => block.block_public_policy,
            _ => block.block_public_acls,
        };
        if public.iter().any(blocked) { Err(Denied.into()) } else { Ok(()) }
    }

    /// No object gets a public ACL where that is blocked.
    async fn check_public_acl(&self, id: &ContainerId, acl: Option<&Bytes>) -> Result<()> {
        match acl {
            None => Ok(()),
            Some(acl) => self.check_public(id, std::iter::once((Setting::Acl, Some(acl)))).await,
        }
    }

    /// What a decision about a container has to take into account; `None`: nothing, the caller may everything.
    async fn grants(&self, action: Action, id: &ContainerId) -> Result<Option<Granted>> {
        let right = self.right(&id.account).await?;
        let standing = Standing::of(&self.identity, &id.account).with(right);
        if standing == Standing::Admin {
            return Ok(None);
        }
        let is_owner = standing == Standing::Owner;
        let info = match self.store.recent_container(id).await {
            Ok(info) => info,
            // The store itself says what is missing.
            Err(Error::NotFound(_)) if is_owner || right.permits(action) => return Ok(None),
            Err(Error::NotFound(_)) if self.context.absence == Absence::Swift => return Err(Denied.into()),
            Err(error) => return Err(error),
        };
        if is_owner && (info.settings.get(Setting::Policy).is_none() || is_about_policy(action)) {
            return Ok(None);
        }
        Ok(Some(Granted { grants: self.compiled(&info, id)?, right }))
    }

    fn compiled(&self, info: &Arc<ContainerInfo>, id: &ContainerId) -> Result<Arc<ContainerGrants>> {
        self.context.grants.get(id, info).map_err(|error| Error::Internal(error.into()))
    }

    /// What the account's ACL lets the caller do; who is somebody to the account anyway isn't looked for in it.
    async fn right(&self, account: &AccountName) -> Result<AccountRight> {
        match self.identity.as_user() {
            Some(user) if Standing::of(&self.identity, account) == Standing::Other => {
                Ok(self.present_acl(account).await?.right_of(user))
            }
            _ => Ok(AccountRight::Nothing),
        }
    }

    async fn present_acl(&self, account: &AccountName) -> Result<Arc<AccountAcl>> {
        let cache = &self.context.grants;
        if let Some(acl) = cache.account(account, self.context.now) {
            return Ok(acl);
        }
        let document = self.store.document(DocumentKind::AccountAcl, account.as_str().as_bytes()).await?;
        let acl = document.map(|document| read_acl(&document)).transpose()?.unwrap_or_default();
        cache.keep_account(account, self.context.now, acl.clone());
        Ok(acl)
    }

    fn request<'a>(
        &'a self,
        right: AccountRight,
        resource: Resource<'a>,
        details: Details<'a>,
    ) -> Request<'a> {
        Request { identity: &self.identity, resource, context: &self.context, details, right }
    }
}

/// What a decision about a container has to take into account.
#[derive(Clone, Debug, Default)]
struct Granted {
    grants: Arc<ContainerGrants>,
    right: AccountRight,
}

fn read_acl(document: &[u8]) -> Result<Arc<AccountAcl>> {
    let text = str::from_utf8(document).map_err(|error| Error::Internal(error.into()))?;
    AccountAcl::parse(text).map(Arc::new).map_err(|error| Error::Internal(error.into()))
}

/// Setting or removing a document, as an action.
fn change_of(setting: Setting, is_set: bool) -> Action {
    match setting {
        Setting::SwiftRead | Setting::SwiftWrite => Action::ConfigureAccess,
        Setting::VersionsLocation | Setting::HistoryLocation => Action::ConfigureBucket,
        Setting::Acl => Action::PutBucketAcl,
        Setting::Policy if is_set => Action::PutBucketPolicy,
        Setting::Policy => Action::DeleteBucketPolicy,
        Setting::PublicAccessBlock => Action::PutBucketPublicAccessBlock,
        Setting::OwnershipControls => Action::PutBucketOwnershipControls,
        Setting::Cors => Action::PutBucketCors,
        Setting::Tagging => Action::PutBucketTagging,
    }
}

fn is_public(setting: Setting, document: &[u8], id: &ContainerId) -> bool {
    let text = || str::from_utf8(document).ok();
    match setting {
        Setting::SwiftRead => text()
            .and_then(|text| SwiftAcl::parse(Direction::Read, text).ok())
            .is_some_and(|acl| acl.is_public()),
        Setting::SwiftWrite => text()
            .and_then(|text| SwiftAcl::parse(Direction::Write, text).ok())
            .is_some_and(|acl| acl.is_public()),
        Setting::Acl => Acl::decode(document).is_ok_and(|acl| acl.is_public()),
        Setting::Policy => Policy::parse(document, &id.name).is_ok_and(|policy| policy.is_public()),
        Setting::PublicAccessBlock
        | Setting::OwnershipControls
        | Setting::Cors
        | Setting::Tagging
        | Setting::VersionsLocation
        | Setting::HistoryLocation => false,
    }
}

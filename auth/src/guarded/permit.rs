//! What a caller may do with one object.

use martlet_model::{Annotations, Conditions, ETagStyle, Error, Noun, ObjectId, Result, VersionId};

use super::{Granted, Guarded};
use crate::action::{AclRight, Action};
use crate::decision::{Denied, decide};
use crate::policy::Policy;
use crate::request::{Absence, Details, Listing, Resource};

/// A permission to act on an object, and what it hangs on.
#[derive(Debug)]
pub(super) enum Permit {
    /// The caller may everything.
    Free,
    /// The container's grants are enough, whatever the object says.
    OfContainer(Granted),
    /// It depends on what is said of the object: of the very version that is read.
    OfObject { action: Action, version: Option<VersionId>, granted: Granted },
}

impl Guarded {
    /// Whether the caller may act on the object.
    pub(super) async fn permit(&self, action: Action, id: &ObjectId, details: Details<'_>) -> Result<Permit> {
        let Some(granted) = self.grants(action, &id.container).await? else { return Ok(Permit::Free) };
        let Granted { grants, right } = &granted;
        let decide_with = |object: Option<&Annotations>| {
            let details = Details { object, ..details };
            decide(action, &self.request(*right, Resource::Object(id), details), grants)
        };
        let policy_asks = grants.policy.as_ref().is_some_and(Policy::reads_object_tags);
        let acl_may_open = grants.acls_count() && matches!(action.acl_right(), AclRight::Object(_));
        if !policy_asks {
            match decide_with(None) {
                Ok(()) => return Ok(Permit::OfContainer(granted)),
                Err(denied) if !acl_may_open => return Err(denied.into()),
                Err(Denied) => {}
            }
        }
        let none = Conditions::none(ETagStyle::S3);
        let found = match self.unguarded().head(id, details.version, &none).await {
            Err(Error::Link(link)) => Ok(*link),
            found => found,
        };
        match found {
            Ok(info) => {
                decide_with(Some(&info.annotations))?;
                Ok(Permit::OfObject { action, version: details.version, granted })
            }
            Err(error) if is_absence(&error) => match decide_with(None) {
                Ok(()) => Ok(Permit::OfContainer(granted)),
                Err(_) if self.is_told(&granted, id) => Err(error),
                Err(denied) => Err(denied.into()),
            },
            Err(error) => Err(error),
        }
    }

    /// Whether the caller, who can't read the object, is told that it isn't there: AWS makes that depend on
    /// whether the caller might list what begins with its key.
    fn is_told(&self, granted: &Granted, id: &ObjectId) -> bool {
        let listing = Some(Listing { prefix: id.key.as_bytes(), delimiter: None });
        let details = Details { listing, ..Details::default() };
        let request = self.request(granted.right, Resource::Container(&id.container), details);
        self.context().absence == Absence::S3 && decide(Action::ListBucket, &request, &granted.grants).is_ok()
    }
}

impl Permit {
    /// What a caller with this permit gets of what reading the object gave.
    pub(super) fn read<T>(
        self,
        guarded: &Guarded,
        id: &ObjectId,
        outcome: Result<T>,
        annotations: impl Fn(&T) -> &Annotations,
    ) -> Result<T> {
        let granted = match &self {
            Self::Free => return outcome,
            Self::OfContainer(granted) | Self::OfObject { granted, .. } => granted,
        };
        let found = match &outcome {
            Ok(found) => Some(annotations(found)),
            Err(Error::NotModified(info) | Error::RangeUnsatisfiable(info) | Error::Link(info)) => {
                Some(&info.annotations)
            }
            Err(error) if is_absence(error) => {
                let must_list = guarded.context().absence == Absence::S3;
                return if must_list && !guarded.is_told(granted, id) { Err(Denied.into()) } else { outcome };
            }
            Err(_) => None,
        };
        // The object may have been replaced since it was looked at.
        if let (Self::OfObject { action, version, granted }, Some(_)) = (&self, found) {
            let details = Details { version: *version, object: found, ..Details::default() };
            let request = guarded.request(granted.right, Resource::Object(id), details);
            decide(*action, &request, &granted.grants)?;
        }
        outcome
    }
}

fn is_absence(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound(Noun::Object | Noun::Version) | Error::DeleteMarker { .. } | Error::NothingToMatch
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use martlet_model::{
        AccountName, ContainerId, ContainerName, Content, Md5, ObjectInfo, ObjectKey, ObjectMetadata, Tags,
        Timestamp,
    };
    use martlet_testkit::{MemoryStore, SimulatedClock};

    use super::*;
    use crate::identity::{CanonicalId, Identity};
    use crate::request::RequestContext;
    use crate::s3_acl::{Acl, CannedAcl};

    #[test]
    fn an_object_that_was_replaced_by_a_private_one_after_the_look_at_its_acl_is_not_read() {
        let context = RequestContext::bare(Timestamp::from_micros(0));
        let store = MemoryStore::new(Arc::new(SimulatedClock::default()));
        let guarded = Guarded::new(Arc::new(store), Identity::Anonymous, context);
        let account = AccountName::parse(b"AUTH_own").unwrap();
        let container = ContainerId { account, name: ContainerName::parse(b"box").unwrap() };
        let id = ObjectId { container, key: ObjectKey::parse("key").unwrap() };
        let owner = CanonicalId::new("own:tester");
        let read = |acl: &Acl| {
            let annotations = Annotations { acl: Some(acl.encode()), tags: Tags::default() };
            let nothing = Content::joined(&[(0, Md5([0; 16]))]);
            let info = ObjectInfo::new(nothing, ObjectMetadata::default(), Timestamp::from_micros(0));
            let info = ObjectInfo { annotations, ..info };
            let permit =
                || Permit::OfObject { action: Action::GetObject, version: None, granted: Granted::default() };
            let unmodified = Err(Error::NotModified(Box::new(info.clone())));
            [
                permit().read(&guarded, &id, Ok(info), |info| &info.annotations),
                permit().read(&guarded, &id, unmodified, |info| &info.annotations),
            ]
        };
        let [found, unmodified] = read(&CannedAcl::PublicRead.acl(&owner, &owner));
        assert!(found.is_ok() && matches!(unmodified, Err(Error::NotModified(_))));
        for outcome in read(&Acl::private(owner)) {
            assert!(matches!(outcome, Err(Error::Denied)), "{outcome:?}");
        }
    }
}

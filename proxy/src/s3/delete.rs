//! Removing objects and versions of them.

use axum::response::Response;
use http::StatusCode;
use martlet_model::{
    Conditions, Deleted, ETagStyle, Error, Match, Noun, ObjectId, ObjectStore as _, VersionId,
};

use super::refusal::Refusal;
use super::{Scene, answer};

impl Scene<'_> {
    pub(super) async fn delete_object(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Response, Refusal> {
        let deleted = self.remove(object, version, conditions).await?;
        let mut response = answer::empty(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        if let Some(version) = deleted.version {
            answer::set_version(headers, version);
        }
        if deleted.is_delete_marker {
            answer::set_delete_marker(headers);
        }
        Ok(response)
    }

    /// Removes an object or a version. S3 doesn't tell whether there was anything to remove.
    pub(super) async fn remove(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<Deleted, Refusal> {
        let nothing = Deleted { version, is_delete_marker: false, was_there: false };
        match self.store.delete(object, version, &of_something(conditions)).await {
            Ok(deleted) => Ok(deleted),
            Err(Error::NotFound(Noun::Object | Noun::Version)) => Ok(nothing),
            Err(Error::NothingToMatch) => {
                self.check_missing(object, version, conditions).await.map(|()| nothing)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a condition on what isn't there fails: it does where a delete marker is what is there.
    async fn check_missing(
        &self,
        object: &ObjectId,
        version: Option<VersionId>,
        conditions: &Conditions,
    ) -> Result<(), Refusal> {
        let only_any = Conditions { if_match: Match::Any, ..Conditions::none(ETagStyle::S3) };
        match self.store.head(object, version, &Conditions::none(ETagStyle::S3)).await {
            Err(Error::DeleteMarker { .. }) if *conditions != only_any => {
                Err(Error::PreconditionFailed.into())
            }
            _ => Ok(()),
        }
    }
}

/// A date or a size is a condition on something: without that, none is removed, and no delete marker is made.
fn of_something(conditions: &Conditions) -> Conditions {
    let mut conditions = conditions.clone();
    if conditions.if_match == Match::Unset
        && (conditions.if_modified_at.is_some() || conditions.if_bytes.is_some())
    {
        conditions.if_match = Match::Any;
    }
    conditions
}

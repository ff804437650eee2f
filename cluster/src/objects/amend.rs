//! Changing what is said of a version; no version is made.

use martlet_model::{
    AnnotationsChange, Conditions, Error, Noun, ObjectInfo, ObjectMetadata, Result, VersionId,
};
use martlet_protocol::RowState;

use super::check_write_of;
use super::find::{Asked, Seeker, readable};
use super::head::Head;
use super::keeper::Keeper;
use crate::record::live;
use crate::record::object::{ObjectRow, StoredObject, StoredVersion, archived};
use crate::row::Verdict;
use crate::row::change::change;

/// Replaces the current version's metadata.
pub(super) async fn set_metadata(
    keeper: &Keeper,
    metadata: &ObjectMetadata,
    conditions: &Conditions,
) -> Result<ObjectInfo> {
    amend_current(keeper, |object| {
        check_write_of(Some(&object.info), conditions)?;
        let content_type = metadata.content_type.clone().or(object.info.metadata.content_type.take());
        object.info.metadata = ObjectMetadata { content_type, ..metadata.clone() };
        object.info.modified = keeper.shared.now().not_before(Some(object.info.modified));
        Ok(())
    })
    .await
}

/// Changes a version's annotations.
pub(super) async fn annotate(
    keeper: &Keeper,
    version: Option<VersionId>,
    annotations: &AnnotationsChange,
) -> Result<ObjectInfo> {
    let annotate = |object: &mut StoredObject| {
        object.info.annotations = std::mem::take(&mut object.info.annotations).changed(annotations);
        Ok(())
    };
    let Some(id) = version else { return amend_current(keeper, annotate).await };
    let mut seeker = Seeker::default();
    while let Some(place) = seeker.place_of(keeper, id).await? {
        let Some(place) = place else {
            match amend_head(keeper, id, annotate).await? {
                Some(info) => return Ok(info),
                None => continue,
            }
        };
        let decide = |predecessor: Option<&RowState>| match amended(predecessor, keeper, annotate) {
            Ok(Some((object, info))) => {
                Verdict::Write { value: archived(StoredVersion::Object(object)), answer: Some(info) }
            }
            Ok(None) => Verdict::Leave(Ok(None)),
            Err(error) => Verdict::Leave(Err(error)),
        };
        let Some(info) = change(&keeper.shared, &keeper.older(place), None, decide).await? else { continue };
        // Somebody may just be making it the current version, as it was before: the head tells them, or us.
        return match touch(keeper, id).await? {
            Touched::Below => Ok(info),
            Touched::Current => continue,
            Touched::Gone => Err(Error::NotFound(Noun::Version)),
        };
    }
    Err(Error::NotFound(Noun::Version))
}

/// Where the head says that a version is.
enum Touched {
    Below,
    Current,
    Gone,
}

/// Proposes the head once more, so that no change that was decided before can be chosen any more.
async fn touch(keeper: &Keeper, id: VersionId) -> Result<Touched> {
    let decide = |predecessor: Option<&RowState>| match (predecessor, Head::read(predecessor)) {
        (_, Err(error)) => Verdict::Leave(Err(error.into())),
        (Some(_), Ok(Some(head))) if head.id() == id => Verdict::Leave(Ok(Touched::Current)),
        (Some(state), Ok(Some(head))) if head.history.place(id).is_some() => {
            Verdict::Write { value: state.value.clone(), answer: Touched::Below }
        }
        _ => Verdict::Leave(Ok(Touched::Gone)),
    };
    change(&keeper.shared, &keeper.head(), None, decide).await
}

async fn amend_current(
    keeper: &Keeper,
    amend: impl Fn(&mut StoredObject) -> Result<()> + Send + Sync,
) -> Result<ObjectInfo> {
    let decide = |predecessor: Option<&RowState>| {
        let head = match Head::read(predecessor) {
            Ok(Some(head)) => head,
            Ok(None) => return Verdict::Leave(Err(Error::NotFound(Noun::Object))),
            Err(error) => return Verdict::Leave(Err(error.into())),
        };
        amend_in(head, keeper, Asked::Current, &amend)
    };
    change(&keeper.shared, &keeper.head(), None, decide).await
}

/// `None`: it isn't the current version any more.
async fn amend_head(
    keeper: &Keeper,
    id: VersionId,
    amend: impl Fn(&mut StoredObject) -> Result<()> + Send + Sync,
) -> Result<Option<ObjectInfo>> {
    let decide = |predecessor: Option<&RowState>| match Head::read(predecessor) {
        Ok(Some(head)) if head.id() == id => match amend_in(head, keeper, Asked::CurrentById, &amend) {
            Verdict::Write { value, answer } => Verdict::Write { value, answer: Some(answer) },
            Verdict::Leave(outcome) => Verdict::Leave(outcome.map(Some)),
            Verdict::Supersede { .. } | Verdict::Repeat { .. } | Verdict::Again { .. } => {
                Verdict::Leave(Ok(None))
            }
        },
        Ok(_) => Verdict::Leave(Ok(None)),
        Err(error) => Verdict::Leave(Err(error.into())),
    };
    change(&keeper.shared, &keeper.head(), None, decide).await
}

fn amend_in(
    mut head: Head,
    keeper: &Keeper,
    asked: Asked,
    amend: impl Fn(&mut StoredObject) -> Result<()>,
) -> Verdict<ObjectInfo> {
    let mut object = match readable(head.version, keeper.shared.now(), asked) {
        Ok(object) => object,
        Err(error) => return Verdict::Leave(Err(error)),
    };
    if let Err(error) = amend(&mut object) {
        return Verdict::Leave(Err(error));
    }
    let answer = object.info.clone();
    head.version = StoredVersion::Object(object);
    Verdict::Write { value: head.into_row().into_value(), answer }
}

/// An older version as it becomes; `None`: there is none.
fn amended(
    predecessor: Option<&RowState>,
    keeper: &Keeper,
    amend: impl Fn(&mut StoredObject) -> Result<()>,
) -> Result<Option<(StoredObject, ObjectInfo)>> {
    let Some(row) = live(predecessor).map(ObjectRow::read).transpose()? else { return Ok(None) };
    let mut object = readable(row.version, keeper.shared.now(), Asked::Older)?;
    amend(&mut object)?;
    let info = object.info.clone();
    Ok(Some((object, info)))
}

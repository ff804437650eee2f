//! DELETE of a static large object with its segments (`?multipart-manifest=delete`).

use std::collections::{HashSet, VecDeque};

use axum::response::Response;
use http::request::Parts;
use martlet_auth::Guarded;
use martlet_model::{Conditions, ETagStyle, Error, ObjectId, VersionId};

use super::super::bulk::{self, Tally, status_for};
use super::super::format::{self, Format};
use super::super::joined;
use super::super::path::Target;
use super::super::refusal::Refusal;
use super::super::report::Report;
use super::super::versions;
use super::{SEGMENTS_COUNT_MAX, quoted};
use crate::large::manifest::{self, StoredSegment};
use crate::large::{self, LargeError};

/// How many segments may wait to be removed.
const WAITING_COUNT_MAX: usize = 10 * SEGMENTS_COUNT_MAX;

/// DELETE of an object and its segments.
#[derive(Debug)]
pub struct DeleteLarge {
    pub id: ObjectId,
    /// `None`: the current one.
    pub version: Option<VersionId>,
    /// `None`: the caller takes none of the formats that there are.
    pub format: Option<Format>,
}

/// `async=on` is no reason to leave segments for later: they are removed at once, and `/info` says so.
pub(in super::super) fn parse_delete(id: ObjectId, version: Option<VersionId>, head: &Parts) -> DeleteLarge {
    DeleteLarge { id, version, format: format::accepted(&head.headers).ok() }
}

/// Answers 200 whatever happens; the outcome is in the body, where clients look for it.
pub(in super::super) async fn delete(command: DeleteLarge, store: &Guarded) -> Response {
    let DeleteLarge { id, version, format } = command;
    let store = store.clone();
    bulk::respond(format.unwrap_or(Format::Plain), "delete", async move {
        match format {
            Some(_) => remove_all((id, version), &store).await,
            None => bulk::refused(Tally::default(), &Refusal::NotAcceptable),
        }
    })
    .await
}

/// Segments first, then the manifests, the outermost last.
async fn remove_all(what: Versioned, store: &Guarded) -> Report {
    let mut tally = Tally::default();
    match remove_parts(what, store, &mut tally).await {
        Ok(()) => tally.report(),
        Err(refusal) => bulk::refused(tally, &refusal),
    }
}

async fn remove_parts((id, version): Versioned, store: &Guarded, tally: &mut Tally) -> Result<(), Refusal> {
    let version = versions::settled(version, &id, store).await?;
    let Parted { segments, manifests } = taken_apart((id, version), store, tally).await?;
    let target = |id: ObjectId| (shown(&id), Target::Object(id));
    tally.remove(segments.into_iter().map(target).collect(), store).await?;
    for manifest in manifests {
        match manifest {
            (id, None) => tally.remove(vec![target(id)], store).await?,
            (id, Some(version)) => {
                let none = Conditions::none(ETagStyle::Swift);
                let removed = versions::remove(&id, version, &none, store).await;
                let status = removed.map_or_else(|refusal| status_for(&refusal, store.identity()), |()| 204);
                tally.add(&shown(&id), status);
            }
        }
    }
    Ok(())
}

/// An object, and which version of it; `None`: the current one.
type Versioned = (ObjectId, Option<VersionId>);

struct Parted {
    segments: Vec<ObjectId>,
    manifests: Vec<Versioned>,
}

/// All that a large object is made of, through all manifests. What can't be read is told in the tally, and stays.
async fn taken_apart(what: Versioned, store: &Guarded, tally: &mut Tally) -> Result<Parted, Refusal> {
    let mut parted = Parted { segments: Vec::new(), manifests: Vec::new() };
    let mut seen = HashSet::new();
    let mut waiting = VecDeque::from([what]);
    while let Some((id, version)) = waiting.pop_front() {
        if !seen.insert((id.clone(), version)) {
            continue;
        }
        let list = match list_of(&id, version, store).await {
            Ok(list) => list,
            Err(Unreadable::NotFound) => {
                tally.add(&shown(&id), 404);
                continue;
            }
            Err(Unreadable::Because(text)) => {
                tally.errors.push((quoted(&shown(&id)), text));
                continue;
            }
        };
        for segment in list {
            let StoredSegment::Object { name, sub_slo, .. } = segment else { continue };
            let Some(segment) = manifest::split_name(&id.container.account, &name) else { continue };
            if sub_slo {
                waiting.push_back((segment, None));
            } else {
                parted.segments.push(segment);
            }
        }
        if waiting.len() + parted.segments.len() > WAITING_COUNT_MAX {
            return Err(Refusal::Malformed("Too many buffered slo segments to delete.".into()));
        }
        parted.manifests.push((id, version));
    }
    // A manifest goes before the one that names it: should this be broken off, all is still to be found.
    parted.manifests.reverse();
    Ok(parted)
}

enum Unreadable {
    NotFound,
    Because(String),
}

/// The segments of a manifest; none of an object that S3 joined, whose parts go with it.
async fn list_of(
    id: &ObjectId,
    version: Option<VersionId>,
    store: &Guarded,
) -> Result<Vec<StoredSegment>, Unreadable> {
    let because = |text: &str| Unreadable::Because(text.to_owned());
    match large::look_at_manifest(store, id, version).await {
        Ok((_, Some(list))) => manifest::decode(&list).ok_or_else(|| because("Unable to load SLO manifest")),
        Ok((info, None)) if joined::is_joined(&info) => Ok(Vec::new()),
        // What a link stands for isn't removed by the name of the link.
        Ok((_, None)) | Err(LargeError::Store(Error::Link(_))) => Err(because("Not an SLO manifest")),
        Err(LargeError::Store(Error::NotFound(_) | Error::DeleteMarker { .. })) => Err(Unreadable::NotFound),
        Err(error) => match status_for(&Refusal::from(error), store.identity()) {
            401 => Err(because("401 Unauthorized")),
            403 => Err(because("403 Forbidden")),
            _ => Err(because("Unable to load SLO manifest or segment.")),
        },
    }
}

fn shown(id: &ObjectId) -> String {
    format!("/{}/{}", id.container.name, id.key.as_str())
}

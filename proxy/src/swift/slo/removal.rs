//! DELETE of a static large object with its segments (`?multipart-manifest=delete`).

use std::collections::{HashSet, VecDeque};

use axum::response::Response;
use http::request::Parts;
use martlet_auth::Guarded;
use martlet_model::{Error, ObjectId};

use super::super::bulk::{self, Tally, status_for};
use super::super::format::{self, Format};
use super::super::joined;
use super::super::path::Target;
use super::super::refusal::Refusal;
use super::super::report::Report;
use super::{SEGMENTS_COUNT_MAX, quoted};
use crate::large::manifest::{self, StoredSegment};
use crate::large::{self, LargeError};

/// How many segments may wait to be removed.
const WAITING_COUNT_MAX: usize = 10 * SEGMENTS_COUNT_MAX;

/// DELETE of an object and its segments.
#[derive(Debug)]
pub struct DeleteLarge {
    pub id: ObjectId,
    /// `None`: the caller takes none of the formats that there are.
    pub format: Option<Format>,
}

/// `async=on` is no reason to leave segments for later: they are removed at once, and `/info` says so.
pub(in super::super) fn parse_delete(id: ObjectId, head: &Parts) -> DeleteLarge {
    DeleteLarge { id, format: format::accepted(&head.headers).ok() }
}

/// Answers 200 whatever happens; the outcome is in the body, where clients look for it.
pub(in super::super) fn delete(command: DeleteLarge, store: &Guarded) -> Response {
    let DeleteLarge { id, format } = command;
    let store = store.clone();
    bulk::respond(format.unwrap_or(Format::Plain), async move {
        match format {
            Some(_) => remove_all(id, &store).await,
            None => bulk::refused(Tally::default(), &Refusal::NotAcceptable),
        }
    })
}

/// Segments first, then the manifests, the outermost last.
async fn remove_all(id: ObjectId, store: &Guarded) -> Report {
    let mut tally = Tally::default();
    let parts = match taken_apart(id, store, &mut tally).await {
        Ok(parts) => parts,
        Err(refusal) => return bulk::refused(tally, &refusal),
    };
    let Parted { segments, manifests } = parts;
    let target = |id: ObjectId| (shown(&id), Target::Object(id));
    let mut steps = vec![segments.into_iter().map(target).collect::<Vec<_>>()];
    steps.extend(manifests.into_iter().map(|id| vec![target(id)]));
    for step in steps {
        if let Err(refusal) = tally.remove(step, store).await {
            return bulk::refused(tally, &refusal);
        }
    }
    tally.report()
}

struct Parted {
    segments: Vec<ObjectId>,
    manifests: Vec<ObjectId>,
}

/// All that a large object is made of, through all manifests. What can't be read is told in the tally, and stays.
async fn taken_apart(id: ObjectId, store: &Guarded, tally: &mut Tally) -> Result<Parted, Refusal> {
    let mut parted = Parted { segments: Vec::new(), manifests: Vec::new() };
    let mut seen = HashSet::new();
    let mut waiting = VecDeque::from([id]);
    while let Some(id) = waiting.pop_front() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let list = match list_of(&id, store).await {
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
                waiting.push_back(segment);
            } else {
                parted.segments.push(segment);
            }
        }
        if waiting.len() + parted.segments.len() > WAITING_COUNT_MAX {
            return Err(Refusal::Malformed("Too many buffered slo segments to delete.".into()));
        }
        parted.manifests.push(id);
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
async fn list_of(id: &ObjectId, store: &Guarded) -> Result<Vec<StoredSegment>, Unreadable> {
    let because = |text: &str| Unreadable::Because(text.to_owned());
    match large::look_at_manifest(store, id, None).await {
        Ok((_, Some(list))) => manifest::decode(&list).ok_or_else(|| because("Unable to load SLO manifest")),
        Ok((info, None)) if joined::is_joined(&info) => Ok(Vec::new()),
        Ok((_, None)) => Err(because("Not an SLO manifest")),
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

//! Reading what a link stands for.

use axum::response::Response;
use http::header::CONTENT_LOCATION;
use martlet_auth::Guarded;
use martlet_model::{Error, ObjectId, ObjectInfo};

use super::path;
use crate::links::Way;
use crate::request_id::RequestId;
use crate::swift::answer;
use crate::swift::read::{self, GetObject, HeadObject, Opened};
use crate::swift::refusal::Refusal;

/// Opens what `link`, which lies where the command says, stands for; and says where that is.
pub(in crate::swift) async fn opened(
    command: &GetObject,
    link: Box<ObjectInfo>,
    store: &Guarded,
    request: RequestId,
) -> Result<(Opened, ObjectId), Refusal> {
    let mut way = Way::to(&command.id, command.reading.version);
    let mut link = link;
    loop {
        way.follow(&link, store).await.map_err(|error| behind(way.id(), error.into()))?;
        let there = command.at(way.id());
        match read::open_here(&there, store, request).await {
            Err(Refusal::Store(Error::Link(next))) => link = next,
            Err(refusal) => return Err(behind(way.id(), refusal)),
            Ok(opened) => {
                way.confirm(store).await.map_err(|error| behind(way.id(), error.into()))?;
                return Ok((opened, way.id().clone()));
            }
        }
    }
}

/// Tells of what `link`, which lies where the command says, stands for.
pub(in crate::swift) async fn told(
    command: &HeadObject,
    link: Box<ObjectInfo>,
    store: &Guarded,
) -> Result<Response, Refusal> {
    let mut way = Way::to(&command.id, command.reading.version);
    let mut link = link;
    loop {
        way.follow(&link, store).await.map_err(|error| behind(way.id(), error.into()))?;
        let there = command.at(way.id());
        match read::head_here(&there, store).await {
            Err(Refusal::Store(Error::Link(next))) => link = next,
            Err(refusal) => return Err(behind(way.id(), refusal)),
            Ok(mut response) => {
                way.confirm(store).await.map_err(|error| behind(way.id(), error.into()))?;
                let location = answer::header_value(&path(way.id()));
                response.headers_mut().insert(CONTENT_LOCATION, location);
                return Ok(response);
            }
        }
    }
}

/// What a reader is told who has come to an object by a link.
pub(in crate::swift) fn behind(id: &ObjectId, refusal: Refusal) -> Refusal {
    Refusal::Behind { location: path(id), refusal: Box::new(refusal) }
}

//! Making a link, or a copy of one.

use martlet_auth::Guarded;
use martlet_model::store::whole_body;
use martlet_model::{
    Conditions, Digest, Error, Link, Md5, NewObject, NewShape, ObjectId, ObjectInfo, ObjectMetadata,
    ObjectStore as _, Pin,
};

use super::{CONTENT_TYPE, behind, mismatch};
use crate::large::{self, LargeError};
use crate::links::{LINKS_COUNT_MAX, LinkError, stored_md5};
use crate::swift::joined;
use crate::swift::refusal::Refusal;

/// A link to make.
#[derive(Debug)]
pub(in crate::swift) struct Making {
    pub(in crate::swift) id: ObjectId,
    pub(in crate::swift) new: NewLink,
}

/// What is said of a link.
#[derive(Debug)]
pub(in crate::swift) struct NewLink {
    /// Its pin is made anew.
    pub(in crate::swift) link: Link,
    /// The ETag that its target must have, to be pinned.
    pub(in crate::swift) etag: Option<String>,
    pub(in crate::swift) metadata: ObjectMetadata,
    pub(in crate::swift) conditions: Conditions,
    pub(in crate::swift) md5: Option<Md5>,
}

impl Making {
    /// Looks at the target, where that has to have a certain ETag, and stores the link.
    pub(in crate::swift) async fn carry_out(self, store: &Guarded) -> Result<ObjectInfo, Refusal> {
        let Self { id, new: NewLink { link, etag, metadata, conditions, md5 } } = self;
        let (pin, of_target) = match etag {
            None => (None, None),
            Some(etag) => {
                let Target { pin, content_type } = look(&link.target(&id), &etag, store).await?;
                (Some(pin), content_type)
            }
        };
        let content_type = metadata.content_type.or(of_target).unwrap_or_else(|| CONTENT_TYPE.to_owned());
        let metadata = ObjectMetadata { content_type: Some(content_type), ..metadata };
        let new = NewObject {
            md5,
            bytes: Some(0),
            shape: NewShape::Link(Box::new(Link { pin, ..link })),
            ..NewObject::new(metadata, conditions, whole_body(""))
        };
        Ok(store.put(&id, new).await?)
    }
}

/// What a link is pinned to.
struct Target {
    pin: Pin,
    content_type: Option<String>,
}

/// Links for a certain state are followed, so that all of them are for the same. Any other is an object of no bytes.
async fn look(target: &ObjectId, etag: &str, store: &Guarded) -> Result<Target, Refusal> {
    let mut id = target.clone();
    for _ in 0..=LINKS_COUNT_MAX {
        let conflict = |text: String| behind(&id, Refusal::Conflict(text.into()));
        let (info, list) = match large::look_at_manifest(store, &id, None).await {
            Ok(found) => found,
            Err(LargeError::Store(Error::Link(info))) => match info.shape.link() {
                Some(link @ Link { pin: Some(pin), .. }) => {
                    if pin.md5.to_string() != etag {
                        return Err(conflict("X-Symlink-Target-Etag headers do not match".to_owned()));
                    }
                    id = link.target(&id);
                    continue;
                }
                _ => (*info, None),
            },
            Err(LargeError::Store(Error::NotFound(_) | Error::DeleteMarker { .. })) => {
                return Err(conflict("X-Symlink-Target does not exist".to_owned()));
            }
            Err(error) => return Err(error.into()),
        };
        let md5 = stored_md5(&info, list.as_deref());
        if md5.to_string() != etag {
            return Err(conflict(mismatch(&md5, etag)));
        }
        let joined = match info.content.digest {
            Digest::Parts { of_hex, .. } if joined::is_joined(&info) => Some(of_hex),
            Digest::Parts { .. } | Digest::Whole(_) => None,
        };
        let pin = Pin { md5, bytes: info.content.bytes, joined };
        return Ok(Target { pin, content_type: info.metadata.content_type });
    }
    Err(LinkError::TooMany.into())
}

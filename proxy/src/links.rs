//! Objects that stand for others (Swift's symbolic links), as both dialects and large objects follow them.
//!
//! The store doesn't follow a link: whoever reads one is told so ([`Error::Link`]), and does the same again with what it
//! stands for. So an object that is none costs nothing, and whatever forgets to follow fails rather than reads nothing.
//!
//! **Invariant:** every step is made with the rights of the reader, and never with those of who made the link.

use martlet_auth::Guarded;
use martlet_model::{
    Conditions, Digest, ETagStyle, Error, Md5, ObjectId, ObjectInfo, ObjectStore as _, Pin, VersionId,
};

use crate::large;

/// Links that are followed one after the other (Swift: `symloop_max`).
pub(crate) const LINKS_COUNT_MAX: usize = 2;

/// On the way from a link to what it stands for.
#[derive(Debug)]
pub(crate) struct Way {
    id: ObjectId,
    version: Option<VersionId>,
    links_count: usize,
    /// Of the last link.
    pin: Option<Pin>,
}

/// Why a link can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("more than {LINKS_COUNT_MAX} links stand one behind the other")]
    TooMany,
    #[error("the link stands for an object with MD5 {pinned}, and what is there has {found}")]
    Changed { found: Md5, pinned: Md5 },
    #[error("the links stand for different states of the object")]
    Contradiction,
    #[error(transparent)]
    Store(#[from] Error),
}

impl Way {
    /// Nothing is known yet of what is there.
    pub(crate) fn to(id: &ObjectId, version: Option<VersionId>) -> Self {
        Self { id: id.clone(), version, links_count: 0, pin: None }
    }

    /// Where it has led so far.
    pub(crate) fn id(&self) -> &ObjectId {
        &self.id
    }

    pub(crate) fn version(&self) -> Option<VersionId> {
        self.version
    }

    /// Goes on from a link that was found where it has led.
    ///
    /// If that is for a certain state of an object, and the object is in another, then it ends here:
    /// before any condition of the reader is looked at.
    pub(crate) async fn follow(&mut self, link: &ObjectInfo, store: &Guarded) -> Result<(), LinkError> {
        let link = link.shape.link().ok_or(Error::Damaged("a link that stands for nothing"))?;
        let found = link.pin.map_or(Md5::of(b""), |pin| pin.md5);
        if self.pin.is_some_and(|pin| pin.md5 != found) {
            return Err(LinkError::Contradiction);
        }
        if self.links_count == LINKS_COUNT_MAX {
            return Err(LinkError::TooMany);
        }
        *self = Self {
            id: link.target(&self.id),
            version: None,
            links_count: self.links_count + 1,
            pin: link.pin,
        };
        self.confirm(store).await
    }

    /// Whether the object is what the last link stands for. Asked once more when it has been opened,
    /// for it may have been replaced in between.
    pub(crate) async fn confirm(&self, store: &Guarded) -> Result<(), LinkError> {
        let Some(pin) = self.pin else { return Ok(()) };
        // What can't be looked at, and what is a link itself, shows when it is read.
        let Ok((info, list)) = large::look_at_manifest(store, &self.id, None).await else { return Ok(()) };
        let found = stored_md5(&info, list.as_deref());
        if found == pin.md5 { Ok(()) } else { Err(LinkError::Changed { found, pinned: pin.md5 }) }
    }
}

/// What identifies the stored bytes of an object: of a list of segments, the list itself.
pub(crate) fn stored_md5(info: &ObjectInfo, list: Option<&[u8]>) -> Md5 {
    match (list, info.content.digest) {
        (Some(list), _) => Md5::of(list),
        (None, Digest::Whole(md5)) => md5,
        (None, Digest::Parts { of_hex, .. }) => of_hex,
    }
}

/// What is known of an object, or of what it stands for; whatever that is made of.
pub(crate) async fn head(store: &Guarded, id: &ObjectId) -> Result<ObjectInfo, LinkError> {
    let none = Conditions::none(ETagStyle::Swift);
    let mut way = Way::to(id, None);
    loop {
        match large::head(store, way.id(), way.version(), &none).await {
            Err(Error::Link(link)) => way.follow(&link, store).await?,
            outcome => return Ok(outcome?),
        }
    }
}

/// The same of the object as it is stored, for whoever puts a large object together.
pub(crate) async fn head_of_segment(store: &Guarded, id: &ObjectId) -> Result<ObjectInfo, LinkError> {
    let none = Conditions::none(ETagStyle::Swift);
    let mut way = Way::to(id, None);
    loop {
        match store.head(way.id(), way.version(), &none).await {
            Err(Error::Link(link)) => way.follow(&link, store).await?,
            outcome => return Ok(outcome?),
        }
    }
}

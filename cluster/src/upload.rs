//! Multipart uploads: begun, completed and ended so that two endings never both hold.
//!
//! ```text
//! Open ──mark──► Sealed ──parts sealed, checked, object committed──► noted as dropped ──► tombstone
//!   ▲               └──aborted: parts sealed ────────────────────────────▲
//!   └──undone───────┘  (a check failed, or whoever sealed it died)
//! ```

pub(crate) mod complete;
pub(crate) mod end;
pub(crate) mod part;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use martlet_model::{Error, NewUpload, Noun, ObjectId, ObjectKey, Result, UploadId};
use martlet_protocol::{RowKey, RowState, SealToken, TableId, TableKind};
use tokio::time::{Instant, sleep};

use crate::cluster::Shared;
use crate::container::cache::Container;
use crate::container::{find, seal};
use crate::device::Device;
use crate::objects::keeper::Keeper;
use crate::objects::place::made_by;
use crate::random;
use crate::record::container::SealState;
use crate::record::live;
use crate::record::object::{ObjectRow, StoredObject};
use crate::record::upload::{UploadRow, row_key};
use crate::row::change::change;
use crate::row::read::read_value;
use crate::row::{Access, Verdict};

/// How often an upload that somebody else is ending is looked at: at first, and later on.
const LOOK_DELAY_MIN: Duration = Duration::from_millis(5);
const LOOK_DELAY_MAX: Duration = Duration::from_millis(200);

/// One upload and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) container: Arc<Container>,
    pub(crate) key: ObjectKey,
    pub(crate) upload: UploadId,
}

/// Whose table of parts a row is in.
#[derive(Clone, Debug)]
pub(crate) struct PartsOf {
    pub(crate) place: Place,
}

/// Begins an upload.
pub(crate) async fn begin(shared: &Arc<Shared>, id: &ObjectId, new: NewUpload) -> Result<UploadId> {
    let container = find(shared, &id.container).await?;
    let place = Place { container, key: id.key.clone(), upload: UploadId(random::bytes(&*shared.random)) };
    let row = UploadRow {
        initiated: shared.now(),
        new,
        parts: shared.new_table(TableKind::Parts),
        seal: SealState::NEW,
    };
    let value = row.to_value();
    let decide = |_: Option<&RowState>| Verdict::Write { value: value.clone(), answer: () };
    change(shared, &place.row(shared), None, decide).await?;
    Ok(place.upload)
}

/// The upload, if it is open. If somebody is ending it, this waits to see how that ends.
pub(crate) async fn find_open(shared: &Arc<Shared>, place: &Place) -> Result<UploadRow> {
    let mut sealed_since: Option<(SealToken, Instant)> = None;
    let mut delay = LOOK_DELAY_MIN;
    loop {
        let state = read_value(shared, &place.row(shared)).await?;
        let Some(live) = live(state.as_ref()) else { return Err(Error::NotFound(Noun::Upload)) };
        let row = UploadRow::read(live)?;
        let Some(token) = row.seal.token() else { return Ok(row) };
        if made(shared, place).await?.is_some() {
            end::end(shared, place, &row, token).await?;
            return Err(Error::NotFound(Noun::Upload));
        }
        match sealed_since {
            Some((known, since)) if known == token => {
                if since.elapsed() > shared.options.completion_patience() {
                    end::reopen(shared, place, row.parts, token).await?;
                }
            }
            _ => sealed_since = Some((token, Instant::now())),
        }
        sleep(delay).await;
        delay = (delay * 2).min(LOOK_DELAY_MAX);
    }
}

/// The object that the upload has made, if it still is there.
pub(crate) async fn made(shared: &Arc<Shared>, place: &Place) -> Result<Option<StoredObject>> {
    let state = read_value(shared, &place.object(shared)).await?;
    let row = live(state.as_ref()).map(ObjectRow::read).transpose()?;
    Ok(row.and_then(|row| made_by(row.version, place.upload)))
}

/// A replica said that the table of parts is sealed. `Ok`: the upload is open, and the seal is lifted.
pub(crate) async fn look_again(shared: &Arc<Shared>, parts: &PartsOf) -> Result<()> {
    let row = find_open(shared, &parts.place).await?;
    seal::lift_at(shared, &parts_devices(shared, row.parts), &[row.parts], row.seal.lifted()).await;
    Ok(())
}

/// The devices that hold an upload's parts: all of them the same.
pub(crate) fn parts_devices(shared: &Shared, parts: TableId) -> Vec<Arc<Device>> {
    shared.devices_of(shared.address(parts, Bytes::new()).hash)
}

impl Place {
    pub(crate) async fn find(shared: &Arc<Shared>, id: &ObjectId, upload: UploadId) -> Result<Self> {
        let container = find(shared, &id.container).await?;
        Ok(Self { container, key: id.key.clone(), upload })
    }

    /// The upload's row.
    pub(crate) fn row(&self, shared: &Shared) -> Access {
        let key = row_key(self.key.as_bytes(), self.upload);
        Access::within(shared, &self.container, self.container.row.uploads, key)
    }

    /// The object's row.
    pub(crate) fn object(&self, shared: &Shared) -> Access {
        let key = self.key.as_bytes().clone();
        Access::within(shared, &self.container, self.container.row.objects, key)
    }

    pub(crate) fn keeper(&self, shared: &Arc<Shared>) -> Keeper {
        let (container, key) = (self.container.clone(), self.key.as_bytes().clone());
        Keeper { shared: shared.clone(), container, key }
    }

    pub(crate) fn row_key(&self) -> RowKey {
        let key = row_key(self.key.as_bytes(), self.upload);
        RowKey { table: self.container.row.uploads, key }
    }

    pub(crate) fn object_key(&self) -> RowKey {
        RowKey { table: self.container.row.objects, key: self.key.as_bytes().clone() }
    }
}

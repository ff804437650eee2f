//! One row, through the register protocol: the crate `martlet_register` decides, this one carries the messages.

mod accept;
pub(crate) mod change;
mod ledger;
pub(crate) mod read;
mod rounds;
pub(crate) mod turn;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use martlet_model::{Error, Result};
use martlet_protocol::{BlobId, RowAddress, RowValue, SealToken, TableId};
use martlet_register::Ballot;

use crate::cluster::Shared;
use crate::container::cache::Container;
use crate::device::{Device, suspects};
use crate::upload::PartsOf;

/// A row, and what its table needs of whoever changes it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) row: RowAddress,
    /// Lets the holder of a seal write.
    pub(crate) seal: Option<SealToken>,
    pub(crate) guard: Guard,
    /// Blobs that another row refers to: they are no garbage when this one lets go of them.
    pub(crate) spared: Option<Arc<HashSet<BlobId>>>,
}

/// What to look at again when a replica says that the row's table is sealed.
#[derive(Clone, Debug)]
pub(crate) enum Guard {
    /// The table is never sealed, or the caller holds the seal.
    None,
    /// The container whose tables are sealed while it is deleted.
    Container(Arc<Container>),
    /// The upload whose table of parts is sealed while it is completed.
    Parts(Arc<PartsOf>),
}

/// What to do with a row, seeing its true predecessor. The garbage is found by comparing the two.
pub(crate) enum Verdict<T> {
    Write {
        value: RowValue,
        /// What is answered once the value is chosen.
        answer: T,
    },
    /// The same, and other rows refer to the predecessor's blobs: none of them is garbage.
    Supersede { value: RowValue, answer: T },
    /// The predecessor's value is written once more. Where it is known to be chosen, no seal stands against that.
    Repeat { answer: T },
    /// Nothing changes; this is answered once the predecessor is known to be chosen.
    Leave(Result<T>),
    /// It can't be decided under this ballot: the predecessor is made sure of, and then it is decided anew.
    Again { above: Ballot },
}

impl Access {
    /// To a row of a table that is never sealed.
    pub(crate) fn open(shared: &Shared, table: TableId, key: impl Into<Bytes>) -> Self {
        Self { row: shared.address(table, key.into()), seal: None, guard: Guard::None, spared: None }
    }

    /// To a row of one of a container's tables.
    pub(crate) fn within(shared: &Shared, container: &Arc<Container>, table: TableId, key: Bytes) -> Self {
        let guard = Guard::Container(container.clone());
        Self { row: shared.address(table, key), seal: None, guard, spared: None }
    }

    /// To a row of a table that `token` seals.
    pub(crate) fn sealed(shared: &Shared, table: TableId, key: Bytes, token: SealToken) -> Self {
        Self { row: shared.address(table, key), seal: Some(token), guard: Guard::None, spared: None }
    }
}

/// The replicas of a row, and in which order to ask them.
pub(crate) struct Replicas {
    pub(crate) devices: Vec<Arc<Device>>,
    /// Indexes, the best first.
    pub(crate) order: Vec<usize>,
}

impl Replicas {
    pub(crate) fn of(shared: &Shared, row: &RowAddress) -> Self {
        let devices = shared.devices_of(row.hash);
        let mut order: Vec<usize> = (0..devices.len()).collect();
        if let Some(suspects) = suspects(&devices) {
            order.sort_by_key(|&index| suspects[index]);
        }
        Self { devices, order }
    }
}

impl Guard {
    /// Finds out why a table is sealed. `Ok`: it no longer is, and the change may go on.
    ///
    /// Boxed: looking may mean to finish what the seal is for, which changes rows in turn.
    pub(crate) fn look_again<'a>(&'a self, shared: &'a Arc<Shared>) -> BoxFuture<'a, Result<()>> {
        async move {
            match self {
                Self::None => Err(Error::Unavailable("a table is sealed")),
                Self::Container(container) => crate::container::look_again(shared, container).await,
                Self::Parts(parts) => crate::upload::look_again(shared, parts).await,
            }
        }
        .boxed()
    }
}

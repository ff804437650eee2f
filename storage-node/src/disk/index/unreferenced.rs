//! Blobs that no row on their own device refers to.

use martlet_protocol::{BlobFact, BlobId, BlobOwner, RowKey, TableKind};
use rusqlite::Connection;

use super::blobs::{self, StoredBlob};
use super::rows;
use crate::disk::error::DiskError;
use crate::disk::since::Present;

/// Blobs that one call looks at.
const EXAMINED_MAX: usize = 512;

/// Unreferenced blobs among the next ones, and where to look on; `None`: there are enough, or no more.
pub fn page(
    connection: &Connection,
    after: Option<BlobId>,
    limit: usize,
    present: Present,
) -> Result<(Vec<BlobFact>, Option<BlobId>), DiskError> {
    let (examined, next) = blobs::after(connection, after, EXAMINED_MAX)?;
    let mut found = Vec::new();
    for stored in examined {
        if found.len() == limit {
            return Ok((found, None));
        }
        if !is_referenced(connection, &stored)? {
            let known_for_seconds = stored.known.age_seconds(present);
            let predates_opening = stored.known.predates(present);
            found.push(BlobFact {
                blob: stored.blob,
                owner: stored.owner,
                known_for_seconds,
                predates_opening,
            });
        }
    }
    Ok((found, next))
}

fn is_referenced(connection: &Connection, stored: &StoredBlob) -> Result<bool, DiskError> {
    match &stored.owner {
        BlobOwner::Row(row) => refers(connection, &row.row, stored.blob.id),
        // In this order: the object's row refers to the blob before the part's ceases to.
        BlobOwner::PartOf { part, object } => Ok(refers(connection, &part.row, stored.blob.id)?
            || refers(connection, &object.row, stored.blob.id)?),
    }
}

/// Whether the row does, or an older version of the object whose row it is: its bytes stay the object's.
fn refers(connection: &Connection, row: &RowKey, blob: BlobId) -> Result<bool, DiskError> {
    if names(connection, row, blob)? {
        return Ok(true);
    }
    if row.table.kind() != TableKind::Objects {
        return Ok(false);
    }
    let table = row.table.sibling(TableKind::Versions);
    for key in rows::keys_below(connection, table, &[&row.key, &[0][..]].concat())? {
        if names(connection, &RowKey { table, key }, blob)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A row that can't be read may refer to anything.
fn names(connection: &Connection, row: &RowKey, blob: BlobId) -> Result<bool, DiskError> {
    match rows::accepted(connection, row) {
        Ok(accepted) => Ok(accepted
            .is_some_and(|accepted| accepted.state.value.blobs().iter().any(|referred| referred.id == blob))),
        Err(DiskError::Damaged { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

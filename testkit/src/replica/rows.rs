//! Rows: promises, accepts, reads and listings.

use std::ops::Bound;

use bytes::Bytes;
use martlet_model::{ListQuery, Timestamp};
use martlet_protocol::{
    Accept, BlobOwner, BlobRef, ListRows, ListedItem, ListedPrefix, ListedRow, Prepare, Promise, ReadRow,
    ReplicaError, RowAddress, RowPage, RowReply, Scope, Want,
};
use martlet_register::{Accepted, Standing};

use super::blobs::{cut, joined};
use super::device::{Blob, Device, Row};

impl Device {
    pub(super) fn prepare(&mut self, request: &Prepare, now: Timestamp) -> Result<Promise, ReplicaError> {
        self.standing(&request.row).prepare(request.ballot)?;
        if !self.bound.covers(request.ballot) {
            self.bound = self.bound.next(request.ballot, now.as_micros());
        }
        let forgotten = self.floor(request.row.hash).forgotten();
        let row = self.row_mut(&request.row);
        row.promised = Some(request.ballot);
        Ok(Promise { accepted: row.accepted.clone(), forgotten })
    }

    pub(super) fn accept(&mut self, request: Accept) -> Result<(), ReplicaError> {
        let Accept { row: address, ballot, state, body, garbage, seal } = request;
        let seal_here = self.seals.get(&address.row.table);
        if state.value.is_live() && seal_here.is_some_and(|token| !token.lets_in(seal)) {
            return Err(ReplicaError::Sealed);
        }
        self.standing(&address).accept(ballot)?;
        if (state.value.is_live() || body.is_some()) && self.faults.is_full {
            return Err(ReplicaError::Full);
        }
        let carried = body.as_ref().map(|body| body.blob.id);
        let lives_here = |blob: &&BlobRef| blob.hash == address.hash;
        let is_missing = |blob: &&BlobRef| !self.blobs.contains_key(&blob.id) && Some(blob.id) != carried;
        let missing = state.value.blobs().iter().filter(lives_here).filter(is_missing);
        let missing: Vec<_> = missing.map(|blob| blob.id).collect();
        if !missing.is_empty() {
            return Err(ReplicaError::MissingBlobs(missing));
        }
        if let Some(body) = body {
            let owner = BlobOwner::Row(address.clone());
            let blob = Blob {
                reference: body.blob,
                owner,
                blocks: cut(&body.bytes),
                known_since: tokio::time::Instant::now(),
                run: self.run,
            };
            self.blobs.insert(body.blob.id, blob);
        }
        for blob in garbage {
            self.garbage.push_back(martlet_protocol::Garbage { blob, row: address.clone(), ballot });
        }
        let row = self.row_mut(&address);
        if row.accepted.as_ref().map(|accepted| accepted.ballot) != Some(ballot) {
            row.accepted = Some(Accepted { ballot, state });
        }
        if row.promised <= Some(ballot) {
            row.promised = None;
        }
        Ok(())
    }

    pub(super) fn read(&self, request: &ReadRow) -> Result<RowReply, ReplicaError> {
        let place = (request.row.row.table, request.row.row.key.clone());
        let accepted = self.rows.get(&place).and_then(|row| row.accepted.clone());
        match request.want {
            Want::Ballot => Ok(RowReply::Ballot(accepted.map(|accepted| accepted.ballot))),
            Want::Value => Ok(RowReply::Value { accepted, body: None }),
            Want::ValueAndBody { bytes_max } => {
                let blobs = accepted.as_ref().map_or(&[][..], |accepted| accepted.state.value.blobs());
                let body = match blobs {
                    [blob] if blob.bytes <= bytes_max && blob.hash == request.row.hash => {
                        Some(self.whole_blob(blob)?)
                    }
                    _ => None,
                };
                Ok(RowReply::Value { accepted, body })
            }
        }
    }

    pub(super) fn list(&self, request: &ListRows) -> RowPage {
        let mut items = Vec::new();
        let mut from = match &request.after {
            Some(after) if after >= &request.prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(request.prefix.clone()),
        };
        while let Some((key, row)) = self.next_row(request, from) {
            if items.len() >= request.limit {
                let through = items.last().map(name_of).or_else(|| request.after.clone());
                return RowPage { items, through: Some(through.unwrap_or_default()) };
            }
            let prefix = common_prefix(request, key);
            let (Some(accepted), true) = (&row.accepted, prefix != request.after || prefix.is_none()) else {
                from = Bound::Excluded(key.clone());
                continue;
            };
            from = Bound::Excluded(key.clone());
            let (key, hash, ballot) = (key.clone(), row.hash, accepted.ballot);
            let is_shown = request.scope == Scope::All || accepted.state.value.weight().objects > 0;
            match (prefix, accepted.state.value.entry().filter(|_| is_shown)) {
                (Some(prefix), Some(_)) => {
                    if items.last().map(name_of).as_ref() != Some(&prefix) {
                        items.push(ListedItem::Prefix(ListedPrefix { prefix, key, hash, ballot }));
                    }
                }
                (Some(_), None) => {}
                (None, entry) => {
                    items.push(ListedItem::Row(ListedRow { key, hash, ballot, entry: entry.cloned() }));
                }
            }
        }
        RowPage { items, through: None }
    }

    fn next_row(&self, request: &ListRows, from: Bound<Bytes>) -> Option<(&Bytes, &Row)> {
        let from = match from {
            Bound::Included(key) => Bound::Included((request.table, key)),
            Bound::Excluded(key) => Bound::Excluded((request.table, key)),
            Bound::Unbounded => Bound::Unbounded,
        };
        let is_wanted =
            |row: &Row| request.partition.is_none_or(|partition| self.partition_of(row.hash) == partition);
        let mut rows = self
            .rows
            .range((from, Bound::Unbounded))
            .take_while(|((table, key), _)| *table == request.table && key.starts_with(&request.prefix))
            .take_while(|((_, key), _)| request.before.as_ref().is_none_or(|before| key < before));
        rows.find(|(_, row)| is_wanted(row)).map(|((_, key), row)| (key, row))
    }

    fn standing(&mut self, address: &RowAddress) -> Standing {
        let floor = self.floor(address.hash).height();
        let row = self.rows.get(&(address.row.table, address.row.key.clone()));
        Standing {
            floor,
            promised: row.and_then(|row| row.promised),
            accepted: row.and_then(|row| row.accepted.as_ref()).map(|accepted| accepted.ballot),
        }
    }

    fn row_mut(&mut self, address: &RowAddress) -> &mut Row {
        let place = (address.row.table, address.row.key.clone());
        self.rows.entry(place).or_insert(Row { hash: address.hash, promised: None, accepted: None })
    }

    fn whole_blob(&self, blob: &BlobRef) -> Result<Bytes, ReplicaError> {
        let stored = self.blobs.get(&blob.id).ok_or_else(|| ReplicaError::MissingBlobs(vec![blob.id]))?;
        match stored.blocks.iter().find(|block| !block.is_intact()) {
            Some(_) => Err(ReplicaError::Damaged(format!("{:?}", blob.id))),
            None => Ok(joined(&stored.blocks)),
        }
    }
}

fn name_of(item: &ListedItem) -> Bytes {
    match item {
        ListedItem::Row(row) => row.key.clone(),
        ListedItem::Prefix(prefix) => prefix.prefix.clone(),
    }
}

fn common_prefix(request: &ListRows, key: &Bytes) -> Option<Bytes> {
    let query = ListQuery {
        prefix: request.prefix.clone(),
        delimiter: request.delimiter.clone(),
        ..ListQuery::all(0)
    };
    query.common_prefix(key).map(|prefix| key.slice_ref(prefix))
}

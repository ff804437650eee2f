//! What every commit changes besides rows and blobs: the state of the device, and counters.
//!
//! By itself each of them would touch a page of its own, and counters as many pages as partitions. So a commit adds
//! one entry to the end of the table `changes`, and after many commits all entries are folded into the tables
//! `device`, `counters` and `segments`. Whoever reads those adds what isn't folded yet: see [`Unfolded`].

use martlet_protocol::TableId;
use martlet_register::PromiseBound;
use martlet_ring::Partition;
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{ballot_bytes, ballot_from, signed, unsigned};
use super::counters::{Change, Changes};
use super::state::{self, DeviceState};
use super::{blobs, counters};
use crate::disk::error::DiskError;
use crate::disk::fields::Fields;
use crate::disk::segment::Tail;
use martlet_protocol::Checksum;

/// What the entries hold that aren't folded yet.
#[derive(Debug, Default)]
pub struct Unfolded {
    pub counters: Changes,
    /// How long the entries are together.
    pub bytes: usize,
}

impl Unfolded {
    pub fn read(connection: &Connection) -> Result<Self, DiskError> {
        let mut statement = connection.prepare_cached("SELECT content FROM changes")?;
        let mut rows = statement.query([])?;
        let mut unfolded = Self::default();
        while let Some(row) = rows.next()? {
            let content = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            let (_, counters) = decode(0, content).ok_or_else(damaged)?;
            unfolded.add(&counters, content.len());
        }
        Ok(unfolded)
    }

    /// One more entry of this length.
    pub fn add(&mut self, counters: &Changes, entry_bytes: usize) {
        for (key, change) in counters {
            self.counters.entry(*key).or_default().add(*change);
        }
        self.bytes += entry_bytes;
    }
}

/// Adds the entry of a commit, whose number is `state.commits`.
pub fn insert(connection: &Connection, state: &DeviceState, entry: &[u8]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT INTO changes VALUES (?1, ?2)")?;
    statement.execute(params![signed(state.commits), entry])?;
    Ok(())
}

/// The state as of the last entry; `None`: there are no entries.
pub fn last_state(connection: &Connection) -> Result<Option<DeviceState>, DiskError> {
    let mut statement =
        connection.prepare_cached("SELECT number, content FROM changes ORDER BY number DESC LIMIT 1")?;
    let last = statement.query_row([], |row| Ok((unsigned(row.get(0)?), row.get::<_, Vec<u8>>(1)?)));
    let Some((commits, content)) = last.optional()? else { return Ok(None) };
    let (state, _) = decode(commits, &content).ok_or_else(damaged)?;
    Ok(Some(state))
}

/// Puts everything where it belongs; `all` is what isn't folded yet. No entry is left.
pub fn fold(connection: &Connection, state: &mut DeviceState, all: &Changes) -> rusqlite::Result<()> {
    counters::write(connection, all)?;
    if state.tail_unlisted_bytes != 0 {
        blobs::change_segment(connection, state.tail.segment, state.tail_unlisted_bytes)?;
        state.tail_unlisted_bytes = 0;
    }
    state::write(connection, state)?;
    connection.prepare_cached("DELETE FROM changes")?.execute([])?;
    Ok(())
}

/// ```text
/// session               4
/// promise bound        16
/// segment               4     where the newest segment ends
/// end                   8
/// unlisted bytes        8     see `DeviceState`
/// for each table:
///     table            16
///     count             4
///     for each partition:
///         partition     4
///         rows          8     each by how much it changes
///         objects       8
///         bytes         8
///         digest        8
/// checksum              8     over everything above
/// ```
pub fn encode(state: &DeviceState, counters: &Changes) -> Vec<u8> {
    let mut entry = Vec::with_capacity(64 + 56 * counters.len());
    entry.extend_from_slice(&state.session.to_be_bytes());
    entry.extend_from_slice(&ballot_bytes(state.bound.persisted()));
    entry.extend_from_slice(&state.tail.segment.to_be_bytes());
    entry.extend_from_slice(&state.tail.end.to_be_bytes());
    entry.extend_from_slice(&state.tail_unlisted_bytes.to_be_bytes());
    let all: Vec<_> = counters.iter().collect();
    for of_table in all.chunk_by(|((one, _), _), ((other, _), _)| one == other) {
        entry.extend_from_slice(of_table[0].0.0.as_bytes());
        entry.extend_from_slice(&u32::try_from(of_table.len()).unwrap_or(u32::MAX).to_be_bytes());
        for ((_, partition), change) in of_table {
            entry.extend_from_slice(&partition.0.to_be_bytes());
            entry.extend_from_slice(&change.rows.to_be_bytes());
            entry.extend_from_slice(&change.objects.to_be_bytes());
            entry.extend_from_slice(&change.bytes.to_be_bytes());
            entry.extend_from_slice(&change.digest.to_be_bytes());
        }
    }
    let checksum = Checksum::of(&entry);
    entry.extend_from_slice(&checksum.0.to_be_bytes());
    entry
}

/// `None`: it is damaged.
fn decode(commits: u64, entry: &[u8]) -> Option<(DeviceState, Changes)> {
    let (content, checksum) = entry.split_last_chunk::<8>()?;
    if Checksum::of(content).0 != u64::from_be_bytes(*checksum) {
        return None;
    }
    let mut fields = Fields(content);
    let session = fields.u32()?;
    let bound = PromiseBound::new(ballot_from(&mut fields)?);
    let tail = Tail { segment: fields.u32()?, end: fields.u64()? };
    let tail_unlisted_bytes = fields.u64()?.cast_signed();
    let mut changes = Changes::new();
    while !fields.is_empty() {
        let table = TableId::from_bytes(fields.array()?)?;
        for _ in 0..fields.u32()? {
            let partition = Partition(fields.u32()?);
            let rows = fields.u64()?.cast_signed();
            let change = Change { rows, objects: fields.u64()?, bytes: fields.u64()?, digest: fields.u64()? };
            changes.insert((table, partition), change);
        }
    }
    Some((DeviceState { commits, session, bound, tail, tail_unlisted_bytes }, changes))
}

fn damaged() -> DiskError {
    DiskError::damaged("index", "an entry of changes is damaged")
}

#[cfg(test)]
mod tests {
    use martlet_protocol::TableKind;
    use martlet_register::{Ballot, ProposerId};

    use super::*;

    fn state() -> DeviceState {
        DeviceState {
            commits: 9,
            session: 3,
            bound: PromiseBound::new(Ballot { time: 1 << 50, proposer: ProposerId(7) }),
            tail: Tail { segment: 5, end: 8192 },
            tail_unlisted_bytes: -4096,
        }
    }

    fn counters() -> Changes {
        let table = |number| TableId::new(TableKind::Objects, [number; 15]);
        let change = |rows| Change { rows, objects: 2, bytes: u64::MAX, digest: 1 << 63 };
        Changes::from([
            ((table(1), Partition(0)), change(-1)),
            ((table(1), Partition(9)), change(2)),
            ((table(2), Partition(0)), change(0)),
        ])
    }

    #[test]
    fn an_entry_comes_back_as_it_was() {
        for counters in [Changes::new(), counters()] {
            assert_eq!(decode(9, &encode(&state(), &counters)), Some((state(), counters)));
        }
    }

    #[test]
    fn an_entry_with_a_flipped_bit_is_none() {
        let entry = encode(&state(), &counters());
        for at in 0..entry.len() * 8 {
            let mut flipped = entry.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(decode(9, &flipped), None, "bit {at}");
        }
    }
}

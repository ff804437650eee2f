//! What the device knows of itself: one row, and the floors.

use martlet_register::{Ballot, PromiseBound};
use martlet_ring::Partition;
use rusqlite::{Connection, params};

use super::changes;
use super::codec::{ballot_bytes, ballot_of, signed, unsigned};
use crate::disk::error::DiskError;
use crate::disk::segment::Tail;

/// The `device` row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceState {
    /// How many transactions were committed.
    pub commits: u64,
    /// How many times the device was opened.
    pub session: u32,
    pub bound: PromiseBound,
    pub tail: Tail,
    /// What the newest segment holds that is alive and isn't in the table `segments` yet.
    pub tail_unlisted_bytes: i64,
}

pub fn read(connection: &Connection) -> Result<DeviceState, DiskError> {
    if let Some(last) = changes::last_state(connection)? {
        return Ok(last);
    }
    let mut statement =
        connection.prepare_cached("SELECT commits, session, bound, tail_segment, tail_end FROM device")?;
    let (state, bound) = statement.query_row([], |row| {
        let bound: Vec<u8> = row.get(2)?;
        let tail = Tail { segment: row.get(3)?, end: unsigned(row.get(4)?) };
        let bound_ballot = ballot_of(&bound);
        let state = DeviceState {
            commits: unsigned(row.get(0)?),
            session: row.get(1)?,
            bound: PromiseBound::new(bound_ballot.unwrap_or_default()),
            tail,
            tail_unlisted_bytes: 0,
        };
        Ok((state, bound_ballot))
    })?;
    bound.map(|_| state).ok_or_else(|| DiskError::damaged("index", "the promise bound isn't a ballot"))
}

/// Writes the row; everything is listed.
pub(super) fn write(connection: &Connection, state: &DeviceState) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE device SET commits = ?1, session = ?2, bound = ?3, tail_segment = ?4, tail_end = ?5",
    )?;
    statement.execute(params![
        signed(state.commits),
        state.session,
        ballot_bytes(state.bound.persisted()),
        state.tail.segment,
        signed(state.tail.end),
    ])?;
    Ok(())
}

/// The highest tombstones that were forgotten, by partition.
pub fn floors(connection: &Connection) -> Result<Vec<(Partition, Ballot)>, DiskError> {
    let mut statement = connection.prepare("SELECT part, forgotten FROM floors")?;
    let floors = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut read = Vec::new();
    for floor in floors {
        let (part, bytes) = floor?;
        let ballot =
            ballot_of(&bytes).ok_or_else(|| DiskError::damaged("index", "a floor isn't a ballot"))?;
        read.push((Partition(part), ballot));
    }
    Ok(read)
}

pub fn write_floor(connection: &Connection, partition: Partition, forgotten: Ballot) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO floors VALUES (?1, ?2)")?;
    statement.execute(params![partition.0, ballot_bytes(forgotten)])?;
    Ok(())
}

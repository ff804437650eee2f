//! The index: what SQLite keeps of a device.
//!
//! Every function here takes a connection and belongs to whoever runs the transaction:
//! the writer for changes, a reader for the rest.

pub mod blobs;
pub mod changes;
mod codec;
pub mod counters;
pub mod garbage;
pub mod list;
pub mod log_check;
pub mod rows;
pub mod schema;
pub mod seals;
pub mod state;
pub mod survey;
pub mod unreferenced;

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::DiskError;

/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 64;

/// What a connection keeps of the index in memory, in KiB. The operating system caches the files as well;
/// these only have to hold the upper levels of the trees and what one group touches.
const WRITER_CACHE_KIB: i64 = 4096;
const READER_CACHE_KIB: i64 = 1024;

/// How long a connection waits for another's lock. Only a checkpoint at start or end can hold one.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Writer,
    Reader,
    /// Reads, and copies the log into the index.
    Upkeep,
}

/// Opens an index that exists; `create` also makes one.
pub fn open(path: &Path, vfs: Option<&str>, create: bool) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(BUSY_WAIT)?;
    // Closing must never copy or remove the log by itself: see `start` for what its absence means.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Sets a connection up for its role.
///
/// Checkpoints are the upkeep thread's work, not the commit's: `wal_autocheckpoint` is off.
pub fn configure(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let cache_kib = match role {
        Role::Writer => WRITER_CACHE_KIB,
        Role::Reader | Role::Upkeep => READER_CACHE_KIB,
    };
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    if role == Role::Reader {
        connection.pragma_update(None, "query_only", true)?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// Several reads of one state of the index.
pub fn in_snapshot<T>(
    connection: &Connection,
    read: impl FnOnce() -> Result<T, DiskError>,
) -> Result<T, DiskError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let outcome = read();
    connection.prepare_cached("COMMIT")?.execute([])?;
    outcome
}

/// Copies what the log holds into the index, as far as nobody still needs the old pages.
/// `true`: the index has everything.
pub fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (busy, in_log, copied): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(busy == 0 && in_log == copied)
    })
}

/// Empties a log of which the index has everything.
pub fn truncate_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

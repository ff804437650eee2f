//! The tables of `index.db`. `docs/formats.md` explains every column.

use rusqlite::Connection;

/// `PRAGMA application_id`: "MRTL".
pub const APPLICATION_ID: i32 = 0x4d52_544c;

/// `PRAGMA user_version`: raised whenever an older version couldn't read the index any more.
pub const INDEX_VERSION: i32 = 2;

/// Within a row the columns that every question needs come first, and `record` last:
/// a listing never has to follow a long row to its overflow pages.
const TABLES: &str = "
CREATE TABLE device (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    commits INTEGER NOT NULL,
    session INTEGER NOT NULL,
    bound BLOB NOT NULL,
    tail_segment INTEGER NOT NULL,
    tail_end INTEGER NOT NULL
) STRICT;
CREATE TABLE rows (
    tbl BLOB NOT NULL,
    key BLOB NOT NULL,
    hash INTEGER NOT NULL,
    ballot BLOB NOT NULL,
    checks INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    entry BLOB,
    lineage BLOB NOT NULL,
    blobs BLOB NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tbl, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones ON rows (ballot) WHERE entry IS NULL;
CREATE TABLE counters (
    tbl BLOB NOT NULL,
    part INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    PRIMARY KEY (tbl, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE blobs (
    id BLOB PRIMARY KEY NOT NULL,
    hash INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    checks INTEGER NOT NULL,
    known INTEGER NOT NULL,
    segment INTEGER,
    position INTEGER,
    owner BLOB NOT NULL,
    blocks BLOB NOT NULL,
    body BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE segments (
    number INTEGER PRIMARY KEY NOT NULL,
    live_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE freed (
    number INTEGER PRIMARY KEY NOT NULL,
    blob BLOB,
    segment INTEGER,
    position INTEGER,
    bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE garbage (
    blob BLOB PRIMARY KEY NOT NULL,
    blob_hash INTEGER NOT NULL,
    blob_bytes INTEGER NOT NULL,
    blob_checksum INTEGER NOT NULL,
    tbl BLOB NOT NULL,
    key BLOB NOT NULL,
    hash INTEGER NOT NULL,
    ballot BLOB NOT NULL,
    known INTEGER NOT NULL,
    checks INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX garbage_age ON garbage (known);
CREATE TABLE seals (
    tbl BLOB PRIMARY KEY NOT NULL,
    token BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE floors (
    part INTEGER PRIMARY KEY NOT NULL,
    forgotten BLOB NOT NULL
) STRICT;
INSERT INTO device VALUES (1, 0, 0, zeroblob(16), 0, 0);
";

/// Makes the tables of a fresh index.
pub fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(CHANGES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", INDEX_VERSION)?;
    transaction.commit()
}

/// What version 2 has that version 1 hadn't.
const CHANGES: &str = "
CREATE TABLE changes (
    number INTEGER PRIMARY KEY NOT NULL,
    content BLOB NOT NULL
) STRICT;
";

/// Makes an index of an older version one of this version.
pub fn bring_up_to_date(connection: &Connection) -> rusqlite::Result<()> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 1 {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(CHANGES)?;
        transaction.pragma_update(None, "user_version", INDEX_VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}

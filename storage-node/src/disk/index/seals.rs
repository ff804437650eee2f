//! Sealed tables.

use std::collections::HashMap;

use martlet_protocol::{SealToken, TableId};
use rusqlite::{Connection, params};

use crate::disk::error::DiskError;

pub fn all(connection: &Connection) -> Result<HashMap<TableId, SealToken>, DiskError> {
    let mut statement = connection.prepare_cached("SELECT tbl, token FROM seals")?;
    let seals =
        statement.query_map([], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, [u8; 16]>(1)?)))?;
    let mut read = HashMap::new();
    for seal in seals {
        let (table, token) = seal?;
        let table =
            TableId::from_bytes(table).ok_or_else(|| DiskError::damaged("index", "a seal names no table"))?;
        read.insert(table, SealToken(token));
    }
    Ok(read)
}

pub fn insert(connection: &Connection, table: TableId, token: SealToken) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO seals VALUES (?1, ?2)")?
        .execute(params![table.as_bytes(), token.0])?;
    Ok(())
}

pub fn remove(connection: &Connection, table: TableId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM seals WHERE tbl = ?1")?.execute(params![table.as_bytes()])?;
    Ok(())
}

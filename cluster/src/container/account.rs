//! Accounts: made by the first write, never removed.

use std::sync::Arc;

use bytes::Bytes;
use martlet_model::{AccountName, Result, UserMetadata};
use martlet_protocol::{RowState, TableId, TableKind};

use crate::cluster::{ACCOUNTS, Shared};
use crate::record::account::AccountRow;
use crate::record::live;
use crate::row::change::change;
use crate::row::read::read_value;
use crate::row::{Access, Verdict};

/// The account's row; `None`: nobody has written to it yet.
pub(crate) async fn read(shared: &Arc<Shared>, account: &AccountName) -> Result<Option<AccountRow>> {
    let state = read_value(shared, &access(shared, account)).await?;
    row(state.as_ref())
}

/// The table of the account's containers; `None`: nobody has written to the account yet.
pub(crate) async fn containers_of(shared: &Arc<Shared>, account: &AccountName) -> Result<Option<TableId>> {
    if let Some(table) = shared.containers.account(account) {
        return Ok(Some(table));
    }
    let Some(row) = read(shared, account).await? else { return Ok(None) };
    shared.containers.put_account(account, row.containers);
    Ok(Some(row.containers))
}

/// The table of the account's containers, and the account with it if there is none yet.
pub(crate) async fn ensure(shared: &Arc<Shared>, account: &AccountName) -> Result<TableId> {
    if let Some(table) = containers_of(shared, account).await? {
        return Ok(table);
    }
    update(shared, account, &UserMetadata::default()).await
}

/// Merges `changes` into the account's metadata, and makes the account if there is none yet.
pub(crate) async fn update(
    shared: &Arc<Shared>,
    account: &AccountName,
    changes: &UserMetadata,
) -> Result<TableId> {
    let table = shared.new_table(TableKind::Containers);
    let decide = |predecessor: Option<&RowState>| match updated(shared, predecessor, table, changes) {
        Ok((row, false)) => Verdict::Leave(Ok(row.containers)),
        Ok((row, true)) => Verdict::Write { value: row.to_value(), answer: row.containers },
        Err(error) => Verdict::Leave(Err(error)),
    };
    let table = change(shared, &access(shared, account), None, decide).await?;
    shared.containers.put_account(account, table);
    Ok(table)
}

/// What the row becomes, and whether that is something else than it is.
fn updated(
    shared: &Shared,
    predecessor: Option<&RowState>,
    table: TableId,
    changes: &UserMetadata,
) -> Result<(AccountRow, bool)> {
    if let Some(present) = row(predecessor)? {
        let metadata = present.metadata.merged(changes)?;
        let is_changed = metadata != present.metadata;
        return Ok((AccountRow { metadata, ..present }, is_changed));
    }
    let metadata = UserMetadata::default().merged(changes)?;
    Ok((AccountRow { containers: table, created: shared.now(), metadata }, true))
}

fn row(state: Option<&RowState>) -> Result<Option<AccountRow>> {
    Ok(live(state).map(AccountRow::read).transpose()?)
}

fn access(shared: &Shared, account: &AccountName) -> Access {
    Access::open(shared, ACCOUNTS, Bytes::copy_from_slice(account.as_str().as_bytes()))
}

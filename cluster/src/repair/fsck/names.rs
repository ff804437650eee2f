//! Which container a table of objects belongs to.

use std::collections::BTreeMap;
use std::sync::Arc;

use martlet_model::{AccountName, ContainerId, ContainerName, Result};
use martlet_protocol::TableId;

use super::report::KindCount;
use crate::cluster::{ACCOUNTS, Shared};
use crate::container::account::containers_of;
use crate::list::{Found, Lister, Question};
use crate::record::container::ContainerRow;
use crate::record::live;
use crate::row::read::read_value;
use crate::row::{Access, Guard};

/// The names of these tables' containers, as far as they can be found.
pub(super) async fn names_of(
    shared: &Arc<Shared>,
    wanted: &BTreeMap<TableId, KindCount>,
) -> BTreeMap<TableId, ContainerId> {
    let mut names = BTreeMap::new();
    if wanted.is_empty() {
        return names;
    }
    if let Err(error) = find(shared, wanted, &mut names).await {
        tracing::debug!(%error, "not every table's container is known");
    }
    names
}

async fn find(
    shared: &Arc<Shared>,
    wanted: &BTreeMap<TableId, KindCount>,
    names: &mut BTreeMap<TableId, ContainerId>,
) -> Result<()> {
    let mut accounts = Lister::new(shared, Question::all(ACCOUNTS, Guard::None));
    while let Some(found) = accounts.next().await? {
        let Ok(account) = AccountName::parse(found.name()) else { continue };
        let Some(table) = containers_of(shared, &account).await? else { continue };
        let mut containers = Lister::new(shared, Question::all(table, Guard::None));
        while let Some(Found::Row { key, .. }) = containers.next().await? {
            let state = read_value(shared, &Access::open(shared, table, key.clone())).await?;
            let Some(row) = live(state.as_ref()).map(ContainerRow::read).transpose()? else { continue };
            if let (Ok(name), true) = (ContainerName::parse(&key), wanted.contains_key(&row.objects)) {
                names.insert(row.objects, ContainerId { account: account.clone(), name });
            }
        }
    }
    Ok(())
}

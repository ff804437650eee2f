//! When objects end: noted before the object commits, so that none is forgotten.

use martlet_model::{Result, Timestamp};
use martlet_protocol::RowState;

use super::keeper::Keeper;
use crate::cluster::EXPIRIES;
use crate::record::expiry::Expiry;
use crate::row::change::change;
use crate::row::{Access, Verdict};

/// Notes that an object is about to be there that ends at this moment; `None`: it doesn't.
///
/// Always written anew: whoever is about to take the note away sees that it has changed.
pub(crate) async fn note(keeper: &Keeper, delete_at: Option<Timestamp>) -> Result<()> {
    let Some(delete_at) = delete_at else { return Ok(()) };
    let expiry = Expiry {
        delete_at,
        objects: keeper.container.row.objects,
        key: martlet_model::ObjectKey::parse(keeper.key.clone())?,
        container: keeper.container.id.clone(),
        noted: keeper.shared.now(),
    };
    let access = Access::open(&keeper.shared, EXPIRIES, expiry.row_key());
    let value = expiry.to_value();
    let decide = |_: Option<&RowState>| Verdict::Write { value: value.clone(), answer: () };
    change(&keeper.shared, &access, None, decide).await
}

//! Seals: a sealed table takes no writes but its sealer's.
//!
//! Who wants to know what a sealed table holds asks only those who have sealed it ([`Sealed`]): a device whose writer
//! is slow may list its rows long before it takes the seal, and accept a write in between.

use std::sync::Arc;

use martlet_model::{Error, Result};
use martlet_protocol::{ReplicaError, SealToken, TableId};
use martlet_ring::DeviceId;

use crate::cluster::Shared;
use crate::device::Device;
use crate::fanout::{Patience, ask};
use crate::list::Coverage;

/// A seal that a majority of every partition's replicas has taken: from then on a write is refused,
/// or one of any majority of these devices has it.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) token: SealToken,
    /// Those who are known to have taken it.
    pub(crate) devices: Arc<[DeviceId]>,
}

/// Seals these tables at a majority of every partition's replicas.
///
/// `lifted` are tokens of former seals that a device may still have.
pub(crate) async fn seal(
    shared: &Arc<Shared>,
    tables: &[TableId],
    token: SealToken,
    lifted: &[SealToken],
) -> Result<Sealed> {
    let devices = shared.all_devices();
    let coverage = Coverage::new(&shared.ring, None);
    seal_at(shared, &devices, tables, (token, lifted), |is_there| {
        coverage.is_met_by(|id| devices.iter().zip(is_there).any(|(device, there)| *there && device.id == id))
    })
    .await
}

/// Seals one table at a majority of these devices, which hold all of it.
pub(crate) async fn seal_one(
    shared: &Arc<Shared>,
    devices: &[Arc<Device>],
    table: TableId,
    token: SealToken,
    lifted: &[SealToken],
) -> Result<Sealed> {
    let majority = devices.len() / 2 + 1;
    seal_at(shared, devices, &[table], (token, lifted), |is_there| {
        is_there.iter().filter(|there| **there).count() >= majority
    })
    .await
}

/// Lifts seals wherever they can be reached. Who can't be reached keeps them, and is told when it refuses a write.
pub(crate) async fn lift(shared: &Arc<Shared>, tables: &[TableId], tokens: &[SealToken]) {
    lift_at(shared, &shared.all_devices(), tables, tokens).await;
}

pub(crate) async fn lift_at(
    shared: &Arc<Shared>,
    devices: &[Arc<Device>],
    tables: &[TableId],
    tokens: &[SealToken],
) {
    if tokens.is_empty() {
        return;
    }
    let question = |replica: Arc<dyn martlet_protocol::Replica>| {
        let (tables, tokens) = (tables.to_vec(), tokens.to_vec());
        async move {
            for &table in &tables {
                for &token in &tokens {
                    replica.unseal(table, token).await?;
                }
            }
            Ok(())
        }
    };
    let majority = devices.len() / 2 + 1;
    let is_enough = |answered: &[bool]| answered.iter().filter(|there| **there).count() >= majority;
    drop(ask(devices, patience(shared), question, is_enough).await);
}

async fn seal_at(
    shared: &Arc<Shared>,
    devices: &[Arc<Device>],
    tables: &[TableId],
    (token, lifted): (SealToken, &[SealToken]),
    is_enough: impl Fn(&[bool]) -> bool,
) -> Result<Sealed> {
    let question = |replica: Arc<dyn martlet_protocol::Replica>| {
        let (tables, lifted) = (tables.to_vec(), lifted.to_vec());
        async move {
            for &table in &tables {
                if replica.seal(table, token).await == Err(ReplicaError::Sealed) {
                    for &old in &lifted {
                        replica.unseal(table, old).await?;
                    }
                    replica.seal(table, token).await?;
                }
            }
            Ok(())
        }
    };
    let outcomes = ask(devices, patience(shared), question, &is_enough).await;
    let is_sealed: Vec<bool> = outcomes.iter().map(|outcome| matches!(outcome, Some(Ok(())))).collect();
    if !is_enough(&is_sealed) {
        return Err(Error::Unavailable("too few devices sealed a table"));
    }
    let sealed = devices.iter().zip(is_sealed).filter(|(_, is_sealed)| *is_sealed);
    Ok(Sealed { token, devices: sealed.map(|(device, _)| device.id).collect() })
}

fn patience(shared: &Shared) -> Patience {
    let options = &shared.options;
    Patience { straggler_delay: options.hedge_delay, deadline: options.answer_deadline }
}

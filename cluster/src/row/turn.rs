//! Changes of one row through this proxy take turns: the register decides between proxies, a queue is cheaper within one.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use martlet_protocol::RowKey;
use tokio::sync::OwnedMutexGuard;

/// The queues are spread over so many maps, so that rows don't wait for each other's bookkeeping.
const SHARD_COUNT: usize = 16;

/// The rows that are being changed.
#[derive(Default)]
pub(crate) struct Turns {
    shards: Arc<[Mutex<Shard>; SHARD_COUNT]>,
    hasher: RandomState,
}

type Shard = HashMap<RowKey, Arc<tokio::sync::Mutex<()>>>;

/// The right to change a row; dropping it lets the next one have it.
pub(crate) struct Turn {
    shards: Arc<[Mutex<Shard>; SHARD_COUNT]>,
    shard: usize,
    row: RowKey,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub(crate) async fn take(&self, row: &RowKey) -> Turn {
        let random = self.hasher.hash_one(row);
        let shard = usize::try_from(random % SHARD_COUNT as u64).unwrap_or_default();
        let queue = lock(&self.shards[shard]).entry(row.clone()).or_default().clone();
        // Made before the wait: who stops waiting tidies up as well.
        let mut turn = Turn { shards: self.shards.clone(), shard, row: row.clone(), guard: None };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut shard = lock(&self.shards[self.shard]);
        // Only the map knows the queue: nobody waits.
        if shard.get(&self.row).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            shard.remove(&self.row);
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use martlet_protocol::{TableId, TableKind};
    use tokio::time::timeout;

    use super::*;

    fn row(key: &'static str) -> RowKey {
        RowKey { table: TableId::new(TableKind::Objects, [0; 15]), key: key.into() }
    }

    fn queue_count(turns: &Turns) -> usize {
        turns.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn one_row_is_changed_by_one_at_a_time_and_nothing_is_left_behind() {
        let turns = Turns::default();
        let first = turns.take(&row("a")).await;
        let other = turns.take(&row("b")).await;
        let wait = Duration::from_millis(1);
        assert!(timeout(wait, turns.take(&row("a"))).await.is_err());
        assert_eq!(queue_count(&turns), 2);
        drop(first);
        let second = turns.take(&row("a")).await;
        drop((second, other));
        assert_eq!(queue_count(&turns), 0);
    }
}

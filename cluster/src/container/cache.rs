//! What a proxy remembers of containers and accounts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use martlet_model::{AccountName, ContainerId};
use martlet_protocol::TableId;
use tokio::time::Instant;

use crate::record::container::ContainerRow;

/// A container as it was when it was read.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) row: ContainerRow,
}

/// Remembers containers for a short time, and where an account's containers are for good: that never changes.
///
/// Ages are measured by a clock that never jumps. That a container doesn't exist is not remembered:
/// it would hide one that was just made through another proxy.
#[derive(Debug)]
pub(crate) struct ContainerCache {
    age_max: Duration,
    state: Mutex<State>,
}

/// Says when a read began: what it found isn't remembered if the container was changed here since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    changes: u64,
    began: Instant,
}

#[derive(Debug, Default)]
struct State {
    containers: HashMap<ContainerId, (Instant, Arc<Container>)>,
    accounts: HashMap<AccountName, TableId>,
    /// Counts changes made through this proxy.
    changes: u64,
}

/// The most containers, and the most accounts, that are remembered.
const REMEMBERED_MAX: usize = 10_000;

impl ContainerCache {
    pub(crate) fn new(age_max: Duration) -> Self {
        Self { age_max, state: Mutex::default() }
    }

    pub(crate) fn get(&self, id: &ContainerId) -> Option<Arc<Container>> {
        let state = self.state();
        let (began, container) = state.containers.get(id)?;
        (began.elapsed() < self.age_max).then(|| container.clone())
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket { changes: self.state().changes, began: Instant::now() }
    }

    pub(crate) fn put(&self, ticket: Ticket, container: &Arc<Container>) {
        let mut state = self.state();
        if state.changes != ticket.changes {
            return;
        }
        if state.containers.len() >= REMEMBERED_MAX {
            let age_max = self.age_max;
            state.containers.retain(|_, (began, _)| began.elapsed() < age_max);
        }
        if state.containers.len() < REMEMBERED_MAX {
            state.containers.insert(container.id.clone(), (ticket.began, container.clone()));
        }
    }

    /// The container was changed here, or something shows that what is remembered is out of date.
    pub(crate) fn forget(&self, id: &ContainerId) {
        let mut state = self.state();
        state.changes += 1;
        state.containers.remove(id);
    }

    /// Nothing that is remembered counts any more.
    pub(crate) fn forget_all(&self) {
        let mut state = self.state();
        state.changes += 1;
        state.containers.clear();
    }

    pub(crate) fn account(&self, account: &AccountName) -> Option<TableId> {
        self.state().accounts.get(account).copied()
    }

    pub(crate) fn put_account(&self, account: &AccountName, containers: TableId) {
        let mut state = self.state();
        if state.accounts.len() >= REMEMBERED_MAX {
            state.accounts.clear();
        }
        state.accounts.insert(account.clone(), containers);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What waits for a thread. Whoever puts something in holds a permit for it, which is what limits the length.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
    /// Threads that sleep until something is put in. To wake one is a call of the system, also where none sleeps.
    sleeping: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), closed: false, sleeping: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> Queue<T> {
    /// Puts one in; gives it back if the queue is closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed {
            return Err(item);
        }
        state.waiting.push_back(item);
        let is_awaited = state.sleeping > 0;
        drop(state);
        if is_awaited {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for the next; `None`: the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        self.wait_for_some().waiting.pop_front()
    }

    /// Waits for the next, and takes it and what follows it for as long as `fits` says so.
    /// Nothing: the queue is closed and empty.
    pub fn pop_group(&self, mut fits: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut state = self.wait_for_some();
        let mut group = Vec::new();
        while let Some(item) = state.waiting.pop_front_if(|item| fits(item)) {
            group.push(item);
        }
        group
    }

    /// How many wait at the moment.
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing more goes in; what is in it is still taken out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn wait_for_some(&self) -> MutexGuard<'_, State<T>> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            state.sleeping += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_takes_what_fits_and_leaves_the_rest() {
        let queue = Queue::default();
        (1..=5).for_each(|number| queue.push(number).unwrap());
        let mut sum = 0;
        let group = queue.pop_group(|number| {
            sum += number;
            sum <= 6
        });
        assert_eq!(group, [1, 2, 3]);
        assert_eq!(queue.pop(), Some(4));
    }

    #[test]
    fn a_closed_queue_is_emptied_first() {
        let queue = Queue::default();
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.push(2), Err(2));
        assert_eq!((queue.pop(), queue.pop()), (Some(1), None));
        assert!(queue.pop_group(|_| true).is_empty());
    }
}

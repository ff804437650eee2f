//! What goes through the front, in figures.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use martlet_meter::{Counter, DURATION_MICROS, Histogram, Level};

/// Figures of all requests since the start. Read while they are written.
#[derive(Debug, Default)]
pub struct Traffic {
    operations: RwLock<BTreeMap<OperationName, Arc<OperationFigures>>>,
    /// Requests that have begun and whose answer hasn't been sent to its end.
    pub requests: Level,
    /// Connections of clients.
    pub connections: Level,
}

/// An operation of a dialect. Both names are words of the program, never of a client: so there are few of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationName {
    pub dialect: &'static str,
    /// [`UNKNOWN`] where a request was refused before it was known what it asks for.
    pub operation: &'static str,
}

/// What stands for the operation of requests that were refused before they had one.
pub const UNKNOWN: &str = "Unknown";

/// Figures of one operation.
#[derive(Debug)]
pub struct OperationFigures {
    /// Finished requests by the first digit of their status, from 1 to 5.
    by_status: [Counter; 5],
    /// From a request's head to the beginning of its answer, in microseconds. What a client takes to send its body
    /// is in it; what it takes to receive the answer isn't.
    pub answer_micros: Histogram,
    /// Of requests' bodies.
    pub received_bytes: Counter,
    /// Of answers' bodies.
    pub sent_bytes: Counter,
}

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) name: OperationName,
    /// `None`: the client went before there was an answer.
    pub(crate) status: Option<u16>,
    pub(crate) answered_after: Duration,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
}

impl Traffic {
    /// Every operation that has been asked for so far.
    pub fn operations(&self) -> Vec<(OperationName, Arc<OperationFigures>)> {
        let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        operations.iter().map(|(name, figures)| (*name, figures.clone())).collect()
    }

    pub(crate) fn count(&self, passed: &Passed) {
        let figures = self.of(passed.name);
        figures.answer_micros.record_duration(passed.answered_after);
        figures.received_bytes.add(passed.received_bytes);
        figures.sent_bytes.add(passed.sent_bytes);
        if let Some(counter) = passed.status.and_then(|status| figures.class(status)) {
            counter.increment();
        }
    }

    fn of(&self, name: OperationName) -> Arc<OperationFigures> {
        let known = self.operations.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        known.unwrap_or_else(|| {
            let mut operations = self.operations.write().unwrap_or_else(PoisonError::into_inner);
            operations.entry(name).or_insert_with(|| Arc::new(OperationFigures::new())).clone()
        })
    }
}

impl OperationFigures {
    fn new() -> Self {
        Self {
            by_status: Default::default(),
            answer_micros: Histogram::new(DURATION_MICROS),
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
        }
    }

    /// How many requests were answered with a status of each class, from 1xx to 5xx.
    pub fn by_status_class(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(self.by_status.iter().map(Counter::get))
    }

    fn class(&self, status: u16) -> Option<&Counter> {
        self.by_status.get(usize::from(status / 100).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_under_its_operation_and_the_class_of_its_status() {
        let traffic = Traffic::default();
        let name = OperationName { dialect: "s3", operation: "PutObject" };
        let passed = Passed {
            name,
            status: Some(200),
            answered_after: Duration::from_millis(2),
            received_bytes: 5,
            sent_bytes: 7,
        };
        traffic.count(&passed);
        traffic.count(&Passed { status: Some(503), ..passed });
        traffic.count(&Passed { status: None, ..passed });
        let operations = traffic.operations();
        let [(known, figures)] = &operations[..] else { panic!("one operation was asked for") };
        assert_eq!(*known, name);
        let by_class: Vec<_> = figures.by_status_class().filter(|(_, count)| *count > 0).collect();
        assert_eq!(by_class, [("2xx", 1), ("5xx", 1)]);
        assert_eq!((figures.received_bytes.get(), figures.sent_bytes.get()), (15, 21));
        assert_eq!(figures.answer_micros.spread().count(), 3);
    }
}

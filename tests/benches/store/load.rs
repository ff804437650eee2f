//! Many clients that do the same thing.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_tests::connection::Connection;
use martlet_tests::files;

use crate::requests::{Body, Page, Requests};
use crate::size::Size;
use crate::target::Target;

/// Large objects that are written over and over, so that the disk doesn't fill.
const LARGE_OBJECTS: usize = 8;
const LISTING_ENTRIES: usize = 1000;
/// Clients that make the objects which are read afterwards.
const PREPARING_CLIENTS: usize = 8;
/// In a mixed load, an object is removed so many operations after it was made.
const MIXED_LIFE: usize = 20_000;
/// A thousand clients need little each.
const STACK_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Operation {
    Put,
    Get,
    Head,
    List,
    Delete,
    /// Of twenty: ten GET, five PUT, two HEAD, two DELETE, and a listing of a hundred.
    Mixed,
}

/// Shared by the clients.
pub(crate) struct Load {
    addresses: Vec<String>,
    requests: Requests,
    operation: Operation,
    /// How large the objects are that it is about.
    size: Size,
    /// How many objects reading and listing choose from.
    objects: usize,
    body: Body,
    nothing: Body,
}

/// What became of a load.
pub(crate) struct Outcome {
    /// Of what succeeded, ascending.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) errors: usize,
}

/// What is asked of a load.
pub(crate) struct Work {
    pub(crate) operation: Operation,
    pub(crate) size: Size,
    /// Small objects that reading and listing choose from.
    pub(crate) objects: usize,
}

/// Runs so many clients until the time is over, or until `step` says that there is nothing left to do.
/// A step says whether it was answered as it should be.
pub(crate) fn drive(
    addresses: &[String],
    clients: usize,
    duration: Option<Duration>,
    step: impl Fn(&mut Connection) -> Option<io::Result<bool>> + Sync,
) -> Outcome {
    let start = Instant::now();
    let client = |number: usize| {
        let address = &addresses[number % addresses.len()];
        let mut outcome = Outcome { latencies: Vec::new(), errors: 0 };
        let mut connection = Connection::open(address).expect("the server accepts");
        while duration.is_none_or(|duration| start.elapsed() < duration) {
            let begun = Instant::now();
            match step(&mut connection) {
                Some(Ok(true)) => outcome.latencies.push(begun.elapsed()),
                Some(Ok(false)) => outcome.errors += 1,
                Some(Err(_)) => {
                    outcome.errors += 1;
                    connection = Connection::open(address).expect("the server accepts");
                }
                None => break,
            }
        }
        outcome
    };
    std::thread::scope(|scope| {
        let begin = |number| {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, move || client(number)).expect("a thread starts")
        };
        let threads: Vec<_> = (0..clients).map(begin).collect();
        let mut sum = Outcome { latencies: Vec::new(), errors: 0 };
        for thread in threads {
            let outcome = thread.join().expect("a client ends well");
            sum.latencies.extend(outcome.latencies);
            sum.errors += outcome.errors;
        }
        sum.latencies.sort_unstable();
        sum
    })
}

impl Load {
    /// Makes the objects that the work needs.
    pub(crate) fn new(target: &Target, requests: &Requests, work: &Work) -> Self {
        let load = Self {
            addresses: target.addresses(),
            requests: requests.clone(),
            operation: work.operation,
            size: work.size,
            objects: if work.size.is_large() { LARGE_OBJECTS } else { work.objects },
            body: Body::new(files::bytes(1, work.size.0)),
            nothing: Body::none(),
        };
        if load.operation != Operation::Put {
            let next = AtomicUsize::new(0);
            let made = drive(&load.addresses, PREPARING_CLIENTS, None, |connection| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                (number < load.objects).then(|| load.put(connection, number))
            });
            assert_eq!(made.errors, 0, "the objects can be made");
        }
        load
    }

    pub(crate) fn run(&self, clients: usize, duration: Duration) -> Outcome {
        let next = AtomicUsize::new(0);
        drive(&self.addresses, clients, Some(duration), |connection| {
            self.step(connection, next.fetch_add(1, Ordering::Relaxed))
        })
    }

    /// One operation, and whether it was answered as it should be; `None`: there is nothing left to do.
    fn step(&self, connection: &mut Connection, number: usize) -> Option<io::Result<bool>> {
        Some(match self.operation {
            Operation::Put if self.size.is_large() => self.put(connection, number % LARGE_OBJECTS),
            Operation::Put => self.put(connection, number),
            Operation::Get => self.get(connection, number),
            Operation::Head => self.look(connection, number),
            Operation::List => {
                let marker = self.path(number * LISTING_ENTRIES % self.objects);
                self.list(connection, &marker, LISTING_ENTRIES)
            }
            Operation::Delete if number < self.objects => {
                self.delete(connection, &self.path(self.existing(number)))
            }
            Operation::Delete => return None,
            Operation::Mixed => self.mixed(connection, number),
        })
    }

    fn mixed(&self, connection: &mut Connection, number: usize) -> io::Result<bool> {
        match number % 20 {
            0..=4 => self.put_at(connection, &format!("bench/mixed-{number:09}")),
            5..=6 => self.look(connection, number),
            7 => self.list(connection, &self.path(self.existing(number)), 100),
            8..=9 if MIXED_LIFE <= number => {
                // What was written here is neither read nor removed by anybody else.
                self.delete(connection, &format!("bench/mixed-{:09}", number - 8 - MIXED_LIFE))
            }
            _ => self.get(connection, number),
        }
    }

    fn put(&self, connection: &mut Connection, number: usize) -> io::Result<bool> {
        self.put_at(connection, &self.path(number))
    }

    fn put_at(&self, connection: &mut Connection, path: &str) -> io::Result<bool> {
        let head = self.requests.head("PUT", path, &self.body);
        Ok(connection.exchange(&head, &self.body.bytes)? == self.requests.put_status())
    }

    fn get(&self, connection: &mut Connection, number: usize) -> io::Result<bool> {
        let head = self.requests.head("GET", &self.path(self.existing(number)), &self.nothing);
        Ok(connection.exchange(&head, b"")? == 200)
    }

    fn look(&self, connection: &mut Connection, number: usize) -> io::Result<bool> {
        let head = self.requests.head("HEAD", &self.path(self.existing(number)), &self.nothing);
        Ok(connection.exchange(&head, b"")? == 200)
    }

    fn delete(&self, connection: &mut Connection, path: &str) -> io::Result<bool> {
        let head = self.requests.head("DELETE", path, &self.nothing);
        Ok(connection.exchange(&head, b"")? == 204)
    }

    fn list(&self, connection: &mut Connection, marker: &str, entries: usize) -> io::Result<bool> {
        let marker = marker.trim_start_matches("bench/");
        let head = self.requests.page("bench", &Page { marker, entries, ..Page::default() });
        Ok([200, 204].contains(&connection.exchange(&head, b"")?))
    }

    /// A stride that is prime to both counts visits every object.
    fn existing(&self, number: usize) -> usize {
        number.wrapping_mul(7919) % self.objects
    }

    fn path(&self, number: usize) -> String {
        if self.size.is_large() {
            format!("bench/large-{number:08}")
        } else {
            format!("bench/small-{number:08}")
        }
    }
}

impl Outcome {
    /// In milliseconds, the latency that so many of a hundred operations don't exceed.
    pub(crate) fn percentile_ms(&self, share: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies
            .get((self.latencies.len() * share / 100).min(last))
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

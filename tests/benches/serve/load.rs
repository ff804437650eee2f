//! Many clients that do the same thing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use martlet_tests::files;
use martlet_tests::server::Server;
use martlet_tests::swift::Session;

use crate::connection::Connection;

/// Small objects that reading and listing choose from.
const SMALL_OBJECTS: usize = 10_000;
/// Large objects that are written over and over, so that the disk doesn't fill.
const LARGE_OBJECTS: usize = 8;
const LISTING_ENTRIES: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Put,
    Get,
    Head,
    List,
    Delete,
}

/// Shared by the clients; each takes the next number.
pub(crate) struct Load {
    address: String,
    token: String,
    operation: Operation,
    /// How large the objects are that it is about.
    body_bytes: usize,
    /// What a PUT sends.
    body: Vec<u8>,
    next: AtomicUsize,
}

impl Load {
    pub(crate) fn new(
        server: &Server,
        session: &Session,
        operation: Operation,
        body_bytes: usize,
    ) -> Arc<Self> {
        let load = Arc::new(Self {
            address: server.address().to_owned(),
            token: session.token().to_owned(),
            operation,
            body_bytes,
            body: if operation == Operation::Put { files::bytes(1, body_bytes) } else { Vec::new() },
            next: AtomicUsize::new(0),
        });
        load.prepare();
        load
    }

    /// Makes the objects that the operation needs.
    fn prepare(&self) {
        if self.operation == Operation::Put {
            return;
        }
        let body = files::bytes(1, self.body_bytes);
        std::thread::scope(|scope| {
            let next = Arc::new(AtomicUsize::new(0));
            for _ in 0..8 {
                let (next, body) = (next.clone(), &body);
                scope.spawn(move || {
                    let mut connection = Connection::open(&self.address);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= objects(body.len()) {
                            break;
                        }
                        let head = self.head("PUT", &path(number, body.len()), body.len());
                        assert_eq!(connection.exchange(&head, body, true), 201);
                    }
                });
            }
        });
    }

    /// Runs `clients` threads for `duration`; returns how long each operation took.
    pub(crate) fn run(self: &Arc<Self>, clients: usize, duration: Duration) -> Vec<Duration> {
        let end = Instant::now() + duration;
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                let load = self.clone();
                std::thread::spawn(move || {
                    let mut connection = Connection::open(&load.address);
                    let mut latencies = Vec::new();
                    while Instant::now() < end {
                        let start = Instant::now();
                        if !load.step(&mut connection) {
                            break;
                        }
                        latencies.push(start.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a client ends well")).collect()
    }

    /// One operation; `false`: there is nothing left to do.
    fn step(&self, connection: &mut Connection) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        match self.operation {
            Operation::Put => {
                let number = if self.body.len() < 1 << 20 { number } else { number % LARGE_OBJECTS };
                let head = self.head("PUT", &path(number, self.body.len()), self.body.len());
                assert_eq!(connection.exchange(&head, &self.body, true), 201);
            }
            Operation::Get => {
                let head = self.head("GET", &self.existing(number), 0);
                assert_eq!(connection.exchange(&head, b"", true), 200);
            }
            Operation::Head => {
                let head = self.head("HEAD", &self.existing(number), 0);
                assert_eq!(connection.exchange(&head, b"", false), 200);
            }
            Operation::List => {
                let marker = path(number * LISTING_ENTRIES % SMALL_OBJECTS, 0);
                let head = self.head("GET", &format!("?limit={LISTING_ENTRIES}&marker={marker}"), 0);
                let status = connection.exchange(&head, b"", true);
                assert!([200, 204].contains(&status), "a listing answered {status}");
            }
            Operation::Delete if number < SMALL_OBJECTS => {
                let head = self.head("DELETE", &self.existing(number), 0);
                assert_eq!(connection.exchange(&head, b"", true), 204);
            }
            Operation::Delete => return false,
        }
        true
    }

    fn existing(&self, number: usize) -> String {
        // A stride that is prime to both counts visits every object.
        path(number.wrapping_mul(7919) % objects(self.body_bytes), self.body_bytes)
    }

    fn head(&self, method: &str, path: &str, body_bytes: usize) -> Vec<u8> {
        let separator = if path.starts_with('?') { "" } else { "/" };
        let token = &self.token;
        format!(
            "{method} /v1/AUTH_main/bench{separator}{path} HTTP/1.1\r\nHost: bench\r\nX-Auth-Token: {token}\r\nContent-Length: {body_bytes}\r\n\r\n"
        )
        .into_bytes()
    }
}

fn objects(body_bytes: usize) -> usize {
    if body_bytes < 1 << 20 { SMALL_OBJECTS } else { LARGE_OBJECTS }
}

fn path(number: usize, body_bytes: usize) -> String {
    if body_bytes < 1 << 20 { format!("small-{number:08}") } else { format!("large-{number:08}") }
}

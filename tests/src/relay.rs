//! A link that can be made to fail: a relay of TCP connections before one process.
//!
//! Bytes that wait at a stalled relay are sent on once it is open again, as they are by a network that loses packets
//! and repeats them.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{sleep, spawn};
use std::time::Duration;

const PIECE_BYTES: usize = 64 * 1024;

/// What becomes of bytes that go one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    #[default]
    Open,
    /// Nothing gets through, and nobody is told.
    Stalled,
    /// Every piece takes so much longer.
    Slow(Duration),
    /// The first byte of the next piece is changed; what comes after it gets through.
    Garbled,
}

/// How a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub to_process: Way,
    pub from_process: Way,
    /// Connections are broken, and new ones refused.
    pub is_severed: bool,
}

/// Relays connections until it is dropped.
pub struct Relay {
    link: Arc<Link>,
}

struct Link {
    listen: String,
    target: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    condition: Condition,
    is_over: bool,
    connection_last: u64,
    /// Both ends of every connection.
    connections: HashMap<u64, [TcpStream; 2]>,
}

#[derive(Clone, Copy)]
enum Direction {
    ToProcess,
    FromProcess,
}

impl Condition {
    pub const OPEN: Self = Self { to_process: Way::Open, from_process: Way::Open, is_severed: false };
    pub const SEVERED: Self = Self { is_severed: true, ..Self::OPEN };

    /// The same both ways.
    pub const fn both(way: Way) -> Self {
        Self { to_process: way, from_process: way, is_severed: false }
    }
}

impl Relay {
    /// Listens at `listen`, and connects everybody who comes with `target`.
    pub fn start(listen: &str, target: &str) -> Self {
        let listener = TcpListener::bind(listen).unwrap_or_else(|error| panic!("{listen}: {error}"));
        let link = Arc::new(Link {
            listen: listen.to_owned(),
            target: target.to_owned(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = link.clone();
        spawn(move || accepting.accept(&listener));
        Self { link }
    }

    pub fn set(&self, condition: Condition) {
        let mut state = self.link.state();
        state.condition = condition;
        if condition.is_severed {
            state.break_connections();
        }
        drop(state);
        self.link.changed.notify_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut state = self.link.state();
        state.is_over = true;
        state.break_connections();
        drop(state);
        self.link.changed.notify_all();
        // The accepting thread wakes up, and sees that it is over.
        let _ = TcpStream::connect(&self.link.listen);
    }
}

impl Link {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let state = self.state();
            if state.is_over {
                return;
            }
            let is_refused = state.condition.is_severed;
            drop(state);
            if let (Ok(stream), false) = (stream, is_refused) {
                let link = self.clone();
                spawn(move || {
                    // A process that isn't there refuses its clients: theirs is closed.
                    let _ = link.relay(stream);
                });
            }
        }
    }

    fn relay(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        let process = TcpStream::connect(&self.target)?;
        client.set_nodelay(true)?;
        process.set_nodelay(true)?;
        let ends = [client.try_clone()?, process.try_clone()?];
        let mut state = self.state();
        if state.is_over || state.condition.is_severed {
            return Ok(());
        }
        state.connection_last += 1;
        let number = state.connection_last;
        state.connections.insert(number, ends);
        drop(state);
        let (from, to) = (client.try_clone()?, process.try_clone()?);
        let link = self.clone();
        let forth = spawn(move || link.copy(from, to, Direction::ToProcess));
        self.copy(process, client, Direction::FromProcess);
        // Both end when one does.
        if let Some(ends) = self.state().connections.get(&number) {
            close(ends);
        }
        let _ = forth.join();
        self.state().connections.remove(&number);
        Ok(())
    }

    /// Until one of the two ends.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, direction: Direction) {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = from.read(&mut piece).unwrap_or(0);
            // An end, too, isn't heard of over a link that is stalled.
            let Some(way) = self.passage(direction) else { break };
            match way {
                Way::Slow(delay) => sleep(delay),
                Way::Garbled if count > 0 => piece[0] ^= 1,
                _ => {}
            }
            if count == 0 || to.write_all(&piece[..count]).is_err() {
                break;
            }
        }
        close(&[from, to]);
    }

    /// Waits while nothing gets through; `None`: it is over.
    fn passage(&self, direction: Direction) -> Option<Way> {
        let mut state = self.state();
        loop {
            if state.is_over {
                return None;
            }
            let way = match direction {
                Direction::ToProcess => &mut state.condition.to_process,
                Direction::FromProcess => &mut state.condition.from_process,
            };
            match *way {
                Way::Stalled => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Way::Garbled => {
                    *way = Way::Open;
                    return Some(Way::Garbled);
                }
                other => return Some(other),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn break_connections(&mut self) {
        for (_, ends) in self.connections.drain() {
            close(&ends);
        }
    }
}

fn close(ends: &[TcpStream; 2]) {
    for end in ends {
        // It may be closed already.
        let _ = end.shutdown(Shutdown::Both);
    }
}

//! A device behind a link: the same as without one, whatever happens to the connection.
#![expect(clippy::unwrap_used, reason = "what a test needs of its surroundings is there, or the test fails")]

mod authority;
mod contract;
mod faults;
mod forgery;
mod harness;
mod relay;
mod rings;
mod tls;

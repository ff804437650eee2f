//! What the end-to-end tests share: a server as a person would start it, and the clients that people have.
//!
//! - [`server`]: `martlet serve` as a process, killed and started again.
//! - [`cluster`]: proxies and nodes as processes, killed, stopped and started again one by one.
//! - [`relay`]: a link between processes that can be made to fail.
//! - [`client`]: `aws`, `s3cmd` and `swift`, with the environment that the server wrote for them.
//! - [`swift`]: a small Swift client over HTTP, for loads that a Python process is too slow for.
//! - [`connection`] and [`process`]: many prepared requests, and what they cost, for measuring.
//! - [`raw`]: bytes over a socket, for requests that no client would send.
//! - [`files`]: trees of files, and whether two are equal.

#![expect(clippy::missing_panics_doc, reason = "a test's helper panics to fail the test")]

pub mod client;
pub mod cluster;
pub mod connection;
pub mod files;
pub mod process;
pub mod raw;
pub mod relay;
pub mod server;
pub mod swift;

//! A device behind a link: the same as without one, whatever happens to the connection.

mod contract;
mod faults;
mod harness;
mod relay;

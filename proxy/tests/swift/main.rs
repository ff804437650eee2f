//! The Swift dialect over a real socket, in front of the store in memory.
//!
//! All scenarios are one binary, so that the server is linked once.

mod access;
mod accounts;
mod archives;
mod bad_input;
mod both;
mod bulk;
mod conditions;
mod containers;
mod copies;
mod cors;
mod dlo;
mod expiry;
mod forms;
mod grants;
mod harness;
mod listings;
mod multirange;
mod objects;
mod quotas;
mod ranges;
mod slo;
mod symlinks;
mod temp_urls;
mod versions;

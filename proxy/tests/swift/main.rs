//! The Swift dialect over a real socket, in front of the store in memory.
//!
//! All scenarios are one binary, so that the server is linked once.

mod access;
mod accounts;
mod bad_input;
mod conditions;
mod containers;
mod grants;
mod harness;
mod listings;
mod objects;
mod quotas;
mod ranges;
mod temp_urls;
mod versions;

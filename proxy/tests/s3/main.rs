//! The S3 dialect, over a real socket.

mod bad_input;
mod buckets;
mod chunked;
mod conditions;
mod configuration;
mod connections;
mod copies;
mod cors;
mod faults;
mod harness;
mod identity;
mod integrity;
mod listings;
mod objects;
mod presigned;
mod unoffered;
mod uploads;
mod version2;

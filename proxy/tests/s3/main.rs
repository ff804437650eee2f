//! The S3 dialect, over a real socket.

mod acl;
mod anonymous;
mod attributes;
mod bad_input;
mod buckets;
mod checksums;
mod chunked;
mod conditions;
mod configuration;
mod connections;
mod copies;
mod cors;
mod faults;
mod forms;
mod harness;
mod identity;
mod integrity;
mod listings;
mod objects;
mod policy;
mod presigned;
mod tagging;
mod unoffered;
mod uploads;
mod version2;
mod versions;

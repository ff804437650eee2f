//! The disk side of a device: synchronous, on threads of its own.
//!
//! Reading order: [`layout`] (where things are), [`files`] and [`publish`] (how they are reached), [`segment`],
//! [`blob_file`] and [`index`] (what is in them), [`registers`], [`sums`] and [`counted`] (what is in memory), [`writer`], [`reader`] and
//! [`space`] (who works on them), [`start`].
//!
//! **Invariant:** nothing here is async or knows tokio. **Invariant:** only [`publish`] renames and links.

pub mod blob_file;
pub mod counted;
pub mod digest;
pub mod error;
pub mod fields;
pub mod files;
pub mod health;
pub mod identity_file;
pub mod index;
pub mod layout;
pub mod owner;
pub mod publish;
pub mod queue;
pub mod reader;
pub mod registers;
pub mod segment;
pub mod since;
pub mod space;
pub mod start;
pub mod sums;
pub mod writer;

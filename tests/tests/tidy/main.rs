//! Taste as a test: what the house rules say of the source tree, and a compiler can't.

mod boundaries;
mod sources;
mod tree;

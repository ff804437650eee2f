//! Taste as a test: what the house rules say of the source tree, and a compiler can't.

#[cfg(test)]
mod boundaries;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod tree;

//! Both APIs through the clients and the software that people already have.
//!
//! One binary, so that it links once.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod libraries;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod tools;

//! The front: two dialects over one store.
//!
//! Reading order: [`server`] and `connection` carry bytes, [`gateway`] and `route` choose the dialect,
//! [`dialect`] is the corridor that every request walks through, and [`s3`] and [`swift`] translate;
//! [`form`] reads what browsers send to either. [`journal`] and [`traffic`] keep for the operator what has gone by.
//!
//! **Invariant:** a dialect holds no state of objects, and reaches the store through a `Guarded` alone.
//! **Invariant:** no clock and no random source but those that the [`gateway`] was given.

mod archive;
pub mod body;
mod connection;
pub mod dialect;
mod drain;
mod duplicate;
pub mod form;
pub mod gateway;
pub mod journal;
mod large;
pub mod limits;
mod links;
mod quota;
pub mod request_id;
mod route;
mod ruled;
pub mod s3;
pub mod server;
pub mod swift;
pub mod traffic;
mod trouble;

pub use gateway::{Gateway, Habits, Options};
pub use server::serve;

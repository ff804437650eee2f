//! The protocol by which R replicas hold one row: a CASPaxos register, as pure state machines.
//!
//! Nothing here does I/O, reads a clock or draws a random number; the caller carries messages and brings ballots.
//! `docs/consistency.md` gives the guarantees and the safety argument.
//!
//! - [`Ballot`], [`BallotClock`]: what orders the writes of one row.
//! - [`State`], [`Ancestors`]: what a register holds, and how a writer recognises its own change in it.
//! - [`Standing`], [`Floor`], [`PromiseBound`], [`Acceptor`]: what a replica decides.
//! - [`Quorum`], [`ReplicaSet`]: how many replicas are enough.
//! - [`Proposer`]: a change, from the first prepare to the answer.
//! - [`Reader`]: the fast read.

mod acceptor;
mod ballot;
mod proposer;
mod quorum;
mod reader;
mod standing;
mod state;

pub use acceptor::{Acceptor, Durable};
pub use ballot::{Ballot, BallotClock, ProposerId, WALL_TIME_MICROS_MAX};
pub use proposer::{Asked, Decision, Outcome, Proposer, ROUNDS_MAX, Reply, Step};
pub use quorum::{Quorum, REPLICAS_MAX, ReplicaSet};
pub use reader::{ReadReply, ReadStep, Reader};
pub use standing::{Floor, PROMISE_AHEAD_MICROS, PromiseBound, Refused, Standing};
pub use state::{ANCESTORS_MAX, Accepted, Ancestors, BrokenLineage, Descent, State};

//! What a device promises, one scenario a file. One binary, because linking is what takes the time.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong, in its helpers too")]

mod faults;
mod support;

mod accepting;
mod blobs;
mod counting;
mod damage;
mod failing;
mod figures;
mod interleaving;
mod listing;
mod model;
mod reclaiming;
mod sealing;
mod upgrade;

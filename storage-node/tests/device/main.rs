//! What a device promises, one scenario a file. One binary, because linking is what takes the time.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong, in its helpers too")]

mod support;

mod accepting;
mod blobs;
mod counting;
mod listing;
mod reclaiming;
mod sealing;

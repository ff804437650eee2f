//! Checks of the whole protocol: random schedules, planted faults, directed schedules, exhaustive search.
//!
//! `MARTLET_SEED` sets the first seed of the random schedules, `MARTLET_HISTORIES` how many there are.
//! A failure names the seed of the history that failed.

mod directed_schedules;
mod exhaustive;
mod fault;
mod ledger;
mod linearizability;
mod operation;
mod random;
mod random_schedules;
mod run;
mod situation;
mod world;

//! The cluster against replicas in memory, healthy and not. One binary, so that it is linked once.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod counts;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod history;
#[cfg(test)]
mod mortal;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod version_races;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod workers;

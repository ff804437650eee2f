//! A cluster under load whose processes, links, disks and clocks fail, and what its clients are told meanwhile.
//!
//! One binary, so that it links once.

#[cfg(test)]
mod acts;
#[cfg(test)]
mod aftermath;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod content;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod field;
#[cfg(test)]
mod history;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod load;
#[cfg(test)]
mod mixed;
#[cfg(test)]
mod returning;
#[cfg(test)]
mod slow;
#[cfg(test)]
mod verdict;

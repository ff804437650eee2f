//! Proxies and nodes as processes of their own, and what clients see of it when some of them fail.
//!
//! One binary, so that it links once.

#[cfg(test)]
mod both_proxies;
#[cfg(test)]
mod compose;
#[cfg(test)]
mod init;
#[cfg(test)]
mod join;
#[cfg(test)]
mod killed_proxies;
#[cfg(test)]
mod leftovers;
#[cfg(test)]
mod lost_nodes;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod replaced_disks;
#[cfg(test)]
mod rings;
#[cfg(test)]
mod rolling;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod work;

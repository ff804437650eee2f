//! `martlet serve`, as its users meet it: through real clients, kills and restarts.
//!
//! One binary, so that it links once.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod blob_files;
#[cfg(test)]
mod both_dialects;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod first_start;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod replaced_disk;
#[cfg(test)]
mod users;
#[cfg(test)]
mod work;

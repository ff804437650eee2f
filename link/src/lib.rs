//! What a proxy and a storage node say to each other over TCP.
pub mod handshake;
pub mod identity;
pub mod limits;
pub mod mac;
pub mod wire;

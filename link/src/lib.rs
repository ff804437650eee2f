//! What a proxy and a storage node say to each other over TCP: [`martlet_protocol::Replica`] across a network.
//!
//! - [`NodeLink`]: the proxy's end; gives a [`Replica`](martlet_protocol::Replica) for each device of a node.
//! - [`serve`]: the node's end.
//! - [`LinkIdentity`]: the cluster's secret, which both must know.
//!
//! Reading order: [`limits`], [`identity`], [`tls`], [`handshake`], [`mac`], [`record`], [`frame`], [`wire`], [`message`],
//! [`outbox`], `window`, `connection`, [`ring`], [`figures`], then [`client`] and [`server`]. `docs/formats.md` lists every byte, and
//! `docs/decisions/0006-the-link.md` and `0012-tls-below-the-link.md` say why it is so.
//!
//! **Invariant:** whoever takes frames off a connection never waits, so no call and no stream keeps another from
//! being heard. **Invariant:** every queue has a limit, and all limits are in [`limits`].
//! **Invariant:** nothing is carried out that wasn't sent by one who knows the secret, on this connection, once.

pub mod client;
pub mod connection;
pub mod figures;
pub mod frame;
pub mod handshake;
pub mod identity;
pub mod limits;
pub mod mac;
pub mod message;
pub mod outbox;
pub mod record;
pub mod ring;
pub mod server;
pub mod tls;
pub mod wire;

mod window;

pub use client::NodeLink;
pub use figures::LinkFigures;
pub use identity::{LinkIdentity, LinkSecret};
pub use message::Addressee;
pub use ring::{Admission, FixedRing, RingAuthority, RingHolder, RingOrder, RingReport, Rows};
pub use server::{Node, serve, serve_node};
pub use tls::{Credentials, CredentialsError, LinkTls};

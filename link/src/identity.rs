//! Who may speak to whom.

use std::fmt;

use crate::tls::LinkTls;

/// What all processes of one cluster know, and nobody else.
#[derive(Clone)]
pub struct LinkIdentity {
    /// The cluster's id; public.
    pub cluster: [u8; 16],
    pub secret: LinkSecret,
    /// `Some`: links of this process go through TLS, and nobody is spoken to without it. `None`: none does.
    pub tls: Option<LinkTls>,
}

/// The secret of a cluster's links; random, made once, the same in every process.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkSecret([u8; 32]);

/// Random bytes that make a handshake unlike every other.
pub type Nonce = [u8; 32];

/// Where nonces come from. An argument, so that tests can repeat themselves.
pub trait NonceSource: fmt::Debug + Send + Sync + 'static {
    fn nonce(&self) -> Nonce;
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNonces;

impl LinkSecret {
    /// `secret` must come from a source of cryptographic randomness.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl NonceSource for SystemNonces {
    /// # Panics
    /// If the operating system has no randomness to give: nothing safe can be done without it.
    fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        getrandom::fill(&mut nonce).expect("randomness of the operating system");
        nonce
    }
}

impl fmt::Debug for LinkIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkIdentity({:032x})", u128::from_be_bytes(self.cluster))
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(secret)")
    }
}

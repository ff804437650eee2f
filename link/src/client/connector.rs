//! How a connection to a node is opened.

use std::fmt;
use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::handshake::Channel;
use crate::tls::LinkTls;

/// Opens connections to one node: plain TCP or TLS here, a simulated network elsewhere.
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    fn connect(&self) -> impl Future<Output = io::Result<(Self::Stream, Channel)>> + Send;
    /// For the log.
    fn target(&self) -> &str;
}

/// Plain TCP, without Nagle's delay.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    address: String,
}

/// TLS over TCP, to a node whose certificate is for the host of its address.
#[derive(Clone, Debug)]
pub struct TlsConnector {
    tcp: TcpConnector,
    tls: LinkTls,
}

impl TcpConnector {
    /// `address` is a host and a port.
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The address without its port, and an IPv6 address without its brackets.
    fn host(&self) -> &str {
        let host = self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }
}

impl TlsConnector {
    pub fn new(tcp: TcpConnector, tls: LinkTls) -> Self {
        Self { tcp, tls }
    }
}

impl Connector for TcpConnector {
    type Stream = TcpStream;

    async fn connect(&self) -> io::Result<(TcpStream, Channel)> {
        Ok((self.open().await?, Channel::Plain))
    }

    fn target(&self) -> &str {
        &self.address
    }
}

impl Connector for TlsConnector {
    type Stream = TlsStream<TcpStream>;

    async fn connect(&self) -> io::Result<(Self::Stream, Channel)> {
        self.tls.connect(self.tcp.open().await?, self.tcp.host()).await
    }

    fn target(&self) -> &str {
        self.tcp.target()
    }
}

#[cfg(test)]
mod tests {
    use super::TcpConnector;

    #[test]
    fn a_host_is_the_address_without_its_port() {
        for (address, host) in [
            ("10.0.0.1:8500", "10.0.0.1"),
            ("node-1.example.com:8500", "node-1.example.com"),
            ("[fd00::1]:8500", "fd00::1"),
        ] {
            assert_eq!(TcpConnector::new(address).host(), host);
        }
    }
}

//! TLS below a link: optional, and then for every link of a cluster.
//!
//! It keeps others from reading along. Both sides show a certificate that an authority of the cluster has signed,
//! and the node's is for the host by which the ring knows it. The handshake with the cluster's secret follows inside,
//! and covers a value that only the two ends of the TLS connection know: so whoever has a certificate
//! but not the secret can't stand between them.
//!
//! Only TLS 1.3 is spoken, and no session is resumed: every connection shows that the certificates are still good.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, UnixTime,
};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, InvalidMessage, RootCertStore, ServerConfig,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::handshake::Channel;

/// What a process shows others, and by what it judges what they show. Texts in the PEM format.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The authorities of the cluster: usually one, and two while one takes the other's place.
    pub authority: Vec<u8>,
    /// This process's certificate, then those between it and the authority, if any.
    pub certificate: Vec<u8>,
    /// The certificate's private key.
    pub key: Vec<u8>,
}

/// Both ends of TLS for the links of one process. A clone is another handle.
#[derive(Clone)]
pub struct LinkTls {
    ends: Arc<RwLock<Ends>>,
}

#[derive(Clone)]
struct Ends {
    client: TlsConnector,
    server: TlsAcceptor,
    /// Judges certificates as the others do.
    judge: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
}

/// Why credentials can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("the {what} isn't what a PEM file holds: {source}")]
    Pem { what: &'static str, source: pem::Error },
    #[error("there is no certificate for the {0}")]
    None(&'static str),
    #[error("the authority can't be used: {0}")]
    Authority(rustls::Error),
    #[error("the authority can't be used: {0}")]
    Verifier(#[from] VerifierBuilderError),
    #[error("certificate and key can't be used: {0}")]
    Pair(rustls::Error),
    #[error("the others wouldn't take the certificate: {0}")]
    Refused(rustls::Error),
}

/// Why no TLS connection comes about.
#[derive(Debug, thiserror::Error)]
pub enum TlsRefusal {
    #[error("\"{host}\" is no name of a host: {source}")]
    Host { host: String, source: InvalidDnsNameError },
    #[error("the other side's certificate isn't good: {0}")]
    Theirs(rustls::Error),
    #[error("the other side shows no certificate")]
    Nothing,
    #[error("the other side doesn't take this side's certificate: {0:?}")]
    Ours(AlertDescription),
    #[error("TLS failed: {0}")]
    Failed(rustls::Error),
}

/// What both ends derive of the connection's secrets.
const EXPORTER: &[u8] = b"EXPORTER-martlet-link";

impl LinkTls {
    pub fn new(credentials: &Credentials) -> Result<Self, CredentialsError> {
        Ok(Self { ends: Arc::new(RwLock::new(Ends::new(credentials)?)) })
    }

    /// Uses these from the next connection on. After an error the former ones stay.
    pub fn renew(&self, credentials: &Credentials) -> Result<(), CredentialsError> {
        let ends = Ends::new(credentials)?;
        *self.ends.write().unwrap_or_else(PoisonError::into_inner) = ends;
        Ok(())
    }

    /// Whether the own certificate will still be taken after this time.
    pub fn lasts(&self, time: Duration) -> bool {
        let then = UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs()) + time);
        self.ends().check(then).is_ok()
    }

    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> io::Result<(client::TlsStream<TcpStream>, Channel)> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|source| io::Error::other(TlsRefusal::Host { host: host.to_owned(), source }))?;
        let stream = self.ends().client.connect(name, stream).await?;
        let exported = stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None);
        Ok((stream, Channel::Tls { exported: exported.map_err(io::Error::other)? }))
    }

    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(server::TlsStream<TcpStream>, Channel)> {
        let stream = self.ends().server.accept(stream).await?;
        let exported = stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None);
        Ok((stream, Channel::Tls { exported: exported.map_err(io::Error::other)? }))
    }

    fn ends(&self) -> Ends {
        self.ends.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ends {
    fn new(credentials: &Credentials) -> Result<Self, CredentialsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&credentials.authority, "authority")? {
            roots.add(certificate).map_err(CredentialsError::Authority)?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&credentials.certificate, "certificate")?;
        let key = PrivateKeyDer::from_pem_slice(&credentials.key)
            .map_err(|source| CredentialsError::Pem { what: "key", source })?;
        let provider = Arc::new(ring::default_provider());
        let judge = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
        let ends = Self {
            client: client_end(&provider, roots, chain.clone(), key.clone_key())?,
            server: server_end(&provider, judge.clone(), chain.clone(), key)?,
            judge,
            chain,
        };
        ends.check(UnixTime::now()).map_err(CredentialsError::Refused)?;
        Ok(ends)
    }

    fn check(&self, at: UnixTime) -> Result<(), rustls::Error> {
        let (own, between) = self.chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        self.judge.verify_client_cert(own, between, at).map(|_| ())
    }
}

fn client_end(
    provider: &Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsConnector, CredentialsError> {
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(CredentialsError::Pair)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(CredentialsError::Pair)?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config).into())
}

fn server_end(
    provider: &Arc<CryptoProvider>,
    judge: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, CredentialsError> {
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(CredentialsError::Pair)?
        .with_client_cert_verifier(judge)
        .with_single_cert(chain, key)
        .map_err(CredentialsError::Pair)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config).into())
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| CredentialsError::Pem { what, source })?;
    if certificates.is_empty() { Err(CredentialsError::None(what)) } else { Ok(certificates) }
}

/// What TLS has to say in an error of a stream, if anything.
pub(crate) enum Said {
    /// The other side doesn't speak TLS at all.
    NotTls,
    Refusal(TlsRefusal),
}

impl Said {
    /// Hands the error back if TLS has nothing to do with it.
    pub(crate) fn by(error: io::Error) -> Result<Self, io::Error> {
        let error = match error.downcast::<TlsRefusal>() {
            Ok(refusal) => return Ok(Self::Refusal(refusal)),
            Err(error) => error,
        };
        Ok(match error.downcast::<rustls::Error>()? {
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            rustls::Error::NoCertificatesPresented => Self::Refusal(TlsRefusal::Nothing),
            error @ rustls::Error::InvalidCertificate(_) => Self::Refusal(TlsRefusal::Theirs(error)),
            rustls::Error::AlertReceived(alert) if is_about_a_certificate(alert) => {
                Self::Refusal(TlsRefusal::Ours(alert))
            }
            error => Self::Refusal(TlsRefusal::Failed(error)),
        })
    }
}

fn is_about_a_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
            | AlertDescription::DecryptError
    )
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(secret)")
    }
}

impl fmt::Debug for LinkTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkTls")
    }
}

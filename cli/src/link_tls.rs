//! TLS for the links of a cluster: the files of a process, how they are made, and that newer ones are taken.

mod authority;
mod certificate;

use std::path::{Path, PathBuf};
use std::time::Duration;

use martlet_link::{Credentials, CredentialsError, LinkTls};
use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;
use tokio::time::sleep;

pub(crate) use self::authority::{Authority, AuthorityError};
pub(crate) use self::certificate::{Options, run};
use crate::config::Membership;
use crate::files::{self, FileError};

/// How often the files are looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(10);
/// How often a certificate that ends soon is complained of.
const COMPLAINT_PAUSE: Duration = Duration::from_hours(24);
/// What is soon.
const SOON: Duration = Duration::from_hours(30 * 24);

/// The files of a process, in the PEM format.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// The certificates of the cluster's authorities: usually one, and two while one takes the other's place.
    authority: PathBuf,
    /// The process's certificate, for the host by which the ring knows it.
    certificate: PathBuf,
    key: PathBuf,
}

/// Why a process has no TLS though it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("[link_tls] can't be used")]
    Credentials(#[from] CredentialsError),
}

/// A process that takes newer files. Dropped, it doesn't any more.
pub(crate) struct Renewal(AbortHandle);

impl TlsFiles {
    /// The names of the files in a folder.
    pub(crate) fn within(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        Self {
            authority: folder.join("authority.pem"),
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        }
    }

    /// With paths that go from somewhere else.
    pub(crate) fn from(&self, base: impl Fn(&Path) -> PathBuf) -> Self {
        Self { authority: base(&self.authority), certificate: base(&self.certificate), key: base(&self.key) }
    }

    pub(crate) fn load(&self) -> Result<LinkTls, TlsError> {
        Ok(LinkTls::new(&self.read()?)?)
    }

    pub(crate) fn write(&self, credentials: &Credentials) -> Result<(), FileError> {
        files::write(&self.authority, &credentials.authority)?;
        files::write(&self.certificate, &credentials.certificate)?;
        files::write(&self.key, &credentials.key)
    }

    /// The authorities that the process believes, and this one.
    fn with_authority(&self, authority: &[u8]) -> Vec<u8> {
        // There need be none yet.
        let mut all = std::fs::read(&self.authority).unwrap_or_default();
        if !all.windows(authority.len()).any(|known| known == authority) {
            all.extend_from_slice(authority);
        }
        all
    }

    fn read(&self) -> Result<Credentials, FileError> {
        let read = |path: &Path| std::fs::read(path).map_err(files::in_vain("read", path));
        Ok(Credentials {
            authority: read(&self.authority)?,
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        })
    }
}

impl Renewal {
    /// `None`: the process has no TLS. Called within a runtime.
    pub(crate) fn start(membership: &Membership) -> Option<Self> {
        let (tls, files) = (membership.identity.tls.clone()?, membership.tls_files.clone()?);
        Some(Self(tokio::spawn(follow(tls, files)).abort_handle()))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Takes what lies in the files whenever that changes. What can't be used is said, and changes nothing.
async fn follow(tls: LinkTls, files: TlsFiles) {
    let mut seen = None;
    let mut since_complaint = COMPLAINT_PAUSE;
    loop {
        match files.read() {
            Ok(found) if seen.as_ref() == Some(&found) => {}
            Ok(found) => {
                match tls.renew(&found) {
                    Ok(()) if seen.is_some() => tracing::info!("links use the new certificate from now on"),
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "links go on with the certificate that they have"),
                }
                seen = Some(found);
            }
            Err(error) => tracing::debug!(%error, "the files of the certificate can't be read"),
        }
        if COMPLAINT_PAUSE <= since_complaint && !tls.lasts(SOON) {
            tracing::warn!("the certificate of the links ends within {} days", SOON.as_secs() / 86_400);
            since_complaint = Duration::ZERO;
        }
        sleep(LOOK_PAUSE).await;
        since_complaint += LOOK_PAUSE;
    }
}

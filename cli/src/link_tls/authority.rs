//! The authority of a cluster: it signs the certificates by which processes know each other.
//!
//! ```text
//! DIR/authority.pem   its certificate, which every process has
//! DIR/key.pem         its key, which no process needs
//! ```

use std::path::Path;
use std::time::Duration;

use martlet_link::Credentials;
use martlet_model::Clock as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::clock::SystemClock;
use crate::files::{self, FileError};

/// How long an authority is believed.
const AUTHORITY_DURATION: Duration = Duration::from_hours(10 * 365 * 24);
/// How long a certificate is good.
const CERTIFICATE_DURATION: Duration = Duration::from_hours(365 * 24);
/// Certificates begin a little in the past, for clocks don't agree.
const CLOCK_ERROR_MAX: Duration = Duration::from_hours(1);

/// Every authority has the same name, so that its certificate needn't be read to sign in its name.
const NAME: &str = "Martlet cluster authority";

/// Somebody who signs certificates.
pub(crate) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("a certificate can't be made")]
    Make(#[from] rcgen::Error),
}

impl Authority {
    /// A new one, which nobody knows yet.
    pub(crate) fn generate() -> Result<Self, AuthorityError> {
        let mut params = authority();
        last(&mut params, AUTHORITY_DURATION);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// The one whose files are in this folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, AuthorityError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(files::in_vain("read", &path))
        };
        let (certificate, key) = (read("authority.pem")?, KeyPair::from_pem(&read("key.pem")?)?);
        Ok(Self { certificate, issuer: Issuer::new(authority(), key) })
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), AuthorityError> {
        files::make_folder(folder)?;
        files::write(&folder.join("authority.pem"), self.certificate.as_bytes())?;
        files::write(&folder.join("key.pem"), self.issuer.key().serialize_pem().as_bytes())?;
        Ok(())
    }

    /// A certificate with which a process can be server and client, known by these hosts.
    pub(crate) fn certify(&self, hosts: &[String]) -> Result<Credentials, AuthorityError> {
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = named("Martlet process");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        last(&mut params, CERTIFICATE_DURATION);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Credentials {
            authority: self.certificate.clone().into(),
            certificate: certificate.pem().into(),
            key: key.serialize_pem().into(),
        })
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::CommonName, name);
    full
}

/// From now on, for so long.
fn last(params: &mut CertificateParams, time: Duration) {
    let since_1970 = Duration::from_micros(SystemClock.now().as_micros());
    let now = date_time_ymd(1970, 1, 1) + since_1970;
    params.not_before = now - CLOCK_ERROR_MAX;
    params.not_after = now + time;
}

#[cfg(test)]
mod tests {
    use martlet_link::LinkTls;

    use super::*;

    #[test]
    fn an_authority_that_was_read_again_signs_in_the_same_name() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::generate().unwrap();
        authority.write(folder.path()).unwrap();
        let again = Authority::read(folder.path()).unwrap();
        let before = authority.certify(&["127.0.0.11".to_owned()]).unwrap();
        let after = again.certify(&["node-1.example.com".to_owned(), "fd00::1".to_owned()]).unwrap();
        assert!(before.authority == after.authority);
        let tls = LinkTls::new(&after).unwrap();
        assert!(tls.lasts(CERTIFICATE_DURATION / 2));
        assert!(!tls.lasts(CERTIFICATE_DURATION * 2));
    }

    #[test]
    fn what_is_no_host_gets_no_certificate() {
        assert!(Authority::generate().unwrap().certify(&["nöde".to_owned()]).is_err());
    }
}

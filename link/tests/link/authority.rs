//! Certificates as a cluster has them.

use martlet_link::{Credentials, LinkTls};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use std::time::{Duration, SystemTime};

/// Signs the certificates of one cluster.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn credentials(&self, host: &str) -> Credentials {
        self.certify(host, Duration::from_hours(1))
    }

    /// A certificate that expires after this time.
    pub(crate) fn certify(&self, host: &str, lasts: Duration) -> Credentials {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(1970, 1, 1) + now + lasts;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Credentials {
            authority: self.pem.clone().into(),
            certificate: certificate.pem().into(),
            key: key.serialize_pem().into(),
        }
    }

    /// TLS of a process on this machine.
    pub(crate) fn tls(&self) -> LinkTls {
        LinkTls::new(&self.credentials("127.0.0.1")).unwrap()
    }
}

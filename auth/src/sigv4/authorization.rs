//! The `Authorization` header, and what it has in common with signed queries.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{ALGORITHM, SERVICE, SigV4Error, TERMINATOR};

/// `AWS4-HMAC-SHA256 Credential=key/day/region/service/aws4_request, SignedHeaders=a;b, Signature=hex`, taken apart.
#[derive(Debug)]
pub(super) struct Authorization<'a> {
    pub(super) access_key: &'a str,
    /// `YYYYMMDD`
    pub(super) day: &'a str,
    region: &'a str,
    service: &'a str,
    /// `day/region/service/aws4_request`
    pub(super) scope: &'a str,
    /// Lower-case names, separated by `;`.
    pub(super) signed_headers: &'a str,
    pub(super) signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Option<Self>, SigV4Error> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(SigV4Error::Malformed("there is more than one"));
        }
        let value = value.to_str().map_err(|_| SigV4Error::Malformed("it is not text"))?;
        if value.starts_with("AWS ") {
            return Err(SigV4Error::NotOffered("Signature Version 2"));
        }
        let Some((scheme, rest)) = value.split_once(' ') else {
            return Err(SigV4Error::Malformed("it has no scheme"));
        };
        match scheme {
            ALGORITHM => Self::parse(rest).map(Some),
            "AWS4-ECDSA-P256-SHA256" => Err(SigV4Error::NotOffered("Signature Version 4A")),
            _ => Err(SigV4Error::Malformed("the scheme is not AWS4-HMAC-SHA256")),
        }
    }

    /// Whether the request has such a header, of whatever scheme.
    pub(super) fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(AUTHORIZATION)
    }

    fn parse(fields: &'a str) -> Result<Self, SigV4Error> {
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let (name, value) =
                field.trim().split_once('=').ok_or(SigV4Error::Malformed("a field has no value"))?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(SigV4Error::Malformed("a field isn't known")),
            };
            if slot.replace(value).is_some() {
                return Err(SigV4Error::Malformed("a field is there twice"));
            }
        }
        let credential = credential.ok_or(SigV4Error::Malformed("Credential is missing"))?;
        let signed_headers = signed_headers.ok_or(SigV4Error::Malformed("SignedHeaders is missing"))?;
        if signed_headers.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(SigV4Error::Malformed("SignedHeaders has upper-case names"));
        }
        let signature = signature
            .and_then(|hex| digest_from_hex(hex.as_bytes()))
            .ok_or(SigV4Error::Malformed("Signature is not 64 hexadecimal digits"))?;
        Self::of_fields(credential, signed_headers, signature)
            .ok_or(SigV4Error::Malformed("Credential is not key/day/region/service/aws4_request"))
    }

    /// `None`: the credential isn't `key/day/region/service/aws4_request`.
    pub(super) fn of_fields(
        credential: &'a str,
        signed_headers: &'a str,
        signature: [u8; 32],
    ) -> Option<Self> {
        let Credential { access_key, day, region, service, scope } = Credential::parse(credential)?;
        Some(Self { access_key, day, region, service, scope, signed_headers, signature })
    }

    pub(super) fn check_scope(&self, region: &str) -> Result<(), SigV4Error> {
        if self.service != SERVICE {
            return Err(SigV4Error::Malformed("the service is not s3"));
        }
        if self.region != region {
            return Err(SigV4Error::WrongRegion { expected: region.to_owned() });
        }
        Ok(())
    }

    /// Whether the header of that lower-case name is signed.
    pub(super) fn signs(&self, name: &str) -> bool {
        self.signed_headers.split(';').any(|signed| signed == name)
    }
}

/// `key/day/region/service/aws4_request`, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credential<'a> {
    pub(crate) access_key: &'a str,
    /// `YYYYMMDD`
    pub(crate) day: &'a str,
    pub(crate) region: &'a str,
    service: &'a str,
    /// `day/region/service/aws4_request`
    scope: &'a str,
}

impl<'a> Credential<'a> {
    pub(crate) fn parse(credential: &'a str) -> Option<Self> {
        let (access_key, scope) = credential.split_once('/')?;
        let mut fields = scope.split('/');
        let (Some(day), Some(region), Some(service), Some(TERMINATOR), None) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return None;
        };
        Some(Self { access_key, day, region, service, scope })
    }

    pub(crate) fn is_for(&self, region: &str) -> bool {
        self.service == SERVICE && self.region == region
    }
}

/// Reads 64 hexadecimal digits of lower case.
pub(crate) fn digest_from_hex(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn fields_may_be_separated_with_and_without_space() {
        for separator in [",", ", ", " , "] {
            let headers = headers(&format!(
                "AWS4-HMAC-SHA256 Credential=KEY/20130524/us-east-1/s3/aws4_request{separator}\
                 SignedHeaders=host;x-amz-date{separator}Signature={SIGNATURE}"
            ));
            let authorization = Authorization::read(&headers).unwrap().unwrap();
            assert_eq!(authorization.access_key, "KEY");
            assert_eq!(authorization.day, "20130524");
            assert_eq!(authorization.scope, "20130524/us-east-1/s3/aws4_request");
            assert!(authorization.signs("host") && !authorization.signs("hos"));
        }
    }

    #[track_caller]
    fn check_malformed(value: &str) {
        let headers = headers(value);
        let outcome = Authorization::read(&headers);
        assert!(matches!(outcome, Err(SigV4Error::Malformed(_))), "{outcome:?}");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let good = "Credential=K/20130524/r/s3/aws4_request";
        check_malformed("");
        check_malformed("Bearer x");
        check_malformed("AWS4-HMAC-SHA256 ");
        check_malformed(&format!("AWS4-HMAC-SHA256 {good}, SignedHeaders=host"));
        check_malformed(&format!("AWS4-HMAC-SHA256 {good}, SignedHeaders=host, Signature=00"));
        check_malformed(&format!("AWS4-HMAC-SHA256 {good}, SignedHeaders=Host, Signature={SIGNATURE}"));
        check_malformed(&format!(
            "AWS4-HMAC-SHA256 {good}, {good}, SignedHeaders=host, Signature={SIGNATURE}"
        ));
        check_malformed(&format!(
            "AWS4-HMAC-SHA256 {good}, SignedHeaders=host, Signature={SIGNATURE}, More=1"
        ));
        for credential in ["K", "K/d/r/s3", "K/d/r/s3/aws4", "K/d/r/s3/aws4_request/x"] {
            check_malformed(&format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={SIGNATURE}"
            ));
        }
    }

    #[test]
    fn other_ways_to_sign_are_told_apart() {
        let outcome = |value| Authorization::read(&headers(value)).map(|_| ());
        assert_eq!(outcome("AWS KEY:sig"), Err(SigV4Error::NotOffered("Signature Version 2")));
        assert_eq!(
            outcome("AWS4-ECDSA-P256-SHA256 Credential=x"),
            Err(SigV4Error::NotOffered("Signature Version 4A"))
        );
    }

    #[test]
    fn two_authorizations_are_none() {
        let mut headers = headers("AWS4-HMAC-SHA256 x=1");
        headers.append(AUTHORIZATION, "AWS4-HMAC-SHA256 x=1".parse().unwrap());
        assert!(matches!(Authorization::read(&headers), Err(SigV4Error::Malformed(_))));
    }
}

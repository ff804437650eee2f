//! What a request says of the bytes that it brings, or of those that it joins.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use martlet_model::limits::PUT_BYTES_MAX;
use martlet_model::{
    ByteStream, ChecksumAlgorithm, ChecksumCell, ChecksumKind, ChecksumPlan, Md5, StoredChecksum,
};

use super::checksum;
use super::headers::{Headers, TRAILER};
use super::refusal::Refusal;
use crate::body::RequestBody;

const SDK_ALGORITHM: &str = "x-amz-sdk-checksum-algorithm";
/// The checksum of an object that is going to be: of a copy, or of one that is joined from parts.
const ALGORITHM: &str = "x-amz-checksum-algorithm";
/// Of readers.
pub(super) const MODE: &str = "x-amz-checksum-mode";
const KIND: &str = "x-amz-checksum-type";
const PREFIX: &str = "x-amz-checksum-";

// S3's own words for what can be wrong with them.
const SEVERAL: Refusal =
    Refusal::Request("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
const IN_BOTH_PLACES: Refusal = Refusal::Request("Expecting a single x-amz-checksum- header");
const UNKNOWN: Refusal =
    Refusal::Request("The algorithm type you specified in x-amz-checksum- header is invalid.");
const UNSUPPORTED_TRAILER: Refusal =
    Refusal::Request("The value specified in the x-amz-trailer header is not supported");
const OTHER_THAN_NAMED: Refusal =
    Refusal::Request("Value for x-amz-sdk-checksum-algorithm header is invalid.");
const ONLY_NAMED: Refusal = Refusal::Request(
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
     headers were found.",
);
const NEITHER: Refusal =
    Refusal::Request("Missing required header for this request: Content-MD5 OR x-amz-checksum-*");

/// What a body must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Integrity {
    /// `Content-MD5`
    pub(super) md5: Option<Md5>,
    /// `x-amz-checksum-*`
    pub(super) checksum: Option<StoredChecksum>,
    /// Of the checksum that follows the body.
    pub(super) trailing: Option<ChecksumAlgorithm>,
}

/// The checksum that an object must have once it is joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct JoinedChecksum {
    pub(super) checksum: Option<StoredChecksum>,
    /// What the upload must have been begun with.
    pub(super) kind: Option<ChecksumKind>,
}

impl Integrity {
    /// The same, if anything is said at all.
    pub(super) fn required(self) -> Result<Self, Refusal> {
        if self == Self::default() { Err(NEITHER) } else { Ok(self) }
    }

    /// The body for the store, held to its checksum, and where the checksum appears that came with it.
    /// Where none came, it is the one that S3 gives an object then: taking it costs a hundredth of what the MD5 does.
    pub(super) fn held(self, body: RequestBody) -> (ByteStream, ChecksumCell) {
        let is_told = self.checksum.is_some() || self.trailing.is_some();
        let (body, cell) = self.verified(body);
        if is_told {
            (body, cell)
        } else {
            (checksum::measured(body, ChecksumPlan::UNSAID.algorithm, cell.clone()), cell)
        }
    }

    fn verified(self, body: RequestBody) -> (ByteStream, ChecksumCell) {
        let cell = body.trailing();
        let body = body.into_stream(PUT_BYTES_MAX);
        match self.checksum {
            Some(expected) => (checksum::verified(body, expected, cell.clone()), cell),
            None => (body, cell),
        }
    }

    /// The same for a part of an upload that was begun with this plan: a part has a checksum of the algorithm
    /// that was planned. Where its sender told none, it is the one of what has arrived.
    /// Where nothing was planned a part may come with any; the object has a checksum if all have what it is made of.
    pub(super) fn held_under(
        self,
        plan: Option<ChecksumPlan>,
        body: RequestBody,
    ) -> Result<(ByteStream, ChecksumCell), Refusal> {
        let told = self.checksum.as_ref().map(|checksum| checksum.algorithm).or(self.trailing);
        match (plan, told) {
            (Some(plan), Some(told)) if told != plan.algorithm => {
                Err(Refusal::Request("the checksum isn't of the algorithm that the upload was begun with"))
            }
            (plan, None) => {
                let (body, cell) = self.verified(body);
                let algorithm = plan.unwrap_or(ChecksumPlan::UNSAID).algorithm;
                Ok((checksum::measured(body, algorithm, cell.clone()), cell))
            }
            (_, Some(_)) => Ok(self.verified(body)),
        }
    }

    /// The whole body of at most so many bytes, if it is what was declared.
    pub(super) async fn document(self, body: RequestBody, bytes_max: u64) -> Result<Bytes, Refusal> {
        self.checked(body.collect(bytes_max).await?)
    }

    fn checked(self, body: Bytes) -> Result<Bytes, Refusal> {
        if let Some(expected) = self.md5 {
            let computed = Md5::of(&body);
            if computed != expected {
                return Err(Refusal::DocumentMismatch { expected, computed });
            }
        }
        match self.checksum {
            Some(expected) if checksum::of(expected.algorithm, &body) != expected => {
                Err(checksum::mismatch(expected.algorithm).into())
            }
            _ => Ok(body),
        }
    }
}

impl JoinedChecksum {
    /// The checksum that the object must have, given what its upload was begun with.
    pub(super) fn under(self, plan: Option<ChecksumPlan>) -> Result<Option<StoredChecksum>, Refusal> {
        let is_planned = plan.is_some();
        let plan = plan.unwrap_or(ChecksumPlan::UNSAID);
        if self.kind.is_some_and(|kind| kind != plan.kind) {
            return Err(Refusal::Request("x-amz-checksum-type isn't what the upload was begun with"));
        }
        match self.checksum {
            // Where nobody has planned one, S3 takes what it can't compare for the checksum of something else.
            Some(checksum) if checksum.algorithm != plan.algorithm && !is_planned => Ok(None),
            Some(checksum) if checksum.algorithm != plan.algorithm => {
                Err(Refusal::Request("the checksum isn't of the algorithm that the upload was begun with"))
            }
            // What can't be a composite is the checksum of something else: S3 doesn't hold the object to it.
            Some(checksum) if checksum.kind != plan.kind => Ok(None),
            checksum => Ok(checksum),
        }
    }
}

impl Headers<'_> {
    /// What the body must be.
    pub(super) fn take_integrity(&mut self) -> Result<Integrity, Refusal> {
        Ok(Integrity {
            md5: self.content_md5()?,
            checksum: self.take_checksum()?,
            trailing: self.trailing()?,
        })
    }

    pub(super) fn content_md5(&self) -> Result<Option<Md5>, Refusal> {
        let Some(value) = self.all.get("content-md5") else { return Ok(None) };
        let digest = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        digest.map(|digest| Some(Md5(digest))).ok_or(Refusal::InvalidDigest)
    }

    /// The checksum that a trailer is going to have. Commas at the end of the list are of no account.
    pub(super) fn trailing(&self) -> Result<Option<ChecksumAlgorithm>, Refusal> {
        let values = self.all.get_all(TRAILER).iter().map(|value| value.to_str().unwrap_or("?"));
        let values: Vec<&str> = values.collect();
        if values.is_empty() {
            return Ok(None);
        }
        let (mut found, mut is_single) = (None, true);
        for name in values.join(",").trim_end_matches(',').split(',').map(str::trim) {
            let algorithm = checksum::of_header(name).ok_or_else(|| {
                let other = name.strip_prefix(PREFIX).filter(|other| checksum::is_elsewhere(other));
                other.map_or(UNSUPPORTED_TRAILER, |_| Refusal::NotOffered(format!("the trailer {name}")))
            })?;
            is_single &= found.replace(algorithm).is_none();
        }
        if is_single { Ok(found) } else { Err(SEVERAL) }
    }

    fn take_checksum(&mut self) -> Result<Option<StoredChecksum>, Refusal> {
        let found = self.take_value(checksum::parse)?;
        let trailing = self.trailing()?;
        if trailing.is_some() && found.is_some() {
            return Err(IN_BOTH_PLACES);
        }
        let Some(name) = self.take(SDK_ALGORITHM)? else { return Ok(found) };
        match (checksum::of_name(name), found.as_ref().map(|checksum| checksum.algorithm).or(trailing)) {
            (None, _) if checksum::is_elsewhere(name) => {
                Err(Refusal::NotOffered(format!("the checksum algorithm {name}")))
            }
            (Some(named), Some(algorithm)) if named == algorithm => Ok(found),
            (None | Some(_), Some(_)) | (None, None) => Err(OTHER_THAN_NAMED),
            (Some(_), None) => Err(ONLY_NAMED),
        }
    }

    /// The one checksum that the headers have, as `read` reads it.
    fn take_value(
        &mut self,
        read: fn(ChecksumAlgorithm, &str) -> Option<StoredChecksum>,
    ) -> Result<Option<StoredChecksum>, Refusal> {
        self.refuse_unknown_checksums()?;
        let mut found = None;
        for algorithm in ChecksumAlgorithm::ALL {
            let Some(text) = self.take(checksum::header(algorithm))? else { continue };
            if found.replace((algorithm, text)).is_some() {
                return Err(SEVERAL);
            }
        }
        let Some((algorithm, text)) = found else { return Ok(None) };
        let checksum = read(algorithm, text);
        checksum.map(Some).ok_or(Refusal::ChecksumValue(checksum::header(algorithm)))
    }

    fn refuse_unknown_checksums(&self) -> Result<(), Refusal> {
        let is_known =
            |name: &str| [ALGORITHM, KIND, MODE].contains(&name) || checksum::of_header(name).is_some();
        let mut unknown = self.untaken().filter(|name| name.starts_with(PREFIX) && !is_known(name));
        match unknown.next() {
            None => Ok(()),
            Some(name) if checksum::is_elsewhere(&name[PREFIX.len()..]) => {
                Err(Refusal::NotOffered(format!("the header {name}")))
            }
            Some(_) => Err(UNKNOWN),
        }
    }

    /// What an upload says of its object's checksum, and other writes may say too, where S3 takes it for nothing:
    /// it must make sense all the same.
    pub(super) fn pass_plan(&mut self) -> Result<(), Refusal> {
        self.take_algorithm()?;
        self.take_kind()?;
        Ok(())
    }

    /// The checksum of a joined object, told where its upload is completed.
    pub(super) fn take_joined_checksum(&mut self) -> Result<JoinedChecksum, Refusal> {
        let checksum = self.take_value(checksum::parse_joined)?;
        Ok(JoinedChecksum { checksum, kind: self.take_kind()? })
    }

    /// The algorithm of a copy's checksum; `None`: the source's.
    pub(super) fn take_algorithm(&mut self) -> Result<Option<ChecksumAlgorithm>, Refusal> {
        let Some(name) = self.take(ALGORITHM)? else { return Ok(None) };
        match checksum::of_name(name) {
            Some(algorithm) => Ok(Some(algorithm)),
            None => Err(Refusal::NotOffered(format!("the checksum algorithm {name}"))),
        }
    }

    /// What an upload that is begun says of its object's checksum.
    pub(super) fn take_plan(&mut self) -> Result<Option<ChecksumPlan>, Refusal> {
        let (algorithm, kind) = (self.take_algorithm()?, self.take_kind()?);
        let Some(algorithm) = algorithm else {
            return match kind {
                None => Ok(None),
                Some(_) => Err(Refusal::Request("x-amz-checksum-type needs x-amz-checksum-algorithm")),
            };
        };
        let fits = match (algorithm, kind) {
            (ChecksumAlgorithm::Crc64Nvme, kind) => kind != Some(ChecksumKind::Composite),
            (ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256, kind) => {
                kind != Some(ChecksumKind::FullObject)
            }
            (ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c, _) => true,
        };
        if !fits {
            return Err(Refusal::Request("x-amz-checksum-type can't be had with this algorithm"));
        }
        let usual = match algorithm {
            ChecksumAlgorithm::Crc64Nvme => ChecksumKind::FullObject,
            _ => ChecksumKind::Composite,
        };
        Ok(Some(ChecksumPlan { algorithm, kind: kind.unwrap_or(usual) }))
    }

    fn take_kind(&mut self) -> Result<Option<ChecksumKind>, Refusal> {
        let Some(name) = self.take(KIND)? else { return Ok(None) };
        match checksum::kind_of_name(name) {
            Some(kind) => Ok(Some(kind)),
            None => Err(Refusal::argument(KIND, "it is neither FULL_OBJECT nor COMPOSITE")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = headers.iter();
        pairs.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[track_caller]
    fn check_integrity(headers: &[(&'static str, &'static str)], right: bool) {
        let all = map(headers);
        let outcome = Headers::new(&all).take_integrity();
        assert_eq!(outcome.is_ok(), right, "{outcome:?}");
    }

    #[test]
    fn checksums_are_read_strictly() {
        check_integrity(
            &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-sdk-checksum-algorithm", "CRC32")],
            true,
        );
        check_integrity(&[("x-amz-checksum-crc32", "y/Q5Jg==")], true);
        check_integrity(&[("x-amz-sdk-checksum-algorithm", "CRC32")], false);
        check_integrity(
            &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-sdk-checksum-algorithm", "SHA1")],
            false,
        );
        check_integrity(
            &[("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "4waSgw==")],
            false,
        );
        check_integrity(&[("x-amz-checksum-crc32", "nonsense")], false);
        check_integrity(&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")], true);
        check_integrity(&[("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg")], false);
        check_integrity(&[("content-md5", "AAAA")], false);
    }

    #[track_caller]
    fn check_plan(algorithm: &'static str, kind: Option<&'static str>, expected: Option<ChecksumKind>) {
        let mut all = map(&[("x-amz-checksum-algorithm", algorithm)]);
        if let Some(kind) = kind {
            all.insert(KIND, HeaderValue::from_static(kind));
        }
        let plan = Headers::new(&all).take_plan().ok().flatten();
        assert_eq!(plan.map(|plan| plan.kind), expected, "{algorithm} {kind:?}");
    }

    #[test]
    fn an_upload_can_only_plan_what_can_be_had() {
        check_plan("CRC32", None, Some(ChecksumKind::Composite));
        check_plan("CRC32C", Some("FULL_OBJECT"), Some(ChecksumKind::FullObject));
        check_plan("CRC64NVME", None, Some(ChecksumKind::FullObject));
        check_plan("CRC64NVME", Some("COMPOSITE"), None);
        check_plan("SHA256", None, Some(ChecksumKind::Composite));
        check_plan("SHA1", Some("FULL_OBJECT"), None);
        check_plan("SHA256", Some("else"), None);
        check_plan("MD5", None, None);
        let all = map(&[(KIND, "COMPOSITE")]);
        assert!(matches!(Headers::new(&all).take_plan(), Err(Refusal::Request(_))));
    }
}

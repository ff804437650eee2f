//! The two switches with which an owner keeps grants in check: S3's public access block and its ownership controls.
//!
//! Source: "Blocking public access to your Amazon S3 storage" and "Controlling ownership of objects" of the
//! Amazon S3 user guide.

use bytes::Bytes;

const VERSION: u8 = 1;

/// What of public access is blocked. Whether an ACL or a policy is public is told by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "S3 has these four switches, and they are independent")]
pub struct PublicAccessBlock {
    /// No public ACL can be set.
    pub block_public_acls: bool,
    /// What public ACLs grant to the public isn't granted.
    pub ignore_public_acls: bool,
    /// No public policy can be set.
    pub block_public_policy: bool,
    /// A public policy grants to users of the own account alone.
    pub restrict_public_buckets: bool,
}

/// Who owns the objects that others store in a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ObjectOwnership {
    /// The bucket's owner: ACLs grant nothing, and none can be set.
    BucketOwnerEnforced,
    /// The bucket's owner, where the writer asks for the ACL `bucket-owner-full-control`.
    BucketOwnerPreferred,
    /// Whoever stores them. What holds where nothing is said.
    #[default]
    ObjectWriter,
}

/// Bytes that neither is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored bucket controls can't be read")]
pub struct ControlsDamaged;

impl PublicAccessBlock {
    /// What is stored with a bucket: a version, and a bit for each switch, the first the lowest.
    pub fn encode(&self) -> Bytes {
        let switches = [
            self.block_public_acls,
            self.ignore_public_acls,
            self.block_public_policy,
            self.restrict_public_buckets,
        ];
        let bits = switches.iter().rev().fold(0, |bits, on| bits << 1 | u8::from(*on));
        Bytes::copy_from_slice(&[VERSION, bits])
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, ControlsDamaged> {
        let &[VERSION, bits @ 0..16] = bytes else { return Err(ControlsDamaged) };
        let on = |at: u8| bits >> at & 1 == 1;
        Ok(Self {
            block_public_acls: on(0),
            ignore_public_acls: on(1),
            block_public_policy: on(2),
            restrict_public_buckets: on(3),
        })
    }
}

impl ObjectOwnership {
    pub const ALL: [Self; 3] = [Self::BucketOwnerEnforced, Self::BucketOwnerPreferred, Self::ObjectWriter];

    /// Reads what stands in XML.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ownership| ownership.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    /// What is stored with a bucket.
    pub fn encode(self) -> Bytes {
        Bytes::from_static(self.as_str().as_bytes())
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, ControlsDamaged> {
        str::from_utf8(bytes).ok().and_then(Self::parse).ok_or(ControlsDamaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back() {
        for bits in 0..16 {
            let block = PublicAccessBlock::decode(&[1, bits]).unwrap();
            assert_eq!(block.encode(), &[1, bits][..]);
        }
        for ownership in ObjectOwnership::ALL {
            assert_eq!(ObjectOwnership::decode(&ownership.encode()), Ok(ownership));
        }
    }

    #[test]
    fn each_switch_has_its_bit() {
        let ignoring = PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() };
        assert_eq!(ignoring.encode(), &[1, 2][..]);
        for bytes in [&b""[..], &[1], &[2, 0], &[1, 16], &[1, 0, 0]] {
            assert_eq!(PublicAccessBlock::decode(bytes), Err(ControlsDamaged));
        }
        assert_eq!(ObjectOwnership::decode(b"bucketownerenforced"), Err(ControlsDamaged));
    }
}

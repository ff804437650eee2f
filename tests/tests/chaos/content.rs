//! What is written: every write has bytes of its own, which tell which write they are of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use martlet_tests::files;
use md5::{Digest, Md5};

/// Names one write.
pub(crate) type Tag = u64;

/// The last digit of a tag, to the base 16, says how long the parts of its body are:
/// bodies in the row's own record, carried with the row, staged before it, and put together from uploaded parts.
const PARTS_BYTES: [&[usize]; 16] = [
    &[8],
    &[100],
    &[1_000],
    &[4_000],
    &[4_096],
    &[9_000],
    &[20_000],
    &[63_000],
    &[64 << 10],
    &[70_000],
    &[200_000],
    &[300_000],
    &[1_300_000],
    &[2_500_000],
    &[90_000],
    &[5 << 20, 60_000],
];
/// Classes from here on are uploaded in parts.
pub(crate) const PLAIN_CLASSES: usize = 14;
pub(crate) const CLASSES: usize = PARTS_BYTES.len();

/// Which API an `ETag` is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    S3,
    Swift,
}

/// Every write there was, by the `ETag` that its object has in either API.
#[derive(Default)]
pub(crate) struct Tags {
    last: AtomicU64,
    of_etags: Mutex<HashMap<String, Tag>>,
}

impl Tags {
    /// A write that nobody has made yet, with a body of this class.
    pub(crate) fn fresh(&self, class: usize) -> Tag {
        let tag = (self.last.fetch_add(1, Ordering::Relaxed) + 1) << 4 | class as u64;
        let mut of_etags = self.of_etags.lock().unwrap_or_else(PoisonError::into_inner);
        for dialect in [Dialect::S3, Dialect::Swift] {
            of_etags.insert(etag(tag, dialect), tag);
        }
        tag
    }

    /// `None`: nobody ever wrote that.
    pub(crate) fn of_etag(&self, etag: &str) -> Option<Tag> {
        let etag = etag.trim_matches('"');
        self.of_etags.lock().unwrap_or_else(PoisonError::into_inner).get(etag).copied()
    }
}

/// The bytes of a write, part by part. The first eight are its tag.
pub(crate) fn parts(tag: Tag) -> Vec<Vec<u8>> {
    let lengths = PARTS_BYTES[usize::try_from(tag % 16).unwrap_or_default()];
    let length: usize = lengths.iter().sum();
    let mut rest = files::bytes(tag, length);
    rest[..8].copy_from_slice(&tag.to_be_bytes());
    let mut parts = Vec::new();
    for &length in lengths {
        let after = rest.split_off(length);
        parts.push(std::mem::replace(&mut rest, after));
    }
    parts
}

pub(crate) fn body(tag: Tag) -> Vec<u8> {
    parts(tag).concat()
}

/// Of a whole body.
pub(crate) fn etag_of(body: &[u8]) -> String {
    hex(&Md5::digest(body))
}

/// As the API shows it, without quotes.
pub(crate) fn etag(tag: Tag, dialect: Dialect) -> String {
    let digests: Vec<_> = parts(tag).iter().map(Md5::digest).collect();
    if usize::try_from(tag % 16).unwrap_or_default() < PLAIN_CLASSES {
        return hex(&digests[0]);
    }
    match dialect {
        Dialect::S3 => format!("{}-{}", hex(&Md5::digest(digests.concat())), digests.len()),
        Dialect::Swift => hex(&Md5::digest(digests.iter().map(|digest| hex(digest)).collect::<String>())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

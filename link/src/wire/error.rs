//! Why a device didn't do what it was asked.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use martlet_protocol::{BlobId, ReplicaError};
use martlet_register::Ballot;

use super::{Malformed, Source, Wire};

const REFUSED: u8 = 0;
const MISSING_BLOBS: u8 = 1;
const SEALED: u8 = 2;
const FULL: u8 = 3;
const DAMAGED: u8 = 4;
const FAILED: u8 = 5;
const UNREACHABLE: u8 = 6;
const INVALID: u8 = 7;
const OTHER_RING: u8 = 8;

impl Wire for ReplicaError {
    const BYTES_MIN: usize = 1;

    fn put(&self, out: &mut Vec<u8>) {
        let mut put_text = |kind: u8, text: &String| {
            out.push(kind);
            text.put(out);
        };
        match self {
            Self::Damaged(text) => put_text(DAMAGED, text),
            Self::Failed(text) => put_text(FAILED, text),
            Self::Unreachable(text) => put_text(UNREACHABLE, text),
            Self::Invalid(text) => put_text(INVALID, &(*text).to_owned()),
            Self::Sealed => out.push(SEALED),
            Self::Full => out.push(FULL),
            Self::Refused { seen } => {
                out.push(REFUSED);
                seen.put(out);
            }
            Self::OtherRing { version } => {
                out.push(OTHER_RING);
                version.put(out);
            }
            Self::MissingBlobs(blobs) => {
                out.push(MISSING_BLOBS);
                blobs.put(out);
            }
        }
    }

    fn take(from: &mut Source<'_>) -> Result<Self, Malformed> {
        Ok(match u8::take(from)? {
            REFUSED => Self::Refused { seen: Ballot::take(from)? },
            MISSING_BLOBS => Self::MissingBlobs(Vec::<BlobId>::take(from)?),
            SEALED => Self::Sealed,
            FULL => Self::Full,
            DAMAGED => Self::Damaged(String::take(from)?),
            FAILED => Self::Failed(String::take(from)?),
            UNREACHABLE => Self::Unreachable(String::take(from)?),
            INVALID => Self::Invalid(lasting(&String::take(from)?)),
            OTHER_RING => Self::OtherRing { version: u64::take(from)? },
            _ => return Err(Malformed("an error")),
        })
    }
}

/// How many different texts of invalid requests are kept.
const TEXTS_MAX: usize = 64;
/// The longest of them.
const TEXT_BYTES_MAX: usize = 256;

/// The texts of invalid requests that were received, each kept for the life of the process.
static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// [`ReplicaError::Invalid`] carries a literal of the program that refused.
/// There are few of them, so each is kept once; a program that sends ever new ones gets a text of ours.
fn lasting(text: &str) -> &'static str {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text) {
        return known;
    }
    if texts.len() >= TEXTS_MAX || text.len() > TEXT_BYTES_MAX {
        return "the device gave a reason that isn't known here";
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    texts.insert(kept);
    kept
}

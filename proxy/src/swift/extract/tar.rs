//! tar archives, member by member, as they come in.
//!
//! Sources: "ustar Interchange Format" and "pax Interchange Format" of POSIX.1-2017 (`pax`),
//! and "Basic Tar Format" of the GNU tar manual for long names and large numbers.

use std::collections::BTreeMap;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The unit of an archive.
const BLOCK_BYTES: usize = 512;
/// The longest extended header: names and metadata that objects can have need far less.
const EXTENSION_BYTES_MAX: u64 = 256 * 1024;
/// How much of a member is read at once.
const CHUNK_BYTES_MAX: u64 = 64 * 1024;

/// Extended attributes of files as GNU tar stores them, and as libarchive does, in Base64.
pub(super) const GNU_ATTRIBUTE: &str = "SCHILY.xattr.";
pub(super) const LIBARCHIVE_ATTRIBUTE: &str = "LIBARCHIVE.xattr.";

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A file of which only parts are stored.
    Sparse,
    /// A directory, a link, a device.
    Other,
}

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) bytes: u64,
    /// The records of its extended header that are attributes, by their whole keyword.
    pub(super) attributes: BTreeMap<String, Vec<u8>>,
}

/// Why bytes are no archive.
#[derive(Debug, thiserror::Error)]
pub(super) enum TarError {
    #[error("it is empty")]
    Empty,
    #[error("it ends in the middle")]
    Truncated,
    #[error("a header is damaged")]
    Checksum,
    #[error("a length is no number")]
    BadNumber,
    #[error("an extended header can't be read")]
    BadExtension,
    #[error("an extended header is longer than {EXTENSION_BYTES_MAX} bytes")]
    ExtensionTooLong,
    #[error(transparent)]
    Read(io::Error),
}

/// Reads an archive. What isn't read of a member is passed over.
pub(super) struct TarReader<R> {
    source: R,
    has_begun: bool,
    /// What the present member has yet, and what fills its last block.
    content_left: u64,
    padding_left: u64,
    global: Extension,
}

/// What extended headers say.
#[derive(Clone, Debug, Default)]
struct Extension {
    path: Option<Vec<u8>>,
    bytes: Option<u64>,
    is_sparse: bool,
    attributes: BTreeMap<String, Vec<u8>>,
}

struct Header {
    name: Vec<u8>,
    bytes: u64,
    kind: u8,
}

impl<R: AsyncRead + Unpin> TarReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, has_begun: false, content_left: 0, padding_left: 0, global: Extension::default() }
    }

    /// The next member; `None`: the archive has ended.
    pub(super) async fn next(&mut self) -> Result<Option<Member>, TarError> {
        while self.content().await?.is_some() {}
        let mut extension = self.global.clone();
        while let Some(header) = self.header().await? {
            match header.kind {
                b'x' => extension.read(&self.extension(header.bytes).await?)?,
                b'g' => {
                    let records = self.extension(header.bytes).await?;
                    self.global.read(&records)?;
                    extension.read(&records)?;
                }
                b'L' => {
                    let name = self.extension(header.bytes).await?;
                    extension.path = Some(until_zero(&name).to_vec());
                }
                // The name that a link points to, if it is long.
                b'K' => drop(self.extension(header.bytes).await?),
                _ => return Ok(Some(self.member(header, extension))),
            }
        }
        Ok(None)
    }

    /// The next bytes of the member; `None`: it has ended.
    pub(super) async fn content(&mut self) -> Result<Option<Bytes>, TarError> {
        if self.content_left == 0 {
            while self.padding_left > 0 {
                self.padding_left -= self.some(self.padding_left).await?.len() as u64;
            }
            return Ok(None);
        }
        let bytes = self.some(self.content_left).await?;
        self.content_left -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// Reads what is there of so many bytes.
    async fn some(&mut self, bytes_max: u64) -> Result<Bytes, TarError> {
        let mut chunk = BytesMut::new();
        let mut source = (&mut self.source).take(bytes_max.min(CHUNK_BYTES_MAX));
        match source.read_buf(&mut chunk).await.map_err(TarError::Read)? {
            0 => Err(TarError::Truncated),
            _ => Ok(chunk.freeze()),
        }
    }

    /// `None`: the archive has ended, with a block of zeros, or with the last member.
    async fn header(&mut self) -> Result<Option<Header>, TarError> {
        let mut block = [0; BLOCK_BYTES];
        let mut filled = 0;
        while filled < BLOCK_BYTES {
            match self.source.read(&mut block[filled..]).await.map_err(TarError::Read)? {
                0 if filled == 0 && self.has_begun => return Ok(None),
                0 if filled == 0 => return Err(TarError::Empty),
                0 => return Err(TarError::Truncated),
                read => filled += read,
            }
        }
        self.has_begun = true;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header::read(&block)?;
        self.begin(header.bytes);
        Ok(Some(header))
    }

    fn begin(&mut self, bytes: u64) {
        self.content_left = bytes;
        self.padding_left = bytes.wrapping_neg() % BLOCK_BYTES as u64;
    }

    /// The content of an extended header.
    async fn extension(&mut self, bytes: u64) -> Result<BytesMut, TarError> {
        if bytes > EXTENSION_BYTES_MAX {
            return Err(TarError::ExtensionTooLong);
        }
        let mut whole = BytesMut::new();
        while let Some(bytes) = self.content().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    fn member(&mut self, header: Header, extension: Extension) -> Member {
        let bytes = extension.bytes.unwrap_or(header.bytes);
        self.begin(bytes);
        let name = extension.path.unwrap_or(header.name);
        let kind = match header.kind {
            b'S' => Kind::Sparse,
            b'0' | b'\0' | b'7' if name.ends_with(b"/") => Kind::Other,
            b'0' | b'\0' | b'7' if extension.is_sparse => Kind::Sparse,
            b'0' | b'\0' | b'7' => Kind::File,
            _ => Kind::Other,
        };
        if matches!(header.kind, b'1'..=b'6') {
            // Links and the like may have a length, and have no content.
            self.begin(0);
        }
        Member { name, kind, bytes, attributes: extension.attributes }
    }
}

impl Header {
    fn read(block: &[u8; BLOCK_BYTES]) -> Result<Self, TarError> {
        let field = |start: usize, end: usize| &block[start..end];
        let claimed = number(field(148, 156)).ok_or(TarError::Checksum)?;
        let sum = |value: fn(u8) -> i64| -> i64 {
            let others = field(0, 148).iter().chain(field(156, BLOCK_BYTES));
            others.map(|byte| value(*byte)).sum::<i64>() + 8 * i64::from(b' ')
        };
        // Some old writers took bytes for signed numbers.
        let is_right = |sum: i64| u64::try_from(sum) == Ok(claimed);
        if !is_right(sum(i64::from)) && !is_right(sum(|byte| i64::from(byte.cast_signed()))) {
            return Err(TarError::Checksum);
        }
        let mut name = until_zero(field(0, 100)).to_vec();
        let prefix = until_zero(field(345, 500));
        // GNU's own format has other things where the prefix would be.
        if field(257, 263) == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let bytes = number(field(124, 136)).ok_or(TarError::BadNumber)?;
        Ok(Self { name, bytes, kind: block[156] })
    }
}

impl Extension {
    /// Reads the records of a pax header: `length keyword=value`, a line each.
    fn read(&mut self, mut records: &[u8]) -> Result<(), TarError> {
        while !until_zero(records).is_empty() {
            let (keyword, value, rest) = record(records).ok_or(TarError::BadExtension)?;
            records = rest;
            match keyword {
                "path" => self.path = Some(value.to_vec()),
                "size" => {
                    let digits = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                    self.bytes = Some(digits.ok_or(TarError::BadNumber)?);
                }
                _ if keyword.starts_with("GNU.sparse.") => self.is_sparse = true,
                _ if keyword.starts_with(GNU_ATTRIBUTE) || keyword.starts_with(LIBARCHIVE_ATTRIBUTE) => {
                    self.attributes.insert(keyword.to_owned(), value.to_vec());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The first record, and what follows it.
fn record(records: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let blank = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    let text = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|byte| *byte == b'=')?;
    Some((str::from_utf8(&text[..equals]).ok()?, &text[equals + 1..], rest))
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits, or a number of base 256, of which the first bit tells.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let leading = if *first == 0x80 { 0 } else { return None };
        return rest.iter().try_fold(leading, |number: u64, byte| {
            number.checked_mul(256).map(|number| number | u64::from(*byte))
        });
    }
    let digits = str::from_utf8(until_zero(field)).ok()?.trim_matches(' ');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

#[cfg(test)]
mod tests;

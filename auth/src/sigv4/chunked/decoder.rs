//! The chunks, taken apart step by step; no I/O.

use std::{mem, str};

use bytes::Bytes;
use martlet_model::BodyError;
use sha2::{Digest as _, Sha256};

use super::{ChunksSigned, Framing};

/// The longest line of a framing; the longest that means something has about 110 bytes.
const LINE_BYTES_MAX: usize = 256;
/// The most lines after the last chunk; 4 mean something.
const TRAILER_LINES_MAX: usize = 8;
/// The most bytes after the end, which mean nothing.
const IGNORED_BYTES_MAX: usize = 4096;
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";
const CHUNK_SIGNATURE: &str = "chunk-signature";

const BAD_HEAD: BodyError = BodyError::BadFraming("a chunk's head is not a size and what must follow it");

/// What is expected next.
#[derive(Debug)]
enum State {
    /// The line that begins a chunk.
    Head,
    /// So many bytes, and then the claimed signature is compared.
    Data {
        left: u64,
    },
    /// The line break after a chunk's data.
    Break,
    Trailers(Trailers),
}

/// What came after the last chunk.
#[derive(Debug)]
struct Trailers {
    lines: usize,
    /// Whether an empty line has ended the body: what is behind it means nothing.
    ended: bool,
    /// Whether the body may stop here without that: the last line was a whole one.
    may_end: bool,
    /// The value of the trailing checksum.
    value: Option<String>,
    /// What is signed of them.
    canonical: Vec<u8>,
    signed: bool,
    /// How much has come after the end.
    ignored_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Decoder {
    framing: Framing,
    state: State,
    /// The beginning of a line.
    line: Vec<u8>,
    /// Of the plain body.
    received_bytes: u64,
    /// How many chunks have begun.
    chunks: u64,
    /// How long the present chunk is, or the last one was.
    chunk_bytes: u64,
    /// SHA-256 over the present chunk, and the signature that it claims to have.
    chunk: Sha256,
    claimed: String,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            state: State::Head,
            line: Vec::new(),
            received_bytes: 0,
            chunks: 0,
            chunk_bytes: 0,
            chunk: Sha256::new(),
            claimed: String::new(),
        }
    }

    /// Takes from `input` up to the next bytes of the plain body; `None`: there are none in it any more.
    pub(super) fn take(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, BodyError> {
        while !input.is_empty() {
            match &mut self.state {
                State::Data { left } => {
                    let left = *left;
                    return self.take_data(input, left).map(Some);
                }
                State::Trailers(trailers) if trailers.ended => {
                    trailers.ignore(input)?;
                    break;
                }
                State::Head | State::Break | State::Trailers(_) => {}
            }
            let Some(line) = self.take_line(input)? else { break };
            match &mut self.state {
                State::Data { .. } => {}
                State::Head => self.begin_chunk(&line)?,
                State::Break if line == b"\r" => self.state = State::Head,
                State::Break => return Err(BodyError::BadFraming("a chunk doesn't end where it should")),
                State::Trailers(trailers) => trailers.take(&line, &mut self.framing)?,
            }
        }
        Ok(None)
    }

    /// The end of the input: whether it is that of the body, too.
    pub(super) fn finish(&mut self) -> Result<(), BodyError> {
        let State::Trailers(trailers) = &self.state else {
            return Err(BodyError::BadFraming("it ends before its last chunk"));
        };
        let has_ended = match self.framing.signed {
            ChunksSigned::Nothing => trailers.ended || trailers.may_end,
            ChunksSigned::Chunks(_) => trailers.ended,
            ChunksSigned::ChunksAndTrailer(_) => trailers.ended && trailers.signed,
        };
        if !has_ended || !self.line.is_empty() {
            return Err(BodyError::BadFraming("it ends before its end"));
        }
        let (received, declared) = (self.received_bytes, self.framing.decoded_bytes);
        if received != declared {
            return Err(BodyError::WrongLength { received, declared });
        }
        match (&mut self.framing.trailing, &trailers.value) {
            (None, _) => Ok(()),
            (Some(trailing), Some(value)) => trailing.check(value),
            (Some(_), None) => Err(BodyError::BadTrailer("the checksum that was announced is missing")),
        }
    }

    fn take_data(&mut self, input: &mut Bytes, left: u64) -> Result<Bytes, BodyError> {
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let data = input.split_to(bytes);
        if !matches!(self.framing.signed, ChunksSigned::Nothing) {
            self.chunk.update(&data);
        }
        if let Some(trailing) = &mut self.framing.trailing {
            trailing.update(&data);
        }
        self.received_bytes += bytes as u64;
        let left = left - bytes as u64;
        if left > 0 {
            self.state = State::Data { left };
        } else {
            self.end_chunk()?;
            self.state = State::Break;
        }
        Ok(data)
    }

    /// A line without its line feed; `None`: it goes on in the next input.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, BodyError> {
        let end = input.iter().take(LINE_BYTES_MAX + 1).position(|&byte| byte == b'\n');
        let bytes = end.map_or(input.len(), |at| at + 1);
        if self.line.len().saturating_add(bytes) > LINE_BYTES_MAX {
            return Err(BodyError::BadFraming("a line between chunks is too long"));
        }
        self.line.extend_from_slice(&input.split_to(bytes));
        if end.is_none() {
            return Ok(None);
        }
        let mut line = mem::take(&mut self.line);
        line.pop();
        Ok(Some(line))
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), BodyError> {
        let line = line.strip_suffix(b"\r").and_then(|line| str::from_utf8(line).ok()).ok_or(BAD_HEAD)?;
        let size = match self.framing.signed {
            ChunksSigned::Nothing => line,
            ChunksSigned::Chunks(_) | ChunksSigned::ChunksAndTrailer(_) => {
                let (size, extension) = line.split_once(';').ok_or(BAD_HEAD)?;
                claimed_in(extension)?.clone_into(&mut self.claimed);
                size.trim_end()
            }
        };
        if !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BAD_HEAD);
        }
        let bytes = u64::from_str_radix(size, 16).map_err(|_| BAD_HEAD)?;
        if bytes > self.framing.decoded_bytes - self.received_bytes {
            let received = self.received_bytes.saturating_add(bytes);
            return Err(BodyError::WrongLength { received, declared: self.framing.decoded_bytes });
        }
        self.chunks += 1;
        if bytes > 0 {
            self.check_previous()?;
            self.chunk_bytes = bytes;
            self.state = State::Data { left: bytes };
        } else {
            self.end_chunk()?;
            self.state = State::Trailers(Trailers::new());
        }
        Ok(())
    }

    /// Another chunk with data has begun, so that the one before wasn't the last.
    fn check_previous(&self) -> Result<(), BodyError> {
        let is_signed = !matches!(self.framing.signed, ChunksSigned::Nothing);
        if is_signed && self.chunks > 1 && self.chunk_bytes < self.framing.chunk_bytes_min {
            return Err(BodyError::ChunkTooSmall { next: self.chunks, bytes: self.chunk_bytes });
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), BodyError> {
        match &mut self.framing.signed {
            ChunksSigned::Nothing => Ok(()),
            ChunksSigned::Chunks(chain) | ChunksSigned::ChunksAndTrailer(chain) => {
                let data = mem::take(&mut self.chunk).finalize().into();
                chain.check_chunk(&data, &self.claimed)
            }
        }
    }
}

/// The signature in what follows a chunk's size. An extension of another name is none that could fit.
fn claimed_in(extension: &str) -> Result<&str, BodyError> {
    let (name, value) = extension.split_once('=').ok_or(BAD_HEAD)?;
    let value = value.trim();
    match name.trim() {
        CHUNK_SIGNATURE if value.is_empty() || value.contains(';') => Err(BAD_HEAD),
        CHUNK_SIGNATURE => Ok(value),
        _ => Ok(extension),
    }
}

impl Trailers {
    fn new() -> Self {
        Self {
            lines: 0,
            ended: false,
            may_end: true,
            value: None,
            canonical: Vec::new(),
            signed: false,
            ignored_bytes: 0,
        }
    }

    /// Clients end the lines of their trailers in one way or the other.
    fn take(&mut self, line: &[u8], framing: &mut Framing) -> Result<(), BodyError> {
        self.lines += 1;
        if self.lines > TRAILER_LINES_MAX {
            return Err(BodyError::BadTrailer("there are too many lines"));
        }
        self.may_end = line.ends_with(b"\r");
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            // Some have an empty line in front of the signature.
            self.ended = self.signed || !matches!(framing.signed, ChunksSigned::ChunksAndTrailer(_));
            return Ok(());
        }
        let text = str::from_utf8(line).map_err(|_| BodyError::BadTrailer("it is not text"))?;
        let (name, value) = text.split_once(':').ok_or(BodyError::BadTrailer("a line has no colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if self.signed {
            return Err(BodyError::BadTrailer("a line stands after the signature"));
        }
        if name == TRAILER_SIGNATURE
            && let ChunksSigned::ChunksAndTrailer(chain) = &mut framing.signed
        {
            self.signed = true;
            return chain.check_trailer(&self.canonical, value);
        }
        if framing.trailing.as_ref().is_none_or(|trailing| trailing.name() != name) {
            return Err(BodyError::BadTrailer("it was not announced by x-amz-trailer"));
        }
        self.canonical.extend_from_slice(format!("{name}:{value}\n").as_bytes());
        // Of several, the last counts.
        self.value = Some(value.to_owned());
        Ok(())
    }

    fn ignore(&mut self, input: &mut Bytes) -> Result<(), BodyError> {
        self.ignored_bytes = self.ignored_bytes.saturating_add(input.len());
        input.clear();
        if self.ignored_bytes > IGNORED_BYTES_MAX {
            return Err(BodyError::BadTrailer("there is more after its end"));
        }
        Ok(())
    }
}

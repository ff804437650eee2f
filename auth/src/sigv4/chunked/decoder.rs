//! The chunks, taken apart step by step; no I/O.

use std::{mem, str};

use bytes::Bytes;
use martlet_model::BodyError;
use sha2::{Digest as _, Sha256};

use super::chain::same;
use super::{ChunksSigned, Framing};
use crate::sigv4::authorization::digest_from_hex;

/// The longest line of a framing; the longest that means something has about 110 bytes.
const LINE_BYTES_MAX: usize = 256;
/// The most lines after the last chunk; 4 mean something.
const TRAILER_LINES_MAX: usize = 8;
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

const BAD_HEAD: BodyError = BodyError::BadFraming("a chunk's head is not a size and what must follow it");

/// What is expected next.
#[derive(Debug)]
enum State {
    /// The line that begins a chunk.
    Head,
    /// So many bytes, and then the claimed signature is compared.
    Data {
        left: u64,
        claimed: Option<[u8; 32]>,
    },
    /// The line break after a chunk's data.
    Break,
    Trailers(Trailers),
}

/// What came after the last chunk.
#[derive(Debug, Default)]
struct Trailers {
    lines: usize,
    /// Whether the last line was an empty one: only that ends a body.
    ended: bool,
    /// The value of the trailing checksum.
    value: Option<String>,
    /// What is signed of them.
    canonical: Vec<u8>,
    signed: bool,
}

#[derive(Debug)]
pub(super) struct Decoder {
    framing: Framing,
    state: State,
    /// The beginning of a line.
    line: Vec<u8>,
    /// Of the plain body.
    received_bytes: u64,
    /// SHA-256 over the present chunk.
    chunk: Sha256,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, state: State::Head, line: Vec::new(), received_bytes: 0, chunk: Sha256::new() }
    }

    /// Takes from `input` up to the next bytes of the plain body; `None`: there are none in it any more.
    pub(super) fn take(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, BodyError> {
        while !input.is_empty() {
            if let State::Data { left, claimed } = self.state {
                return self.take_data(input, left, claimed).map(Some);
            }
            let Some(line) = self.take_line(input)? else { break };
            match &mut self.state {
                State::Data { .. } => {}
                State::Head => self.begin_chunk(&line)?,
                State::Break if line == b"\r" => self.state = State::Head,
                State::Break => return Err(BodyError::BadFraming("a chunk doesn't end where it should")),
                State::Trailers(_) => self.take_trailer(&line)?,
            }
        }
        Ok(None)
    }

    /// The end of the input: whether it is that of the body, too.
    pub(super) fn finish(&mut self) -> Result<(), BodyError> {
        let State::Trailers(trailers) = &self.state else { return Err(self.truncated()) };
        if !trailers.ended {
            return Err(self.truncated());
        }
        if matches!(self.framing.signed, ChunksSigned::ChunksAndTrailer(_)) && !trailers.signed {
            return Err(BodyError::BadTrailer("x-amz-trailer-signature is missing"));
        }
        match (&mut self.framing.trailing, &trailers.value) {
            (None, _) => Ok(()),
            (Some(trailing), Some(value)) => trailing.check(value),
            (Some(_), None) => Err(BodyError::BadTrailer("the checksum that was announced is missing")),
        }
    }

    fn take_data(
        &mut self,
        input: &mut Bytes,
        left: u64,
        claimed: Option<[u8; 32]>,
    ) -> Result<Bytes, BodyError> {
        let bytes = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let data = input.split_to(bytes);
        if claimed.is_some() {
            self.chunk.update(&data);
        }
        if let Some(trailing) = &mut self.framing.trailing {
            trailing.update(&data);
        }
        self.received_bytes += bytes as u64;
        let left = left - bytes as u64;
        if left > 0 {
            self.state = State::Data { left, claimed };
        } else {
            self.end_chunk(claimed)?;
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
        let (size, claimed) = match self.framing.signed {
            ChunksSigned::Nothing => (line, None),
            ChunksSigned::Chunks(_) | ChunksSigned::ChunksAndTrailer(_) => {
                let (size, signature) = line.split_once(";chunk-signature=").ok_or(BAD_HEAD)?;
                (size, Some(digest_from_hex(signature.as_bytes()).ok_or(BAD_HEAD)?))
            }
        };
        if !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BAD_HEAD);
        }
        let left = u64::from_str_radix(size, 16).map_err(|_| BAD_HEAD)?;
        if left > self.framing.decoded_bytes - self.received_bytes {
            return Err(BodyError::BadFraming("it is longer than x-amz-decoded-content-length says"));
        }
        if left > 0 {
            self.state = State::Data { left, claimed };
            return Ok(());
        }
        self.end_chunk(claimed)?;
        if self.received_bytes < self.framing.decoded_bytes {
            return Err(self.truncated());
        }
        self.state = State::Trailers(Trailers::default());
        Ok(())
    }

    fn end_chunk(&mut self, claimed: Option<[u8; 32]>) -> Result<(), BodyError> {
        let (ChunksSigned::Chunks(chain) | ChunksSigned::ChunksAndTrailer(chain), Some(claimed)) =
            (&mut self.framing.signed, claimed)
        else {
            return Ok(());
        };
        let data = mem::take(&mut self.chunk).finalize().into();
        if same(&chain.chunk(&data), &claimed) { Ok(()) } else { Err(BodyError::ChunkSignatureMismatch) }
    }

    /// Clients end the lines of their trailers in one way or the other, and some add empty lines.
    fn take_trailer(&mut self, line: &[u8]) -> Result<(), BodyError> {
        let State::Trailers(trailers) = &mut self.state else { return Ok(()) };
        trailers.lines += 1;
        if trailers.lines > TRAILER_LINES_MAX {
            return Err(BodyError::BadTrailer("there are too many lines"));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        trailers.ended = line.is_empty();
        if trailers.ended {
            return Ok(());
        }
        let text = str::from_utf8(line).map_err(|_| BodyError::BadTrailer("it is not text"))?;
        let (name, value) = text.split_once(':').ok_or(BodyError::BadTrailer("a line has no colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if trailers.signed {
            return Err(BodyError::BadTrailer("a line stands after the signature"));
        }
        if name == TRAILER_SIGNATURE
            && let ChunksSigned::ChunksAndTrailer(chain) = &mut self.framing.signed
        {
            let claimed = digest_from_hex(value.as_bytes())
                .ok_or(BodyError::BadTrailer("x-amz-trailer-signature is not 64 hexadecimal digits"))?;
            trailers.signed = same(&chain.trailer(&trailers.canonical), &claimed);
            return if trailers.signed { Ok(()) } else { Err(BodyError::ChunkSignatureMismatch) };
        }
        if self.framing.trailing.as_ref().is_none_or(|trailing| trailing.name() != name) {
            return Err(BodyError::BadTrailer("it was not announced by x-amz-trailer"));
        }
        trailers.canonical.extend_from_slice(format!("{name}:{value}\n").as_bytes());
        if trailers.value.replace(value.to_owned()).is_some() {
            return Err(BodyError::BadTrailer("it is there twice"));
        }
        Ok(())
    }

    fn truncated(&self) -> BodyError {
        BodyError::Truncated { received: self.received_bytes, declared: self.framing.decoded_bytes }
    }
}

//! A file for one large blob.
//!
//! ```text
//!     the blob's bytes
//!     checksum of each 64 KiB block     8 n
//!     magic "MRTLBLB1"                    8
//!     blob id                            16
//!     placement hash                      8
//!     length of the blob                  8
//!     checksum of the blob                8
//!     length of the owner                 4
//!     owner                                   see `owner`
//!     checksum of the trailer             8   over everything after the blob's bytes
//!     length of the trailer               8
//! ```
//!
//! The bytes begin at 0 and the index knows their length, so a reader finds a block's checksum at
//! `length + 8 × block`. A wrong checksum there only ever makes its block unreadable.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use martlet_protocol::{BlobId, BlobRef, Block, Checksum, NewBlob, RunningChecksum};

use super::error::DiskError;
use super::files::{DiskFile, Files};
use super::layout::Layout;
use super::{owner, publish};

const MAGIC: &[u8; 8] = b"MRTLBLB1";

/// A blob file that is being written.
#[derive(Debug)]
pub struct StagedFile {
    files: Arc<dyn Files>,
    layout: Layout,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    bytes: u64,
    checksum: RunningChecksum,
    blocks: Vec<Checksum>,
}

impl StagedFile {
    /// `number` tells attempts to store the same blob apart.
    pub fn create(files: Arc<dyn Files>, layout: Layout, id: BlobId, number: u64) -> Result<Self, DiskError> {
        let path = layout.staged(id, number);
        let file = files.create(&path).map_err(|error| DiskError::of_write("make a blob file", error))?;
        Ok(Self {
            files,
            layout,
            file,
            path,
            bytes: 0,
            checksum: RunningChecksum::default(),
            blocks: Vec::new(),
        })
    }

    pub fn append(&mut self, blocks: &[Block]) -> Result<(), DiskError> {
        let pieces: Vec<_> = blocks.iter().map(|block| IoSlice::new(&block.bytes)).collect();
        let written = self.file.write_bulk(&pieces, self.bytes);
        written.map_err(|error| DiskError::of_write("write a blob file", error))?;
        for block in blocks {
            let block_bytes = block.bytes.len() as u64;
            self.checksum.add(block.checksum, block.bytes.len());
            self.bytes += block_bytes;
            self.blocks.push(block.checksum);
        }
        Ok(())
    }

    /// Writes the trailer, and makes the file durable under its final name.
    /// The staged name stays until [`StagedFile::settle`].
    pub fn publish(&self, new: &NewBlob) -> Result<BlobRef, DiskError> {
        let blob = self.write_trailer(new)?;
        publish::link(self.files.as_ref(), self.file.as_ref(), &self.path, &self.layout.blob(new.id))
            .map_err(|error| DiskError::of_sync("publish a blob file", error))?;
        Ok(blob)
    }

    /// The same in the place of the blob's old file. `number` tells it from all attempts to store the blob.
    pub fn publish_over(&self, new: &NewBlob, number: u64) -> Result<BlobRef, DiskError> {
        let blob = self.write_trailer(new)?;
        let second = self.layout.staged(new.id, number);
        let names = (self.path.as_path(), second.as_path());
        publish::link_over(self.files.as_ref(), self.file.as_ref(), names, &self.layout.blob(new.id))
            .map_err(|error| DiskError::of_sync("replace a blob file", error))?;
        Ok(blob)
    }

    /// What has been written so far.
    pub fn reference(&self, new: &NewBlob) -> BlobRef {
        BlobRef { id: new.id, hash: new.hash, bytes: self.bytes, checksum: self.checksum.checksum() }
    }

    fn write_trailer(&self, new: &NewBlob) -> Result<BlobRef, DiskError> {
        let blob = self.reference(new);
        let trailer = trailer(&blob, &owner::encode(&new.owner), &self.blocks);
        let written = self.file.write_at(&[IoSlice::new(&trailer)], self.bytes);
        written.map_err(|error| DiskError::of_write("write a blob file", error))?;
        Ok(blob)
    }

    /// Gives the staged name up: the blob has its index row, or is abandoned.
    pub fn settle(&self) -> Result<(), DiskError> {
        self.files.unlink(&self.path).map_err(|error| DiskError::of_sync("remove a staged file", error))
    }
}

fn trailer(blob: &BlobRef, owner: &[u8], blocks: &[Checksum]) -> Vec<u8> {
    let mut trailer: Vec<u8> = blocks.iter().flat_map(|block| block.0.to_be_bytes()).collect();
    trailer.extend_from_slice(MAGIC);
    trailer.extend_from_slice(&blob.id.0);
    trailer.extend_from_slice(&blob.hash.0.to_be_bytes());
    trailer.extend_from_slice(&blob.bytes.to_be_bytes());
    trailer.extend_from_slice(&blob.checksum.0.to_be_bytes());
    trailer.extend_from_slice(&u32::try_from(owner.len()).unwrap_or(u32::MAX).to_be_bytes());
    trailer.extend_from_slice(owner);
    trailer.extend_from_slice(&Checksum::of(&trailer).0.to_be_bytes());
    let trailer_bytes = trailer.len() as u64 + 8;
    trailer.extend_from_slice(&trailer_bytes.to_be_bytes());
    trailer
}

/// A blob file that is being read. It stays readable when its name is removed meanwhile.
#[derive(Clone, Debug)]
pub struct BlobFile {
    file: Arc<dyn DiskFile>,
    id: BlobId,
    bytes: u64,
}

impl BlobFile {
    pub fn open(files: &dyn Files, layout: &Layout, blob: &BlobRef) -> Result<Self, DiskError> {
        let file = files.open(&layout.blob(blob.id)).map_err(|error| damaged(blob.id, error.to_string()))?;
        Ok(Self { file, id: blob.id, bytes: blob.bytes })
    }

    /// Bytes from a position on, not yet checked.
    pub fn read(&self, position: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.file.read_at(buffer, position).map_err(|error| damaged(self.id, error.to_string()))
    }

    /// The checksums of so many blocks.
    pub fn checksums(&self, first: u64, count: u64) -> Result<Vec<Checksum>, DiskError> {
        let mut checksums = vec![0; 8 * usize::try_from(count).unwrap_or(0)];
        self.read(self.bytes + 8 * first, &mut checksums)?;
        let (checksums, _) = checksums.as_chunks::<8>();
        Ok(checksums.iter().map(|checksum| Checksum(u64::from_be_bytes(*checksum))).collect())
    }
}

fn damaged(id: BlobId, why: String) -> DiskError {
    DiskError::Damaged { what: format!("file of blob {id:?}"), why }
}

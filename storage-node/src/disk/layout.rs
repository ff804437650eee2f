//! Where things are in a device's directory.

use std::path::{Path, PathBuf};

use martlet_protocol::BlobId;

/// The paths of one device. `docs/formats.md` describes what is in the files.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn identity(&self) -> PathBuf {
        self.root.join("device.toml")
    }

    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// There while the write-ahead log holds what `index.db` doesn't.
    pub fn open_marker(&self) -> PathBuf {
        self.root.join("open")
    }

    /// There once the device has failed.
    pub fn failed_marker(&self) -> PathBuf {
        self.root.join("failed")
    }

    pub fn index(&self) -> PathBuf {
        self.root.join("index.db")
    }

    pub fn index_log(&self) -> PathBuf {
        self.root.join("index.db-wal")
    }

    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    pub fn segment(&self, number: u32) -> PathBuf {
        self.segments().join(format!("{number:08x}"))
    }

    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// `number` tells attempts to store the same blob apart.
    pub fn staged(&self, id: BlobId, number: u64) -> PathBuf {
        self.staging().join(format!("{}-{number:x}", hex::encode(id.0)))
    }

    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// One of 256 directories, by the last byte of the id: an id may begin with the time.
    pub fn blob_directory(&self, last_byte: u8) -> PathBuf {
        self.blobs().join(format!("{last_byte:02x}"))
    }

    pub fn blob(&self, id: BlobId) -> PathBuf {
        self.blob_directory(id.0[15]).join(hex::encode(id.0))
    }
}

/// The id that a file in the staging directory is named after.
pub fn blob_of_name(name: &str) -> Option<BlobId> {
    let (name, _number) = name.split_once('-')?;
    let mut id = [0; 16];
    hex::decode_to_slice(name, &mut id).ok()?;
    Some(BlobId(id))
}

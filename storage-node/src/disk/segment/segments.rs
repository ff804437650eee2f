//! The segment files that are open.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::error::DiskError;
use crate::disk::files::{DiskFile, Files};
use crate::disk::layout::Layout;

use super::record::Extent;

/// File descriptors that are kept open for reading, a device.
const OPEN_SEGMENTS_MAX: usize = 64;

/// The segments of a device, opened as they are needed.
#[derive(Debug)]
pub struct Segments {
    files: Arc<dyn Files>,
    layout: Layout,
    open: Mutex<HashMap<u32, Arc<dyn DiskFile>>>,
}

impl Segments {
    pub fn new(files: Arc<dyn Files>, layout: Layout) -> Self {
        Self { files, layout, open: Mutex::default() }
    }

    pub fn file(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&number) {
            return Ok(file.clone());
        }
        let file = self.files.open(&self.layout.segment(number))?;
        Self::remember(&mut open, number, &file);
        Ok(file)
    }

    /// Makes a new segment, durable by name.
    pub fn create(&self, number: u32) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.layout.segment(number);
        // A crash can leave a segment that no transaction has mentioned yet; its bytes are nobody's.
        match self.files.unlink(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.files.create(&path)?;
        self.files.sync_dir(&self.layout.segments())?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        Self::remember(&mut open, number, &file);
        Ok(file)
    }

    /// Reads a part of a body.
    pub fn read(&self, extent: Extent, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let what = || format!("segment {:08x} at {}", extent.segment, extent.position + offset);
        let file =
            self.file(extent.segment).map_err(|error| DiskError::damaged(what(), error.to_string()))?;
        file.read_at(buffer, extent.position + offset)
            .map_err(|error| DiskError::damaged(what(), error.to_string()))
    }

    pub fn punch(&self, extent: Extent) -> io::Result<()> {
        let file = match self.file(extent.segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        // What a crash has truncated takes no space.
        let end = file.bytes()?;
        if extent.record_start() < end {
            file.punch_hole(extent.record_start(), extent.record_bytes())
        } else {
            Ok(())
        }
    }

    pub fn unlink(&self, number: u32) -> io::Result<()> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        match self.files.unlink(&self.layout.segment(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn remember(open: &mut HashMap<u32, Arc<dyn DiskFile>>, number: u32, file: &Arc<dyn DiskFile>) {
        if open.len() >= OPEN_SEGMENTS_MAX {
            open.clear();
        }
        open.insert(number, file.clone());
    }
}

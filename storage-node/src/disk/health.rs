//! Whether a device can still be trusted.

use std::io::IoSlice;
use std::sync::{Arc, OnceLock};

use martlet_protocol::ReplicaError;

use super::files::Files;
use super::layout::Layout;

/// A device that has failed stays so: nobody knows what of its last writes is on disk, and syncing again would say
/// that all is well. It is rebuilt from its peers.
#[derive(Debug)]
pub struct Health {
    files: Arc<dyn Files>,
    layout: Layout,
    failure: OnceLock<String>,
}

impl Health {
    pub fn new(files: Arc<dyn Files>, layout: Layout) -> Self {
        Self { files, layout, failure: OnceLock::new() }
    }

    /// Stops the device. The first reason is kept, logged, and left in the device's directory for the next start.
    pub fn fail(&self, reason: String) {
        if self.failure.set(reason).is_ok() {
            let reason = self.failure.get().map(String::as_str).unwrap_or_default();
            let path = self.layout.failed_marker();
            tracing::error!(device = %self.layout.root().display(), reason, "the device has failed");
            // The disk may not take it any more; then the next start has to notice by itself.
            let marked = self.files.create(&path).and_then(|file| {
                file.write_at(&[IoSlice::new(reason.as_bytes())], 0)?;
                file.sync()?;
                self.files.sync_dir(self.layout.root())
            });
            if let Err(error) = marked {
                tracing::error!(device = %self.layout.root().display(), %error, "the failure can't be marked on the device");
            }
        }
    }

    pub fn check(&self) -> Result<(), ReplicaError> {
        self.failure.get().map_or(Ok(()), |reason| Err(ReplicaError::Failed(reason.clone())))
    }

    pub fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }
}

//! Whether this front is to be sent requests: what a balancer asks for.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells balancers to stay away, while requests are still answered.
#[derive(Debug)]
pub(crate) struct Drain {
    /// A file that tells so by being there.
    file: Option<PathBuf>,
    is_stopping: AtomicBool,
}

/// Why no requests are to be sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Stopping,
    File,
}

impl Drain {
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { file, is_stopping: AtomicBool::new(false) }
    }

    /// From now on, for good.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// A look at a file's name doesn't wait for a disk, but for a directory's entry in memory.
    pub(crate) fn reason(&self) -> Option<Reason> {
        if self.is_stopping() {
            return Some(Reason::Stopping);
        }
        self.file.as_ref().filter(|file| file.exists()).map(|_| Reason::File)
    }
}

impl Reason {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Stopping => "STOPPING",
            // The words of Swift's own middleware.
            Self::File => "DISABLED BY FILE",
        }
    }
}

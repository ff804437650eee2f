//! What the devices hold in files of their own: large blobs, and what uploads have staged.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long leftovers may take to be found and removed.
const REMOVAL_SECONDS_MAX: u64 = 30;

/// Everything below the devices' folders of blobs, temporary files included.
pub(crate) fn list(data: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![data.join("devices")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .components()
                .any(|part| part.as_os_str() == "blobs" || part.as_os_str() == "staging")
            {
                files.push(path.display().to_string());
            }
        }
    }
    files
}

/// Waits until none is left.
pub(crate) fn check_all_gone(data: &Path) {
    let deadline = Instant::now() + Duration::from_secs(REMOVAL_SECONDS_MAX);
    while let Some(left) = list(data).pop() {
        assert!(Instant::now() < deadline, "{left} is left over");
        std::thread::sleep(Duration::from_millis(200));
    }
}

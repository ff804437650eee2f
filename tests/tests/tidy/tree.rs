//! The source tree as the other checks see it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file that git tracks or would track.
pub(crate) struct Source {
    /// Relative to the workspace's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

/// Every file whose name ends with `suffix`.
pub(crate) fn sources(suffix: &str) -> Vec<Source> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is there");
    let listing = String::from_utf8(listing.stdout).expect("paths are UTF-8");
    let sources: Vec<_> = listing
        .lines()
        .filter(|path| path.ends_with(suffix))
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source { path: path.to_owned(), text })
        })
        .collect();
    assert!(!sources.is_empty(), "no {suffix} files found: the check would be blind");
    sources
}

/// The part of a Rust file before its inline tests.
pub(crate) fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

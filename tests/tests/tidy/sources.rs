//! How files read.

use crate::tree::{sources, without_tests};

/// Lines of a file, inline tests not counted.
const FILE_LINES_MAX: usize = 800;

#[test]
fn files_are_short() {
    for source in sources(".rs") {
        let lines = without_tests(&source.text).lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", source.path);
    }
}

#[test]
fn every_file_says_what_it_is() {
    for source in sources(".rs") {
        let first = source.text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//!"), "{} has no module documentation", source.path);
    }
}

#[test]
fn there_is_no_drawer() {
    for source in sources(".rs") {
        for drawer in ["utils", "util", "common", "helpers", "misc"] {
            let named = source.path.split('/').any(|part| part.trim_end_matches(".rs") == drawer);
            assert!(!named, "{}: a helper lives with its noun", source.path);
        }
    }
}

#[test]
fn nothing_is_left_loose() {
    // Spelled in halves, so that this file doesn't find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("#[ig", "nore"),
        concat!("todo", "!("),
    ];
    for source in sources(".rs") {
        for word in words {
            assert!(!source.text.contains(word), "{} contains {word}", source.path);
        }
    }
}

#[test]
fn lines_end_where_their_text_ends() {
    for suffix in [".rs", ".md", ".toml", ".sh"] {
        for source in sources(suffix) {
            for (index, line) in source.text.lines().enumerate() {
                assert!(!line.ends_with([' ', '\t']), "{}:{} has trailing space", source.path, index + 1);
            }
        }
    }
}

//! Trees of files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Bytes that are the same for the same seed, and that nothing can compress or mistake for others.
pub fn bytes(seed: u64, count: usize) -> Vec<u8> {
    // SplitMix64, by Steele, Lea and Flood (2014).
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        bytes.extend_from_slice(&next().to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// Writes a file of `count` bytes, piece by piece.
pub fn write_large(path: &Path, seed: u64, count: usize) {
    const PIECE_BYTES: usize = 1 << 20;
    let mut file = fs::File::create(path).expect("the file can be made");
    for (index, start) in (0..count).step_by(PIECE_BYTES).enumerate() {
        let piece = bytes(seed ^ ((index as u64) << 20), PIECE_BYTES.min(count - start));
        file.write_all(&piece).expect("the file can be written");
    }
}

/// `count` small files, a hundred a folder, of 0 to a few thousand bytes.
pub fn write_many(folder: &Path, count: usize) {
    for index in 0..count {
        let folder = folder.join(format!("part-{:03}", index / 100));
        fs::create_dir_all(&folder).expect("the folder can be made");
        let size = index * 7919 % 5000;
        fs::write(folder.join(format!("file-{index:05}")), bytes(index as u64, size))
            .expect("the file can be made");
    }
}

/// Sets the time of every file below `folder` to a moment of the year 2020.
pub fn touch_all(folder: &Path) {
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000);
    for entry in fs::read_dir(folder).expect("the folder can be listed").map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            touch_all(&path);
        } else {
            let file = fs::File::options().append(true).open(&path).expect("the file can be opened");
            file.set_modified(moment).expect("the time can be set");
        }
    }
}

/// A tree with the names that trip clients up.
pub fn write_odd_tree(folder: &Path) {
    let names = [
        "plain.txt",
        "deep/er/and/deeper/file",
        "space in the name.txt",
        "ümläut/日本語.txt",
        "plus+and&ampersand=equals",
        "percent%41.txt",
        "trailing.dots...",
        "quote'\"double",
        "tilde~star*bracket[1]{2}",
        ".hidden/.file",
    ];
    for (index, name) in names.iter().enumerate() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder)).expect("the folder can be made");
        fs::write(path, bytes(index as u64, 100 * index)).expect("the file can be made");
    }
    fs::write(folder.join("empty"), b"").expect("the file can be made");
}

/// Fails unless the two trees hold the same files with the same bytes.
pub fn assert_equal(source: &Path, copy: &Path) {
    let (source, copy) = (tree(source), tree(copy));
    let missing: Vec<_> = source.keys().filter(|name| !copy.contains_key(*name)).take(5).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let added: Vec<_> = copy.keys().filter(|name| !source.contains_key(*name)).take(5).collect();
    assert!(added.is_empty(), "not in the source: {added:?}");
    for (name, path) in &source {
        assert!(same_bytes(path, &copy[name]), "{name} differs");
    }
}

fn tree(folder: &Path) -> BTreeMap<String, std::path::PathBuf> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name =
                    path.strip_prefix(folder).expect("it lies in the folder").to_string_lossy().into_owned();
                files.insert(name, path);
            }
        }
    }
    files
}

fn same_bytes(one: &Path, other: &Path) -> bool {
    use std::io::{BufReader, Read};
    let open =
        |path: &Path| BufReader::with_capacity(1 << 20, fs::File::open(path).expect("the file can be read"));
    let length = |path: &Path| fs::metadata(path).expect("the file is there").len();
    length(one) == length(other) && {
        let (one, other) = (open(one).bytes(), open(other).bytes());
        one.zip(other).all(|(one, other)| one.ok() == other.ok())
    }
}

//! Which crate may know which.

use std::collections::BTreeMap;
use std::path::Path;

use crate::tree::{root, sources, without_tests};

/// What each crate may depend on, within the workspace. A new edge needs an ADR in docs/decisions/.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("ring", &[]),
    ("register", &[]),
    ("meter", &[]),
    ("request", &[]),
    ("protocol", &["ring", "register"]),
    ("link", &["ring", "register", "protocol", "meter", "request"]),
    ("auth", &["model"]),
    ("cluster", &["model", "ring", "register", "protocol", "meter", "request"]),
    ("proxy", &["model", "auth", "meter", "request"]),
    ("storage-node", &["model", "ring", "register", "protocol", "meter", "request"]),
    ("testkit", &["model", "ring", "register", "protocol"]),
    ("testkit-vfs", &[]),
    (
        "cli",
        &[
            "model",
            "ring",
            "register",
            "protocol",
            "link",
            "auth",
            "cluster",
            "proxy",
            "storage-node",
            "meter",
            "request",
        ],
    ),
    ("tests", &[]),
];

/// Crates, or folders of one, that must not even name a thing.
const ABSENT: &[(&str, &[&str])] = &[
    ("model/src/", &["tokio", "serde", "rusqlite", "std::fs", "std::net", "http::"]),
    ("ring/src/", &["tokio", "std::fs", "std::net"]),
    ("meter/src/", &["tokio", "serde", "std::fs", "std::net", "prometheus", "std::time::Instant"]),
    ("request/src/", &["tokio", "tracing", "serde", "std::fs", "std::net", "std::time"]),
    ("register/src/", &["tokio", "serde", "std::fs", "std::net", "std::time"]),
    ("protocol/src/", &["tokio::net", "std::fs", "std::net"]),
    ("link/src/", &["rusqlite", "std::fs", "martlet_model", "http"]),
    ("auth/src/", &["tokio", "axum", "hyper", "std::fs"]),
    ("cluster/src/", &["rusqlite", "std::fs", "axum", "hyper", "std::net", "tokio::net"]),
    ("proxy/src/", &["rusqlite", "std::fs", "martlet_cluster", "martlet_storage_node"]),
    ("storage-node/src/disk/", &["tokio", "async fn", "async_trait"]),
];

fn dependencies(member: &str, section: &str) -> Vec<String> {
    let manifest = manifest(&root().join(member));
    let Some(section) = manifest.get(section) else { return Vec::new() };
    section
        .as_table()
        .expect("a section is a table")
        .keys()
        .filter_map(|name| name.strip_prefix("martlet-").map(str::to_owned))
        .collect()
}

fn manifest(folder: &Path) -> toml::Table {
    let text = std::fs::read_to_string(folder.join("Cargo.toml")).expect("every member has a manifest");
    text.parse().expect("a manifest is TOML")
}

#[test]
fn crates_depend_only_downwards() {
    for (member, allowed) in ALLOWED {
        for dependency in dependencies(member, "dependencies") {
            assert!(allowed.contains(&dependency.as_str()), "{member} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_member_has_its_place_in_the_order() {
    let manifest = manifest(&root());
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let mut members: Vec<_> = members.iter().map(|member| member.as_str().unwrap()).collect();
    let mut known: Vec<_> = ALLOWED.iter().map(|(member, _)| *member).collect();
    members.sort_unstable();
    known.sort_unstable();
    assert_eq!(members, known);
}

#[test]
fn what_must_stay_absent_is_absent() {
    let mut seen = BTreeMap::new();
    for source in sources(".rs").iter().filter(|source| !source.path.ends_with("tests.rs")) {
        for (folder, words) in ABSENT.iter().filter(|(folder, _)| source.path.starts_with(folder)) {
            *seen.entry(*folder).or_insert(0) += 1;
            let code: Vec<_> = without_tests(&source.text)
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            for word in *words {
                let found = code.iter().find(|line| line.contains(word));
                assert!(found.is_none(), "{} names {word}: {}", source.path, found.unwrap_or(&""));
            }
        }
    }
    for (folder, _) in ABSENT {
        assert!(seen.contains_key(folder), "{folder} has no sources: the rule about it is stale");
    }
}

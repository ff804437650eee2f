#!/usr/bin/env bash
# Runs every test: pure cores, protocol checks, crash tests, and the server through real clients.
# Installs what it needs below .tools, and shows progress. Takes up to 20 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "clients for the end-to-end tests"
scripts/install-clients.sh

step "building"
cargo build --locked --workspace --all-targets

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --locked --workspace --no-fail-fast
else
  cargo test --locked --workspace --no-fail-fast --lib --bins --tests
fi

step "examples in the documentation"
cargo test --locked --workspace --doc --quiet

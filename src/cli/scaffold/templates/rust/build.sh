#!/bin/sh
# Builds the program that plugin.toml names.
set -eu
cd "$(dirname "$0")"
cargo build --release
# In one step, also while a daemon starts the one that is there.
cp "${CARGO_TARGET_DIR:-.phantom/target}/release/main" main.new
mv main.new main

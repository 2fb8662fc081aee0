#!/bin/sh
# Builds the module that plugin.toml names. Once, before: rustup target add wasm32-unknown-unknown
set -eu
cd "$(dirname "$0")"
cargo build --release --lib --target wasm32-unknown-unknown
# In one step, also while a daemon loads the one that is there.
cp "${CARGO_TARGET_DIR:-.phantom/target}/wasm32-unknown-unknown/release/plugin.wasm" plugin.wasm.new
mv plugin.wasm.new plugin.wasm

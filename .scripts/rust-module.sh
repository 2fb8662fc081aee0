#!/usr/bin/env bash
# rust-module.sh FOLDER OUTPUT: builds the package in FOLDER, a path in this repository, to a WebAssembly module, with the
# toolchain of rust-toolchain.sh. The same sources make the same bytes, wherever they lie.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$1
output=$(realpath -m "$2")

toolchain=$("$root/.scripts/rust-toolchain.sh")
crates=$("$root/.scripts/rust-crates.sh")

# Copies always lie at the same place: cargo names what it makes after the path.
work=$(dirname "$toolchain")/rust-module
mkdir -p "$work"
exec 9> "$work/lock"
flock 9
for source in sandbox-runner/rust "$folder"; do
  rm -rf "${work:?}/$source"
  mkdir -p "$work/$source"
  cp -a "$root/$source/." "$work/$source"
  rm -rf "$work/$source/target" "$work/$source/Cargo.lock"
done

export CARGO_HOME=$crates CARGO_TARGET_DIR=$work/target CARGO_TERM_COLOR=never
export RUSTFLAGS="--remap-path-prefix=$work=/plugin --remap-path-prefix=$CARGO_HOME=/crates"
cd "$work/$folder"
"$toolchain/bin/cargo" build --quiet --release --lib --target wasm32-unknown-unknown
name=$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | head -1)
cp "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/${name//-/_}.wasm" "$output"

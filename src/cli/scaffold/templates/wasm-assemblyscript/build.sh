#!/bin/sh
# Builds the module that plugin.toml names. npx takes the compiler of the project around this folder, else npm's cache:
# its own node_modules would be copied with the plugin.
set -eu
cd "$(dirname "$0")"
npx --yes --package assemblyscript@0.28.20 -- asc assembly/index.ts -o plugin.wasm.new -O3 --runtime incremental \
  --exportStart _initialize --use abort=phantomAbort
# In one step, also while a daemon loads the one that is there.
mv plugin.wasm.new plugin.wasm

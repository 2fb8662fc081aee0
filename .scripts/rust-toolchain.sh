#!/usr/bin/env bash
# rust-toolchain.sh: unpacks Debian 12's Rust 1.63, the oldest that the crate promises to build with, and its WebAssembly
# targets into the user's cache (140 MB to download, 640 MB there). Installs nothing and needs no root.
# Prints the folder, whose bin/cargo is the whole toolchain.
set -euo pipefail
folder=${XDG_CACHE_HOME:-$HOME/.cache}/phantom-ml-core/rust-1.63
echo "$folder"
[ -e "$folder/bin/cargo" ] && exit 0

mkdir -p "$(dirname "$folder")"
making=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$making"' EXIT
cd "$making"
packages=(rustc cargo libstd-rust-1.63 libstd-rust-dev libstd-rust-dev-wasm32 libllvm14 lld-14
  libgit2-1.5 libhttp-parser2.9 libmbedcrypto7 libmbedtls14 libmbedx509-1 libssh2-1 libcurl3-gnutls)
# A machine that never asked for the lists has none.
if ! apt-get download -qq "${packages[@]}" > /dev/null 2>&1; then
  [ "$(id -u)" = 0 ] && apt-get update -qq > /dev/null
  apt-get download -qq "${packages[@]}" > /dev/null
fi
for package in *.deb; do dpkg -x "$package" root; done
rm ./*.deb

mkdir bin
cat > bin/cargo << 'WRAPPER'
#!/usr/bin/env bash
usr=$(cd "$(dirname "${BASH_SOURCE[0]}")/../root/usr" && pwd)
export LD_LIBRARY_PATH=$usr/lib/x86_64-linux-gnu:$usr/lib/llvm-14/lib
export RUSTC=$usr/bin/rustc RUSTDOC=$usr/bin/rustdoc PATH=$usr/lib/llvm-14/bin:$usr/bin:$PATH
exec "$usr/bin/cargo" "$@"
WRAPPER
chmod +x bin/cargo
mv -T "$making" "$folder" 2> /dev/null || [ -e "$folder/bin/cargo" ]

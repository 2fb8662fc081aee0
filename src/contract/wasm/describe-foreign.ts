import type { Problem } from '../manifest/issue-list.ts'

const BUILD = 'Name the .wasm file that your toolchain builds'
const WASM_MAGIC = [0x00, 0x61, 0x73, 0x6d]
/** Begins of files that people name by mistake. */
const KNOWN: readonly (readonly [magic: readonly number[], problem: string, remedy: string])[] = [
  [
    [0x7f, 0x45, 0x4c, 0x46],
    'it is a native program (ELF)',
    'Say type = "native", or build it for WebAssembly',
  ],
  [[0x1f, 0x8b], 'it is compressed (gzip)', 'Unpack it'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'it is compressed (zstd)', 'Unpack it'],
  [[0x50, 0x4b, 0x03, 0x04], 'it is a zip archive', 'Unpack it'],
  [[0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e], 'it is a static library', 'Link it to a module'],
  [[0x42, 0x43, 0xc0, 0xde], 'it is LLVM bitcode', 'Link it to a module'],
  [[0x4d, 0x5a], 'it is a Windows program', BUILD],
  [[0xcf, 0xfa, 0xed, 0xfe], 'it is a macOS program', BUILD],
  [[0x23, 0x21], 'it is a script', 'Say type = "native" if it is to be started as a program'],
]
const TEXT = /^(?:\ufeff)?(?:\s|;;.*\n)*\((?:module|component|;)/
const LOOKED_AT_CHARS = 1024

/** What a file is that is no core module of version 1; null when its header says that it is one. */
export function describeForeign(bytes: Uint8Array): Problem | null {
  if (!startsWith(bytes, WASM_MAGIC)) return describeOther(bytes)
  if (bytes.length < 8) return { problem: 'it ends within its header', remedy: BUILD }
  const version = (bytes[4] ?? 0) + (bytes[5] ?? 0) * 256
  const layer = (bytes[6] ?? 0) + (bytes[7] ?? 0) * 256
  if (layer === 1) {
    return {
      problem: 'it is a component, and WebAssembly components (WASI 0.2) come with a later version',
      remedy: 'Build a core module (Rust: wasm32-wasip1 or wasm32-unknown-unknown)',
    }
  }
  if (layer === 0 && version === 1) return null
  return { problem: `it is WebAssembly of the unknown version ${version}, layer ${layer}`, remedy: BUILD }
}

function describeOther(bytes: Uint8Array): Problem {
  if (bytes.length === 0) return { problem: 'it is empty', remedy: BUILD }
  for (const [magic, problem, remedy] of KNOWN) if (startsWith(bytes, magic)) return { problem, remedy }
  const begin = new TextDecoder('latin1').decode(bytes.subarray(0, LOOKED_AT_CHARS))
  if (TEXT.test(begin)) {
    return { problem: 'it is WebAssembly as text', remedy: 'Make a binary of it: wat2wasm, or wasm-as' }
  }
  return { problem: 'it is not WebAssembly (its first bytes are not "\\0asm")', remedy: BUILD }
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, at) => bytes[at] === byte)
}

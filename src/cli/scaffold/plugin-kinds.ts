/** What `phantom new` can write: the folders of templates/ that it is made of, and what its author does next. */

export interface Kind {
  readonly description: string
  /** Folders of templates/; a later one goes before an earlier one. */
  readonly templates: readonly string[]
  /** Files of the package that the plugin needs a copy of. */
  readonly copied: readonly { readonly from: string; readonly names: RegExp; readonly to: string }[]
  /** Programs that have to be installed, and how; null where Node is enough. */
  readonly needs: string | null
  readonly build: readonly string[]
  readonly test: string
}

const SDK = 'sandbox-runner/wasm/sdk'
const RUST =
  'Rust 1.63 or newer (https://rustup.rs) and crates.io, or both from Debian: see .cargo/config.toml'

export const PLUGIN_KINDS = {
  javascript: {
    description: 'JavaScript, nothing to build',
    templates: ['javascript'],
    copied: [],
    needs: null,
    build: [],
    test: 'npm test',
  },
  typescript: {
    description: 'TypeScript, nothing to build',
    templates: ['typescript'],
    copied: [],
    needs: null,
    build: [],
    test: 'npm test',
  },
  rust: {
    description: 'Rust as a native program',
    templates: ['rust'],
    copied: [],
    needs: `${RUST}; native plugins need bubblewrap, too`,
    build: ['./build.sh'],
    test: 'cargo test',
  },
  python: {
    description: 'Python as a native program',
    templates: ['python'],
    copied: [],
    needs: 'python3 of the system; native plugins need bubblewrap, too',
    build: [],
    test: 'python3 -m unittest',
  },
  'wasm-rust': {
    description: 'Rust as a WebAssembly module',
    templates: ['wasm-rust'],
    copied: [],
    needs: `${RUST}; with rustup once: rustup target add wasm32-unknown-unknown`,
    build: ['./build.sh'],
    test: 'cargo test',
  },
  'wasm-assemblyscript': {
    description: 'AssemblyScript, which is much like TypeScript, as a WebAssembly module',
    templates: ['wasm-module', 'wasm-assemblyscript'],
    copied: [{ from: `${SDK}/assemblyscript`, names: /\.ts$/, to: 'assembly/phantom' }],
    needs: 'npx, which fetches the compiler',
    build: ['./build.sh'],
    test: 'node --test',
  },
  'wasm-c': {
    description: 'C as a WebAssembly module',
    templates: ['wasm-module', 'wasm-c'],
    copied: [{ from: `${SDK}/c`, names: /^phantom\.[ch]$/, to: '.' }],
    needs: 'clang and wasm-ld (the packages clang and lld of Debian)',
    build: ['./build.sh'],
    test: 'node --test',
  },
} satisfies Record<string, Kind>

export type PluginKind = keyof typeof PLUGIN_KINDS

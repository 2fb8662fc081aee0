import type { RuntimeCapabilities } from '../../src/contract/manifest.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import { MAX_TABLE_ELEMENTS, WASM_PAGE_BYTES } from '../../src/contract/wasm/abi.ts'

/** What a runner's Node is started with. Its permission model is the inner layer: it narrows, the kernel holds. */
export interface NodeFlagsRequest {
  readonly readPaths: readonly string[]
  readonly writePaths: readonly string[]
  readonly maxMemoryMb: number
  /** Sockets, all or none: which hosts, the network namespace and the proxy hold. */
  readonly allowNet: boolean
  readonly process: boolean
  readonly runtime: RuntimeCapabilities
  /** Whether the plugin is WebAssembly: no code of the plugin's runs as JavaScript. */
  readonly isWasm: boolean
  readonly threads: number
  /** Nothing is refused by the permission model, all that it was not given is told of. */
  readonly observe: boolean
}

/** @throws PhantomError PLUGIN_BLOCKED */
export function nodeFlags(request: NodeFlagsRequest): string[] {
  const { runtime, observe } = request
  assertNoPattern([...request.readPaths, ...request.writePaths])
  // Observed, it is told of what it was granted, too, and nothing is refused.
  const allow = (scope: string): string[] => (observe ? [] : [`--allow-${scope}`])
  return [
    observe ? '--permission-audit' : '--permission',
    ...outermostFirst(request.readPaths).map((path) => `--allow-fs-read=${path}`),
    ...outermostFirst(request.writePaths).map((path) => `--allow-fs-write=${path}`),
    // Node calls the flag experimental in every process that has it; a plugin's log is not the place for that.
    ...(request.allowNet ? [...allow('net'), '--disable-warning=ExperimentalWarning'] : []),
    ...(request.process ? allow('child-process') : []),
    // The runner keeps it for one thread of its own, and gives it back before the plugin's code comes.
    ...(request.threads > 0 ? allow('worker') : []),
    runtime.addons ? '--allow-addons' : '--no-addons',
    // Opens files without asking the permission model (https://nodejs.org/api/permissions.html, limitations).
    ...(runtime.sqlite ? [] : ['--no-experimental-sqlite']),
    runtime.ffi ? '--allow-ffi' : '--no-experimental-ffi',
    ...(runtime.inspector ? allow('inspector') : []),
    // Whoever approved it was told; its log need not say so at each start.
    ...(request.process || request.threads > 0 || Object.values(runtime).includes(true)
      ? ['--disable-warning=SecurityWarning']
      : []),
    '--no-experimental-webstorage',
    // SIGUSR1 would open a debugger.
    '--disable-sigusr1',
    '--disable-proto=delete',
    `--max-old-space-size=${request.maxMemoryMb}`,
    ...(request.isWasm ? wasmFlags(request.maxMemoryMb) : []),
  ]
}

const BYTES_PER_MB = 1024 * 1024
/** All that 32 bits can address. */
const MOST_PAGES = 65_536

/** What a module may have at most; how much of it the process gets, the kernel says. */
function wasmFlags(maxMemoryMb: number): string[] {
  const pages = Math.min(MOST_PAGES, Math.floor((maxMemoryMb * BYTES_PER_MB) / WASM_PAGE_BYTES))
  return [
    `--wasm-max-mem-pages=${pages}`,
    `--wasm-max-table-size=${MAX_TABLE_ELEMENTS}`,
    // The loader's own objects are few and short-lived: what V8 would keep for more is the plugin's to use.
    '--max-semi-space-size=1',
    // The memory of an instance that trapped counts until it is collected.
    '--expose-gc',
  ]
}

/**
 * Where the files of a grant are opened from, folder by folder (docs/wasi.md); only the loader can name them. What they
 * lead to, the mounts say.
 */
export const OPEN_FOLDERS = '/proc/self/fd'

/** Node 26.10 takes a "*" in these paths for any text, wherever it stands (tried): it would open a folder's neighbours. */
function assertNoPattern(paths: readonly string[]): void {
  const path = paths.find((one) => one.includes('*'))
  if (path === undefined) return
  throw new PhantomError(
    'PLUGIN_BLOCKED',
    `Cannot start a plugin with "${path}": Node's permission model takes the "*" in that path for any text, which ` +
      'would open what lies beside it. Rename that folder',
    { details: { path } },
  )
}

/** Node 26.10 refuses a folder itself when a path inside it was allowed before it (tried): `/a/b`, then `/a`. */
function outermostFirst(paths: readonly string[]): string[] {
  return paths.toSorted((one, other) => one.length - other.length)
}

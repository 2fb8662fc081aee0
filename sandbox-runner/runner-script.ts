import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'

/** What the bundle is called with, in place of a module of Node's: `import()` is not to be had in a script. */
export type RunRunner = (
  require: NodeJS.Require,
  module: { exports: unknown },
  importModule: (url: string) => Promise<unknown>,
  runBundle: (name: BundleName) => unknown,
) => void

/** What only some plugins need is a bundle of its own beside the runner's. */
export type BundleName = 'runner.cjs' | 'wasm.cjs'

/** The build writes the digest of what follows into the first line. */
const STAMP = /^\/\/ ([\da-f]{16})\n/

/** Of a code cache's header, after V8's magic number, its version and the source's length (V8, `code-serializer.h`). */
const FLAGS_AT_BYTE = 12

/**
 * A bundle as a script with V8's code cache, which lies beside it under the bundle's digest: V8 itself compares no more
 * than the length. 2 ms of every start (tried: 24.8 against 22.8); without the file, or on a Node that did not write it,
 * the bundle is compiled as ever.
 */
export function runnerScript(directory: string, name: BundleName = 'runner.cjs'): Script {
  const filename = join(directory, name)
  const source = readFileSync(filename, 'utf8')
  const cachedData = readCache(directory, STAMP.exec(source)?.[1])
  const wrapped = `(function (require, module, importModule, runBundle) {${source}})`
  return new Script(wrapped, cachedData === undefined ? { filename } : { filename, cachedData })
}

export function cacheName(digest: string): string {
  return `runner-${digest}.cache`
}

function readCache(directory: string, digest: string | undefined): Buffer | undefined {
  if (digest === undefined) return undefined
  try {
    return underTheseFlags(readFileSync(join(directory, cacheName(digest))))
  } catch {
    return undefined
  }
}

/**
 * V8 also compares a digest of all flags, and a plugin of WebAssembly has others than the build had, by its limits. None
 * of them changes what JavaScript is compiled to, so the cache gets the digest of the flags that are.
 */
function underTheseFlags(cache: Buffer): Buffer {
  if (!process.execArgv.some((flag) => flag.startsWith('--wasm-'))) return cache
  const current = new Script('0').createCachedData()
  cache.writeUInt32LE(current.readUInt32LE(FLAGS_AT_BYTE), FLAGS_AT_BYTE)
  return cache
}

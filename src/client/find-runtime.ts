/** Finds a Node that can run the daemon. Runs on Node 20 and imports nothing heavy: the launcher carries it. */
import { readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { PhantomError } from '../contract/phantom-error.ts'
import type { RuntimeSource } from '../contract/runtime-source.ts'
import { MINIMUM_RUNTIME_MAJOR } from '../contract/version.ts'
import { packageRoot } from './package-root.ts'
import { isRuntimeVersion, probeRuntime, type Refused } from './runtime/probe-runtime.ts'
import { findPrivateCopy, readChoice } from './runtime/runtime-folder.ts'

const NODE_ON_PATH = /^node-?(\d*)$/
const NEEDED = `Node ${MINIMUM_RUNTIME_MAJOR} or newer`

export interface FoundRuntime {
  /** Absolute path of the executable. */
  path: string
  /** Without the leading `v`: `26.10.0`. */
  version: string
  source: RuntimeSource
}

/**
 * In this order: PHANTOM_RUNTIME, what `phantom setup --runtime` chose, the private copy, the Node that runs this, the
 * checkout's pinned Node, every Node on PATH.
 * @throws PhantomError RUNTIME_NOT_FOUND, also when what a person named is unfit: it is never skipped.
 */
export async function findRuntime(): Promise<FoundRuntime> {
  const found = await lookForRuntime()
  if ('looked' in found) throw runtimeNotFound(found.looked)
  return found
}

/** As `findRuntime`; where there is none, what was looked at. */
export async function lookForRuntime(): Promise<FoundRuntime | { looked: Refused[] }> {
  const named = await namedRuntime()
  if (named !== null) return named
  const copy = findPrivateCopy()
  if (copy !== null) return { ...copy, source: 'private_copy' }
  const running = runningRuntime()
  if (running !== null) return running

  const looked: Refused[] = []
  const seen = new Set<string>([await realpath(process.execPath).catch(() => process.execPath)])
  for (const candidate of [...checkoutCandidates(), ...(await pathCandidates())]) {
    const real = await realpath(candidate.file).catch(() => null)
    if (real === null || seen.has(real)) continue
    seen.add(real)
    const probed = await probeRuntime(candidate.file)
    if ('version' in probed) return { ...probed, source: candidate.source }
    looked.push(probed)
  }
  return { looked }
}

/** @throws PhantomError RUNTIME_NOT_FOUND in words that name `what` */
export async function checkRuntime(
  file: string,
  what: string,
  remedy: string,
): Promise<{ path: string; version: string }> {
  const probed = await probeRuntime(path.resolve(file))
  if ('version' in probed) return probed
  throw new PhantomError('RUNTIME_NOT_FOUND', `Cannot use ${what} "${file}": ${probed.found}. ${remedy}`, {
    details: { running: process.versions.node, needed: MINIMUM_RUNTIME_MAJOR, looked: [probed] },
  })
}

/** Nothing that anybody named, and nothing that was found. */
export function runtimeNotFound(looked: readonly Refused[]): PhantomError {
  const others = looked.map((refused) => `${refused.path}: ${refused.found}`).join('; ')
  return new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot start the plugin system: this is Node ${process.versions.node} (${process.execPath}), ` +
      `and ${NEEDED} is needed. Looked in PHANTOM_RUNTIME (not set), for a private copy (none) and on PATH ` +
      `(${others === '' ? 'no other Node there' : others}). ` +
      'Run "phantom setup", which fetches one from the npm registry, ' +
      `install Node ${MINIMUM_RUNTIME_MAJOR} (https://nodejs.org), or set PHANTOM_RUNTIME=/path/to/node`,
    {
      details: { running: process.versions.node, needed: MINIMUM_RUNTIME_MAJOR, looked, nothing_fits: true },
    },
  )
}

/** By a variable of the environment, or by `phantom setup --runtime`. */
async function namedRuntime(): Promise<FoundRuntime | null> {
  const variable = process.env['PHANTOM_RUNTIME']
  if (variable !== undefined && variable !== '') {
    const remedy = `Set PHANTOM_RUNTIME to the path of a ${NEEDED} executable, or unset it to have one looked for`
    return { ...(await checkRuntime(variable, 'PHANTOM_RUNTIME', remedy)), source: 'variable' }
  }
  const chosen = readChoice()
  if (chosen === null) return null
  const what = 'the runtime that "phantom setup --runtime" chose,'
  const remedy = `Choose a ${NEEDED}, phantom setup --runtime PATH, or have one looked for: phantom setup --remove-runtime`
  return { ...(await checkRuntime(chosen, what, remedy)), source: 'chosen' }
}

/** Electron, Bun and Deno report a Node version too, but their executable does not behave as `node` does. */
function runningRuntime(): FoundRuntime | null {
  const { node, electron, bun, deno } = process.versions
  const isNode = electron === undefined && bun === undefined && deno === undefined
  if (!isNode || !isRuntimeVersion(node)) return null
  return { path: process.execPath, version: node, source: 'running' }
}

interface Candidate {
  file: string
  source: RuntimeSource
}

/** Only a checkout may have a pinned Node; an installed package must not reach into its user's modules. */
function checkoutCandidates(): Candidate[] {
  const root = packageRoot()
  const isInstalled = root.split(path.sep).includes('node_modules')
  return isInstalled ? [] : [{ file: path.join(root, 'node_modules/node/bin/node'), source: 'checkout' }]
}

/** `node` first, then `node26`, `node-27`, … by number. Relative entries would run what lies in the cwd: skipped. */
async function pathCandidates(): Promise<Candidate[]> {
  const candidates: { file: string; major: number }[] = []
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue
    for (const name of await readdir(folder).catch(() => [])) {
      const match = NODE_ON_PATH.exec(name)
      if (match !== null) candidates.push({ file: path.join(folder, name), major: Number(match[1]) })
    }
  }
  return candidates
    .filter(({ major }) => major === 0 || major >= MINIMUM_RUNTIME_MAJOR)
    .toSorted((a, b) => a.major - b.major)
    .map(({ file }) => ({ file, source: 'path' }))
}

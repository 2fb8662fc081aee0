/** Finds a Node that can run the daemon. Runs on Node 20 and imports nothing heavy: the launcher carries it. */
import { execFile } from 'node:child_process'
import { readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { PhantomError } from '../contract/phantom-error.ts'
import { MINIMUM_RUNTIME_MAJOR } from '../contract/version.ts'
import { packageRoot } from './package-root.ts'

/** A cold Node on a busy machine answers `--version` in well under a second; a hung shim never does. */
const PROBE_TIMEOUT_MS = 5_000
const NODE_ON_PATH = /^node-?(\d*)$/

export interface FoundRuntime {
  /** Absolute path of the executable. */
  path: string
  /** Without the leading `v`: `26.10.0`. */
  version: string
}

/** What was looked at and why it will not do. */
interface Refused {
  path: string
  found: string
}

/**
 * In this order: PHANTOM_RUNTIME, the Node that runs this, the checkout's pinned Node, every Node on PATH.
 * @throws PhantomError RUNTIME_NOT_FOUND, also when PHANTOM_RUNTIME names something unfit: it is never skipped.
 */
export async function findRuntime(): Promise<FoundRuntime> {
  const chosen = process.env['PHANTOM_RUNTIME']
  if (chosen !== undefined && chosen !== '') return await chosenRuntime(chosen)
  const running = runningRuntime()
  if (running !== null) return running

  const looked: Refused[] = []
  const seen = new Set<string>([await realpath(process.execPath).catch(() => process.execPath)])
  for (const candidate of [...checkoutCandidates(), ...(await pathCandidates())]) {
    const real = await realpath(candidate).catch(() => null)
    if (real === null || seen.has(real)) continue
    seen.add(real)
    const probed = await probe(candidate)
    if ('version' in probed) return probed
    looked.push(probed)
  }
  throw notFound(looked)
}

/** True for `26.10.0` and newer majors. */
export function isRuntimeVersion(version: string): boolean {
  return Number.parseInt(version, 10) >= MINIMUM_RUNTIME_MAJOR
}

async function chosenRuntime(chosen: string): Promise<FoundRuntime> {
  const probed = await probe(path.resolve(chosen))
  if ('version' in probed) return probed
  const needed = `Node ${MINIMUM_RUNTIME_MAJOR} or newer`
  throw new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot use PHANTOM_RUNTIME "${chosen}": ${probed.found}. ` +
      `Set PHANTOM_RUNTIME to the path of a ${needed} executable, or unset it to have one looked for`,
    { details: { running: process.versions.node, needed: MINIMUM_RUNTIME_MAJOR, looked: [probed] } },
  )
}

/** Electron, Bun and Deno report a Node version too, but their executable does not behave as `node` does. */
function runningRuntime(): FoundRuntime | null {
  const { node, electron, bun, deno } = process.versions
  const isNode = electron === undefined && bun === undefined && deno === undefined
  return isNode && isRuntimeVersion(node) ? { path: process.execPath, version: node } : null
}

/** Only a checkout may have a pinned Node; an installed package must not reach into its user's modules. */
function checkoutCandidates(): string[] {
  const root = packageRoot()
  const isInstalled = root.split(path.sep).includes('node_modules')
  return isInstalled ? [] : [path.join(root, 'node_modules/node/bin/node')]
}

/** `node` first, then `node26`, `node-27`, … by number. Relative entries would run what lies in the cwd: skipped. */
async function pathCandidates(): Promise<string[]> {
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
    .map(({ file }) => file)
}

function probe(file: string): Promise<FoundRuntime | Refused> {
  return new Promise((resolve) => {
    const options = { timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 } as const
    execFile(file, ['--version'], options, (error, stdout) => {
      if (error !== null) return resolve({ path: file, found: probeFailure(error) })
      const version = /^v(\d+\.\d+\.\d+\S*)\s*$/.exec(stdout)?.[1]
      if (version === undefined) return resolve({ path: file, found: 'it does not answer as Node does' })
      resolve(
        isRuntimeVersion(version) ? { path: file, version } : { path: file, found: `it is Node ${version}` },
      )
    })
  })
}

function probeFailure(error: {
  code?: string | number | null | undefined
  killed?: boolean | undefined
}): string {
  if (error.code === 'ENOENT') return 'there is no such file'
  if (error.code === 'EACCES') return 'it may not be executed'
  if (error.killed === true) return `it did not answer "--version" within ${PROBE_TIMEOUT_MS / 1000} s`
  return `"--version" failed (${error.code ?? 'killed by a signal'})`
}

function notFound(looked: readonly Refused[]): PhantomError {
  const needed = MINIMUM_RUNTIME_MAJOR
  const others = looked.map((refused) => `${refused.path}: ${refused.found}`).join('; ')
  return new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot start the plugin system: this is Node ${process.versions.node} (${process.execPath}), ` +
      `and Node ${needed} or newer is needed. Looked in PHANTOM_RUNTIME (not set) and on PATH ` +
      `(${others === '' ? 'no other Node there' : others}). ` +
      `Install Node ${needed} (https://nodejs.org), or set PHANTOM_RUNTIME=/path/to/node`,
    { details: { running: process.versions.node, needed, looked } },
  )
}

/** V8's compiled code of the runner's bundles, so that no start compiles it: see `sandbox-runner/runner-script.ts`. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { cacheName } from '../sandbox-runner/runner-script.ts'
import { ROOT, writeAtomically } from './bundle.mjs'

const WARM = path.join(import.meta.dirname, 'warm-runner.mjs')
/** @type {import('../sandbox-runner/runner-script.ts').BundleName[]} */
const BUNDLES = ['runner.cjs', 'wasm.cjs']
const CACHE = /^runner-[\da-f]+\.cache$/
const JAVASCRIPT = `import { definePlugin } from '@phantom-ml/core/plugin'
export default definePlugin({ operations: { echo: (input) => input } })`

const WASM = path.join(ROOT, 'bench/plugins/wasm-echo/plugin.wasm')

/**
 * Stamps the bundles in `folder` with their digests, and runs each once as a plugin's process to keep what was compiled.
 * @param {string} folder
 * @returns {Promise<string[]>} the caches' names
 */
export async function cacheRunner(folder) {
  const names = BUNDLES.map((bundle) => stamped(folder, bundle))
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-warm-'))
  try {
    for (const [at, bundle] of BUNDLES.entries()) {
      const cache = path.join(temporary, names[at] ?? '')
      await runOnce(folder, { bundle, cache, temporary })
      writeAtomically(path.join(folder, path.basename(cache)), fs.readFileSync(cache))
    }
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true })
  }
  for (const other of cachesIn(folder))
    if (!names.includes(other)) fs.rmSync(path.join(folder, other), { force: true })
  return names
}

/** @param {string} folder */
export function hasCaches(folder) {
  return fs.existsSync(folder) && cachesIn(folder).length === BUNDLES.length
}

/** @param {string} folder */
function cachesIn(folder) {
  return fs.readdirSync(folder).filter((name) => CACHE.test(name))
}

/** @param {string} folder @param {string} name @returns {string} its cache's name */
function stamped(folder, name) {
  const bundle = fs.readFileSync(path.join(folder, name), 'utf8')
  const digest = createHash('sha256').update(bundle).digest('hex').slice(0, 16)
  writeAtomically(path.join(folder, name), `// ${digest}\n${bundle}`)
  return cacheName(digest)
}

/** Its start and a call. @param {string} folder @param {{ bundle: string, cache: string, temporary: string }} how */
async function runOnce(folder, { bundle, cache, temporary }) {
  const entry = path.join(temporary, 'index.mjs')
  fs.writeFileSync(entry, JAVASCRIPT)
  const child = spawn(process.execPath, [WARM, folder, bundle, cache], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => (complaint += text))
  const ended = once(child, 'close')
  const channel = /** @type {import('node:net').Socket} */ (child.stdio[3])
  const answers = createInterface(channel)[Symbol.asyncIterator]()
  for (const frame of framesFor(bundle === 'wasm.cjs' ? WASM : entry, temporary)) {
    channel.write(frame)
    const { value } = await answers.next()
    if (value?.includes('"error"') !== false) complaint += `it answered ${value}`
  }
  channel.destroy()
  await ended
  if (!fs.existsSync(cache) || complaint !== '')
    throw new Error(`Cannot run the runner to keep its compiled code: ${complaint.trim() || 'it wrote none'}`)
}

/** @param {string} entry @param {string} folder */
function framesFor(entry, folder) {
  const version = '1.0'
  const initialize = {
    protocol_version: version,
    plugin_id: 'warm',
    plugin_version: version,
    generation: 1,
    execution_id_prefix: 'w-',
    entry,
    workspace: folder,
    data_dir: folder,
    config: {},
    log_level: 'info',
    eval: false,
    threads: 0,
    observe: false,
    operations: [],
    max_payload_bytes: 1024,
  }
  const input = '{"text":"warm"}'
  return [
    request(1, 'attest', { read: path.join(folder, 'nothing'), signal: null, connect: null, start: false }),
    request(2, 'initialize', initialize),
    `${request(3, 'execute', { operation: 'echo', timeout_ms: 1000 }, { payload_bytes: input.length })}${input}`,
  ]
}

/** @param {number} id @param {string} method @param {object} params @param {object} more */
function request(id, method, params, more = {}) {
  return `${JSON.stringify({ jsonrpc: '2.0', id, method, params, ...more })}\n`
}

/** V8's compiled code of the runner, so that no start compiles it: see `sandbox-runner/runner-script.ts`. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { cacheName } from '../sandbox-runner/runner-script.ts'
import { writeAtomically } from './bundle.mjs'

const WARM = path.join(import.meta.dirname, 'warm-runner.mjs')
const NAME = 'runner.cjs'
const CACHE = /^runner-[\da-f]+\.cache$/
const PLUGIN = `import { definePlugin } from '@phantom-ml/core/plugin'
export default definePlugin({ operations: { echo: (input) => input } })`

/**
 * Stamps `runner.cjs` in `folder` with its digest, and runs it once as a plugin's process to keep what was compiled.
 * @param {string} folder
 * @returns {Promise<string>} the cache's name
 */
export async function cacheRunner(folder) {
  const bundle = fs.readFileSync(path.join(folder, NAME), 'utf8')
  const digest = createHash('sha256').update(bundle).digest('hex').slice(0, 16)
  const name = cacheName(digest)
  writeAtomically(path.join(folder, NAME), `// ${digest}\n${bundle}`)
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-warm-'))
  try {
    const cache = path.join(temporary, name)
    await runOnce(folder, { cache, temporary })
    writeAtomically(path.join(folder, name), fs.readFileSync(cache))
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true })
  }
  for (const other of fs.readdirSync(folder))
    if (CACHE.test(other) && other !== name) fs.rmSync(path.join(folder, other), { force: true })
  return name
}

/** @param {string} folder */
export function hasCache(folder) {
  return fs.existsSync(folder) && fs.readdirSync(folder).some((name) => CACHE.test(name))
}

/** Its start and a call. @param {string} folder @param {{ cache: string, temporary: string }} places */
async function runOnce(folder, { cache, temporary }) {
  const entry = path.join(temporary, 'index.mjs')
  fs.writeFileSync(entry, PLUGIN)
  const child = spawn(process.execPath, [WARM, folder, cache], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => (complaint += text))
  const ended = once(child, 'close')
  const channel = /** @type {import('node:net').Socket} */ (child.stdio[3])
  const answers = createInterface(channel)[Symbol.asyncIterator]()
  for (const frame of framesFor(entry, temporary)) {
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

/**
 * node .scripts/build-guests.mjs            builds every WebAssembly module of tests and bench that is committed
 * node .scripts/build-guests.mjs NAME ...   only these
 *
 * They are committed so that nobody needs their compilers to run tests; a test builds them again and compares.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { ROOT } from './bundle.mjs'

const ASSEMBLYSCRIPT = path.join(ROOT, 'node_modules/assemblyscript/bin/asc.js')
/** Operations are registered by `_initialize`; `phantomAbort` keeps the words of what was thrown. */
const PHANTOM_FLAGS = ['--exportStart', '_initialize', '--use', 'abort=phantomAbort']

/**
 * @typedef {object} Guest
 * @property {string} name
 * @property {string} folder
 * @property {readonly string[]} programs of the system that its compiler is
 * @property {string} compiler
 * @property {(output: string) => [command: string, args: string[]]} compile
 */

/** @type {readonly Guest[]} */
export const GUESTS = [
  assemblyScript('conformance-assemblyscript', 'test/conformance/plugins/assemblyscript'),
  c('conformance-c', 'test/conformance/plugins/c'),
  rust('conformance-rust', {
    folder: 'test/conformance/plugins/rust-wasm',
    sources: 'test/conformance/plugins/rust',
  }),
  assemblyScript('wasm-echo', 'bench/plugins/wasm-echo'),
  assemblyScript('extism-echo', 'bench/peers/extism-echo', ['--use', 'abort=']),
]

/** Compiles from the root, since messages in the module name its sources from there. */
export function buildGuest(/** @type {Guest} */ guest, output = committedModule(guest)) {
  const [command, args] = guest.compile(output)
  const { status, error, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  if (error !== undefined)
    throw new Error(`Cannot build "${guest.name}": ${command} does not start (${error.message})`)
  if (status !== 0)
    throw new Error(`Cannot build "${guest.name}": ${[command, ...args].join(' ')}\n${stderr}`)
  fs.chmodSync(output, 0o644)
}

/**
 * Why a guest can't be built here; null where it can.
 * @param {Guest} guest
 */
export function missingCompiler({ programs, compiler }) {
  const missing = programs.filter((name) => spawnSync(name, ['--version']).error !== undefined)
  return missing.length === 0 ? null : `${missing.join(' and ')} of ${compiler} are not installed`
}

/**
 * What compiled a module, as far as it says so: the same compiler makes the same bytes.
 * @param {Buffer} code
 */
export function producerOf(code) {
  const at = code.indexOf('processed-by')
  return at === -1 ? '' : code.toString('latin1', at, at + 80)
}

/** @param {Guest} guest */
export function committedModule({ folder }) {
  return path.join(ROOT, folder, 'plugin.wasm')
}

/** @param {string} name @param {string} folder @param {readonly string[]} more @returns {Guest} */
function assemblyScript(name, folder, more = PHANTOM_FLAGS) {
  const flags = ['-O3', '--runtime', 'incremental', ...more]
  return {
    name,
    folder,
    programs: [],
    compiler: 'AssemblyScript',
    compile: (output) => [process.execPath, [ASSEMBLYSCRIPT, `${folder}/index.ts`, '-o', output, ...flags]],
  }
}

/** @param {string} name @param {string} folder @returns {Guest} */
function c(name, folder) {
  const flags = [
    '--target=wasm32',
    '-std=c11',
    '-Os',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-ffreestanding',
    '-nostdlib',
  ]
  const linked = ['-mbulk-memory', '-Wl,--no-entry', '-Wl,--stack-first']
  const sources = [`${folder}/plugin.c`, 'sandbox-runner/wasm/sdk/c/phantom.c']
  return {
    name,
    folder,
    programs: ['clang', 'wasm-ld'],
    compiler: "Debian's clang and lld",
    compile: (output) => ['clang', [...flags, ...linked, ...sources, '-o', output]],
  }
}

/** @param {string} name @param {{ folder: string, sources: string }} where @returns {Guest} */
function rust(name, { folder, sources }) {
  const cache = process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache')
  return {
    name,
    folder,
    programs: [path.join(cache, 'phantom-ml-core/rust-1.63/bin/cargo')],
    compiler: "Debian's Rust, which .scripts/rust-toolchain.sh unpacks,",
    compile: (output) => [path.join(ROOT, '.scripts/rust-module.sh'), [sources, output]],
  }
}

if (import.meta.main) {
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !GUESTS.some((guest) => guest.name === name))
  if (unknown.length > 0) {
    const known = GUESTS.map(({ name }) => name).join(', ')
    process.stderr.write(`Cannot build "${unknown.join(', ')}": there is no such guest. There are ${known}\n`)
    process.exit(2)
  }
  for (const guest of GUESTS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    buildGuest(guest)
    process.stdout.write(`${guest.name}: ${fs.statSync(committedModule(guest)).size} bytes\n`)
  }
}

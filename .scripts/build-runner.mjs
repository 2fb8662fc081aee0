/** The runner's bundle, the SDK that it serves to plugins, and the built-in plugins. */
import fs from 'node:fs'
import path from 'node:path'
import { bundle, ROOT } from './bundle.mjs'
import { cacheRunner, hasCaches } from './cache-runner.mjs'

const RUNNER = {
  'dist/sandbox-runner/main': 'sandbox-runner/main.ts',
  'dist/sandbox-runner/runner': 'sandbox-runner/runner.ts',
}
/** Beside the runner, which loads it for plugins of that type alone. */
const WASM = { 'dist/sandbox-runner/wasm': 'sandbox-runner/wasm/load-plugin.ts' }
/** What a plugin that declares threads loads beside: see `sandbox-runner/threads`. */
const THREADS = {
  'dist/sandbox-runner/threads': 'sandbox-runner/threads/thread-pool.ts',
  'dist/sandbox-runner/nursery': 'sandbox-runner/threads/nursery.ts',
  'dist/sandbox-runner/thread': 'sandbox-runner/threads/thread.ts',
}
const SDK = { 'dist/sandbox-runner/sdk': 'src/plugin/index.ts' }
/** Up to two milliseconds of each start (26.5 against 24.1 to ready); names stay, so that a stack trace says where. */
const SHORT = { minifyWhitespace: true, minifySyntax: true }
const BUNDLED_FOR = {
  target: 'node26',
  // One character beyond Latin-1 makes V8 hold the whole text in two bytes a character, in each runner.
  charset: /** @type {const} */ ('ascii'),
}
const FOLDER = path.join(ROOT, 'dist/sandbox-runner')
const OUTPUTS = ['main', 'runner', 'wasm', 'threads', 'nursery', 'thread']
  .map((name) => `${name}.cjs`)
  .concat('sdk.mjs')
  .map((name) => `dist/sandbox-runner/${name}`)
const SOURCES = [
  'sandbox-runner',
  'src/contract',
  'src/rpc',
  'src/plugin',
  'plugins',
  'package.json',
  'package-lock.json',
]
const BUILD_SCRIPTS = ['bundle', 'build-runner', 'cache-runner', 'warm-runner'].map(
  (name) => `.scripts/${name}.mjs`,
)
const NOT_SOURCES = new Set(['dist', 'node_modules', 'target'])

/** The clock of a file system ticks every few ms: a file saved while the build begins may look older than it is. */
const CLOCK_TICK_MS = 20

/**
 * Builds all of it. Safe beside another build and beside running readers: every file is replaced in one step.
 * @returns {Promise<{ files: string[], inputs: string[] }>} relative to the root
 */
export async function buildRunner() {
  const builtFrom = new Date(Date.now() - CLOCK_TICK_MS)
  const built = await Promise.all([
    bundle(RUNNER, { ...BUNDLED_FOR, ...SHORT, format: 'cjs', outExtension: { '.js': '.cjs' } }),
    bundle(WASM, { ...BUNDLED_FOR, ...SHORT, format: 'cjs', outExtension: { '.js': '.cjs' } }),
    bundle(THREADS, {
      ...BUNDLED_FOR,
      format: 'cjs',
      outExtension: { '.js': '.cjs' },
      // A native addon that piscina loads if it is there and does without if it is not.
      external: ['@napi-rs/nice'],
      plugins: [threadsOfTheNursery()],
    }),
    bundle(SDK, { ...BUNDLED_FOR, format: 'esm', outExtension: { '.js': '.mjs' } }),
    bundle(
      Object.fromEntries(pluginIds().map((id) => [`plugins/${id}/dist/index`, `plugins/${id}/index.ts`])),
      {
        target: 'node26',
        format: 'esm',
        external: ['@phantom-ml/core/plugin'],
        sourcemap: 'external',
      },
    ),
  ])
  const caches = (await cacheRunner(FOLDER)).map((name) => `dist/sandbox-runner/${name}`)
  const files = [...built.flatMap((one) => one.files), ...caches]
  // What was saved during the build is newer than this, so the next look finds it stale.
  for (const file of files) fs.utimesSync(path.join(ROOT, file), builtFrom, builtFrom)
  return { files, inputs: built.flatMap((one) => one.inputs) }
}

/** True when an output is missing or older than the newest source. */
export function isRunnerStale() {
  if (!hasCaches(FOLDER)) return true
  const outputs = [...OUTPUTS, ...pluginIds().map((id) => `plugins/${id}/dist/index.js`)]
  const oldestOutput = Math.min(...outputs.map((file) => modifiedMs(path.join(ROOT, file))))
  return [...SOURCES, ...BUILD_SCRIPTS].some((source) => newestMs(path.join(ROOT, source)) > oldestOutput)
}

/**
 * The main thread of a plugin's process has no right to start threads, so piscina there gets others.
 * @returns {import('esbuild').Plugin}
 */
function threadsOfTheNursery() {
  return {
    name: 'threads-of-the-nursery',
    setup(build) {
      build.onResolve({ filter: /^node:worker_threads$/ }, ({ importer }) =>
        /[/\\]piscina[/\\]dist[/\\]worker_pool[/\\]/.test(importer)
          ? { path: path.join(ROOT, 'sandbox-runner/threads/piscina-threads.ts') }
          : undefined,
      )
    },
  }
}

/** Every folder of plugins/ with an index.ts. */
function pluginIds() {
  const folder = path.join(ROOT, 'plugins')
  const ids = fs.existsSync(folder) ? fs.readdirSync(folder) : []
  return ids.filter((id) => fs.existsSync(path.join(folder, id, 'index.ts')))
}

/**
 * Files only: a deleted source shows in the file that no longer imports it.
 * @param {string} source
 * @returns {number}
 */
function newestMs(source) {
  const stat = fs.statSync(source, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  const names = fs.readdirSync(source).filter((name) => !NOT_SOURCES.has(name) && !name.startsWith('.'))
  return Math.max(0, ...names.map((name) => newestMs(path.join(source, name))))
}

/** @param {string} file */
function modifiedMs(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity
}

/**
 * node warm-runner.mjs FOLDER BUNDLE CACHE: runs the bundles in FOLDER as `main.cjs` does, and when the channel on fd 3 is
 * at its end writes what V8 has compiled of BUNDLE by then to CACHE. What was never called is not in it.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { runnerScript } from '../sandbox-runner/runner-script.ts'

const [folder = '', kept, cache = ''] = process.argv.slice(2)
const require = createRequire(import.meta.url)
// The runner finds the SDK beside the file that it was started by.
process.argv[1] = path.join(folder, 'main.cjs')
runBundle('runner.cjs')

/** @param {import('../sandbox-runner/runner-script.ts').BundleName} name */
function runBundle(name) {
  const bundle = { exports: {} }
  const script = runnerScript(folder, name)
  if (name === kept) process.on('exit', () => fs.writeFileSync(cache, script.createCachedData()))
  /** @type {import('../sandbox-runner/runner-script.ts').RunRunner} */
  const run = script.runInThisContext()
  run(require, bundle, (url) => import(url), runBundle)
  return bundle.exports
}

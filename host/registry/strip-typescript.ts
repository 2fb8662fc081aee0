import { createHash } from 'node:crypto'
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'

const SOURCE_NAMES = new Set(['.ts', '.mts', '.cts'])
const MAX_FILES = 20_000
const MAX_SOURCE_BYTES = 4 * 1024 * 1024

/**
 * Makes a copy of a plugin whose TypeScript has its types stripped and its file names kept, to stand in the plugin's
 * place: a runner that strips for itself starts two and a half times slower and holds three times the memory. The
 * copy is kept by the digest of what it was made from. Null when the entry point is JavaScript.
 *
 * @returns the folder of the copy
 * @throws PhantomError PLUGIN_START_FAILED for syntax that cannot be stripped (enum, namespace, parameter property)
 */
export function stripTypeScript(
  pluginDirectory: string,
  entryPoint: string,
  cacheDirectory: string,
): string | null {
  if (!SOURCE_NAMES.has(extname(entryPoint))) return null
  const files = listFiles(pluginDirectory)
  const target = join(cacheDirectory, digestOf(pluginDirectory, files))
  if (!existsSync(target)) writeCopy(target, pluginDirectory, files)
  return target
}

function listFiles(root: string): string[] {
  const found: string[] = []
  const folders = ['']
  while (folders.length > 0) {
    const folder = folders.pop()!
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && entry.name !== '.git') folders.push(path)
      else if (entry.isFile()) found.push(path)
      if (found.length > MAX_FILES) throw failed(root, `it holds more than ${MAX_FILES} files`)
    }
  }
  return found.toSorted()
}

/** What was changed is seen by its time and size; reading every file would cost each start of the daemon. */
function digestOf(root: string, files: readonly string[]): string {
  const hash = createHash('sha256').update(`${process.version} ${root}`)
  for (const file of files) {
    const { mtimeMs, ctimeMs, size } = statSync(join(root, file))
    hash.update(`\0${file}\0${mtimeMs}\0${ctimeMs}\0${size}`)
  }
  return hash.digest('hex').slice(0, 32)
}

/** Whole or not at all: another daemon may be making the same copy. */
function writeCopy(target: string, root: string, files: readonly string[]): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 })
  const draft = mkdtempSync(`${target}-`)
  try {
    chmodSync(draft, 0o755)
    for (const file of files) copyFile(join(root, file), join(draft, file))
    if (!existsSync(target)) renameSync(draft, target)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 })
  if (SOURCE_NAMES.has(extname(from)) && !from.endsWith('.d.ts')) {
    writeFileSync(to, strip(from, readFileSync(from, 'utf8')), { mode: 0o644 })
  } else {
    copyFileSync(from, to, constants.COPYFILE_FICLONE)
  }
}

function strip(path: string, source: string): string {
  if (source.length > MAX_SOURCE_BYTES) throw failed(path, `it is larger than ${MAX_SOURCE_BYTES} characters`)
  try {
    return stripTypeScriptTypes(source, { mode: 'strip' })
  } catch (error) {
    throw failed(path, messageOf(error).split('\n')[0]!)
  }
}

function failed(path: string, why: string): PhantomError {
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot strip the types of "${path}": ${why}. Write erasable TypeScript, or compile it to JavaScript first`,
  )
}

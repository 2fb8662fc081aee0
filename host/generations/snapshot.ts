import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { isInside } from '../registry/read-inside.ts'

const SOURCE_NAMES = new Set(['.ts', '.mts', '.cts'])
const MAX_FILES = 20_000
const MAX_BYTES = 512 * 1024 * 1024
const MAX_SOURCE_BYTES = 4 * 1024 * 1024
/** Folders that no plugin runs from. */
const LEFT_OUT = new Set(['.git', '.phantom'])

export interface Snapshot {
  /** The copy that stands in the plugin's place; null where the folder is too large and runs as it is. */
  readonly directory: string | null
  readonly digest: string
  /** When a file of it changed last, on the wall clock. */
  readonly changedAtMs: number
  /** Why there is no copy, in words. */
  readonly notice: string | null
}

interface Entry {
  readonly path: string
  readonly isLink: boolean
  readonly mode: number
}

/**
 * Copies a plugin's folder, so that a generation runs what it was made from whatever becomes of the files, and can
 * come back. TypeScript has its types stripped on the way, its file names kept: a runner that strips for itself starts
 * two and a half times slower and holds three times the memory. Kept by the digest of what it was made from.
 *
 * @throws PhantomError PLUGIN_START_FAILED for syntax that cannot be stripped (enum, namespace, parameter property),
 * and for files that cannot be read
 */
export function takeSnapshot(pluginDirectory: string, entryPoint: string, cacheDirectory: string): Snapshot {
  const isTypeScript = SOURCE_NAMES.has(extname(entryPoint))
  const { entries, digest, changedAtMs, excess } = readFolder(pluginDirectory)
  if (excess !== null) {
    if (isTypeScript) throw failed(pluginDirectory, `it holds ${excess}`)
    const notice = `its folder holds ${excess}, so it is not copied: it runs from the files as they are, and no rollback brings them back`
    return { directory: null, digest, changedAtMs, notice }
  }
  const target = join(cacheDirectory, digest)
  if (!existsSync(target)) writeCopy(target, { root: pluginDirectory, entries, isTypeScript })
  return { directory: target, digest, changedAtMs, notice: null }
}

/** What was changed is seen by its time and size; reading every file would cost each start of the daemon. */
function readFolder(root: string): {
  entries: Entry[]
  digest: string
  changedAtMs: number
  excess: string | null
} {
  const hash = createHash('sha256').update(`2 ${process.version} ${root}`)
  const entries: Entry[] = []
  let bytes = 0
  let changedAtMs = 0
  for (const path of listPaths(root)) {
    const { mtimeNs, ctimeNs, size, mode, ...stat } = lstatSync(join(root, path), { bigint: true })
    const isLink = (Number(mode) & constants.S_IFMT) === constants.S_IFLNK
    entries.push({ path, isLink, mode: Number(mode) & 0o755 })
    hash.update(`\0${path}\0${stat.ino}\0${mtimeNs}\0${ctimeNs}\0${size}`)
    bytes += Number(size)
    changedAtMs = Math.max(changedAtMs, Number(ctimeNs / 1_000_000n))
  }
  const excess =
    entries.length > MAX_FILES
      ? `more than ${MAX_FILES} files`
      : bytes > MAX_BYTES
        ? `more than ${MAX_BYTES / 1024 / 1024} MiB`
        : null
  return { entries, digest: hash.digest('hex').slice(0, 32), changedAtMs, excess }
}

/** Files and links, sorted; of a folder with too many, as many as show it. */
function listPaths(root: string): string[] {
  const found: string[] = []
  const folders = ['']
  while (folders.length > 0 && found.length <= MAX_FILES) {
    const folder = folders.pop()!
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) folders.push(path)
      else if (entry.isFile() || entry.isSymbolicLink()) found.push(path)
    }
  }
  return found.toSorted()
}

interface CopyTask {
  readonly root: string
  readonly entries: readonly Entry[]
  readonly isTypeScript: boolean
}

/** Whole or not at all: another daemon may be making the same copy. */
function writeCopy(target: string, { root, entries, isTypeScript }: CopyTask): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o711 })
  const draft = mkdtempSync(`${target}-`)
  try {
    chmodSync(draft, 0o755)
    for (const { path, isLink, mode } of entries) {
      const to = join(draft, path)
      mkdirSync(dirname(to), { recursive: true, mode: 0o755 })
      if (isLink) symlinkSync(readlinkSync(join(root, path)), to)
      else copyFile({ root, path, to, mode, strips: isTypeScript && isSource(path) })
    }
    if (!existsSync(target)) renameSync(draft, target)
  } catch (error) {
    throw error instanceof PhantomError ? error : failed(root, messageOf(error), error)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function isSource(path: string): boolean {
  return SOURCE_NAMES.has(extname(path)) && !path.endsWith('.d.ts')
}

/**
 * By descriptor: the folder's owner may put a link in a file's place at any moment, and a root daemon would copy what
 * it leads to. What others may not read, they may not read of the copy either.
 */
function copyFile(file: { root: string; path: string; to: string; mode: number; strips: boolean }): void {
  const from = join(file.root, file.path)
  const descriptor = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const held = `/proc/self/fd/${descriptor}`
    if (!fstatSync(descriptor).isFile() || !isInside(file.root, readlinkSync(held)))
      throw failed(from, 'it is no file of the plugin folder any more')
    if (file.strips)
      writeFileSync(file.to, strip(from, readFileSync(descriptor, 'utf8')), { mode: file.mode })
    else copyFileSync(held, file.to, constants.COPYFILE_FICLONE)
    chmodSync(file.to, file.mode)
  } finally {
    closeSync(descriptor)
  }
}

function strip(path: string, source: string): string {
  if (source.length > MAX_SOURCE_BYTES) throw failed(path, `it is larger than ${MAX_SOURCE_BYTES} characters`)
  try {
    return stripTypeScriptTypes(source, { mode: 'strip' })
  } catch (error) {
    throw new PhantomError(
      'PLUGIN_START_FAILED',
      `Cannot strip the types of "${path}": ${messageOf(error).split('\n')[0]!}. ` +
        'Write erasable TypeScript, or compile it to JavaScript first',
      { details: { deterministic: true } },
    )
  }
}

function failed(path: string, why: string, cause?: unknown): PhantomError {
  return new PhantomError(
    'PLUGIN_START_FAILED',
    `Cannot copy "${path}" for its process: ${why}. See that the daemon may read the whole plugin folder`,
    { cause },
  )
}

/** Fetches the private copy of the pinned Node, once for all that want it. Runs on Node 20; loaded when it is needed. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isPhantomError, messageOf, PhantomError } from '../../contract/phantom-error.ts'
import { codeOf, failureOfCode, fetchError } from './fetch-failure.ts'
import { askForTurn } from './fetch-turn.ts'
import { getByHttps, MAX_TARBALL_BYTES, tooLarge } from './https-get.ts'
import { findNpm, packByNpm } from './npm-pack.ts'
import { pinnedPackage, type PinnedPackage } from './pinned-runtime.ts'
import { probeRuntime } from './probe-runtime.ts'
import { TarError } from './read-tar.ts'
import { findPrivateCopy, makeFolder, privateCopyFolder, runtimesFolder } from './runtime-folder.ts'
import { syncFolder, unpackRuntime } from './unpack-runtime.ts'

const POLL_MS = 100

export interface FetchOptions {
  /** Ends it, and leaves nothing. */
  signal?: AbortSignal | undefined
  /** Where it is, for people; `fraction` is null where nobody knows. */
  onProgress?: ((progress: { fraction: number | null; message: string }) => void) | undefined
}

/**
 * Does nothing where it is there already. Waits for another process that fetches it.
 * @throws PhantomError RUNTIME_NOT_FOUND
 */
export async function fetchRuntime(options: FetchOptions = {}): Promise<{ path: string; version: string }> {
  const there = findPrivateCopy()
  if (there !== null) return there
  const pinned = pinnedPackage()
  try {
    return await fetchInTurn(pinned, options)
  } catch (error) {
    if (options.signal?.aborted === true || isPhantomError(error)) throw error
    throw diskError(pinned, error)
  }
}

async function fetchInTurn(
  pinned: PinnedPackage,
  options: FetchOptions,
): Promise<{ path: string; version: string }> {
  await makeFolder(runtimesFolder())
  const turn = askForTurn(runtimesFolder())
  try {
    while (!(await turn.isFirst())) {
      options.onProgress?.({ fraction: null, message: 'another process fetches it' })
      await delay(POLL_MS, undefined, options.signal === undefined ? {} : { signal: options.signal })
    }
    return findPrivateCopy() ?? (await fetchInto(turn.folder, pinned, options))
  } finally {
    await turn.end()
  }
}

async function fetchInto(
  folder: string,
  pinned: PinnedPackage,
  { signal, onProgress }: FetchOptions,
): Promise<{ path: string; version: string }> {
  const download = path.join(folder, 'download')
  await makeFolder(download)
  const tarball = await getTarball(pinned, download, { signal, onProgress })
  onProgress?.({ fraction: null, message: 'checking and unpacking' })
  await checkTarball(pinned, tarball)
  const copy = path.join(folder, pinned.id)
  try {
    await unpackRuntime(tarball, copy)
  } catch (error) {
    if (error instanceof TarError) throw fetchError(pinned, 'archive', error.message, error)
    throw error
  }
  await tryCopy(pinned, copy)
  // Something without an executable may stand there, of which somebody removed a part.
  await rm(privateCopyFolder(pinned.id), { recursive: true, force: true })
  await rename(copy, privateCopyFolder(pinned.id))
  await syncFolder(runtimesFolder())
  return { path: path.join(privateCopyFolder(pinned.id), 'bin/node'), version: pinned.version }
}

async function getTarball(
  pinned: PinnedPackage,
  folder: string,
  { signal, onProgress }: FetchOptions,
): Promise<string> {
  const npm = findNpm()
  if (npm !== null) {
    onProgress?.({ fraction: null, message: 'npm downloads 57 MB' })
    return await packByNpm(npm, pinned, folder, signal)
  }
  const onFraction = (fraction: number): void => onProgress?.({ fraction, message: 'downloading 57 MB' })
  return await getByHttps(pinned, folder, { signal, onFraction })
}

/** Before anything looks into it. */
async function checkTarball(pinned: PinnedPackage, tarball: string): Promise<void> {
  const { size } = await stat(tarball)
  if (size > MAX_TARBALL_BYTES) throw tooLarge(pinned)
  const hash = createHash('sha512')
  for await (const chunk of createReadStream(tarball)) hash.update(chunk as Buffer)
  const found = `sha512-${hash.digest('base64')}`
  if (found === pinned.integrity) return
  const what = `what came is not what this package expects: expected ${pinned.integrity}, found ${found}`
  throw fetchError(pinned, 'digest', what)
}

async function tryCopy(pinned: PinnedPackage, copy: string): Promise<void> {
  const probed = await probeRuntime(path.join(copy, 'bin/node'))
  if ('version' in probed && probed.version === pinned.version) return
  const found = 'version' in probed ? `it is Node ${probed.version}` : probed.found
  throw fetchError(pinned, 'does_not_run', `what came does not run here: ${found}`)
}

/** Our own files: no room, no right, or a folder that is none. */
function diskError(pinned: PinnedPackage, error: unknown): PhantomError {
  const code = codeOf(error)
  if (failureOfCode(code) === 'disk_full') {
    return fetchError(pinned, 'disk_full', `no room is left in "${runtimesFolder()}" (${code})`, error)
  }
  return new PhantomError(
    'RUNTIME_NOT_FOUND',
    `Cannot keep Node ${pinned.version} in "${runtimesFolder()}": ${messageOf(error)}. ` +
      'Set XDG_DATA_HOME to a folder that you may write into, or name a Node 26 that you have: PHANTOM_RUNTIME',
    { details: { reason: 'other', path: runtimesFolder() }, cause: error },
  )
}

/** A copy that no longer runs (a damaged disk, a machine that changed) is fetched anew. */
export async function removeBrokenCopy(): Promise<void> {
  const copy = findPrivateCopy()
  if (copy === null || 'version' in (await probeRuntime(copy.path))) return
  await rm(path.dirname(path.dirname(copy.path)), { recursive: true, force: true })
}

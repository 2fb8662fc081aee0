import { createReadStream } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { readTar, TarError, type TarEntry } from './read-tar.ts'
import { makeFolder } from './runtime-folder.ts'

const MIB = 1024 * 1024
/** The pinned one unpacks to 202 MiB, of which `node` is 143. */
const MAX_UNPACKED_BYTES = 512 * MIB

interface Wanted {
  /** Below the folder of the copy: never a name of the archive. */
  file: string
  mode: number
  maxBytes: number
}

const WANTED: ReadonlyMap<string, Wanted> = new Map([
  ['package/bin/node', { file: 'bin/node', mode: 0o755, maxBytes: 256 * MIB }],
  ['package/LICENSE', { file: 'LICENSE', mode: 0o644, maxBytes: 4 * MIB }],
])

/**
 * Takes the executable and its licence out of npm's package of Node, onto the disk, and nothing else.
 * @throws TarError, or what the disk or zlib says
 */
export async function unpackRuntime(tarball: string, folder: string): Promise<void> {
  await makeFolder(path.join(folder, 'bin'))
  const files = new Map<string, FileHandle>()
  try {
    for (const { file, mode } of WANTED.values()) {
      files.set(file, await open(path.join(folder, file), 'wx', mode))
    }
    const found = await unpack(tarball, files)
    for (const [name, { file, mode }] of WANTED) {
      if (!found.has(name)) throw new TarError(`it holds no "${name}"`)
      // Exactly so, whatever the umask.
      await files.get(file)?.chmod(mode)
      await files.get(file)?.sync()
    }
  } finally {
    for (const file of files.values()) await file.close()
  }
  for (const made of [path.join(folder, 'bin'), folder]) await syncFolder(made)
}

/** So that what was renamed or made in it is there after a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function unpack(tarball: string, files: ReadonlyMap<string, FileHandle>): Promise<Set<string>> {
  const found = new Set<string>()
  const sinkFor = (entry: TarEntry): ((bytes: Uint8Array) => Promise<void>) | null => {
    const wanted = WANTED.get(entry.name)
    const file = wanted === undefined ? undefined : files.get(wanted.file)
    if (wanted === undefined || file === undefined) return null
    if (!entry.isFile || found.has(entry.name)) throw new TarError(`it holds "${entry.name}" in an odd way`)
    if (entry.bytes > wanted.maxBytes)
      throw new TarError(
        `its "${entry.name}" has ${entry.bytes} bytes, and at most ${wanted.maxBytes} are taken`,
      )
    found.add(entry.name)
    return async (bytes) => {
      await file.writeFile(bytes)
    }
  }
  await pipeline(createReadStream(tarball), createGunzip(), (chunks) =>
    readTar(chunks as AsyncIterable<Buffer>, { maxBytes: MAX_UNPACKED_BYTES }, sinkFor),
  )
  return found
}

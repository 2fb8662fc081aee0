import { readFile, stat } from 'node:fs/promises'

const CACHE_FILE = '/etc/ld.so.cache'
const MAGIC = 'glibc-ld.so.cache1.1'
const HEADER_BYTES = 48
const ENTRY_BYTES = 24
const MAX_CACHE_BYTES = 64 * 1024 * 1024

/** Paths by the library's name, in the loader's order; a name may be there for several machines. */
export type LibraryCache = ReadonlyMap<string, readonly string[]>

let kept: { readonly changedAtMs: number; readonly cache: LibraryCache } | null = null

/** What ldconfig(8) wrote for the loader; empty where there is none, as on systems without glibc. */
export async function readLibraryCache(): Promise<LibraryCache> {
  try {
    const { mtimeMs, size } = await stat(CACHE_FILE)
    if (kept?.changedAtMs === mtimeMs) return kept.cache
    const cache = size > MAX_CACHE_BYTES ? new Map() : parseLibraryCache(await readFile(CACHE_FILE))
    kept = { changedAtMs: mtimeMs, cache }
    return cache
  } catch {
    // The loader does without it as well.
    return new Map()
  }
}

/** The format of glibc since 2.2 (sysdeps/generic/dl-cache.h), which may stand behind an older one. */
export function parseLibraryCache(bytes: Buffer): LibraryCache {
  const cache = new Map<string, string[]>()
  const start = bytes.indexOf(MAGIC)
  if (start < 0 || start + HEADER_BYTES > bytes.length) return cache
  const count = bytes.readUInt32LE(start + MAGIC.length)
  for (let index = 0; index < count; index += 1) {
    const at = start + HEADER_BYTES + index * ENTRY_BYTES
    if (at + ENTRY_BYTES > bytes.length) break
    // Those for newer processors lie below the ones for all, which are enough.
    if (bytes.readBigUInt64LE(at + 16) !== 0n) continue
    const name = textAt(bytes, start + bytes.readUInt32LE(at + 4))
    const path = textAt(bytes, start + bytes.readUInt32LE(at + 8))
    if (name === null || path?.startsWith('/') !== true) continue
    const paths = cache.get(name)
    if (paths === undefined) cache.set(name, [path])
    else paths.push(path)
  }
  return cache
}

function textAt(bytes: Buffer, at: number): string | null {
  const end = at < bytes.length ? bytes.indexOf(0, at) : -1
  return end < 0 ? null : bytes.toString('utf8', at, end)
}

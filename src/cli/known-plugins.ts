/** Plugins for completion: from the running daemon, else from the folders. Never starts anything, never fails. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { KnownPlugin, PluginPlace } from './complete-line.ts'

/** Nobody waits longer for a Tab. */
const ANSWER_TIMEOUT_MS = 500
const MANIFEST_FILE = 'plugin.toml'

export async function knownPlugins(place: PluginPlace): Promise<KnownPlugin[]> {
  const giveUp = new AbortController()
  try {
    const late = setTimeout(ANSWER_TIMEOUT_MS, null, { signal: giveUp.signal })
    const answer = await Promise.race([askDaemon(place), late])
    return answer ?? (await readFolders(place.plugins))
  } catch {
    // A daemon that cannot be asked is no matter here: the folders tell as well.
    return await readFolders(place.plugins)
  } finally {
    giveUp.abort()
  }
}

async function askDaemon(place: PluginPlace): Promise<KnownPlugin[] | null> {
  const { attachIfRunning, connect } = await import('../client/create-plugin-system.ts')
  const { plugins, socket } = place
  const api = socket === undefined ? await attachIfRunning(plugins) : await connect(path.resolve(socket))
  if (api === null) return null
  await using system = api
  return await system.list_plugins()
}

async function readFolders(directory: string): Promise<KnownPlugin[]> {
  const names = await readdir(directory).catch((): string[] => [])
  const plugins = await Promise.all(names.toSorted().map(async (id) => await readPlugin(directory, id)))
  return plugins.filter((plugin) => plugin !== null)
}

async function readPlugin(directory: string, id: string): Promise<KnownPlugin | null> {
  const manifest = await readFile(path.join(directory, id, MANIFEST_FILE), 'utf8').catch(() => null)
  return manifest === null ? null : { id, operations: operationNames(manifest) }
}

/** Good enough for a suggestion, and far quicker than a TOML parser: `name = "…"` below each `[[operations]]`. */
export function operationNames(manifest: string): string[] {
  const blocks = manifest.split(/^\s*\[\[\s*operations\s*\]\]/m).slice(1)
  return blocks.flatMap((block) => {
    const own = block.split(/^\s*\[/m)[0] ?? ''
    const name = /^\s*name\s*=\s*(["'])(.*?)\1/m.exec(own)?.[2]
    return name === undefined ? [] : [name]
  })
}

import { save } from './reloads.ts'
import { manifestText } from './plugin-folders.ts'
import type { World } from './daemon.ts'

const CODE = `import fs from 'node:fs'
export default {
  operations: {
    read: (path) => fs.readFileSync(path, 'utf8'),
    list: (path) => fs.readdirSync(path),
    compute: (text) => new Function(text)(),
    variable: (name) => process.env[name] ?? null,
    wait: (ms) => new Promise((resolve) => setTimeout(() => resolve(ms), ms)),
  },
}
`

/** What a plugin that asks for these permissions says in its manifest. */
function askingManifest(id: string, permissions: readonly string[], more = ''): string {
  return manifestText(id, `[permissions]\npermissions = ${JSON.stringify(permissions)}\n${more}`)
}

/** A plugin that asks for these permissions, and reads, lists and computes what it is told. */
export function addAsking(world: World, id: string, permissions: readonly string[], more = ''): void {
  world.write(`plugins/${id}/plugin.toml`, askingManifest(id, permissions, more))
  world.write(`plugins/${id}/index.js`, CODE)
}

/** Saves another manifest of it. */
export function saveAsking(world: World, id: string, permissions: readonly string[], more = ''): void {
  save(world, `plugins/${id}/plugin.toml`, askingManifest(id, permissions, more))
}

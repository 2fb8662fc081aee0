import fs from 'node:fs'
import path from 'node:path'

const PLUGINS = new URL('../plugins/', import.meta.url).pathname

/** Ids of plugins that shall be there, and for each the folder of `bench/plugins` that it is a copy of. */
export type WantedPlugins = Readonly<Record<string, string>>

/** Many copies of one plugin: `echo_0`, `echo_1` and so on. */
export function copiesOf(name: string, count: number): WantedPlugins {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`${name}_${at}`, name]))
}

/** Makes a plugin directory with these. */
export function installPlugins(directory: string, wanted: WantedPlugins): void {
  fs.mkdirSync(directory, { recursive: true })
  for (const [id, name] of Object.entries(wanted)) {
    const target = path.join(directory, id)
    fs.cpSync(path.join(PLUGINS, name), target, { recursive: true })
    if (id !== name) renamePlugin(path.join(target, 'plugin.toml'), name, id)
  }
}

function renamePlugin(manifest: string, from: string, to: string): void {
  const text = fs.readFileSync(manifest, 'utf8')
  fs.writeFileSync(manifest, text.replace(`id = "${from}"`, `id = "${to}"`))
}

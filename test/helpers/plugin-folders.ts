import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Six lines of a healthy JavaScript plugin, and what the test adds. */
export function manifestText(id: string, more = ''): string {
  return `[plugin]\nid = "${id}"\nname = "N"\nversion = "1.0.0"\ntype = "javascript"\nentry_point = "index.js"\n${more}`
}

/** Writes a file and the folders above it. */
export function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

/** Makes a healthy plugin and gives its folder back. */
export function plugin(directory: string, id: string, more = ''): string {
  write(join(directory, 'plugin.toml'), manifestText(id, more))
  write(join(directory, 'index.js'), '')
  return directory
}

import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Manifest } from '../contract/manifest.ts'
import { issueText } from '../contract/manifest/issue-list.ts'
import { parseManifest } from '../contract/manifest/parse-manifest.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import type { PluginConfigFile } from '../contract/plugin-config.ts'
import { packageRoot } from './package-root.ts'
import { sampleValue } from './sample-value.ts'

const MANIFEST_FILE = 'plugin.toml'

/** What a plugin's configuration file holds, whole; a key of the plugin's own is of any type. */
export interface SamplePluginConfig extends PluginConfigFile {
  enabled: boolean
  log_level: NonNullable<PluginConfigFile['log_level']>
  verbose: boolean
  /** What an environment says differently; more environments may be added. */
  environments: SampleEnvironments
}

export interface SampleEnvironments {
  development: Record<string, unknown>
  production: Record<string, unknown>
  test: Record<string, unknown>
  [environment: string]: Record<string, unknown>
}

/**
 * A configuration to begin with, as a plain object: the defaults of the plugin's `[configuration]`, a value of the
 * right kind for what it requires without default, the keys that every plugin has, and empty environments. Where
 * no such plugin is in the folder, nor built in, it has the latter two alone.
 *
 * @throws PhantomError MANIFEST_INVALID where the plugin is there and its manifest is wrong
 */
export function create_sample_plugin_config(id: string, plugin_directory = './plugins'): SamplePluginConfig {
  const manifest =
    findManifest(id, resolve(plugin_directory)) ?? findManifest(id, join(packageRoot(), 'plugins'))
  const own =
    manifest?.configuration == null ? {} : sampleValue(manifest.configuration, manifest.configuration)
  const { environments: _reserved, ...keys } = isTable(own) ? own : {}
  return {
    enabled: true,
    log_level: manifest?.runtime.logLevel ?? 'info',
    verbose: false,
    ...keys,
    environments: { development: {}, production: {}, test: {} },
  }
}

/** The folder of that name first; one may also be named otherwise than its plugin. */
function findManifest(id: string, directory: string): Manifest | null {
  const named = /^[a-z][a-z0-9_]*$/.test(id) ? manifestIn(join(directory, id), id) : null
  if (named !== null) return named
  for (const name of foldersIn(directory)) {
    const manifest = manifestIn(join(directory, name), id)
    if (manifest !== null) return manifest
  }
  return null
}

function foldersIn(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted()
  } catch {
    // No folder of plugins: then there is no such plugin in it.
    return []
  }
}

function manifestIn(folder: string, id: string): Manifest | null {
  const file = join(folder, MANIFEST_FILE)
  const text = readText(file)
  // Parsing thousands of manifests to find one would take seconds.
  if (text === null || !text.includes(id)) return null
  // What operations take in is of no interest here: their files are not read.
  const parsed = parseManifest(text, { file, readSchemaFile: () => ({ text: '{}' }) })
  if (parsed.manifest !== null) return parsed.manifest.id === id ? parsed.manifest : null
  if (parsed.id?.value !== id) return null
  const errors = parsed.issues.filter(({ severity }) => severity === 'error')
  throw new PhantomError(
    'MANIFEST_INVALID',
    `Cannot make a sample configuration of "${id}": its manifest is wrong\n${errors.map(issueText).join('\n')}`,
    { details: { issues: errors } },
  )
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Not a plugin's folder, or one that nobody may look into.
    return null
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

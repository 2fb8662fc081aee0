import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import { CONFIG_SCHEMA, type ConfigTree, type HostConfig, toHostConfig } from './config-schema.ts'
import { type ConfigLayer, readConfigLayer } from './read-config-layer.ts'

const DEFAULT_NAME = 'default'
/** It becomes a file's name: nothing that could lead out of the folder. */
const ENVIRONMENT_NAME = /^[a-z][a-z0-9_-]{0,63}$/

export interface HostConfigOptions {
  /** `config/` of the package. */
  readonly packageConfigDirectory: string
  /** The user's folder, which then must exist; null for none. Whether a `./config` is there, the caller looks. */
  readonly configDirectory: string | null
  /** `development`, `production`, `test`, or one that the user's folder has a file of. */
  readonly environment: string
}

export interface LoadedHostConfig {
  readonly config: HostConfig
  /** Which place has decided each key: `plugins.directory` → `config/default.yaml:6:14`. */
  readonly origins: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

/** The package's defaults, its environment, the user's defaults, the user's environment: later ones win. */
export function loadHostConfig(options: HostConfigOptions): LoadedHostConfig {
  const { packageConfigDirectory, configDirectory, environment } = options
  if (configDirectory !== null) assertFolder(configDirectory)
  const folders =
    configDirectory === null ? [packageConfigDirectory] : [packageConfigDirectory, configDirectory]
  assertEnvironment(environment, folders)
  const layers = folders
    .flatMap((folder) => [join(folder, `${DEFAULT_NAME}.yaml`), join(folder, `${environment}.yaml`)])
    .flatMap((file) => readConfigLayer(file) ?? [])
  const sections = mergeSections(layers)
  const origins = new Map(layers.flatMap((layer) => [...layer.origins]))
  const warnings = layers.flatMap((layer) => layer.warnings)
  return { config: toHostConfig(sections), origins, warnings: [...warnings, ...weakened(layers)] }
}

function assertFolder(configDirectory: string): void {
  const found = statSync(configDirectory, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  throw new PhantomError(
    'CONFIG_INVALID',
    `Cannot use the configuration folder "${configDirectory}": ` +
      `${found === undefined ? 'there is none' : 'it is not a folder'}. Make it, or name another`,
    { details: { path: configDirectory } },
  )
}

function assertEnvironment(environment: string, folders: readonly string[]): void {
  const known = [...new Set(folders.flatMap(environmentsIn))]
  if (ENVIRONMENT_NAME.test(environment) && known.includes(environment)) return
  const near = nearestName(environment, known)
  const advice = near === null ? `Use one of ${known.join(', ')}` : `Did you mean "${near}"?`
  throw new PhantomError(
    'CONFIG_INVALID',
    `Cannot use the environment ${quoteText(environment)}: no ${quoteText(`${environment}.yaml`)} in ` +
      `${folders.map((folder) => `"${folder}"`).join(' or ')}. ${advice}`,
    { details: { environment, known } },
  )
}

function environmentsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => name.slice(0, -'.yaml'.length))
      .filter((name) => name !== DEFAULT_NAME)
  } catch (error) {
    throw new PhantomError(
      'CONFIG_INVALID',
      `Cannot read the configuration folder "${folder}": ${messageOf(error)}. See that the daemon may read it`,
      { cause: error, details: { path: folder } },
    )
  }
}

/** The layers are checked: known keys alone. What their sum lacks, the package's own defaults forgot. */
function mergeSections(layers: readonly ConfigLayer[]): ConfigTree {
  const merged: Record<string, Record<string, unknown>> = {}
  for (const { sections } of layers) {
    for (const [section, values] of Object.entries(sections))
      merged[section] = { ...merged[section], ...values }
  }
  for (const [section, { required }] of Object.entries(CONFIG_SCHEMA.properties)) {
    const missing = required.find((key) => merged[section]?.[key] === undefined)
    if (missing === undefined) continue
    const file = layers[0]?.file ?? 'default.yaml'
    const message = `Cannot use the configuration "${file}": "${section}.${missing}" is missing. Install the package anew`
    throw new PhantomError('CONFIG_INVALID', message, { details: { file, field: `${section}.${missing}` } })
  }
  return merged as unknown as ConfigTree
}

/** A user may give up the isolation that an environment demands; it should not go unseen. */
function weakened(layers: readonly ConfigLayer[]): string[] {
  let isRequired = false
  const warnings: string[] = []
  for (const { sections, origins } of layers) {
    const tier = sections['security']?.['required_tier']
    if (tier === 'process' && isRequired) {
      const place = origins.get('security.required_tier')
      warnings.push(
        `${place}: "security.required_tier" is lowered to process: plugins may run without bubblewrap`,
      )
    }
    isRequired = tier === undefined ? isRequired : tier === 'namespace'
  }
  return warnings
}

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { nearestName } from '../../src/contract/manifest/nearest-name.ts'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { quoteText } from '../../src/contract/quote-text.ts'
import type { ConfigLayer } from './config-layer.ts'
import { type ConfigTree, type HostConfig, toHostConfig } from './config-schema.ts'
import { mergeLayers } from './merge-layers.ts'
import { readConfigLayer } from './read-config-layer.ts'
import { readVariablesLayer } from './read-variables-layer.ts'

/** Where a key comes from that nobody has said anything about. */
const PACKAGE_DEFAULT = 'package default'
const DEFAULT_NAME = 'default'
/** The administrator's policy lies in the same folder, and is no environment. */
const NO_ENVIRONMENTS = [DEFAULT_NAME, 'policy']
/** It becomes a file's name: nothing that could lead out of the folder. */
const ENVIRONMENT_NAME = /^[a-z][a-z0-9_-]{0,63}$/

export interface HostConfigOptions {
  /** `config/` of the package. */
  readonly packageConfigDirectory: string
  /** The user's folder, which then must exist; null for none. Whether a `./config` is there, the caller looks. */
  readonly configDirectory: string | null
  /** `development`, `production`, `test`, or one that the user's folder has a file of. */
  readonly environment: string
  /** One more file, which then must exist. Semantics: absent or null is none. */
  readonly configFile?: string | null
  /** Those named `PHANTOM_<SECTION>_<KEY>` count. Semantics: absent is none, this process's own are not read. */
  readonly variables?: NodeJS.ProcessEnv
}

export interface LoadedHostConfig {
  readonly config: HostConfig
  /** The same, as it stands in YAML. */
  readonly tree: ConfigTree
  /** Which place has decided each key: `plugins.directory` → `config/default.yaml:6:14`. */
  readonly origins: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

/**
 * The package's defaults, its environment, the user's defaults, the user's environment, the file named, the
 * variables: later ones win.
 *
 * @throws PhantomError CONFIG_INVALID, with the place of each thing that is wrong
 */
export function loadHostConfig(options: HostConfigOptions): LoadedHostConfig {
  const { packageConfigDirectory, configDirectory, environment, configFile = null } = options
  if (configDirectory !== null) assertFolder(configDirectory)
  const folders =
    configDirectory === null ? [packageConfigDirectory] : [packageConfigDirectory, configDirectory]
  assertEnvironment(environment, folders)
  const { tree, origins, warnings } = mergeLayers([
    ...readDefaults(packageConfigDirectory),
    ...readLayers([join(packageConfigDirectory, `${environment}.yaml`), ...userFilesOf(options)]),
    ...(configFile === null ? [] : [readNamedFile(configFile)]),
    readVariablesLayer(options.variables ?? {}),
  ])
  return { config: toHostConfig(tree), tree, origins, warnings }
}

/** The files of the user's folder that count, whether or not they are there. */
export function userFilesOf({ configDirectory, environment }: HostConfigOptions): string[] {
  if (configDirectory === null) return []
  return [join(configDirectory, `${DEFAULT_NAME}.yaml`), join(configDirectory, `${environment}.yaml`)]
}

function readLayers(files: readonly string[]): ConfigLayer[] {
  return files.flatMap((file) => readConfigLayer(file) ?? [])
}

/** Their place in a file of ours tells a user nothing. */
function readDefaults(packageConfigDirectory: string): ConfigLayer[] {
  return readLayers([join(packageConfigDirectory, `${DEFAULT_NAME}.yaml`)]).map((layer) => ({
    ...layer,
    origins: new Map([...layer.origins.keys()].map((key) => [key, PACKAGE_DEFAULT])),
  }))
}

function readNamedFile(configFile: string): ConfigLayer {
  const layer = readConfigLayer(configFile)
  if (layer !== null) return layer
  throw new PhantomError(
    'CONFIG_INVALID',
    `Cannot use the configuration file "${configFile}": there is none. Make it, or name another`,
    { details: { file: configFile } },
  )
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
      .filter((name) => !NO_ENVIRONMENTS.includes(name))
  } catch (error) {
    throw new PhantomError(
      'CONFIG_INVALID',
      `Cannot read the configuration folder "${folder}": ${messageOf(error)}. See that the daemon may read it`,
      { cause: error, details: { path: folder } },
    )
  }
}

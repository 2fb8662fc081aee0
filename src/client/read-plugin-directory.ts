import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { PhantomError } from '../contract/phantom-error.ts'

const VARIABLE = 'PHANTOM_PLUGINS_DIRECTORY'

export interface PluginDirectorySources {
  /** Holds `default.yaml` and `<environment>.yaml`. */
  readonly configDirectory: string | undefined
  readonly environment: string
  /** One more file, on top of those. */
  readonly configFile?: string | undefined
  readonly variables: Readonly<Record<string, string | undefined>>
}

/**
 * `plugins.directory` of the configuration, relative to the working directory: the later of the folder's two files,
 * the file that is named and the variable wins. Only this one key is read here, to find the daemon: the daemon reads
 * and checks the whole.
 */
export function readPluginDirectory(sources: PluginDirectorySources): string {
  const { configDirectory, environment, configFile, variables } = sources
  const folder = configDirectory === undefined ? [] : ['default', environment]
  const files = folder.map((name) => join(resolve(configDirectory!), `${name}.yaml`)).filter(existsSync)
  if (configFile !== undefined) files.push(resolve(configFile))
  const named = [...files.map(directoryIn), variables[VARIABLE] || undefined]
  return resolve(named.findLast((directory) => directory !== undefined) ?? './plugins')
}

function directoryIn(file: string): string | undefined {
  try {
    const content = parse(readFileSync(file, 'utf8'), { maxAliasCount: 16 }) as {
      plugins?: { directory?: unknown }
    } | null
    const directory = content?.plugins?.directory
    return typeof directory === 'string' ? directory : undefined
  } catch (error) {
    throw new PhantomError('CONFIG_INVALID', `Cannot read "${file}": ${(error as Error).message}`, {
      cause: error,
    })
  }
}

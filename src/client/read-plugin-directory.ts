import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { PhantomError } from '../contract/phantom-error.ts'

/**
 * `plugins.directory` of the configuration, relative to the folder that holds the configuration folder; the later
 * file wins. Only this one key is read here, to find the daemon: the daemon reads and checks the whole.
 */
export function readPluginDirectory(configDirectory: string | undefined, environment: string): string {
  let directory = './plugins'
  if (configDirectory === undefined) return resolve(directory)
  const folder = resolve(configDirectory)
  for (const name of ['default', environment]) {
    const file = join(folder, `${name}.yaml`)
    if (existsSync(file)) directory = directoryIn(file) ?? directory
  }
  return resolve(directory)
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

import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { socketPathOf, STATE_PARENT } from '../../src/rpc/endpoint.ts'
import { isInside } from '../registry/read-inside.ts'

interface Folders {
  readonly stateDirectory: string
  readonly configDirectory: string | null
}

/**
 * State, with that of other daemons beside it, configuration, and where the sockets lie. Another daemon may serve the
 * same plugins with its state where it is by itself: one that observes, or an earlier configuration's.
 */
export function ownFolders({
  stateDirectory,
  configDirectory,
  pluginDirectory,
}: Folders & { readonly pluginDirectory: string }): string[] {
  const parent = dirname(stateDirectory)
  return [
    basename(parent) === STATE_PARENT ? parent : stateDirectory,
    join(dirname(pluginDirectory), STATE_PARENT),
    dirname(socketPathOf(stateDirectory)),
    ...(configDirectory === null ? [] : [configDirectory]),
  ]
}

/** Plugins' configuration files lie with the user's own, or where there is no such folder with the state. */
export function configFolder({ configDirectory, stateDirectory }: Folders): string {
  return configDirectory === null ? join(stateDirectory, 'config') : join(configDirectory, 'plugins')
}

export function refuseOwnFile(path: string, folders: readonly string[]): string | null {
  const folder = folders.find((own) => existsSync(own) && isInside(realpathSync(own), path))
  return folder === undefined ? null : `"${folder}" is the daemon's own`
}

/** Generated validators of inputs, which runners read. */
export function validatorFolder(stateDirectory: string): string {
  return join(stateDirectory, 'validators')
}

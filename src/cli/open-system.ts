/** How a command gets its daemon. The client loads here, and only when a command needs it. */
import { mkdtemp, mkdir, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { PluginSystemApi } from '../client/plugin-system-api.ts'
import { PhantomError } from '../contract/phantom-error.ts'
import type { CommonOptions } from './common-options.ts'

export interface OpenSystem extends AsyncDisposable {
  api: PluginSystemApi
}

/** Attaches to the daemon of the plugin directory, or starts a private one that ends with this command. */
export async function openSystem(options: CommonOptions): Promise<OpenSystem> {
  if (options.socket !== undefined) return await attachSystem(options)
  return owned(await createSystem(options, options.plugins))
}

/** For commands that need a daemon but no plugin: an empty directory will do where `./plugins` is not there. */
export async function openSystemAnywhere(options: CommonOptions): Promise<OpenSystem> {
  const isMissing = options.arePluginsDefault && !(await isFolder(options.plugins))
  if (!isMissing || options.socket !== undefined) return await openSystem(options)
  const scratch = await mkdtemp(path.join(os.tmpdir(), 'phantom-cli-'))
  try {
    await mkdir(path.join(scratch, 'plugins'))
    const api = await createSystem(options, path.join(scratch, 'plugins'))
    return owned(api, () => rm(scratch, { recursive: true, force: true }))
  } catch (error) {
    await rm(scratch, { recursive: true, force: true })
    throw error
  }
}

/** @throws PhantomError DAEMON_UNREACHABLE when none runs: nothing is started. */
export async function attachSystem(options: CommonOptions): Promise<OpenSystem> {
  if (options.socket !== undefined) {
    const { connect } = await import('../client/create-plugin-system.ts')
    return owned(await connect(path.resolve(options.socket)))
  }
  const system = await attachIfRunning(options)
  if (system !== null) return system
  throw new PhantomError(
    'DAEMON_UNREACHABLE',
    `Cannot reach the daemon of "${options.plugins}": none runs. Start one: phantom serve --plugins ${options.plugins}`,
    { details: { plugin_directory: path.resolve(options.plugins) } },
  )
}

/** Null when no daemon runs on that plugin directory, or on that state folder: nothing is started. */
export async function attachIfRunning(
  options: CommonOptions,
  stateDirectory?: string,
): Promise<OpenSystem | null> {
  const client = await import('../client/create-plugin-system.ts')
  const state = stateDirectory === undefined ? {} : { state_directory: stateDirectory }
  const api = await client.attachIfRunning(path.resolve(options.plugins), state)
  return api === null ? null : owned(api)
}

async function createSystem(options: CommonOptions, pluginDirectory: string): Promise<PluginSystemApi> {
  const { create_plugin_system } = await import('../client/create-plugin-system.ts')
  const config = options.config === undefined ? {} : { config_directory: path.resolve(options.config) }
  return await create_plugin_system(path.resolve(pluginDirectory), options.environment, config)
}

function owned(api: PluginSystemApi, after?: () => Promise<void>): OpenSystem {
  return {
    api,
    async [Symbol.asyncDispose]() {
      try {
        await api[Symbol.asyncDispose]()
      } finally {
        await after?.()
      }
    },
  }
}

async function isFolder(folder: string): Promise<boolean> {
  return await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => false,
  )
}

import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { socketPathOf, stateDirectoryOf } from '../../src/rpc/endpoint.ts'
import { HostConfigSource } from '../config/host-config-source.ts'
import { applicationAccess, closedFoldersAbove, OPERATOR_ACCESS } from '../control/socket-access.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { EndCause } from '../process/exit-reason.ts'
import { endOrphans } from '../process/end-orphans.ts'
import { packageDirectory } from '../process/runner-bundle.ts'
import { openStore } from '../store/store.ts'
import { createControl } from './create-control.ts'
import { DaemonCore } from './daemon-core.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { PrivateLife } from './private-life.ts'

/** A daemon that listens. */
export interface Daemon {
  readonly socketPath: string
  readonly log: DaemonLog
  /** Ends every runner, then the daemon. Idempotent. */
  stop(cause: EndCause): Promise<void>
  /** Reads its own configuration anew; what is wrong with it goes to the log. */
  reloadConfiguration(): void
  /** Settles when nothing of it is left, whoever asked for its end. */
  readonly stopped: Promise<void>
}

/**
 * Starts a daemon, in this order: configuration, lock, machine, plugins, socket.
 *
 * @throws PhantomError CONFIG_INVALID, DAEMON_ALREADY_RUNNING, PLUGIN_DIRECTORY_NOT_FOUND; nothing is left then
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const pluginDirectory = realDirectory(options.pluginDirectory)
  const stateDirectory = options.stateDirectory ?? stateDirectoryOf(pluginDirectory)
  const configSource = new HostConfigSource({
    packageConfigDirectory: join(packageDirectory(), 'config'),
    configDirectory: options.configDirectory,
    configFile: options.configFile,
    environment: options.environment,
    variables: process.env,
  })
  const access = applicationAccess(configSource.current.config.daemon)
  const store = openStore(stateDirectory, undefined, access.mode !== OPERATOR_ACCESS.mode)
  try {
    const orphans = endOrphans(stateDirectory)
    const core = await DaemonCore.open({ ...options, pluginDirectory, stateDirectory, configSource, store })
    for (const warning of [...store.warnings, ...configSource.current.warnings]) core.log.warn(warning)
    if (orphans.length > 0) core.log.warn('sandboxes of a killed daemon were ended', { pids: orphans })
    return await listen(core, options.environment)
  } catch (error) {
    store.close()
    throw error
  }
}

async function listen(core: DaemonCore, environment: string): Promise<Daemon> {
  const { isPrivate, stateDirectory, configSource, store } = core.options
  const stopped = Promise.withResolvers<void>()
  let stopping: Promise<void> | null = null
  const stop = (cause: EndCause): Promise<void> => (stopping ??= stopInOrder(cause))
  const life = isPrivate
    ? new PrivateLife({
        lingerMs: configSource.current.config.daemon.privateLingerMs,
        end: () => void stop('host_shutdown'),
      })
    : null
  const server = createControl(core, {
    environment,
    onClients: (count) => {
      if (stopping === null) life?.clientsChanged(count)
    },
    /** The last application of a private daemon ends it by leaving. */
    leave: async () => {
      if (!isPrivate || server.stayingCount > 0) return false
      await stop('host_shutdown')
      return true
    },
  })

  async function stopInOrder(cause: EndCause): Promise<void> {
    life?.close()
    configSource.close()
    server.stopListening()
    await core.close(cause)
    store.close()
    // Behind the answers that this turn still sends: whoever asked for the end hears of it.
    setImmediate(() => {
      server.closeSessions()
      stopped.resolve()
    })
  }

  await server.listen()
  const socketPath = socketPathOf(stateDirectory)
  core.log.info('daemon listens', { socket: socketPath, pid: process.pid, tier: core.machine.tier })
  const closed = closedFoldersAbove(socketPath, applicationAccess(configSource.current.config.daemon))
  if (closed.length > 0)
    core.log.warn('the socket is opened to others, and folders above it keep them out', { folders: closed })
  const configuration = followConfiguration(core)
  return {
    socketPath,
    log: core.log,
    stop,
    stopped: stopped.promise,
    reloadConfiguration: configuration.reload,
  }
}

/** Changed files act by themselves, and what changed goes to the log. */
function followConfiguration(core: DaemonCore): { reload: () => void } {
  const { log } = core
  const { configSource } = core.options
  const failed = (error: unknown): void => {
    log.error('the configuration is not taken, the one before holds', { error: messageOf(error) })
    core.record('config.refused', { reason: messageOf(error) }, 'refused')
  }
  configSource.onChange(({ result, loaded }) => {
    const { applied, needs_restart: waiting } = result
    log.info('the configuration was read anew', { applied })
    core.record('config.reloaded', { applied, needs_restart: waiting })
    if (waiting.length > 0)
      log.warn('a changed configuration waits for a restart', { needs_restart: waiting })
    for (const warning of loaded.warnings) log.warn(warning)
    core.reconfigured().catch(failed)
  })
  configSource.watch({ onError: failed })
  core.policy.follow()
  return {
    reload: () => {
      for (const source of [configSource, core.policy]) {
        try {
          source.reload()
        } catch (error) {
          failed(error)
        }
      }
    },
  }
}

function realDirectory(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw new PhantomError(
      'PLUGIN_DIRECTORY_NOT_FOUND',
      `Cannot open plugin directory "${path}": ${messageOf(error)}. Create it first`,
      { cause: error },
    )
  }
}

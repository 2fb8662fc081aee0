import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import { PACKAGE_VERSION } from '../../src/contract/version.ts'
import { socketPathOf, stateDirectoryOf } from '../../src/rpc/endpoint.ts'
import { loadHostConfig } from '../config/host-config.ts'
import { ControlServer } from '../control/control-server.ts'
import { createSystemHandlers } from '../control/system-handlers.ts'
import { Workspaces } from '../control/workspaces.ts'
import type { DaemonLog } from '../observe/daemon-log.ts'
import type { EndCause } from '../process/exit-reason.ts'
import { endOrphans } from '../process/end-orphans.ts'
import { packageDirectory } from '../process/runner-bundle.ts'
import { openStore } from '../store/store.ts'
import { DaemonCore } from './daemon-core.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { PrivateLife } from './private-life.ts'

const MEGABYTE = 1024 * 1024

/** A daemon that listens. */
export interface Daemon {
  readonly socketPath: string
  readonly log: DaemonLog
  /** Ends every runner, then the daemon. Idempotent. */
  stop(cause: EndCause): Promise<void>
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
  const { config, warnings } = loadHostConfig({
    packageConfigDirectory: join(packageDirectory(), 'config'),
    configDirectory: options.configDirectory,
    environment: options.environment,
  })
  const store = openStore(stateDirectory)
  try {
    const orphans = endOrphans(stateDirectory)
    const core = await DaemonCore.open({ ...options, pluginDirectory, stateDirectory, config, store })
    for (const warning of [...store.warnings, ...warnings]) core.log.warn(warning)
    if (orphans.length > 0) core.log.warn('sandboxes of a killed daemon were ended', { pids: orphans })
    return await listen(core, options.environment)
  } catch (error) {
    store.close()
    throw error
  }
}

async function listen(core: DaemonCore, environment: string): Promise<Daemon> {
  const { isPrivate, stateDirectory, config, store } = core.options
  const stopped = Promise.withResolvers<void>()
  let stopping: Promise<void> | null = null
  const stop = (cause: EndCause): Promise<void> => (stopping ??= stopInOrder(cause))
  const life = isPrivate
    ? new PrivateLife({ lingerMs: config.daemon.privateLingerMs, end: () => void stop('host_shutdown') })
    : null
  const server = createServer(core, {
    environment,
    onClients: (count) => {
      if (stopping === null) life?.clientsChanged(count)
    },
    /** The last application of a private daemon ends it by leaving. */
    leave: async () => {
      if (!isPrivate || server.clientCount > 1) return false
      await stop('host_shutdown')
      return true
    },
  })

  async function stopInOrder(cause: EndCause): Promise<void> {
    life?.close()
    await server.stopListening()
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
  return { socketPath, log: core.log, stop, stopped: stopped.promise }
}

interface ServerPowers {
  readonly environment: string
  readonly onClients: (count: number) => void
  readonly leave: () => Promise<boolean>
}

function createServer(core: DaemonCore, powers: ServerPowers): ControlServer {
  const { stateDirectory, pluginDirectory, isPrivate, config } = core.options
  const { registry, executor, machine, launcher, logs, log } = core
  const parent = dirname(pluginDirectory)
  const workspaces = new Workspaces({
    roots: isPrivate ? null : [parent, ...config.workspace.roots.map(canonicalRoot)],
    stateDirectory,
  })
  const socketPath = socketPathOf(stateDirectory)
  const maxPayloadBytes = config.limits.maxPayloadMb * MEGABYTE
  const server: ControlServer = new ControlServer({
    socketPath,
    maxClients: config.limits.maxClients,
    maxPayloadBytes,
    defaultWorkspace: parent,
    log,
    onClients: powers.onClients,
    cancel: (execution) => executor.cancel(execution),
    cancelById: (executionId) => executor.cancelById(executionId),
    execute: ({ params, workspace, ...call }, input) =>
      executor.submit(
        {
          plugin: registry.getRunnable(params.plugin_id, params.operation),
          operation: params.operation,
          workspace: workspaces.canonical(workspace),
          timeoutMs: params.timeout_ms ?? null,
          ...call,
        },
        input,
      ),
    handlers: createSystemHandlers({
      facts: {
        version: PACKAGE_VERSION,
        pid: process.pid,
        uid: process.getuid?.() ?? 0,
        runtime: `node ${process.versions.node}`,
        environment: powers.environment,
        plugin_directory: pluginDirectory,
        state_directory: stateDirectory,
        socket: socketPath,
        private: isPrivate,
        tier: machine.tier,
        required_tier: config.security.requiredTier,
      },
      maxPayloadBytes,
      machine,
      registry,
      executor,
      launcher,
      logs,
      workspaces,
      clientCount: () => server.clientCount,
      leave: powers.leave,
    }),
  })
  return server
}

/** A root that is not there yet stands as it is written. */
function canonicalRoot(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path)
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

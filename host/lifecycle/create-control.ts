import { dirname } from 'node:path'
import type { SocketRole } from '../../src/contract/method-roles.ts'
import { PACKAGE_VERSION } from '../../src/contract/version.ts'
import { socketPathOf } from '../../src/rpc/endpoint.ts'
import { ControlAudit } from '../control/control-audit.ts'
import { ControlServers } from '../control/control-servers.ts'
import { applicationAccess } from '../control/socket-access.ts'
import { createSystemHandlers, type HandlerPowers } from '../control/system-handlers.ts'
import { unenforced } from '../sandbox/mechanisms.ts'
import { Workspaces } from '../control/workspaces.ts'
import type { DaemonCore } from './daemon-core.ts'

const MEGABYTE = 1024 * 1024

interface ServerPowers {
  readonly environment: string
  readonly onClients: (count: number) => void
  readonly leave: () => Promise<boolean>
}

/** The two sockets, and what stands behind them. */
export function createControl(core: DaemonCore, powers: ServerPowers): ControlServers {
  const { stateDirectory, pluginDirectory, isPrivate, configSource, store } = core.options
  const { engine, machine, launcher, logs, log } = core
  const { registry, executor } = engine
  const { config } = configSource.current
  const parent = dirname(pluginDirectory)
  const roots = (): string[] => [parent, ...configSource.current.config.workspace.roots]
  const workspaces = new Workspaces({ roots: isPrivate ? null : roots, stateDirectory })
  const maxPayloadBytes = config.limits.maxPayloadMb * MEGABYTE
  const server: ControlServers = new ControlServers({
    socketPaths: socketPathsOf(stateDirectory),
    applicationAccess: applicationAccess(config.daemon),
    maxApplications: () => configSource.current.config.limits.maxClients,
    audit: new ControlAudit(core.audit),
    maxPayloadBytes,
    defaultWorkspace: parent,
    log,
    onClients: powers.onClients,
    cancel: (execution) => executor.cancel(execution),
    cancelById: (executionId) => executor.cancelById(executionId),
    // Field by field: to take it apart and spread it costs as much as its way through the queue.
    execute: ({ params, workspace, caller, onProgress, park, onSettled }, input) =>
      executor.submit(
        {
          plugin: registry.getRunnable(params.plugin_id, params.operation),
          operation: params.operation,
          message: null,
          workspace: workspaces.canonical(workspace),
          timeoutMs: params.timeout_ms ?? null,
          priority: params.priority ?? 'normal',
          caller,
          onProgress,
          park,
          onSettled,
        },
        input,
      ),
    handlers: createSystemHandlers({
      facts: factsOf(core, powers.environment),
      maxPayloadBytes,
      hasCgroups: core.cgroups !== null,
      machine,
      engine,
      observer: core.observer,
      history: core.history,
      store,
      audit: core.audit,
      configSource,
      policy: core.policy,
      launcher,
      rights: core.rights,
      observations: core.observations,
      variables: core.variables,
      logs,
      workspaces,
      clientCount: () => server.clientCount,
      leave: powers.leave,
    }),
  })
  return server
}

/** What `get_status` says that never changes. */
function factsOf({ options, machine }: DaemonCore, environment: string): HandlerPowers['facts'] {
  const sockets = socketPathsOf(options.stateDirectory)
  return {
    version: PACKAGE_VERSION,
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    runtime: `node ${process.versions.node}`,
    runtime_source: options.runtimeSource,
    environment,
    plugin_directory: options.pluginDirectory,
    state_directory: options.stateDirectory,
    socket: sockets.application,
    admin_socket: sockets.operator,
    private: options.isPrivate,
    tier: machine.tier,
    not_held: unenforced(machine.tier),
    required_tier: options.configSource.current.config.security.requiredTier,
    permissions_mode: options.configSource.current.config.permissions.mode,
  }
}

function socketPathsOf(stateDirectory: string): Record<SocketRole, string> {
  return { application: socketPathOf(stateDirectory), operator: socketPathOf(stateDirectory, 'operator') }
}

import { basename, dirname } from 'node:path'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type {
  DaemonStatus,
  HandshakeResult,
  PluginValidation,
  SystemParams,
} from '../../src/contract/system-methods.ts'
import { PACKAGE_VERSION, PROTOCOL_VERSION } from '../../src/contract/version.ts'
import type { PluginRights } from '../approvals/plugin-rights.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { HostConfigSource } from '../config/host-config-source.ts'
import type { PolicySource } from '../config/policy/policy-source.ts'
import type { Observations } from '../learning/observations.ts'
import type { Engine } from '../lifecycle/engine.ts'
import type { ExecutionHistory } from '../metrics/execution-history.ts'
import type { PluginObserver } from '../metrics/plugin-observer.ts'
import type { PluginLogs } from '../observe/plugin-log.ts'
import type { InstanceLauncher } from '../process/instance-launcher.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import { MANIFEST_FILE, readManifest } from '../registry/read-manifest.ts'
import { doctorChecks } from '../sandbox/doctor.ts'
import type { Machine } from '../sandbox/machine.ts'
import type { Variables } from '../secrets/variables.ts'
import type { Store } from '../store/store.ts'
import { createAuditHandlers } from './audit-handlers.ts'
import type { ClientSession, SystemHandlers } from './client-session.ts'
import { createConfigHandlers } from './config-handlers.ts'
import { describePlugin, describeSummary } from './describe-plugin.ts'
import { createHealthHandlers } from './health-handlers.ts'
import { newestThatFit } from './newest-that-fit.ts'
import { createPluginHandlers } from './plugin-handlers.ts'
import { createRightsHandlers } from './rights-handlers.ts'
import { verifyPlugin } from './verify-plugin.ts'
import type { Workspaces } from './workspaces.ts'

/** What the daemon is and has, as its methods need it. */
export interface HandlerPowers {
  readonly facts: Omit<
    DaemonStatus,
    'uptime_ms' | 'policy_problem' | 'clients' | 'plugins' | 'instances' | 'calls' | 'memory_bytes'
  >
  readonly maxPayloadBytes: number
  readonly hasCgroups: boolean
  readonly machine: Machine
  readonly engine: Engine
  readonly observer: PluginObserver
  readonly history: ExecutionHistory
  readonly store: Store
  readonly audit: AuditLog
  readonly configSource: HostConfigSource
  readonly policy: Pick<PolicySource, 'reload' | 'problem'>
  readonly launcher: InstanceLauncher
  readonly rights: PluginRights
  readonly observations: Observations
  readonly variables: Variables
  readonly logs: PluginLogs
  readonly workspaces: Workspaces
  clientCount(): number
  /** Ends the daemon when it is private and all its clients have said goodbye; true when it ended. */
  readonly leave: () => Promise<boolean>
}

/** The methods of the contract System. */
export function createSystemHandlers(powers: HandlerPowers): SystemHandlers {
  const { facts } = powers
  const { registry } = powers.engine
  return {
    ...createPluginHandlers(powers),
    ...createRightsHandlers(powers),
    ...createConfigHandlers(powers),
    ...createHealthHandlers(powers),
    ...createAuditHandlers(powers),
    handshake: (params, session) => shakeHands(powers, params, session),
    list_plugins: () => [...registry.records].map(describeSummary),
    get_plugin_info: async ({ plugin_id: id }, session) => {
      const record = registry.get(id)
      return await describePlugin(record, {
        policy: policyOf(powers, record, session),
        verdict: record.manifest === null ? null : powers.rights.judge(record, record.manifest),
        machine: powers.machine,
        maxPayloadBytes: powers.maxPayloadBytes,
        hasCgroups: powers.hasCgroups,
      })
    },
    send_plugin_message: ({ sender, recipient, type, workspace }, session, _id, payload) =>
      powers.engine.messages.send({
        sender,
        origin: 'application',
        recipient,
        type,
        payload,
        workspace: powers.workspaces.canonical(workspace ?? session.workspace),
        caller: session,
      }),
    get_status: () => describeStatus(powers),
    get_plugin_logs: async ({ plugin_id: id, lines = 100, follow = false }, session, requestId) => {
      if (id !== undefined) registry.get(id)
      const found = await powers.logs.tail({ lines, ...(id === undefined ? {} : { plugin_id: id }) })
      if (follow) session.follow(requestId, 'log', (listener) => powers.logs.subscribe(id ?? null, listener))
      return { lines: newestThatFit(found) }
    },
    verify_plugin: async ({ plugin_id: pluginId, workspace }, session) =>
      await verifyPlugin(powers, {
        pluginId,
        workspace: workspace === undefined ? session.workspace : powers.workspaces.canonical(workspace),
      }),
    validate_plugin: ({ path }) => validatePlugin(path, powers.launcher),
    get_doctor_report: async () => ({
      tier: facts.tier,
      required_tier: facts.required_tier,
      not_held: facts.not_held,
      runtime: { path: process.execPath, version: process.versions.node, source: facts.runtime_source },
      checks: await doctorChecks(powers.machine),
    }),
    shutdown: async (_params, session) => {
      session.hasLeft = true
      return { stopped: await powers.leave() }
    },
  }
}

function shakeHands(
  powers: HandlerPowers,
  params: SystemParams<'handshake'>,
  session: ClientSession,
): HandshakeResult {
  const { name = 'unnamed', version = '' } = params.client ?? {}
  session.actor.client = `${name} ${version}`.trim()
  const [major] = params.protocol_version.split('.')
  if (major !== PROTOCOL_VERSION.split('.')[0]) {
    throw new PhantomError(
      'VERSION_UNSUPPORTED',
      `Cannot shake hands: the client speaks protocol ${params.protocol_version}, this daemon ${PROTOCOL_VERSION}. ` +
        'Use a client and a daemon of the same major version',
      { details: { found: params.protocol_version, supported: PROTOCOL_VERSION } },
    )
  }
  if (params.workspace !== undefined) session.workspace = powers.workspaces.canonical(params.workspace)
  if (params.payload_frames === true) session.usePayloadFrames()
  const { facts } = powers
  return {
    protocol_version: PROTOCOL_VERSION,
    server: { name: '@phantom-ml/core', version: PACKAGE_VERSION, pid: process.pid },
    payload_frames: params.payload_frames === true,
    environment: facts.environment,
    plugin_directory: facts.plugin_directory,
    state_directory: facts.state_directory,
    private: facts.private,
    max_payload_bytes: powers.maxPayloadBytes,
    role: session.role,
    admin_socket: facts.admin_socket,
  }
}

function policyOf(powers: HandlerPowers, record: PluginRecord, session: ClientSession) {
  const { current } = record
  return current === null ? null : powers.launcher.policyOf(current, session.workspace)
}

function describeStatus(powers: HandlerPowers): DaemonStatus {
  const { registry, executor } = powers.engine
  const records = [...registry.records]
  const lanes = [...executor.lanes]
  return {
    ...powers.facts,
    uptime_ms: Math.round(process.uptime() * 1000),
    policy_problem: powers.policy.problem,
    clients: powers.clientCount(),
    plugins: { total: records.length, by_state: registry.countByState() },
    instances: lanes.filter((lane) => lane.instance !== null).length,
    calls: executor.figures(),
    memory_bytes: process.memoryUsage.rss(),
  }
}

async function validatePlugin(path: string, launcher: InstanceLauncher): Promise<PluginValidation> {
  const folder = basename(path) === MANIFEST_FILE ? dirname(path) : path
  const { manifest, issues, directory, id } = await readManifest(folder)
  const schemas = manifest === null ? [] : await launcher.schemaIssues({ manifest, directory })
  const valid = manifest !== null && schemas.length === 0
  return { valid, plugin_id: id?.value ?? null, path: directory, issues: [...issues, ...schemas] }
}

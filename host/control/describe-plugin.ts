import type {
  InstanceInfo,
  MessageInfo,
  OperationInfo,
  PermissionInfo,
  PluginInfo,
  PluginSummary,
} from '../../src/contract/plugin-info.ts'
import type { Manifest, ManifestMessage } from '../../src/contract/manifest.ts'
import type { IsolationTier } from '../../src/contract/life.ts'
import type { RightsVerdict } from '../approvals/judge-rights.ts'
import { heldOf, rightsOfPermission, rightText } from '../approvals/right.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { ProcessSample, ProcessSampler } from '../monitor/process-sampler.ts'
import type { Machine } from '../sandbox/machine.ts'
import { describeCapabilities } from './describe-capabilities.ts'
import { describeLimits } from './describe-limits.ts'
import { summarizeAttestation } from '../process/describe-attestation.ts'
import { askHealth } from '../process/runner-hooks.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { Policy } from '../sandbox/policy.ts'

const WEAK_TIER = 'isolation is of tier process: what that does not hold, "phantom doctor" says'
/** How long a plugin's own `health()` may take before it is left out. */
const HEALTH_TIMEOUT_MS = 500
/** The monitor looks at idle processes every two seconds. */
const IDLE_SAMPLE_MS = 2_500

export function describeSummary(record: PluginRecord): PluginSummary {
  const { manifest } = record
  return {
    id: record.id,
    name: manifest?.name ?? record.id,
    version: manifest?.version ?? '',
    type: manifest?.type ?? null,
    author: manifest?.author ?? null,
    description: manifest?.description ?? '',
    tags: [...(manifest?.tags ?? [])],
    operations: (manifest?.operations ?? []).map((operation) => operation.name),
    state: record.state,
    reason: record.reason ?? whyIdle(record),
    waiting: updateWaits(record),
    builtin: record.builtin,
    path: record.directory,
  }
}

/** Why one that is enabled runs no call. */
function whyIdle({ state, isDisabled, dependencyProblem }: PluginRecord): string | null {
  if (state !== 'enabled') return null
  return isDisabled ? 'its configuration says enabled: false' : dependencyProblem
}

/** @param policy of the asking session's workspace; null for a plugin that cannot run */
export async function describePlugin(
  record: PluginRecord,
  options: {
    policy: Policy | null
    verdict: RightsVerdict | null
    machine: Machine
    maxPayloadBytes: number
    hasCgroups: boolean
  },
): Promise<PluginInfo> {
  const { manifest } = record
  const summary = describeSummary(record)
  const lanes = [...record.lanes.values()]
  const instances = await Promise.all(
    lanes.flatMap((lane) =>
      Array.from(lane.instances(), (instance) => describeInstance(lane, instance, options.machine.tier)),
    ),
  )
  const reported = lanes.map((lane) => lane.instance?.reported ?? null).find((found) => found !== null)
  return {
    ...summary,
    license: manifest?.license ?? null,
    homepage: manifest?.homepage ?? null,
    entry_point: manifest?.entryPoint ?? null,
    dependencies: { ...manifest?.dependencies },
    plugin_dependencies: { ...manifest?.pluginDependencies },
    operation_details: (manifest?.operations ?? []).map(describeOperation),
    messages: (manifest?.messages ?? []).map(describeMessage),
    permissions: [
      ...(options.policy?.permissions ?? []),
      ...notHeld(record, options.verdict),
      ...describeCapabilities(record, options.verdict),
    ],
    limits:
      manifest === null
        ? []
        : describeLimits({ ...options, manifest, limits: record.current?.limits ?? manifest.limits }),
    configuration_schema: manifest?.configuration ?? null,
    issues: [...record.issues],
    reported: reported ?? null,
    instances,
    last_exit: record.lastExit,
    notices: [
      ...(summary.waiting === null ? [] : [summary.waiting]),
      ...(options.machine.tier === 'process' ? [WEAK_TIER] : []),
      ...(options.policy?.notices ?? []),
    ],
  }
}

/** What its manifest asks for and it does not hold at all. */
function notHeld({ current, manifest }: PluginRecord, verdict: RightsVerdict | null): PermissionInfo[] {
  const held = current?.rights.flatMap(rightsOfPermission) ?? []
  return (manifest?.permissions ?? []).flatMap((permission) => {
    const rights = rightsOfPermission(permission)
    if (rights.some((right) => heldOf(right, held).length > 0)) return []
    const texts = rights.map(rightText)
    const judged = verdict?.rights.find(({ right }) => texts.includes(rightText(right)))
    const reason = judged?.refused ?? 'the plugin is blocked'
    return [{ declared: permission.declared, effective: null, mechanism: null, refused: reason }]
  })
}

/** Of one that is blocked, the reason for that says it. */
function updateWaits({ waiting, state }: PluginRecord): string | null {
  if (waiting === null || state === 'blocked') return null
  return `an update (version ${waiting.manifest.version}) waits: ${waiting.reason}`
}

function describeOperation(operation: Manifest['operations'][number]): OperationInfo {
  return {
    name: operation.name,
    description: operation.description,
    input_schema: operation.inputSchema,
    output_schema: operation.outputSchema,
    idempotent: operation.idempotent,
    timeout_ms: operation.timeoutMs,
  }
}

function describeMessage({ type, description, from, inputSchema }: ManifestMessage): MessageInfo {
  return { type, description, from: from === null ? null : [...from], input_schema: inputSchema }
}

async function describeInstance(
  lane: InstanceLane,
  instance: RunnerInstance,
  tier: IsolationTier,
): Promise<InstanceInfo> {
  const sample = sampleOf(instance, performance.now())
  return {
    role: instance === lane.instance ? 'active' : instance === lane.standby ? 'standby' : 'draining',
    pid: instance.pid,
    uid: instance.spec.uid,
    state: instance.state,
    generation: instance.spec.initialize.generation,
    workspace: lane.workspace,
    tier,
    calls_in_flight: instance.inFlightCount,
    started_at: instance.startedAt.toISOString(),
    ready_ms: instance.figures.readyMs,
    memory_bytes: sample?.rssBytes ?? null,
    cpu_time_ms: sample?.cpuTimeMs ?? null,
    attestation: summarizeAttestation(instance),
    health: (await askHealth(instance, HEALTH_TIMEOUT_MS)).health,
  }
}

/** There may be hundreds: one without a call since it was looked at last is what it was then. */
export function sampleOf(
  {
    figures: { sampler },
    inFlightCount,
    lastCallAtMs,
  }: Pick<RunnerInstance, 'inFlightCount' | 'lastCallAtMs'> & {
    readonly figures: { readonly sampler: ProcessSampler | null }
  },
  nowMs: number,
): ProcessSample | null {
  if (sampler === null) return null
  const { atMs } = sampler.last
  const isKnown = inFlightCount === 0 && lastCallAtMs < atMs && nowMs - atMs < IDLE_SAMPLE_MS
  return isKnown ? sampler.last : sampler.sample(nowMs)
}

import type { ExitInfo } from '../../src/contract/plugin-info.ts'
import type { IncidentKind } from '../../src/contract/generations.ts'
import type { ExitClass } from '../../src/contract/life.ts'
import { isPhantomError, messageOf, PhantomError } from '../../src/contract/phantom-error.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { EndedInstance } from '../execution/lane-powers.ts'
import type { Generation } from '../generations/generation.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import type { ProcessEnding, RestartDecision } from '../supervisor/restart-policy.ts'
import type { EndCause } from './exit-reason.ts'
import type { RunnerInstance } from './runner-instance.ts'

/** What happened to a plugin, for whoever writes it down. */
export interface KeeperIncident {
  readonly kind: IncidentKind
  readonly plugin: PluginRecord
  readonly generation: Generation
  readonly workspace: string | null
  readonly exit: ExitInfo | null
  readonly message: string
  readonly action: string
}

export interface KeeperPowers {
  /** Books one restart of the whole host's and answers after how many milliseconds it may happen. */
  bookRestart(nowMs: number): number
  spawnInstance(lane: InstanceLane, generation: Generation): Promise<RunnerInstance>
  onExit(plugin: PluginRecord, exit: ExitInfo, cpuTimeMs: number): void
  onIncident(incident: KeeperIncident): void
  /** The plugin gave up: its state is `failed` now. */
  onGaveUp(plugin: PluginRecord, reason: string): void
}

/**
 * From readiness to the start of the next standby: spawning takes the daemon some milliseconds, and the calls that
 * waited for the process that is ready now come first.
 */
const STANDBY_DELAY_MS = 50

/** Ends that the host or a person wanted. */
const WANTED: ReadonlySet<EndCause> = new Set(['stop', 'idle', 'reload', 'operator', 'host_shutdown'])
/**
 * Ends that a call brought about by what it asked for. They are charged to its operation's breaker: counted as
 * crashes, any caller with a large input could switch a plugin off for all others.
 */
const CAUSED_BY_CALLS: ReadonlySet<EndCause> = new Set([
  'ignored_cancel',
  'wall_limit',
  'memory_limit',
  'memory_refused',
  'cpu_limit',
  'resource_limit',
])
/** Ends by the kernel, of what a call asked for. */
const LIMIT_CLASSES: ReadonlySet<ExitClass> = new Set(['oom', 'resource_limit'])
/** Failures of a start that come back each time, until a file changes. */
const DETERMINISTIC_CODES: ReadonlySet<string> = new Set(['MANIFEST_INVALID', 'CONFIG_INVALID'])
/** Until a process that runs without calls is tried again on a machine that gave none. */
const AFTER_SHORTAGE_MS = 1_000
/** Failures of a start that say nothing about the plugin. */
const NOT_ITS_FAULT: ReadonlySet<string> = new Set([
  'SANDBOX_UNAVAILABLE',
  'PLUGIN_RUNTIME_UNAVAILABLE',
  'DAEMON_SHUTTING_DOWN',
  'DEPENDENCY_UNAVAILABLE',
  'PLUGIN_FAILED',
  // A plugin that it needs would be one too many.
  'QUEUE_FULL',
  // Its data_dir holds too much: until somebody removes something, each call is told so.
  'LIMIT_EXCEEDED',
])

/** Decides, by the pure policies of `host/supervisor`, what becomes of a plugin whose process ended or did not start. */
export class PluginKeeper {
  readonly #powers: KeeperPowers
  /** When a lane may start at the earliest, by the whole host's budget. */
  readonly #notBefore = new WeakMap<InstanceLane, number>()
  #isClosed = false

  constructor(powers: KeeperPowers) {
    this.#powers = powers
  }

  close(): void {
    this.#isClosed = true
  }

  /** How long a lane's next start must wait; null when the plugin has given up, and its calls are refused. */
  startDelayMs(lane: InstanceLane, nowMs: number): number | null {
    const permission = lane.plugin.current.restart.mayStart(nowMs)
    if (permission.ok) return Math.max(0, (this.#notBefore.get(lane) ?? 0) - nowMs)
    if ('waitMs' in permission) return permission.waitMs
    lane.refuseWaiting(failedError(lane.plugin.id, permission.gaveUp))
    return null
  }

  ready(lane: InstanceLane, instance: RunnerInstance): void {
    instance.generation.restart.onReady(performance.now())
    this.#addStandby(lane, instance.generation)
  }

  startFailed(lane: InstanceLane, generation: Generation, error: unknown): void {
    const message = messageOf(error)
    const code = isPhantomError(error) ? error.code : 'INTERNAL_ERROR'
    if (NOT_ITS_FAULT.has(code)) {
      if (isSandboxDifference(error)) this.#tellDifference({ lane, generation, message })
      return
    }
    const decided = decideFailedStart(generation, error, { code, message })
    const waitsForCall = decided.kind === 'restart' && !isKept(generation)
    const decision: RestartDecision = waitsForCall ? { kind: 'stay_down', reason: message } : decided
    const { plugin, workspace } = lane
    this.#powers.onIncident({
      kind: 'start_failed',
      plugin,
      generation,
      workspace,
      exit: null,
      message,
      action: actionWords(decision, 'the next call starts it anew'),
    })
    if (decision.kind === 'give_up') this.#giveUp(plugin, generation, decision.reason, lane)
    else if (decision.kind === 'restart') {
      this.#countRestart(lane, decision.delayMs)
      lane.wakeSoon()
    }
  }

  exited(lane: InstanceLane, end: EndedInstance): void {
    const { instance, exit, cause, role } = end
    const { plugin } = lane
    this.#powers.onExit(plugin, exit, instance.figures.sampler?.last.cpuTimeMs ?? 0)
    if (cause !== null && WANTED.has(cause)) return
    // A start that failed is told by `startFailed` or `#preload`, one of a generation on its way by whoever makes it.
    if (role === 'next' || (role === 'active' && instance.figures.readyAtMs === null)) return
    if (role === 'standby' && !instance.isPreloaded) return
    const { generation } = instance
    const decision = decideExit(generation, end)
    // It ended by itself and in order: nothing went wrong.
    if (exit.class === 'expected' && decision.kind === 'stay_down') return
    this.#powers.onIncident({
      kind: 'exit',
      plugin,
      generation,
      workspace: lane.workspace,
      exit,
      message: exit.message,
      action: actionWords(decision, 'the next call starts it'),
    })
    if (generation !== plugin.current) return
    if (decision.kind === 'give_up') this.#giveUp(plugin, generation, decision.reason)
    else if (role === 'standby') this.#replaceStandby(lane, generation, decision)
    else if (decision.kind === 'restart') this.#restart(lane)
  }

  #restart(lane: InstanceLane): void {
    this.#countRestart(lane)
    lane.wake()
  }

  /** Books it in the host's budget; how long it must wait, the lane itself asks. */
  #countRestart(lane: InstanceLane, delayMs = 0): void {
    const nowMs = performance.now()
    lane.plugin.metrics.onRestart(nowMs)
    this.#notBefore.set(lane, nowMs + Math.max(delayMs, this.#powers.bookRestart(nowMs)))
  }

  /** It counts like any other process: one that dies for ever must not cost the others their restarts. */
  #replaceStandby(lane: InstanceLane, generation: Generation, decision: RestartDecision): void {
    const nowMs = performance.now()
    lane.plugin.metrics.onRestart(nowMs)
    const delayMs = decision.kind === 'restart' ? decision.delayMs : 0
    this.#addStandby(lane, generation, Math.max(STANDBY_DELAY_MS, delayMs, this.#powers.bookRestart(nowMs)))
  }

  #addStandby(lane: InstanceLane, generation: Generation, delayMs = STANDBY_DELAY_MS): void {
    if (generation.manifest.runtime.standby === 0 || this.#isClosed) return
    setTimeout(() => void this.#preload(lane, generation), delayMs).unref()
  }

  async #preload(lane: InstanceLane, generation: Generation): Promise<void> {
    try {
      if (!this.#wantsStandby(lane, generation)) return
      const standby = await this.#powers.spawnInstance(lane, generation)
      if (!this.#wantsStandby(lane, generation)) {
        await standby.end('stop')
        return
      }
      lane.adoptStandby(standby)
      await standby.preload()
    } catch (error) {
      if (lane.plugin.current !== generation) return
      // The active process goes on; without a standby a restart takes longer, that is all.
      const message = `its standby cannot be made ready: ${messageOf(error)}`
      this.#tellFailedStart({ lane, generation, message, action: 'it goes on without a standby' })
    }
  }

  /** Nobody but the machine can help it, and nobody but its operator sees what stands in for its tools. */
  #tellDifference(start: { lane: InstanceLane; generation: Generation; message: string }): void {
    const action = 'its process was ended before it loaded the plugin; the next call tries again'
    this.#tellFailedStart({ ...start, action })
  }

  #tellFailedStart(start: {
    lane: InstanceLane
    generation: Generation
    message: string
    action: string
  }): void {
    const { lane, ...told } = start
    const { plugin, workspace } = lane
    this.#powers.onIncident({ kind: 'start_failed', plugin, workspace, exit: null, ...told })
  }

  /** Not for one that was stopped meanwhile: idle, unloaded, failed or replaced. */
  #wantsStandby({ instance, standby, plugin }: InstanceLane, generation: Generation): boolean {
    const serves = instance?.generation === generation && plugin.current === generation
    return serves && standby === null && plugin.state === 'enabled' && !this.#isClosed
  }

  /** `failed`: the lane whose start it was tells its calls itself, and more exactly. */
  #giveUp(
    plugin: PluginRecord,
    generation: Generation,
    reason: string,
    failed: InstanceLane | null = null,
  ): void {
    if (plugin.state !== 'enabled') return
    plugin.move('gave_up', reason)
    const error = failedError(plugin.id, reason)
    for (const lane of plugin.lanes.values()) {
      if (lane !== failed) lane.refuseWaiting(error)
      for (const instance of lane.instances()) void instance.end('stop')
    }
    this.#powers.onGaveUp(plugin, reason)
    this.#powers.onIncident({
      kind: 'gave_up',
      plugin,
      generation,
      workspace: null,
      exit: null,
      message: reason,
      action: 'it stays down until it is reset or its files change',
    })
  }
}

function decideFailedStart(
  generation: Generation,
  error: unknown,
  { code, message }: { code: string; message: string },
): RestartDecision {
  const details = isPhantomError(error) ? error.details : {}
  // Nothing that the plugin could help: it is not counted.
  if (code === 'INTERNAL_ERROR' || 'shortage' in details)
    return { kind: 'restart', delayMs: AFTER_SHORTAGE_MS, attempt: 0 }
  const deterministic = DETERMINISTIC_CODES.has(code) || details['deterministic'] === true
  return generation.restart.onExit(
    { class: 'crash', deterministic, wanted: false, message },
    performance.now(),
  )
}

function isSandboxDifference(error: unknown): boolean {
  return isPhantomError(error) && 'differences' in error.details
}

function decideExit(generation: Generation, { exit, cause, inFlight }: EndedInstance): RestartDecision {
  // Without a call in it, it went over its limits by its own doing.
  const hadCalls = inFlight.length > 0 || cause === 'memory_refused'
  const isCausedByCalls =
    hadCalls && (cause === null ? LIMIT_CLASSES.has(exit.class) : CAUSED_BY_CALLS.has(cause))
  if (isCausedByCalls && isKept(generation)) return { kind: 'restart', delayMs: 0, attempt: 0 }
  const ending: ProcessEnding = {
    class: exit.class,
    deterministic: false,
    wanted: isCausedByCalls,
    message: exit.message,
  }
  return generation.restart.onExit(ending, performance.now())
}

/** Whether a plugin runs also when nobody calls it. */
function isKept({ manifest }: Generation): boolean {
  const { policy } = manifest.restart
  return policy === 'permanent' || (policy === 'transient' && manifest.runtime.activation === 'eager')
}

function actionWords(decision: RestartDecision, staysDown: string): string {
  switch (decision.kind) {
    case 'restart':
      return decision.delayMs === 0 ? 'started again at once' : `started again after ${decision.delayMs} ms`
    case 'give_up':
      return `given up: ${decision.reason}`
    case 'stay_down':
      return staysDown
  }
}

/** The answer of a plugin that gave up. */
export function failedError(pluginId: string, reason: string): PhantomError {
  return new PhantomError(
    'PLUGIN_FAILED',
    `Cannot run "${pluginId}": it is failed: ${reason}. See "phantom why ${pluginId}", mend it, ` +
      `then save its files or run "phantom reset ${pluginId}"`,
    { details: { plugin_id: pluginId, reason } },
  )
}

import type { InstanceLane } from '../execution/instance-lane.ts'
import { boundedReport } from '../process/plugin-report.ts'
import { exportState, tellReload, problemOf } from '../process/runner-hooks.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import { GateFailure } from './gate-failure.ts'
import type { Generation } from './generation.ts'

export interface BringUpPowers {
  spawnInstance(lane: InstanceLane, generation: Generation): Promise<RunnerInstance>
  /** Where a plugin that does not run is tried, and then stays until it is idle. */
  trialLane(plugin: PluginRecord): InstanceLane
  /** A process is in its lane now, without the lane having started it. */
  onReady(lane: InstanceLane, instance: RunnerInstance): void
}

export interface ComingGeneration {
  readonly plugin: PluginRecord
  readonly next: Generation
  readonly drainTimeoutMs: number
}

/** The processes of a generation that passed its gates, each for its lane. */
export type ReadyInstances = ReadonlyMap<InstanceLane, RunnerInstance>

/** What a hook of the plugin's may take. */
const HOOK_TIMEOUT_MS = 5_000
/** Of what a plugin says against itself. */
const MAX_WORDS_CHARS = 200
/** How often a process that shall be without calls is looked at. */
const LOOK_MS = 5

/**
 * Starts a process of the next generation beside each that runs, one where none does, so that a broken save is known
 * before a call meets it; and asks it for its health. `switchOver` then puts them in their places, before any call
 * that was held back goes on. When a gate fails, or it throws, all is as it was.
 *
 * @throws GateFailure at spawn, initialize or health
 */
export async function bringUp(
  powers: BringUpPowers,
  { plugin, next, drainTimeoutMs }: ComingGeneration,
  switchOver: (nexts: ReadyInstances) => void,
): Promise<void> {
  const lanes = [...plugin.lanes.values()]
  await Promise.all(lanes.map((lane) => lane.spawned()))
  const running = lanes.filter((lane) => lane.instance?.state === 'ready')
  const live = running.length > 0 ? running : [powers.trialLane(plugin)]
  const handOver = new HandOver(live, { isExclusive: mustBeAlone(plugin, next), drainTimeoutMs })
  const nexts = new Map<InstanceLane, RunnerInstance>()
  try {
    const states = await handOver.begin()
    // All of them, also after one has failed: none may be on its way when they are ended.
    const starts = live.map((lane) => startNext(powers, { lane, next, state: states.get(lane) }, nexts))
    const failed = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    switchOver(nexts)
  } catch (error) {
    await Promise.all(Array.from(nexts.values(), (instance) => instance.end('reload')))
    await handOver.takeBack(powers)
    throw error
  } finally {
    handOver.release()
  }
}

function mustBeAlone(plugin: PluginRecord, next: Generation): boolean {
  return plugin.manifest?.runtime.exclusive === true || next.manifest.runtime.exclusive
}

async function startNext(
  powers: BringUpPowers,
  { lane, next, state }: { lane: InstanceLane; next: Generation; state: unknown },
  nexts: Map<InstanceLane, RunnerInstance>,
): Promise<void> {
  let instance: RunnerInstance
  try {
    instance = await powers.spawnInstance(lane, next)
  } catch (error) {
    throw new GateFailure('spawn', error)
  }
  nexts.set(lane, instance)
  try {
    await instance.start(state)
  } catch (error) {
    throw new GateFailure('initialize', error)
  }
  const illness = await illnessOf(instance)
  if (illness !== null) throw new GateFailure('health', illness)
}

/** What its `health()` says against a plugin, in words; null when nothing. */
async function illnessOf(instance: RunnerInstance): Promise<string | null> {
  if (!instance.hasHook('health')) return null
  const answer = await instance.call('health', {}, HOOK_TIMEOUT_MS)
  const problem = problemOf(instance, 'health', answer, HOOK_TIMEOUT_MS)
  if (answer === null || answer.error !== null) return problem
  const health = boundedReport((answer.result as { health?: unknown } | null)?.health)
  if (typeof health !== 'object' || health === null) return null
  const { status, healthy, ok } = health as { status?: unknown; healthy?: unknown; ok?: unknown }
  if (status !== 'unhealthy' && healthy !== false && ok !== false) return null
  return `its health() says ${JSON.stringify(health).slice(0, MAX_WORDS_CHARS)}`
}

/**
 * The old processes while a new generation comes up. Most go on serving. One with `export_state` or `quiesce` gets no
 * more calls and ends those it has, so that what it exports is all; an exclusive one is gone before the new starts.
 */
class HandOver {
  readonly #live: readonly InstanceLane[]
  readonly #held: InstanceLane[] = []
  readonly #options: { readonly isExclusive: boolean; readonly drainTimeoutMs: number }
  readonly #quiesced = new Map<InstanceLane, RunnerInstance>()
  readonly #states = new Map<InstanceLane, unknown>()

  constructor(live: readonly InstanceLane[], options: { isExclusive: boolean; drainTimeoutMs: number }) {
    this.#live = live
    this.#options = options
  }

  /** What each process exported. */
  async begin(): Promise<ReadonlyMap<InstanceLane, unknown>> {
    await Promise.all(this.#live.map((lane) => this.#quiesce(lane)))
    return this.#states
  }

  /** The new generation came to nothing: the old one goes on, an exclusive one anew and with its state. */
  async takeBack(powers: BringUpPowers): Promise<void> {
    await Promise.all(
      Array.from(this.#quiesced, async ([lane, old]) => {
        if (old.state === 'ready') await tellReload(old, 'resume', HOOK_TIMEOUT_MS)
        else if (lane.instance === null) await this.#startAgain(powers, lane, old.generation)
      }),
    )
  }

  async #quiesce(lane: InstanceLane): Promise<void> {
    const { isExclusive, drainTimeoutMs } = this.#options
    const old = lane.instance
    if (!isExclusive && old?.hasHook('quiesce') !== true && old?.hasHook('export_state') !== true) return
    lane.hold()
    this.#held.push(lane)
    if (old === null) return
    await isWithoutCalls(old, drainTimeoutMs)
    this.#quiesced.set(lane, old)
    await tellReload(old, 'quiesce', HOOK_TIMEOUT_MS)
    this.#states.set(lane, await exportState(old, HOOK_TIMEOUT_MS))
    if (!isExclusive) return
    lane.drain(old, 0)
    await old.end('reload')
  }

  async #startAgain(powers: BringUpPowers, lane: InstanceLane, generation: Generation): Promise<void> {
    try {
      const again = await powers.spawnInstance(lane, generation)
      await again.start(this.#states.get(lane))
      lane.switchTo(again, 0)
      powers.onReady(lane, again)
    } catch {
      // The lane tries it once more, without the state, and tells its calls what is wrong.
      lane.wake()
    }
  }

  release(): void {
    for (const lane of this.#held) lane.release()
  }
}

/** Settles when it has no call, or at the deadline: what runs then is retried or fails as at a drain. */
async function isWithoutCalls(instance: RunnerInstance, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (instance.inFlightCount > 0 && instance.state === 'ready' && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

import type { GenerationCause, GenerationInfo, ReloadResult } from '../../src/contract/generations.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { KeeperIncident } from '../process/plugin-keeper.ts'
import { PhantomError } from '../../src/contract/phantom-error.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import type { PluginRecord } from '../registry/plugin-record.ts'
import { bringUp, type BringUpPowers, type ReadyInstances } from './bring-up.ts'
import { GateFailure, rejectedError } from './gate-failure.ts'
import { passGates, type GatePowers } from './gates.ts'
import type { Generation } from './generation.ts'
import { generationNotFound, keptFor, trimGenerations } from './kept-generations.ts'
import { Probation } from './probation.ts'
import { PluginTurns } from '../registry/plugin-turns.ts'

export interface RightsProblem {
  readonly reason: string
  /** Made anew it holds what the plugin may now. */
  readonly isPassing: boolean
}

export interface ReloaderPowers extends GatePowers, BringUpPowers {
  readonly limits: () => {
    readonly drainTimeoutMs: number
    readonly probationMs: number
    readonly probationErrorRate: number
    readonly keptGenerations: number
  }
  onIncident(incident: Omit<KeeperIncident, 'generation'> & { generation: Generation | null }): void
  /** Why a generation may not serve with what it was made with, and whether a new one could; null when it may. */
  rightsProblem(plugin: PluginRecord, generation: Generation): RightsProblem | null
  /** False for a plugin that was unloaded or removed. */
  isLoaded(plugin: PluginRecord): boolean
  /** Another generation serves. */
  onSwitched(plugin: PluginRecord, next: Generation): void
}

/**
 * Puts a new generation of a plugin in the place of the one that serves: for changed files, for a changed
 * configuration, and back. One at a time for each plugin; what fails at a gate changes nothing.
 */
export class Reloader {
  readonly #powers: ReloaderPowers
  readonly #turns = new PluginTurns()
  readonly #probation: Probation
  /** Processes of generations that do not serve yet. */
  readonly #coming = new Set<RunnerInstance>()
  /** Their rights changed while a generation came up. */
  readonly #overtaken = new WeakSet<PluginRecord>()
  readonly #bringUpPowers: BringUpPowers
  #isClosed = false

  constructor(powers: ReloaderPowers) {
    this.#powers = powers
    this.#bringUpPowers = {
      spawnInstance: (lane, generation) => this.#spawn(lane, generation),
      trialLane: (plugin) => powers.trialLane(plugin),
      onReady: (lane, instance) => powers.onReady(lane, instance),
    }
    this.#probation = new Probation({
      limits: powers.limits,
      onFailed: (plugin, generation, reason) => void this.#rollBackBy(plugin, generation, reason),
    })
  }

  /** Ends what is on its way. Settles when no process of it is left. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#probation.close()
    await Promise.all(Array.from(this.#coming, (instance) => instance.end('host_shutdown')))
    await this.#turns.allSettled()
  }

  /** Settles when no reload of that plugin is under way. Called for one that goes: none begins any more. */
  async idle(plugin: PluginRecord): Promise<void> {
    this.#probation.forget(plugin)
    await this.#turns.settled(plugin.id)
  }

  /** @throws PhantomError GENERATION_REJECTED with the gate that it failed */
  reload(plugin: PluginRecord, cause: GenerationCause): Promise<ReloadResult> {
    const attempt = (): Promise<ReloadResult> =>
      this.#replace(plugin, cause, () => passGates(this.#powers, plugin, cause))
    return this.#turns.take(plugin.id, async () => {
      this.#overtaken.delete(plugin)
      try {
        return await attempt()
      } catch (error) {
        if (!this.#overtaken.delete(plugin)) throw error
        return await attempt()
      }
    })
  }

  /**
   * Puts the same files in their place with the rights that the plugin holds now. Nothing is tried first: what it may
   * no more must not hang on whether it starts so. Processes that hold what was taken end at once, calls and all.
   */
  regrant(plugin: PluginRecord, isLess: boolean): Promise<void> {
    return this.#turns.take(plugin.id, async () => {
      const { current } = plugin
      if (current === null || !plugin.isEnabled() || !this.#powers.isLoaded(plugin)) return
      const next = await this.#powers.renewGeneration(current, 'permissions')
      if (this.#isClosed || !plugin.isEnabled()) return
      this.#switch(plugin, next, new Map(), isLess ? 0 : this.#powers.limits().drainTimeoutMs)
    })
  }

  /** Ends the processes of that plugin that do not serve yet. */
  async endComing(plugin: PluginRecord): Promise<void> {
    const coming = [...this.#coming].filter(({ generation }) => generation.id === plugin.id)
    await Promise.all(coming.map((instance) => instance.end('operator')))
  }

  /**
   * Brings an earlier generation's files back, as a new generation.
   *
   * @param number the one to bring back; the one that served before unless given
   * @throws PhantomError GENERATION_NOT_FOUND, GENERATION_REJECTED
   */
  rollBack(plugin: PluginRecord, number?: number): Promise<ReloadResult> {
    return this.#turns.take(plugin.id, async () => {
      const target = keptFor(plugin, number)
      if (target === null) throw generationNotFound(plugin, number)
      const before = plugin.current
      const result = await this.#replace(plugin, 'rollback', () => this.#renewed(plugin, target))
      if (before !== null) before.state = 'rolled_back'
      return result
    })
  }

  /** Replaces every process by one of a new generation with the same files: what they hold has changed. */
  renew(plugin: PluginRecord, cause: GenerationCause): Promise<ReloadResult> {
    return this.#turns.take(plugin.id, () =>
      this.#replace(plugin, cause, async () => {
        if (plugin.current === null) return null
        const next = await this.#powers.renewGeneration(plugin.current, cause)
        await this.#powers.checkConfiguration(next)
        return next
      }),
    )
  }

  /** The plugin gave up: one on probation is taken back. */
  gaveUp(plugin: PluginRecord, reason: string): void {
    this.#probation.fail(plugin, reason)
  }

  list(plugin: PluginRecord): GenerationInfo[] {
    const serving = plugin.current === null ? [] : [plugin.current]
    const known = [...plugin.others, ...serving].map((generation) => generation.describe())
    return [...known, ...plugin.rejected].toSorted((one, other) => other.generation - one.generation)
  }

  async #rollBackBy(plugin: PluginRecord, generation: Generation, reason: string): Promise<void> {
    try {
      const { generation: number } = await this.rollBack(plugin)
      generation.failure = { gate: 'probation', message: reason }
      const action = `taken back: generation ${number} has the files from before`
      this.#powers.onIncident({ ...incidentOf('rolled_back', plugin, generation), message: reason, action })
    } catch {
      // No generation to go back to, or it fails too: that was told already, and this one goes on.
    }
  }

  async #renewed(plugin: PluginRecord, of: Generation): Promise<Generation> {
    const refusal = this.#powers.refusalOf(plugin, of.manifest)
    if (refusal !== null) throw new GateFailure('permissions', refusal)
    const next = await this.#powers.renewGeneration(of, 'rollback')
    try {
      await this.#powers.checkConfiguration(next)
    } catch (error) {
      throw new GateFailure('configuration', error, next)
    }
    return next
  }

  async #spawn(lane: InstanceLane, generation: Generation): Promise<RunnerInstance> {
    const instance = await this.#powers.spawnInstance(lane, generation)
    this.#coming.add(instance)
    void instance.gone.then(() => this.#coming.delete(instance))
    if (this.#isClosed) await instance.end('host_shutdown')
    return instance
  }

  #assertLoaded(plugin: PluginRecord): void {
    const what = `Cannot reload "${plugin.id}"`
    if (this.#isClosed) throw new PhantomError('DAEMON_SHUTTING_DOWN', `${what}: the daemon is shutting down`)
    if (this.#powers.isLoaded(plugin)) return
    throw new PhantomError('PLUGIN_NOT_FOUND', `${what}: it was unloaded or removed meanwhile`)
  }

  async #replace(
    plugin: PluginRecord,
    cause: GenerationCause,
    make: () => Promise<Generation | null>,
  ): Promise<ReloadResult> {
    const startedAtMs = performance.now()
    let next: Generation | null = null
    try {
      this.#assertLoaded(plugin)
      const made = await make()
      if (made === null) return resultOf(plugin, { changed: false, startedAtMs })
      next = made
      this.#assertLoaded(plugin)
      await this.#bringUp(plugin, made)
      return resultOf(plugin, { changed: true, startedAtMs })
    } catch (error) {
      if (!(error instanceof GateFailure)) throw error
      // What it failed of is then the end of the daemon, or of the plugin.
      this.#assertLoaded(plugin)
      const generation = next ?? error.generation
      const number = this.#reject(plugin, { generation, cause }, error)
      throw rejectedError(plugin, number, error)
    }
  }

  /** One that was blocked serves nobody yet: its first call tries it, as after a start of the daemon. */
  async #bringUp(plugin: PluginRecord, next: Generation): Promise<void> {
    const { drainTimeoutMs } = this.#powers.limits()
    const switchOver = (nexts: ReadyInstances): void => {
      this.#assertLoaded(plugin)
      const problem = this.#powers.rightsProblem(plugin, next)
      if (problem?.isPassing === true) this.#overtaken.add(plugin)
      if (problem !== null) throw new GateFailure('permissions', problem.reason)
      this.#switch(plugin, next, nexts, drainTimeoutMs)
    }
    if (plugin.state === 'blocked') switchOver(new Map())
    else await bringUp(this.#bringUpPowers, { plugin, next, drainTimeoutMs }, switchOver)
  }

  #switch(plugin: PluginRecord, next: Generation, nexts: ReadyInstances, drainTimeoutMs: number): void {
    const { probationMs } = this.#powers.limits()
    const before = plugin.current
    plugin.current = next
    enable(plugin)
    for (const lane of plugin.lanes.values()) {
      const instance = nexts.get(lane) ?? null
      if (instance !== null || lane.instance?.generation !== next) lane.switchTo(instance, drainTimeoutMs)
    }
    for (const [lane, instance] of nexts) {
      this.#coming.delete(instance)
      // Its lane was given up meanwhile: nobody called there.
      if (lane.instance !== instance) void instance.end('reload')
      else this.#powers.onReady(lane, instance)
    }
    if (before !== null) {
      before.state = 'superseded'
      plugin.others.push(before)
    }
    const isWatched =
      probationMs > 0 &&
      before !== null &&
      before.snapshot !== null &&
      next.cause !== 'rollback' &&
      next.cause !== 'permissions'
    next.state = isWatched ? 'probation' : 'current'
    if (isWatched && !this.#isClosed) this.#probation.watch(plugin, next, before)
    trimGenerations(plugin, this.#powers.limits().keptGenerations)
    this.#powers.onSwitched(plugin, next)
  }

  #reject(
    plugin: PluginRecord,
    { generation, cause }: { generation: Generation | null; cause: GenerationCause },
    { gate, message }: GateFailure,
  ): number {
    const number = generation?.number ?? (plugin.lastGeneration += 1)
    if (generation === null) {
      plugin.rejected.push({
        generation: number,
        state: 'rejected',
        cause,
        version: null,
        digest: null,
        at: new Date().toISOString(),
        failure: { gate, message },
        kept: false,
      })
    } else {
      generation.state = 'rejected'
      generation.failure = { gate, message }
      plugin.others.push(generation)
    }
    trimGenerations(plugin, this.#powers.limits().keptGenerations)
    const action =
      plugin.current === null ? 'it stays as it was' : `generation ${plugin.current.number} goes on serving`
    this.#powers.onIncident({
      ...incidentOf('reload_rejected', plugin, generation),
      message: `generation ${number} failed at "${gate}": ${message}`,
      action,
    })
    return number
  }
}

function incidentOf(kind: KeeperIncident['kind'], plugin: PluginRecord, generation: Generation | null) {
  return { kind, plugin, generation, workspace: null, exit: null }
}

function resultOf(plugin: PluginRecord, run: { changed: boolean; startedAtMs: number }): ReloadResult {
  return {
    plugin_id: plugin.id,
    changed: run.changed,
    generation: plugin.current?.number ?? 0,
    duration_ms: Math.round((performance.now() - run.startedAtMs) * 10) / 10,
  }
}

/** Whatever it was before, it runs now. */
function enable(plugin: PluginRecord): void {
  if (plugin.state === 'enabled') return
  if (plugin.state !== 'discovered') plugin.move('reset')
  plugin.move('manifest_valid')
  plugin.move('rights_granted')
}

import type { HostConfig } from '../config/config-schema.ts'
import type { InstanceLane } from '../execution/instance-lane.ts'
import type { ResourceSample } from '../metrics/resource-monitor.ts'
import type { EndCause } from '../process/exit-reason.ts'
import { isResponsive } from '../process/runner-hooks.ts'
import type { RunnerInstance } from '../process/runner-instance.ts'
import { EagerProcesses } from './eager-processes.ts'
import type { LookClock } from './look-clock.ts'
import { setNice } from './set-nice.ts'

export interface InstanceKeeperOptions {
  readonly clock: LookClock
  readonly lanes: () => Iterable<InstanceLane>
  /** Read at each look: the configuration may change. */
  readonly config: () => Pick<HostConfig, 'execution' | 'throttle'>
  readonly sampleOf: (pid: number) => ResourceSample | null
  readonly onThrottled: (lane: InstanceLane, instance: RunnerInstance, cpuShare: number) => void
}

const LOOK_MS = 500
/** A process without calls that uses less of a core is not asked what it wants: there may be hundreds. */
const IDLE_SHARE = 0.05

interface Watched {
  /** When it was last known to answer, on the monotonic clock. */
  answeredAtMs: number
  isAsked: boolean
  /** Since when it has wanted more than its share; null while it does not. */
  greedySinceMs: number | null
  isNiced: boolean
}

interface Look {
  readonly watched: Watched
  readonly config: ReturnType<InstanceKeeperOptions['config']>
  readonly nowMs: number
}

/**
 * Looks at every running process now and then: stops the one that nobody calls, asks the idle one whether it is still
 * there, and makes the one that wants too much of a core wait for the others. One that is busy has its calls'
 * deadlines.
 */
export class InstanceKeeper {
  readonly #options: InstanceKeeperOptions
  readonly #watched = new WeakMap<RunnerInstance, Watched>()
  readonly #eager = new EagerProcesses()
  readonly #stopLooking: () => void

  constructor(options: InstanceKeeperOptions) {
    this.#options = options
    this.#stopLooking = options.clock.every(LOOK_MS, (nowMs) => this.#look(nowMs))
  }

  close(): void {
    this.#stopLooking()
    this.#eager.close()
  }

  /** Often: those that have calls and used the processor since the last time. */
  lookAtActive(active: readonly RunnerInstance[], nowMs: number): void {
    const mayBeNicer = active.filter((instance) => this.#watched.get(instance)?.isNiced !== true)
    this.#eager.look(mayBeNicer, this.#options.config().throttle, nowMs)
  }

  #look(nowMs: number): void {
    const config = this.#options.config()
    for (const lane of this.#options.lanes()) {
      for (const instance of lane.instances()) {
        const isStandby = lane.standby === instance && instance.isPreloaded
        if (instance.state !== 'ready' && !isStandby) continue
        const watched = this.#watchedOf(instance, instance.figures.readyAtMs ?? nowMs)
        // Of a standby the code is loaded, and may compute for as long as nobody needs it.
        this.#throttle(lane, instance, { watched, config, nowMs })
        if (instance.inFlightCount > 0) watched.answeredAtMs = nowMs
        else if (lane.instance === instance) this.#lookAtIdle(lane, instance, { watched, config, nowMs })
      }
    }
  }

  #watchedOf(instance: RunnerInstance, readyAtMs: number): Watched {
    const known = this.#watched.get(instance)
    if (known !== undefined) return known
    const watched = {
      answeredAtMs: readyAtMs,
      isAsked: false,
      greedySinceMs: null,
      isNiced: false,
    }
    this.#watched.set(instance, watched)
    return watched
  }

  #lookAtIdle(lane: InstanceLane, instance: RunnerInstance, { watched, config, nowMs }: Look): void {
    const { idleTimeoutMs, livenessIntervalMs } = config.execution
    const { activation, idleTimeoutMs: ownMs } = instance.generation.manifest.runtime
    const maxIdleMs = ownMs ?? (activation === 'eager' ? 0 : idleTimeoutMs)
    const idleMs = nowMs - Math.max(instance.lastCallAtMs, instance.figures.readyAtMs ?? nowMs)
    if (maxIdleMs > 0 && idleMs >= maxIdleMs && lane.waitingCount === 0) {
      // Off the lane first: a call that comes now starts another instead of finding this one on its way out.
      lane.stopIdle(instance)
      return
    }
    if (livenessIntervalMs > 0 && !watched.isAsked && nowMs - watched.answeredAtMs >= livenessIntervalMs)
      void this.#ask(instance, watched)
  }

  async #ask(instance: RunnerInstance, watched: Watched): Promise<void> {
    watched.isAsked = true
    const { livenessTimeoutMs } = this.#options.config().execution
    const isThere = await isResponsive(instance, livenessTimeoutMs * slownessOf(instance))
    watched.isAsked = false
    watched.answeredAtMs = performance.now()
    // A call that came meanwhile keeps its loop busy, and has a deadline of its own.
    if (!isThere && instance.state === 'ready' && instance.inFlightCount === 0)
      void instance.end(UNRESPONSIVE)
  }

  #throttle(lane: InstanceLane, instance: RunnerInstance, { watched, config, nowMs }: Look): void {
    const { cpuShare: allowed, windowMs, nice, background } = config.throttle
    if (nice === 0 || watched.isNiced || instance.pid === null) return
    // Not because of what it does: an operator has said that the others come first.
    if (background.includes(lane.plugin.id)) return this.#makeNicer(instance, watched, nice)
    const used = this.#options.sampleOf(instance.pid)?.cpuShare ?? 0
    const isIdle = instance.inFlightCount === 0 && used < IDLE_SHARE
    const share = isIdle ? 0 : Math.max(used, instance.figures.demand?.share(nowMs) ?? 0)
    if (share <= allowed) {
      watched.greedySinceMs = null
      return
    }
    watched.greedySinceMs ??= nowMs
    if (nowMs - watched.greedySinceMs < windowMs) return
    this.#makeNicer(instance, watched, nice)
    if (watched.isNiced) this.#options.onThrottled(lane, instance, share)
  }

  /** Until its end: a nice value is not for everybody to take back. */
  #makeNicer(instance: RunnerInstance, watched: Watched, nice: number): void {
    watched.isNiced = instance.pid !== null && makeNicer(instance, instance.pid, nice)
    if (watched.isNiced) this.#eager.drop(instance)
  }
}

/** What may use a part of a core needs that much longer for the same. */
function slownessOf({ generation }: RunnerInstance): number {
  return Math.max(1, 100 / (generation.limits.maxCpuPercent ?? 100))
}

const UNRESPONSIVE: EndCause = 'unresponsive'

/** A group has a weight of its own; without one each thread is made nicer. */
function makeNicer({ spec: { cgroup } }: RunnerInstance, pid: number, nice: number): boolean {
  if (cgroup === null) return setNice(pid, nice)
  try {
    cgroup.setNice(nice)
    return true
  } catch {
    // It is gone with its process.
    return false
  }
}

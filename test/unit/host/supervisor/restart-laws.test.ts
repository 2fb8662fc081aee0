import { nextInstanceState, type InstanceEvent } from '../../../../host/supervisor/instance-state.ts'
import { nextPluginState } from '../../../../host/supervisor/plugin-state.ts'
import {
  RestartPolicy,
  type ProcessEnding,
  type RestartDecision,
  type RestartPolicyOptions,
} from '../../../../host/supervisor/restart-policy.ts'
import type { ExitClass, InstanceState, PluginState } from '../../../../src/contract/life.ts'
import { forSeeds, holds, SeededRandom } from './seeded-random.ts'

const SEQUENCES = 100_000
const EVENTS_PER_SEQUENCE = 24
const PERIOD_MS = 1000
const RESET_AFTER_MS = 700
const BACKOFF_INITIAL_MS = 50
const BACKOFF_MAX_MS = 400
/** Nothing, a moment, the boundaries and their neighbours, a step back. */
const STEPS_MS = [
  0,
  0,
  1,
  40,
  150,
  RESET_AFTER_MS - 1,
  RESET_AFTER_MS,
  PERIOD_MS - 1,
  PERIOD_MS,
  5000,
  -1,
  -3000,
]
const CLASSES: ExitClass[] = [
  'crash',
  'crash',
  'crash',
  'oom',
  'wall_limit',
  'protocol',
  'expected',
  'killed_by_operator',
  'host_shutdown',
]
const INSTANCE_EVENTS: InstanceEvent[] = ['initialized', 'drain', 'exited', 'wait', 'retry']

interface Instance {
  state: InstanceState
  hasStopped: boolean
}

/** One plugin with its processes, and beside it what the laws need to remember. */
class PluginRun {
  readonly random: SeededRandom
  readonly options: Omit<RestartPolicyOptions, 'random'>
  readonly policy: RestartPolicy
  /** Is never told of a wanted end, and must decide the same. */
  readonly twin: RestartPolicy
  plugin: PluginState = 'enabled'
  instances: Instance[] = []
  clockMs = 10_000
  /** The latest time that was seen: the clock without its steps back. */
  nowMs = 0
  gaveUp: string | null = null
  countedMs: number[] = []
  attempt = 0
  healthySinceMs: number | null = null

  constructor(random: SeededRandom, seed: number) {
    this.random = random
    this.options = {
      policy: random.pick(['permanent', 'transient', 'temporary'] as const),
      intensity: random.below(5),
      periodMs: PERIOD_MS,
      backoffInitialMs: BACKOFF_INITIAL_MS,
      backoffMaxMs: BACKOFF_MAX_MS,
      resetAfterMs: RESET_AFTER_MS,
    }
    this.policy = new RestartPolicy({ ...this.options, random: new SeededRandom(seed).next })
    this.twin = new RestartPolicy({ ...this.options, random: new SeededRandom(seed).next })
  }

  step(): void {
    this.clockMs += this.random.pick(STEPS_MS)
    this.nowMs = Math.max(this.nowMs, this.clockMs)
    this.checkStart()
    const what = this.random.next()
    if (what < 0.25) this.start()
    else if (what < 0.5) this.initialize()
    else if (what < 0.9) this.end()
    else if (what < 0.95) this.meddle()
    else this.reset()
  }

  checkStart(): void {
    const permission = this.policy.mayStart(this.clockMs)
    this.twin.mayStart(this.clockMs)
    if (this.gaveUp !== null) {
      holds('gaveUp' in permission && permission.gaveUp === this.gaveUp, 'nothing starts after it gave up')
    } else if (!permission.ok) {
      holds('waitMs' in permission, 'it gives up by a decision alone')
      holds(permission.waitMs > 0 && permission.waitMs <= BACKOFF_MAX_MS, 'a wait lies within the backoff')
    }
  }

  start(): void {
    if (this.policy.mayStart(this.clockMs).ok) this.instances.push({ state: 'starting', hasStopped: false })
  }

  initialize(): void {
    const instance = this.instances.find(({ state }) => state === 'starting')
    if (instance === undefined) return
    this.move(instance, 'initialized')
    this.policy.onReady(this.clockMs)
    this.twin.onReady(this.clockMs)
    this.healthySinceMs ??= this.nowMs
  }

  end(): void {
    const instance = this.random.pick(this.instances.filter(({ state }) => state !== 'stopped'))
    if (instance === undefined) return
    this.move(instance, 'exited')
    const ending: ProcessEnding = {
      class: this.random.pick(CLASSES),
      deterministic: this.random.chance(0.03),
      wanted: this.random.chance(0.25),
    }
    this.judge(ending, this.policy.onExit(ending, this.clockMs))
  }

  judge(ending: ProcessEnding, decision: RestartDecision): void {
    if (this.gaveUp !== null) {
      holds(decision.kind === 'give_up' && decision.reason === this.gaveUp, 'it stays given up')
      return
    }
    if (ending.wanted || ending.class === 'killed_by_operator' || ending.class === 'host_shutdown') {
      holds(decision.kind === 'stay_down', 'an end that was wanted stays')
      return
    }
    const twin = this.twin.onExit(ending, this.clockMs)
    holds(JSON.stringify(twin) === JSON.stringify(decision), 'wanted ends change no later decision')
    if (ending.deterministic)
      holds(decision.kind === 'give_up', 'what fails the same way again is not retried')
    else if (ending.class === 'expected' && this.options.policy !== 'permanent') {
      holds(decision.kind === 'stay_down', 'a normal end stays down')
    } else this.judgeCounted(decision)
    if (decision.kind !== 'give_up') return
    this.gaveUp = decision.reason
    this.plugin = nextPluginState(this.plugin, 'gave_up')
  }

  judgeCounted(decision: RestartDecision): void {
    const recent = this.countedMs.filter((endMs) => this.nowMs - endMs < PERIOD_MS)
    holds(
      (decision.kind === 'give_up') === recent.length >= this.options.intensity,
      `it gives up exactly with end ${this.options.intensity + 1} of a period`,
    )
    if (decision.kind === 'give_up') return
    this.countedMs = [...recent, this.nowMs]
    const isHealthy = this.healthySinceMs !== null && this.nowMs - this.healthySinceMs >= RESET_AFTER_MS
    this.attempt = isHealthy ? 1 : this.attempt + 1
    this.healthySinceMs = null
    if (decision.kind === 'stay_down') {
      holds(this.options.policy === 'temporary', 'an abnormal end is restarted')
      return
    }
    const ceilingMs =
      this.attempt === 1 ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_INITIAL_MS * 2 ** (this.attempt - 2))
    holds(decision.attempt === this.attempt, 'attempts are counted since it was healthy')
    holds(decision.delayMs >= 0 && decision.delayMs <= ceilingMs, 'a delay lies within its step')
  }

  /** Anything may happen to a process at any time; most of it the table refuses. */
  meddle(): void {
    const instance = this.random.pick(this.instances)
    const event = this.random.pick(INSTANCE_EVENTS)
    // Ends and starts have their own events: they tell the policy.
    if (
      instance === undefined ||
      (instance.state !== 'stopped' && (event === 'exited' || event === 'initialized'))
    )
      return
    const before = instance.state
    try {
      this.move(instance, event)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      holds(instance.state === before, 'a refused event changes nothing')
    }
  }

  move(instance: Instance, event: InstanceEvent): void {
    instance.state = nextInstanceState(instance.state, event)
    holds(!(instance.hasStopped && instance.state === 'ready'), 'nothing is ready after it stopped')
    holds(!instance.hasStopped, 'nothing happens to what stopped')
    instance.hasStopped = instance.state === 'stopped'
  }

  reset(): void {
    if (this.plugin === 'failed') {
      for (const event of ['reset', 'manifest_valid', 'rights_granted'] as const) {
        this.plugin = nextPluginState(this.plugin, event)
      }
    }
    this.policy.reset()
    this.twin.reset()
    this.gaveUp = null
    this.countedMs = []
    this.attempt = 0
    this.healthySinceMs = null
  }
}

describe('the laws of restarting', () => {
  it(`hold over ${SEQUENCES} random lives of a plugin`, () => {
    let decisions = 0
    let failures = 0
    forSeeds(SEQUENCES, (random, seed) => {
      const run = new PluginRun(random, seed)
      for (let n = 0; n < EVENTS_PER_SEQUENCE; n += 1) run.step()
      decisions += run.countedMs.length
      if (run.plugin === 'failed') failures += 1
    })
    // Laws that nothing was tried on would hold as well.
    holds(decisions > SEQUENCES / 4 && failures > SEQUENCES / 20, 'the sequences reach restarts and failures')
  })
})

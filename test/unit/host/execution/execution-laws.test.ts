import { parse } from '../../../helpers/parsed-manifest.ts'
import { CallQueue } from '../../../../host/execution/call-queue.ts'
import { Execution, type ExecutionEvents, type Settlement } from '../../../../host/execution/execution.ts'
import { Generation } from '../../../../host/generations/generation.ts'
import { PluginMetrics } from '../../../../host/metrics/plugin-metrics.ts'
import { PluginRecord, type RunnablePlugin } from '../../../../host/registry/plugin-record.ts'
import { PRIORITIES } from '../../../../src/contract/health.ts'
import { forSeeds, holds, type SeededRandom } from '../supervisor/seeded-random.ts'

const SEQUENCES = 100_000
const EVENTS_PER_SEQUENCE = 16
const MAX_CALLS = 4
const OPERATIONS = ['once', 'again'] as const
/** What may be said of a call, at any time, also when it has its answer. */
const WORDS = ['result', 'fault', 'error', 'deadline', 'cancel', 'death', 'progress'] as const

const INPUT = Buffer.from('{}')
const REASON = new Error('no')

const plugin = runnablePlugin()

/** What a call's caller heard, and the daemon beside him. */
interface Told {
  readonly execution: Execution
  readonly answers: Settlement[]
  counted: number
}

/** Calls that wait, run, are answered and die in any order, and beside them what each of their callers heard. */
class CallsRun implements ExecutionEvents {
  readonly random: SeededRandom
  readonly queue = new CallQueue<Execution>()
  readonly calls: Told[] = []
  nowMs = 1000
  /** Words that came when a call had its answer. */
  late = 0
  retries = 0

  constructor(random: SeededRandom) {
    this.random = random
  }

  step(): void {
    this.nowMs += this.random.below(50)
    if (this.calls.length < MAX_CALLS && this.random.chance(0.3)) this.submit()
    else if (this.random.chance(0.3)) this.handOut()
    else if (this.calls.length > 0) this.say(this.random.pick(this.calls), this.random.pick(WORDS))
  }

  submit(): void {
    const answers: Settlement[] = []
    const call = {
      plugin,
      operation: this.random.pick(OPERATIONS),
      message: null,
      workspace: '/',
      priority: this.random.pick(PRIORITIES),
      caller: {},
      timeoutMs: this.random.chance(0.5) ? 100 : null,
      onProgress: null,
      park: () => false,
      onSettled: (settlement: Settlement) => {
        holds(told.counted === 1, 'the daemon has counted a call when its caller hears')
        answers.push(settlement)
      },
    }
    const start = { input: INPUT, nowMs: this.nowMs, events: this, breaker: null, permit: null }
    const told: Told = { execution: new Execution(call, start), answers, counted: 0 }
    this.calls.push(told)
    this.queue.push(told.execution, this.placeOf(told.execution))
  }

  handOut(): void {
    const execution = this.queue.shift(this.nowMs)
    if (execution === null) return
    holds(!execution.isSettled, 'what has its answer waits no longer')
    execution.beginRun(this.nowMs, plugin.current)
  }

  say(told: Told, word: (typeof WORDS)[number]): void {
    const { execution, answers } = told
    const [first] = answers
    if (execution.isSettled) this.late += 1
    if (word === 'progress') execution.addLog('warn', 'still there')
    else if (word === 'deadline') execution.expire()
    else if (word === 'death' && this.mayRunAgain(execution)) this.runAgain(execution)
    else {
      const wasSettled = execution.isSettled
      const isTaken = execution.settle(this.settlementOf(word), this.nowMs)
      holds(isTaken === !wasSettled, 'an answer is taken where there is none yet')
    }
    holds(answers.length <= 1, 'no call has two answers')
    holds(first === undefined || answers[0] === first, 'the first answer stands')
    holds(execution.isSettled === (answers.length === 1), 'who was answered knows it')
    holds(!execution.isSettled || execution.input === null, 'an answered call holds no input')
  }

  /** Its process died under it: it waits, and runs, once more. */
  runAgain(execution: Execution): void {
    execution.mayRetry = false
    this.queue.pushFront(execution, this.placeOf(execution))
    this.retries += 1
  }

  mayRunAgain(execution: Execution): boolean {
    return !execution.isSettled && execution.mayRetry && execution.dispatchedAtMs > 0
  }

  settlementOf(word: string): Settlement {
    if (word === 'result' || word === 'fault')
      return { kind: 'resolved', result: '{}', payload: null, fault: word === 'fault' ? 'words' : null }
    return { kind: 'rejected', error: REASON }
  }

  onDeadline(execution: Execution): void {
    execution.settle(this.settlementOf('deadline'), this.nowMs)
  }

  onSettled(execution: Execution): void {
    const told = this.calls.find((call) => call.execution === execution)!
    told.counted += 1
    holds(told.counted === 1, 'a call is counted once')
    this.queue.remove(execution)
  }

  placeOf({ call: { priority, caller } }: Execution) {
    return { priority, caller, nowMs: this.nowMs }
  }

  /** The daemon shuts down: whoever waits or runs is answered. */
  finish(): void {
    for (const told of this.calls) this.say(told, 'error')
    for (const { answers, counted } of this.calls)
      holds(answers.length === 1 && counted === 1, 'every call has its one answer')
    holds(this.queue.shift(this.nowMs) === null, 'nothing waits that is answered')
  }
}

function runnablePlugin(): RunnablePlugin {
  const { manifest } = parse(`[plugin]
id = "sample"
name = "Sample"
version = "1.0.0"
type = "javascript"
entry_point = "index.js"
[[operations]]
name = "once"
timeout_ms = 60
[[operations]]
name = "again"
idempotent = true
`)
  const record = new PluginRecord({ id: 'sample', directory: '/', builtin: false }, new PluginMetrics(String))
  record.current = new Generation({
    pluginId: 'sample',
    number: 1,
    cause: 'start',
    directory: '/',
    builtin: false,
    manifest: manifest!,
    held: { permissions: [], runtime: manifest!.runtime, notHeld: [], forbidden: [] },
    backoff: { backoffInitialMs: 1, backoffMaxMs: 1, resetAfterMs: 1 },
    breaker: { failureRate: 1, minCalls: 10, windowMs: 1000, openMs: 1000 },
  })
  return record as RunnablePlugin
}

describe('the laws of answers', function () {
  this.timeout(60_000)

  it(`hold over ${SEQUENCES} random lives of calls: every call has one, and none has two`, () => {
    let [late, retries] = [0, 0]
    forSeeds(SEQUENCES, (random) => {
      const run = new CallsRun(random)
      for (let n = 0; n < EVENTS_PER_SEQUENCE; n += 1) run.step()
      run.finish()
      late += run.late
      retries += run.retries
    })
    holds(late > SEQUENCES / 4 && retries > SEQUENCES / 20, 'the sequences reach late words and retries')
  })
})

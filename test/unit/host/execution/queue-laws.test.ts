import { CallQueue } from '../../../../host/execution/call-queue.ts'
import { PRIORITIES, type Priority } from '../../../../src/contract/health.ts'
import { forSeeds, holds, type SeededRandom } from '../supervisor/seeded-random.ts'

const AGEING_MS = 20
const STEPS_MS = [0, 0, 0, 1, 3, AGEING_MS - 1, AGEING_MS, 3 * AGEING_MS, -5]

interface Call {
  readonly id: number
  readonly caller: number
  readonly priority: Priority
  readonly sinceMs: number
  readonly isRetry: boolean
}

/** A queue, and beside it everything that waits in the order of coming. */
class QueueRun {
  readonly random: SeededRandom
  readonly queue = new CallQueue<Call>({ ageingMs: AGEING_MS })
  readonly callers: number
  readonly hasRetries: boolean
  waiting: Call[] = []
  clockMs = 1000
  nowMs = 0
  pushed = 0
  left = 0

  constructor(random: SeededRandom) {
    this.random = random
    this.callers = 1 + random.below(5)
    this.hasRetries = random.chance(0.5)
  }

  step(): void {
    this.clockMs += this.random.pick(STEPS_MS)
    this.nowMs = Math.max(this.nowMs, this.clockMs)
    const what = this.random.next()
    if (what < 0.5) this.push()
    else if (what < 0.85) this.shift()
    else if (what < 0.98) this.remove()
    else this.drain()
    this.checkFigures()
  }

  push(): void {
    const call: Call = {
      id: this.pushed,
      caller: this.random.below(this.callers),
      priority: this.random.pick(PRIORITIES),
      sinceMs: this.nowMs,
      isRetry: this.hasRetries && this.random.chance(0.2),
    }
    const place = { priority: call.priority, caller: call.caller, nowMs: this.clockMs }
    if (call.isRetry) this.queue.pushFront(call, place)
    else this.queue.push(call, place)
    this.pushed += 1
    this.waiting.push(call)
  }

  shift(): void {
    const call = this.queue.shift(this.clockMs)
    holds((call === null) === (this.waiting.length === 0), 'a call comes while one waits')
    if (call === null) return
    this.leave(call)
    const own = this.waiting.filter((other) => other.caller === call.caller)
    const peers = own.filter((other) => other.priority === call.priority)
    if (call.isRetry)
      holds(!peers.some((other) => other.isRetry && other.id < call.id), 'retries keep their order')
    else
      holds(
        !peers.some((other) => other.isRetry || other.id < call.id),
        'calls of one priority keep their order',
      )
    if (!this.hasRetries) this.checkBest(call, own)
  }

  checkBest(call: Call, own: readonly Call[]): void {
    const level = this.levelOf(call)
    for (const other of own) {
      const otherLevel = this.levelOf(other)
      holds(otherLevel <= level, 'no own call of a higher level is passed')
      holds(
        otherLevel < level || other.sinceMs >= call.sinceMs,
        'no own call of its level that is older is passed',
      )
    }
  }

  levelOf(call: Call): number {
    const steps = Math.floor((this.nowMs - call.sinceMs) / AGEING_MS)
    return Math.min(3, PRIORITIES.indexOf(call.priority) + steps)
  }

  remove(): void {
    const call = this.random.pick(this.waiting)
    if (call === undefined) return
    holds(this.queue.remove(call), 'what waits can be removed')
    holds(!this.queue.remove(call), 'what was removed waits no longer')
    this.leave(call)
  }

  drain(): void {
    for (const call of this.queue.drain()) this.leave(call)
    holds(this.waiting.length === 0, 'draining leaves nothing')
  }

  leave(call: Call): void {
    const index = this.waiting.indexOf(call)
    holds(index !== -1, 'nothing comes out that does not wait')
    this.waiting.splice(index, 1)
    this.left += 1
  }

  checkFigures(): void {
    holds(this.queue.size === this.waiting.length, 'its size is what waits')
    const oldestMs = this.waiting.length === 0 ? 0 : this.nowMs - this.waiting[0]!.sinceMs
    holds(this.queue.oldestMs(this.clockMs) === oldestMs, `its oldest one waits ${oldestMs} ms`)
    const sizes = this.queue.sizes()
    for (const priority of PRIORITIES) {
      const count = this.waiting.filter((call) => call.priority === priority).length
      holds(sizes[priority] === count, `${count} of priority ${priority} wait`)
    }
  }

  finish(): void {
    while (this.waiting.length > 0) this.shift()
    holds(this.queue.shift(this.clockMs) === null, 'nothing comes out twice')
    holds(this.left === this.pushed, 'everything leaves once')
  }
}

describe('the laws of queueing', () => {
  it('hold over 10000 random queues: everything leaves once, each caller in its order', () => {
    forSeeds(10_000, (random) => {
      const run = new QueueRun(random)
      for (let n = 0; n < 60; n += 1) run.step()
      run.finish()
    })
  })

  it('give every other caller one call at most between two of a caller that waits', () => {
    forSeeds(2000, (random) => {
      const queue = new CallQueue<Call>({ ageingMs: AGEING_MS })
      const callers = 2 + random.below(6)
      const waiting = Array.from({ length: callers }, () => 0)
      // For each caller that waits: what the others had since it came or had its own last turn.
      const others = Array.from({ length: callers }, () => new Map<number, number>())
      let nowMs = 0
      for (let id = 0; id < 120; id += 1) {
        nowMs += random.pick([0, 0, 1, AGEING_MS / 2, AGEING_MS, 5 * AGEING_MS])
        // Caller 0 floods.
        const caller = random.chance(0.6) ? 0 : random.below(callers)
        queue.push(callOf(id, { caller, nowMs }), { priority: 'normal', caller, nowMs })
        if (waiting[caller] === 0) others[caller]!.clear()
        waiting[caller]! += 1
        if (random.chance(0.3)) continue
        const served = queue.shift(nowMs)!.caller
        waiting[served]! -= 1
        others[served]!.clear()
        for (const [waiter, turns] of others.entries()) {
          if (waiter === served || waiting[waiter] === 0) continue
          turns.set(served, (turns.get(served) ?? 0) + 1)
          holds(
            turns.get(served)! <= 1,
            `caller ${served} has one turn while caller ${waiter} waits for its next`,
          )
        }
      }
    })
  })

  it('starve nobody: a bound holds for every call while more comes than can go, at any priority', () => {
    let oldest = 0
    forSeeds(300, (random) => {
      const queue = new CallQueue<Call>({ ageingMs: AGEING_MS })
      const callers = 2 + random.below(5)
      const boundOf = new Map<number, number>()
      const own = Array.from({ length: callers }, () => 0)
      // One call goes in a millisecond; caller 0 alone brings as many, all critical.
      for (let nowMs = 0; nowMs < 1500; nowMs += 1) {
        const caller = 1 + random.below(callers - 1)
        for (const call of [
          callOf(2 * nowMs, { caller: 0, priority: 'critical', nowMs }),
          callOf(2 * nowMs + 1, { caller, priority: random.pick(PRIORITIES), nowMs }),
        ]) {
          if (call.caller !== 0 && own[call.caller]! >= 3) continue
          queue.push(call, { priority: call.priority, caller: call.caller, nowMs })
          // A turn each 3 levels and one call of everybody; so many turns as own calls were there, and its own.
          const turns = own[call.caller]! + 1
          boundOf.set(call.id, nowMs + 3 * AGEING_MS + turns * (3 * AGEING_MS + callers))
          own[call.caller]! += 1
        }
        const taken = queue.shift(nowMs)!
        own[taken.caller]! -= 1
        holds(nowMs <= boundOf.get(taken.id)!, `a call of caller ${taken.caller} leaves within its bound`)
        if (taken.caller !== 0) oldest = Math.max(oldest, nowMs - taken.sinceMs)
        boundOf.delete(taken.id)
        if (nowMs % 100 === 0) checkNobodyForgotten(boundOf, nowMs)
      }
    })
    // A bound that nothing comes near would say nothing about ageing.
    holds(oldest > 3 * AGEING_MS, 'some call had to age to the top')
  })
})

function checkNobodyForgotten(boundOf: ReadonlyMap<number, number>, nowMs: number): void {
  for (const [id, boundMs] of boundOf) holds(nowMs <= boundMs, `call ${id} does not wait beyond its bound`)
}

function callOf(id: number, of: { caller: number; priority?: Priority; nowMs: number }): Call {
  return { id, caller: of.caller, priority: of.priority ?? 'normal', sinceMs: of.nowMs, isRetry: false }
}

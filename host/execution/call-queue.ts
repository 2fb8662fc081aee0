import { PRIORITIES, type Priority } from '../../src/contract/health.ts'
import { CallerQueue, type CallerKey, type QueueEntry } from './caller-queue.ts'

const DEFAULT_AGEING_MS = 1000
const TOP_RANK = PRIORITIES.length - 1
const INDEX_OF = { low: 0, normal: 1, high: 2, critical: 3 } as const satisfies Record<Priority, number>

export interface QueuePlace {
  readonly priority: Priority
  /** Not held longer than it has something waiting. */
  readonly caller: CallerKey
  readonly nowMs: number
}

/**
 * Calls that wait, in an order that starves nobody. Two rules, so that a flood ages its own calls alone:
 *
 * - Between callers: turns go by rank. A caller's rank is the highest priority it has waiting, one more for each
 *   `ageingMs` that it waits for a turn. Callers of one rank take turns, one call each.
 * - Within one caller: the call of the highest priority, one more for each `ageingMs` that the call waits; the older
 *   one where two are equal. Calls of one priority leave in the order they came.
 *
 * So a caller has a turn after three times `ageingMs` and one call of every other caller at the latest, and a call
 * that is three times `ageingMs` old is passed by older ones of its own caller alone. Putting and taking are O(1), ageing
 * is amortised: a caller rises three ranks at most between two turns. A clock that goes back is taken to stand still.
 */
export class CallQueue<T> {
  readonly #ageingMs: number
  /**
   * In the order of pushing, without the newest one; callers likewise. With one client that calls, is answered and
   * calls again the maps stay empty: filling and emptying them would be half of all the work.
   */
  readonly #entries = new Map<T, QueueEntry<T>>()
  #newestEntry: QueueEntry<T> | null = null
  readonly #callers = new Map<CallerKey, CallerQueue<T>>()
  #newestCaller: CallerQueue<T> | null = null
  /** Callers by rank, in the order of their coming to that rank: who waits longest for a turn is first. */
  readonly #first: (CallerQueue<T> | null)[] = [null, null, null, null]
  readonly #last: (CallerQueue<T> | null)[] = [null, null, null, null]
  readonly #sizes = [0, 0, 0, 0]
  /** Nobody rises before this. */
  #nextRiseMs = Number.POSITIVE_INFINITY
  /** A record without a caller: one that comes and goes with every call costs no new one. */
  #spare: CallerQueue<T> | null = null
  #nowMs = 0

  constructor(options: { ageingMs?: number } = {}) {
    this.#ageingMs = options.ageingMs ?? DEFAULT_AGEING_MS
  }

  get size(): number {
    return this.#entries.size + (this.#newestEntry === null ? 0 : 1)
  }

  /** @throws RangeError for an item that waits already. */
  push(item: T, place: QueuePlace): void {
    const entry = this.#admit(item, place)
    const { caller, priority } = entry
    caller.add(entry)
    if (priority > caller.rank) this.#moveToEnd(caller, priority)
  }

  /**
   * Before everything of its priority, other callers' included, but behind what the same caller had put there.
   *
   * @throws RangeError for an item that waits already.
   */
  pushFront(item: T, place: QueuePlace): void {
    const entry = this.#admit(item, place)
    const { caller, priority } = entry
    caller.addInFront(entry)
    if (priority >= caller.rank) this.#moveToStart(caller, priority)
  }

  /** The next call; null where none waits. */
  shift(nowMs: number): T | null {
    this.#advance(nowMs)
    let rank = TOP_RANK
    while (rank > 0 && this.#first[rank] === null) rank -= 1
    const caller = this.#first[rank]!
    if (caller === null) return null
    const entry = caller.best(this.#nowMs, this.#ageingMs)!
    this.#take(entry)
    if (caller.count > 0) this.#moveToEnd(caller, caller.topPriority)
    return entry.item
  }

  /** Whether it waited. A caller that loses its only call of its highest priority begins again to wait for a turn. */
  remove(item: T): boolean {
    const entry = this.#newestEntry?.item === item ? this.#newestEntry : this.#entries.get(item)
    if (entry === undefined) return false
    const { caller, priority } = entry
    this.#take(entry)
    if (caller.count > 0 && caller.topPriority < priority) this.#moveToEnd(caller, caller.topPriority)
    return true
  }

  sizes(): Record<Priority, number> {
    const [low, normal, high, critical] = this.#sizes as [number, number, number, number]
    return { low, normal, high, critical }
  }

  /** How long the one waits that was put here first; 0 where none waits. */
  oldestMs(nowMs: number): number {
    this.#advance(nowMs)
    for (const entry of this.#entries.values()) return this.#nowMs - entry.pushedMs
    return this.#newestEntry === null ? 0 : this.#nowMs - this.#newestEntry.pushedMs
  }

  /** Empties it, in the order of pushing. */
  drain(): T[] {
    const items = [...this.#entries.keys()]
    if (this.#newestEntry !== null) items.push(this.#newestEntry.item)
    this.#entries.clear()
    this.#newestEntry = null
    this.#callers.clear()
    this.#newestCaller = null
    this.#first.fill(null)
    this.#last.fill(null)
    this.#sizes.fill(0)
    this.#nextRiseMs = Number.POSITIVE_INFINITY
    return items
  }

  #advance(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs
    if (this.#nowMs >= this.#nextRiseMs) this.#raise()
  }

  /** Raises who has waited long enough, the earliest first, as if each had risen at its own moment. */
  #raise(): void {
    for (;;) {
      let earliest: CallerQueue<T> | null = null
      for (let rank = TOP_RANK - 1; rank >= 0; rank -= 1) {
        const caller = this.#first[rank]!
        if (caller !== null && (earliest === null || caller.rankSinceMs < earliest.rankSinceMs))
          earliest = caller
      }
      this.#nextRiseMs = earliest === null ? Number.POSITIVE_INFINITY : earliest.rankSinceMs + this.#ageingMs
      if (earliest === null || this.#nextRiseMs > this.#nowMs) return
      this.#unlink(earliest)
      this.#link(earliest, earliest.rank + 1, earliest.rankSinceMs + this.#ageingMs)
    }
  }

  #admit(item: T, place: QueuePlace): QueueEntry<T> {
    const newest = this.#newestEntry
    if (newest?.item === item || this.#entries.has(item)) {
      throw new RangeError('Cannot queue an item twice: it waits already')
    }
    this.#advance(place.nowMs)
    const priority = INDEX_OF[place.priority]
    const caller = this.#callerOf(place.caller, priority)
    const nowMs = this.#nowMs
    const entry = { item, caller, priority, pushedMs: nowMs, sinceMs: nowMs, next: null, previous: null }
    if (newest !== null) this.#entries.set(newest.item, newest)
    this.#newestEntry = entry
    this.#sizes[priority]! += 1
    return entry
  }

  #callerOf(key: CallerKey, priority: number): CallerQueue<T> {
    const newest = this.#newestCaller
    if (newest !== null && newest.key === key) return newest
    const known = this.#callers.get(key)
    if (known !== undefined) return known
    const caller = this.#spare ?? new CallerQueue<T>()
    this.#spare = null
    caller.key = key
    if (newest !== null) this.#callers.set(newest.key, newest)
    this.#newestCaller = caller
    this.#link(caller, priority, this.#nowMs)
    return caller
  }

  /** Takes an entry out; a caller without any other goes with it. */
  #take(entry: QueueEntry<T>): void {
    const { caller } = entry
    caller.take(entry)
    if (this.#newestEntry === entry) this.#newestEntry = null
    else this.#entries.delete(entry.item)
    this.#sizes[entry.priority]! -= 1
    if (caller.count > 0) return
    this.#unlink(caller)
    if (this.#newestCaller === caller) this.#newestCaller = null
    else this.#callers.delete(caller.key)
    caller.key = 0
    this.#spare = caller
  }

  #moveToEnd(caller: CallerQueue<T>, rank: number): void {
    if (this.#last[rank] === caller) {
      caller.rankSinceMs = this.#nowMs
      return
    }
    this.#unlink(caller)
    this.#link(caller, rank, this.#nowMs)
  }

  /** As old in that rank as the first of it, or those behind would rise later than they should. */
  #moveToStart(caller: CallerQueue<T>, rank: number): void {
    const first = this.#first[rank]!
    if (first === caller) return
    this.#unlink(caller)
    if (first === null) {
      this.#link(caller, rank, this.#nowMs)
      return
    }
    caller.rank = rank
    caller.rankSinceMs = first.rankSinceMs
    caller.next = first
    first.previous = caller
    this.#first[rank] = caller
  }

  #link(caller: CallerQueue<T>, rank: number, sinceMs: number): void {
    const last = this.#last[rank]!
    caller.rank = rank
    caller.rankSinceMs = sinceMs
    caller.previous = last
    if (last === null) this.#first[rank] = caller
    else last.next = caller
    this.#last[rank] = caller
    if (rank < TOP_RANK) this.#nextRiseMs = Math.min(this.#nextRiseMs, sinceMs + this.#ageingMs)
  }

  #unlink(caller: CallerQueue<T>): void {
    const { rank, next, previous } = caller
    if (previous === null) this.#first[rank] = next
    else previous.next = next
    if (next === null) this.#last[rank] = previous
    else next.previous = previous
    caller.next = null
    caller.previous = null
  }
}

import { PRIORITIES } from '../../src/contract/health.ts'

const TOP_PRIORITY = PRIORITIES.length - 1

/** Who asks: whatever tells one client from another. */
export type CallerKey = number | object

export interface QueueEntry<T> {
  readonly item: T
  readonly caller: CallerQueue<T>
  /** Index in PRIORITIES. */
  readonly priority: number
  readonly pushedMs: number
  /** Its age counts from here: when it came, or for one put in front the age of the one it was put before. */
  sinceMs: number
  next: QueueEntry<T> | null
  previous: QueueEntry<T> | null
}

/**
 * Everything that one caller has waiting: a list for each priority, oldest first. The ring of callers that it stands
 * in belongs to CallQueue.
 */
export class CallerQueue<T> {
  key: CallerKey = 0
  count = 0
  /** Among callers: the highest priority it has waiting, raised while it waits for a turn. */
  rank = 0
  rankSinceMs = 0
  next: CallerQueue<T> | null = null
  previous: CallerQueue<T> | null = null
  readonly #first: (QueueEntry<T> | null)[] = [null, null, null, null]
  readonly #last: (QueueEntry<T> | null)[] = [null, null, null, null]
  /** The last of those that were put in front and still wait; they are the first of their list. */
  readonly #lastInFront: (QueueEntry<T> | null)[] = [null, null, null, null]

  /** Index in PRIORITIES of the highest one that waits; -1 where nothing does. */
  get topPriority(): number {
    let priority = TOP_PRIORITY
    while (priority >= 0 && this.#first[priority] === null) priority -= 1
    return priority
  }

  add(entry: QueueEntry<T>): void {
    const { priority } = entry
    this.#insert(entry, this.#last[priority]!, null)
  }

  /** Before all of its priority, but behind what was put there before. */
  addInFront(entry: QueueEntry<T>): void {
    const { priority } = entry
    const previous = this.#lastInFront[priority]!
    const next = previous === null ? this.#first[priority]! : previous.next
    if (next !== null) entry.sinceMs = next.sinceMs
    this.#insert(entry, previous, next)
    this.#lastInFront[priority] = entry
  }

  take(entry: QueueEntry<T>): void {
    const { priority, next, previous } = entry
    if (previous === null) this.#first[priority] = next
    else previous.next = next
    if (next === null) this.#last[priority] = previous
    else next.previous = previous
    if (this.#lastInFront[priority] === entry) this.#lastInFront[priority] = previous
    this.count -= 1
  }

  /** The highest priority, one more for each `ageingMs` that it waits; the older one where two are equal. */
  best(nowMs: number, ageingMs: number): QueueEntry<T> | null {
    let best: QueueEntry<T> | null = null
    let bestLevel = -1
    for (let priority = TOP_PRIORITY; priority >= 0; priority -= 1) {
      const entry = this.#first[priority]!
      if (entry === null) continue
      const level = Math.min(TOP_PRIORITY, priority + Math.floor((nowMs - entry.sinceMs) / ageingMs))
      if (level < bestLevel || (level === bestLevel && entry.sinceMs >= best!.sinceMs)) continue
      best = entry
      bestLevel = level
    }
    return best
  }

  #insert(entry: QueueEntry<T>, previous: QueueEntry<T> | null, next: QueueEntry<T> | null): void {
    const { priority } = entry
    entry.previous = previous
    entry.next = next
    if (previous === null) this.#first[priority] = entry
    else previous.next = entry
    if (next === null) this.#last[priority] = entry
    else next.previous = entry
    this.count += 1
  }
}

import type { CallFigures, HistoryEntry } from '../../src/contract/health.ts'
import { TimeHistogram } from './time-histogram.ts'

export type Outcome = HistoryEntry['outcome']

/** What became of calls, and how long those took that the plugin worked on. */
export class CallCounters {
  readonly #counts: Record<Outcome, number> = { succeeded: 0, failed: 0, rejected: 0, cancelled: 0 }
  /** Made with the first time: many operations are only ever refused. */
  #times: TimeHistogram | null = null

  /** `timeMs` is null for a call that never reached the plugin: a refusal in no time would flatter its figures. */
  record(outcome: Outcome, timeMs: number | null): void {
    this.#counts[outcome] += 1
    if (timeMs === null) return
    this.#times ??= new TimeHistogram()
    this.#times.record(timeMs)
  }

  /** Takes the other's calls in; the other stays as it is. */
  merge(other: CallCounters): void {
    for (const outcome of OUTCOMES) this.#counts[outcome] += other.#counts[outcome]
    if (other.#times === null) return
    this.#times ??= new TimeHistogram()
    this.#times.merge(other.#times)
  }

  figures(): CallFigures {
    const { succeeded, failed, rejected, cancelled } = this.#counts
    const answered = succeeded + failed + rejected
    return {
      total: answered + cancelled,
      succeeded,
      failed,
      rejected,
      cancelled,
      success_rate: answered === 0 ? null : succeeded / answered,
      error_rate: answered === 0 ? null : (failed + rejected) / answered,
      times: this.#times?.figures() ?? null,
    }
  }
}

const OUTCOMES: readonly Outcome[] = ['succeeded', 'failed', 'rejected', 'cancelled']

import type { Bomb } from './questions.ts'
import { median } from './statistics.ts'

/** One measured value. `subject` is a design, a launcher, or what else a goal compares with. */
export interface Sample {
  part: string
  subject: string
  measurement: Measurement
  round: number
  value: number
}

/** What could not be measured, and why; the other subjects go on without it. */
export interface Failure {
  part: string
  subject: string
  round: number
  message: string
}

/** Name, with its unit: `us` microseconds, `per_s` calls a second, `percent` of one core. */
export type Measurement =
  | `latency_${PayloadName}_${'p50' | 'p99'}_us`
  | 'throughput_100b_per_s'
  | 'cpu_100b_us'
  | 'daemon_peak_64mb_bytes'
  | 'daemon_before_64mb_bytes'
  | 'ready_ms'
  | 'idle_private_bytes'
  | ReloadMeasurement
  | `take_over_${'next' | 'waiting' | 'noticing'}_ms`
  | `idle_${'all' | 'daemon' | 'runners'}_percent`
  | 'watching_daemon_percent'
  | `installed_${'first' | 'again'}_ready_ms`
  | `installed_${'peak' | 'settled'}_bytes`
  | `beside_trouble_${'p50' | 'p99'}_us`
  | 'flood_per_s'
  | `bomb_${Bomb}_${'p50' | 'p99'}_us`
  | 'bomb_memory_over_bytes'
  | 'bomb_wall_over_ms'
  | `wasm_${'100b' | '64kb'}_${'p50' | 'p99'}_us`
  | 'wasm_load_ms'
  | 'native_ready_ms'
  | `native_100b_${'p50' | 'p99'}_us`
  | 'native_idle_private_bytes'
  | `get_${'http' | 'fetch'}_${'p50' | 'p99'}_us`
export type PayloadName = '100b' | '10kb' | '1mb'
type ReloadMeasurement =
  | `reload_${'call' | 'file' | 'loaded'}_ms`
  | `reload_${'calls' | 'lost' | 'doubled'}_count`
  | `throughput_${'steady' | 'reloading'}_per_s`

export interface Figure {
  best: number
  median: number
  worst: number
}

export class Findings {
  readonly samples: Sample[] = []
  readonly failures: Failure[] = []
  /** Isolation of our runners; null before one ran. */
  tier: string | null = null
  #part = ''
  readonly #broken = new Set<string>()

  /** A new part of the bench: whoever failed in the one before gets another chance. */
  begin(part: string): void {
    this.#part = part
    this.#broken.clear()
  }

  /** A subject that failed is left out for the rest of the part: each try may cost a timeout. */
  isBroken(subject: string): boolean {
    return this.#broken.has(subject)
  }

  add(subject: string, measurement: Measurement, round: number, value: number): void {
    this.samples.push({ part: this.#part, subject, measurement, round, value })
  }

  /** Runs `work`; its failure is the subject's, not the bench's. */
  async attempt(subject: string, round: number, work: () => Promise<void>): Promise<void> {
    if (this.isBroken(subject)) return
    try {
      await work()
    } catch (error) {
      this.#broken.add(subject)
      const message = error instanceof Error ? error.message : String(error)
      this.failures.push({ part: this.#part, subject, round, message })
    }
  }

  figure(subject: string, measurement: Measurement): Figure | undefined {
    const values = this.samples
      .filter((sample) => sample.subject === subject && sample.measurement === measurement)
      .map((sample) => sample.value)
    if (values.length === 0) return undefined
    const [least, most] = [Math.min(...values), Math.max(...values)]
    const isMoreBetter = measurement.endsWith('_per_s')
    return {
      best: isMoreBetter ? most : least,
      median: median(values),
      worst: isMoreBetter ? least : most,
    }
  }
}

import type { TimeFigures } from '../../src/contract/health.ts'

/** The finest time told apart, 10 µs; what is shorter counts as about that. */
const UNITS_PER_MS = 100
/** The longest time told apart, 24 h, the longest deadline that a call may have; what is longer counts as that. */
const LONGEST_UNITS = 86_400_000 * UNITS_PER_MS
/** Linear steps in each power of two: the middle of a step is at most 1/64 (1.6 %) away from any time in it. */
const STEP_BITS = 5
const STEPS = 1 << STEP_BITS
/** In the upper word of a float64: 20 bits of mantissa, of which the first 5 are the step, then the exponent. */
const STEP_SHIFT = 20 - STEP_BITS
const EXPONENT_BIAS = 1023 << STEP_BITS
const MAX_COUNT = 0xffff_ffff
const QUANTILES = [0.5, 0.95, 0.99] as const
/** Beyond that the histogram knows nothing. */
const SIGNIFICANT_DIGITS = 5

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)
/** Which of the two words holds the exponent depends on the machine's byte order. */
const UPPER_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0
const BUCKETS = bucketOf(LONGEST_UNITS) + 1

/**
 * Durations in constant memory (4.2 KiB): log-linear buckets, so that a quantile is off by at most 2 % between
 * 10 µs and 24 h. Mean and maximum are exact.
 */
export class TimeHistogram {
  readonly #counts = new Uint32Array(BUCKETS)
  /** Of all buckets: `#total` until one of them was full. */
  #weight = 0
  #total = 0
  #sumMs = 0
  #maxMs = 0

  /** A time that is none (negative, NaN) counts as 0. */
  record(ms: number): void {
    const timeMs = ms > 0 ? ms : 0
    const bucket = bucketOf(Math.min(Math.max(timeMs * UNITS_PER_MS, 1), LONGEST_UNITS))
    if (this.#counts[bucket] === MAX_COUNT) this.#halve()
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#weight += 1
    this.#total += 1
    this.#sumMs += timeMs
    if (timeMs > this.#maxMs) this.#maxMs = timeMs
  }

  /** Null before the first time. */
  figures(): TimeFigures | null {
    if (this.#total === 0) return null
    const [p50, p95, p99] = this.#quantiles()
    const maxMs = rounded(this.#maxMs)
    const within = (ms: number | undefined) => Math.min(rounded(ms ?? 0), maxMs)
    return {
      mean_ms: within(this.#sumMs / this.#total),
      p50_ms: within(p50),
      p95_ms: within(p95),
      p99_ms: within(p99),
      max_ms: maxMs,
    }
  }

  /** Takes the other's times in; the other stays as it is. */
  merge(other: TimeHistogram): void {
    // A sum may be too much for a bucket: then both lose half their weight.
    const isTooMuch = this.#weight + other.#weight > MAX_COUNT
    this.#weight = 0
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const sum = (this.#counts[bucket] ?? 0) + (other.#counts[bucket] ?? 0)
      this.#counts[bucket] = isTooMuch ? Math.ceil(sum / 2) : sum
      this.#weight += this.#counts[bucket] ?? 0
    }
    this.#total += other.#total
    this.#sumMs += other.#sumMs
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs)
  }

  /** A bucket is full, after 2^32 times: all lose half their weight, so the shape stays and the old fades. */
  #halve(): void {
    this.#weight = 0
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const half = Math.ceil((this.#counts[bucket] ?? 0) / 2)
      this.#counts[bucket] = half
      this.#weight += half
    }
  }

  /** By nearest rank, each the middle of its bucket. */
  #quantiles(): number[] {
    const found: number[] = []
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS && found.length < QUANTILES.length; bucket += 1) {
      seen += this.#counts[bucket] ?? 0
      while (
        found.length < QUANTILES.length &&
        seen >= Math.ceil((QUANTILES[found.length] ?? 1) * this.#weight)
      ) {
        found.push(middleOf(bucket))
      }
    }
    return found
  }
}

/** `units` from 1 on: exponent and first bits of the mantissa are the bucket's number as they stand in the float. */
function bucketOf(units: number): number {
  float[0] = units
  return ((words[UPPER_WORD] ?? 0) >>> STEP_SHIFT) - EXPONENT_BIAS
}

function middleOf(bucket: number): number {
  const octave = 2 ** (bucket >>> STEP_BITS)
  return (octave * (1 + ((bucket % STEPS) + 0.5) / STEPS)) / UNITS_PER_MS
}

function rounded(ms: number): number {
  return Number(ms.toPrecision(SIGNIFICANT_DIGITS))
}

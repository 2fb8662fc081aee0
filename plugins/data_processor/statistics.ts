import { DataProblem } from './pipeline-error.ts'

/** What statistics say about numbers; null where there are too few of them to say it. */
export interface Statistics {
  readonly count: number
  readonly mean: number | null
  /** Sample standard deviation: divided by n - 1. */
  readonly sd: number | null
  readonly min: number | null
  readonly q1: number | null
  readonly median: number | null
  readonly q3: number | null
  readonly max: number | null
}

export interface Spread {
  readonly mean: number
  /** Sample standard deviation; 0 where there is one number only. */
  readonly sd: number
  readonly min: number
  readonly max: number
}

export function statisticsOf(numbers: Float64Array): Statistics {
  const count = numbers.length
  if (count === 0) {
    return { count, mean: null, sd: null, min: null, q1: null, median: null, q3: null, max: null }
  }
  const { mean, sd, min, max } = spreadOf(numbers)
  const sorted = numbers.toSorted()
  const [q1, median, q3] = [0.25, 0.5, 0.75].map((share) => quantileOf(sorted, share)) as [
    number,
    number,
    number,
  ]
  return { count, mean, sd: count > 1 ? sd : null, min, q1, median, q3, max }
}

/**
 * Of at least one number. The corrected two-pass algorithm (Chan, Golub and LeVeque, 1983): differences from the
 * first number keep a large common offset out of the sums, and dividing by the largest deviation keeps the
 * squares of very large or very small numbers inside the range of a double. Compared with the certified values of NIST:
 * see the README.
 */
export function spreadOf(numbers: Float64Array): Spread {
  const count = numbers.length
  const origin = numbers[0]!
  let [min, max, sum] = [origin, origin, 0]
  for (const value of numbers) {
    if (value < min) min = value
    if (value > max) max = value
    sum += value - origin
  }
  const roughMean = origin + sum / count
  const scale = Math.max(max - roughMean, roughMean - min)
  if (!Number.isFinite(scale) || !Number.isFinite(max - min)) {
    throw new DataProblem(
      `the numbers of its field lie too far apart, from ${min} to ${max}. Scale them down first`,
    )
  }
  if (scale === 0) return { mean: origin, sd: 0, min, max }
  const { first, second } = momentsAround(numbers, roughMean, scale)
  const variance = count > 1 ? (second - (first * first) / count) / (count - 1) : 0
  return { mean: roughMean + (scale * first) / count, sd: scale * Math.sqrt(Math.max(0, variance)), min, max }
}

function momentsAround(
  numbers: Float64Array,
  center: number,
  scale: number,
): { first: number; second: number } {
  let [first, second, lost] = [0, 0, 0]
  for (const value of numbers) {
    const deviation = (value - center) / scale
    first += deviation
    // Compensated (Kahan, 1965): the last digit of a sum of thousands of squares would be lost.
    const term = deviation * deviation - lost
    const sum = second + term
    lost = sum - second - term
    second = sum
  }
  return { first, second }
}

/** Linear interpolation between the two nearest ranks: type 7 of R, the default of NumPy and Excel too. */
function quantileOf(sorted: Float64Array, share: number): number {
  const position = (sorted.length - 1) * share
  const below = Math.floor(position)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (position - below)
}

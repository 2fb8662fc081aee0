/** The operations written once more, straight from their definitions, for the tests to compare with. */
export type Row = Record<string, unknown>

export interface Step {
  operation_type: string
  operation_name: string
  parameters: Record<string, unknown>
}

export function filter(operation_name: string, parameters: Record<string, unknown>): Step {
  return { operation_type: 'Filter', operation_name, parameters }
}

export function transform(operation_name: string, parameters: Record<string, unknown>): Step {
  return { operation_type: 'Transform', operation_name, parameters }
}

export function statistics(field: string): Step {
  return { operation_type: 'Analyze', operation_name: 'statistics', parameters: { field } }
}

/** What one Analyze step adds to the result: count, missing, mean, sd, min, q1, median, q3, max. */
export function analysisOf(step: number, field: string, figures: readonly (number | null)[]): Row {
  const [count, missing, mean, sd, min, q1, median, q3, max] = figures
  return { step, operation: 'statistics', field, count, missing, mean, sd, min, q1, median, q3, max }
}

/** Mulberry32: the same numbers in every run. */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export function naiveStatistics(numbers: readonly number[]) {
  const n = numbers.length
  if (n === 0)
    return { count: 0, mean: null, sd: null, min: null, q1: null, median: null, q3: null, max: null }
  const mean = numbers.reduce((sum, x) => sum + x) / n
  const sd =
    n < 2 ? null : Math.sqrt(numbers.map((x) => (x - mean) ** 2).reduce((sum, x) => sum + x) / (n - 1))
  const sorted = numbers.toSorted((a, b) => a - b)
  // R's documentation: Q(p) = (1 - g) x[j] + g x[j + 1], j = floor(np + m), m = 1 - p, g = np + m - j, from 1.
  const quantile = (p: number): number => {
    const rank = n * p + 1 - p
    const j = Math.floor(rank)
    return (1 - (rank - j)) * sorted[j - 1]! + (rank - j) * (sorted[j] ?? 0)
  }
  const [q1, median, q3] = [quantile(0.25), quantile(0.5), quantile(0.75)]
  return { count: n, mean, sd, min: Math.min(...numbers), q1, median, q3, max: Math.max(...numbers) }
}

export function naiveNumbers(rows: readonly Row[], field: string): number[] {
  return rows.map((row) => row[field]).filter((value) => typeof value === 'number')
}

export function naiveRange(rows: readonly Row[], field: string, min: number, max: number): Row[] {
  return rows.filter((row) => typeof row[field] === 'number' && row[field] >= min && row[field] <= max)
}

export function naiveNormalize(rows: readonly Row[], field: string, method: 'min_max' | 'z_score'): Row[] {
  const numbers = naiveNumbers(rows, field)
  const { mean, sd, min, max } = naiveStatistics(numbers)
  const normalized = (x: number): number => {
    if (min === max) return 0
    return method === 'min_max' ? (x - min!) / (max! - min!) : (x - mean!) / sd!
  }
  return rows.map((row) => ({
    ...row,
    [field]: typeof row[field] === 'number' ? normalized(row[field]) : null,
  }))
}

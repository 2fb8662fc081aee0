import { expect } from 'chai'
import { TimeHistogram } from '../../../../host/metrics/time-histogram.ts'

const HOUR_MS = 3_600_000

function filled(times: readonly number[]): TimeHistogram {
  const histogram = new TimeHistogram()
  for (const ms of times) histogram.record(ms)
  return histogram
}

/** Nearest rank. */
function exactQuantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1]!
}

/** Repeatable: multiply with carry. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('TimeHistogram', () => {
  const random = randomFrom(7)
  const distributions: Record<string, () => number> = {
    'evenly up to 1 ms': () => random() + 0.01,
    'log-evenly from 10 µs to 24 h': () => 0.01 * 10 ** (random() * Math.log10(24 * HOUR_MS * 100)),
    'mostly 2 ms, one in fifty 900 ms': () => (random() < 0.02 ? 900 : 2) * (1 + random() / 10),
    'around a power of two': () => 40.96 * (1 + (random() - 0.5) / 100),
  }

  for (const [name, draw] of Object.entries(distributions)) {
    it(`gives quantiles within 2 % of the exact ones, times spread ${name}`, () => {
      const times = Array.from({ length: 20_000 }, draw)
      const figures = filled(times).figures()!
      expect(figures.p50_ms).to.be.closeTo(exactQuantile(times, 0.5), exactQuantile(times, 0.5) * 0.02)
      expect(figures.p95_ms).to.be.closeTo(exactQuantile(times, 0.95), exactQuantile(times, 0.95) * 0.02)
      expect(figures.p99_ms).to.be.closeTo(exactQuantile(times, 0.99), exactQuantile(times, 0.99) * 0.02)
      const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length
      expect(figures.mean_ms).to.be.closeTo(mean, mean * 1e-4)
      expect(figures.max_ms).to.be.closeTo(Math.max(...times), Math.max(...times) * 1e-4)
    })
  }

  it('is within 2 % for every single time from 10 µs to 24 h, each between a shorter and a longer one', () => {
    for (let ms = 0.01; ms <= 24 * HOUR_MS; ms *= 1.013) {
      const figures = filled([0.005, ms, 30 * HOUR_MS]).figures()!
      expect(figures.p50_ms, `${ms} ms`).to.be.closeTo(ms, ms * 0.02)
    }
  })

  it('says nothing before the first time', () => {
    expect(new TimeHistogram().figures()).to.equal(null)
  })

  it('takes times that are none, too short or too long without harm', () => {
    expect(filled([NaN, -5, 0]).figures()).to.eql({ mean_ms: 0, p50_ms: 0, p95_ms: 0, p99_ms: 0, max_ms: 0 })
    const figures = filled([Infinity, 1e300]).figures()!
    expect(figures.p50_ms).to.be.closeTo(24 * HOUR_MS, 24 * HOUR_MS * 0.02)
    expect(figures.max_ms).to.equal(Infinity)
  })

  it('never gives a quantile above the longest time', () => {
    expect(filled([1.0001]).figures()).to.include({ p50_ms: 1.0001, p99_ms: 1.0001, max_ms: 1.0001 })
  })

  it('merges into what one histogram of all times would say, and leaves the other alone', () => {
    const [one, two] = [
      Array.from({ length: 500 }, random),
      Array.from({ length: 3000 }, () => 50 * random()),
    ]
    const histogram = filled(one)
    const other = filled(two)
    const before = other.figures()
    histogram.merge(other)
    expect(histogram.figures()).to.eql(filled([...one, ...two]).figures())
    expect(other.figures()).to.eql(before)
  })

  it('keeps its shape when its counters are full', () => {
    // Doubled 40 times: 4·10¹² times, far past what a counter of 32 bits takes.
    const histogram = filled([1, 1, 1, 100])
    for (let round = 0; round < 40; round += 1) {
      const copy = new TimeHistogram()
      copy.merge(histogram)
      histogram.merge(copy)
    }
    for (let n = 0; n < 1000; n += 1) histogram.record(1)
    const figures = histogram.figures()!
    expect(figures.p50_ms).to.be.closeTo(1, 0.02)
    expect(figures.p99_ms).to.be.closeTo(100, 2)
    expect(figures.mean_ms).to.be.closeTo(103 / 4, 0.01)
  })
})

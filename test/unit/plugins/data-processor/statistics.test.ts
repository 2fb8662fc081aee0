import { expect } from 'chai'
import { spreadOf, statisticsOf } from '../../../../plugins/data_processor/statistics.ts'
import { createRandom, naiveStatistics } from './naive-pipeline.ts'

describe('statisticsOf()', () => {
  it('gives the figures of 2 4 4 4 5 5 7 9, computed by hand', () => {
    const { sd, ...figures } = statisticsOf(Float64Array.of(9, 2, 4, 5, 4, 7, 4, 5))
    expect(figures).to.deep.equal({ count: 8, mean: 5, min: 2, q1: 4, median: 4.5, q3: 5.5, max: 9 })
    expect(sd).to.be.closeTo(Math.sqrt(32 / 7), 1e-15)
  })

  it('interpolates quartiles linearly, as quantile(1:4) does in R', () => {
    const { q1, median, q3 } = statisticsOf(Float64Array.of(4, 2, 3, 1))
    expect([q1, median, q3]).to.deep.equal([1.75, 2.5, 3.25])
  })

  it('has no deviation of a single number, and no figure of none', () => {
    const single = { count: 1, mean: 7, sd: null, min: 7, q1: 7, median: 7, q3: 7, max: 7 }
    const none = { count: 0, mean: null, sd: null, min: null, q1: null, median: null, q3: null, max: null }
    expect(statisticsOf(Float64Array.of(7))).to.deep.equal(single)
    expect(statisticsOf(new Float64Array())).to.deep.equal(none)
  })

  it('sorts as numbers, below zero and above nine', () => {
    const { min, median, max } = statisticsOf(Float64Array.of(10, 9, -1, -10, 100))
    expect([min, median, max]).to.deep.equal([-10, 9, 100])
  })

  it('leaves its argument in its order', () => {
    const numbers = Float64Array.of(3, 1, 2)
    statisticsOf(numbers)
    expect([...numbers]).to.deep.equal([3, 1, 2])
  })

  it('agrees with the definitions on 200 random columns', () => {
    const random = createRandom(7)
    for (let round = 0; round < 200; round++) {
      const numbers = Array.from(
        { length: 1 + Math.floor(random() * 60) },
        () => Math.round(random() * 2e4 - 1e4) / 100,
      )
      const expected = naiveStatistics(numbers)
      for (const [figure, value] of Object.entries(statisticsOf(Float64Array.from(numbers)))) {
        const wanted = expected[figure as keyof typeof expected]
        if (wanted === null) expect(value, figure).to.equal(null)
        else expect(value, `${figure} of ${numbers.join(' ')}`).to.be.closeTo(wanted, 1e-9)
      }
    }
  })
})

describe('spreadOf()', () => {
  it('loses no digit to a large offset', () => {
    for (const offset of [1e9, -1e9, 1e12, 1e15]) {
      const { mean, sd } = spreadOf(Float64Array.of(offset + 1, offset + 2, offset + 3, offset + 4))
      expect(mean).to.equal(offset + 2.5)
      expect(sd).to.be.closeTo(Math.sqrt(5 / 3), 1e-15)
    }
  })

  it('finds a mean and a deviation that lie between two neighbouring doubles', () => {
    expect(spreadOf(Float64Array.of(1e15, 1e15 + 0.125)).sd).to.be.closeTo(0.125 * Math.SQRT1_2, 1e-16)
  })

  it('finds a small mean between large numbers, wherever they stand', () => {
    const numbers = new Float64Array(1002).fill(0.3)
    numbers.set([1e15, -1e15])
    expect(spreadOf(numbers).mean).to.be.closeTo(300 / 1002, 1e-3)
    expect(spreadOf(numbers.toReversed()).mean).to.be.closeTo(300 / 1002, 1e-3)
  })

  it('keeps the squares of very large and very small numbers in range', () => {
    expect(spreadOf(Float64Array.of(1e200, 2e200, 3e200)).sd / 1e200).to.be.closeTo(1, 1e-15)
    expect(spreadOf(Float64Array.of(1e-200, 2e-200, 3e-200)).sd / 1e-200).to.be.closeTo(1, 1e-15)
  })

  it('finds no deviation among a thousand times 0.1', () => {
    expect(spreadOf(new Float64Array(1000).fill(0.1))).to.deep.equal({ mean: 0.1, sd: 0, min: 0.1, max: 0.1 })
  })

  it('refuses numbers whose distance no double holds', () => {
    for (const numbers of [
      [-1.7e308, 1.7e308],
      [0, -1.7e308, 1.7e308],
    ]) {
      const message = 'lie too far apart, from -1.7e+308 to 1.7e+308'
      expect(() => spreadOf(Float64Array.from(numbers))).to.throw(message)
    }
  })
})

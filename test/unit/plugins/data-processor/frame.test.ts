import { expect } from 'chai'
import { Frame } from '../../../../plugins/data_processor/frame.ts'

const ROWS = [{ a: 1, b: 10 }, { a: 2, b: 20 }, { a: 3 }]

function valuesOf(frame: Frame, field: string): unknown[] {
  const values: unknown[] = []
  frame.each(field, (value) => values.push(value))
  return values
}

describe('Frame', () => {
  it('lets two frames that come of one go their own ways', () => {
    const frame = Frame.of(ROWS)
    const high = frame.filter('a', (value) => Number(value) > 1)
    const low = frame.filter('a', (value) => Number(value) < 3)
    const doubled = high.derive('b', 'b', (value) => Number(value ?? 0) * 2)
    expect(valuesOf(high, 'b')).to.deep.equal([20, undefined])
    expect(valuesOf(low, 'b')).to.deep.equal([10, 20])
    expect(valuesOf(doubled, 'b')).to.deep.equal([40, 0])
    expect(valuesOf(frame, 'b')).to.deep.equal([10, 20, undefined])
    expect(low.rename('a', 'c').toRows()).to.deep.equal([
      { c: 1, b: 10 },
      { c: 2, b: 20 },
    ])
    expect(frame.toRows()).to.deep.equal(ROWS)
  })

  it('hands out the very rows of the input where no step changed them', () => {
    const [row] = Frame.of(ROWS)
      .filter('a', (value) => value === 2)
      .toRows()
    expect(row).to.equal(ROWS[1])
  })

  it('counts rows as the input does, behind any filter', () => {
    const rows: number[] = []
    const frame = Frame.of(ROWS).filter('a', (value) => value !== 1)
    frame.filter('a', (value) => value !== 2).each('b', (_, row) => rows.push(row))
    expect(rows).to.deep.equal([2])
  })
})

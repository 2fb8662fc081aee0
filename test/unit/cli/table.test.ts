import { expect } from 'chai'
import { cutToWidth, displayWidth, formatFields, formatTable } from '../../../src/cli/table.ts'

describe('formatTable()', () => {
  it('aligns columns and leaves no blanks at line ends', () => {
    const lines = formatTable([{ cells: ['ID', 'STATE', 'NOTE'] }, { cells: ['long_id', 'ok', ''] }])
    expect(lines).to.deep.equal(['ID       STATE  NOTE', 'long_id  ok'])
  })

  it('puts lines below their row', () => {
    const lines = formatTable([{ cells: ['a', 'b'], below: ['why'] }, { cells: ['c', 'd'] }])
    expect(lines).to.deep.equal(['a  b', '  why', 'c  d'])
  })

  it('aligns by what a terminal shows: wide characters take two columns, paint takes none', () => {
    const red = (text: string) => `\u001b[31m${text}\u001b[39m`
    const lines = formatTable([{ cells: ['日本', 'x'] }, { cells: [{ text: 'ab', paint: red }, 'y'] }])
    expect(lines).to.deep.equal(['日本  x', '\u001b[31mab\u001b[39m    y'])
  })

  it('cuts the last column at the width of the terminal', () => {
    const lines = formatTable([{ cells: ['id', 'operations, many of them'] }], { maxWidth: 20 })
    expect(lines).to.deep.equal(['id  operations, man…'])
    expect(displayWidth(lines[0] ?? '')).to.equal(20)
  })

  it('keeps a row that has fewer cells than the others', () => {
    expect(formatTable([{ cells: ['a', 'b', 'c'] }, { cells: ['x', 'long text'] }])).to.deep.equal([
      'a  b          c',
      'x  long text',
    ])
  })
})

describe('formatFields()', () => {
  it('aligns values behind their labels', () => {
    const lines = formatFields(
      [
        ['a', '1'],
        ['long', '2'],
      ],
      '  ',
    )
    expect(lines).to.deep.equal(['  a     1', '  long  2'])
  })
})

describe('cutToWidth()', () => {
  it('never cuts a character in two', () => {
    expect(cutToWidth('👩‍👩‍👧 family', 4)).to.equal('👩‍👩‍👧 …')
    expect(cutToWidth('日本語', 4)).to.equal('日…')
    expect(cutToWidth('fits', 4)).to.equal('fits')
  })
})

import { expect } from 'chai'
import { wholeNumber } from '../../../src/cli/whole-number.ts'

describe('wholeNumber()', () => {
  it('takes the ends of its range and what lies between', () => {
    expect(['1', '007', '10'].map((text) => wholeNumber(1, 10)(text))).to.deep.equal([1, 7, 10])
  })

  it('takes nothing else, however JavaScript would read it', () => {
    for (const text of ['', ' 5', '0', '11', '-1', '1.5', '1e1', '0x5', '5n'])
      expect(() => wholeNumber(1, 10)(text), text).to.throw('It takes a whole number from 1 to 10.')
  })

  it('names no end where there is none', () => {
    expect(() => wholeNumber(1, Number.MAX_SAFE_INTEGER)('0')).to.throw('of at least 1.')
  })
})

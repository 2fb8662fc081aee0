import { expect } from 'chai'
import { printable, printableJson, printableLine } from '../../../src/cli/printable.ts'

describe('printable()', () => {
  it('shows escape sequences, C1 controls and direction marks instead of sending them', () => {
    expect(printable('a\u001b[2Jb\u009bc\u202ed\u0007\r')).to.equal('a\\x1b[2Jb\\x9bc\\u202ed\\x07\\x0d')
  })

  it('keeps newlines, tabs and every other script', () => {
    expect(printable('ä\n\t日本 👍')).to.equal('ä\n\t日本 👍')
  })
})

describe('printableLine()', () => {
  it('keeps a text on one line', () => {
    expect(printableLine('a\nb\tc')).to.equal('a\\nb\\tc')
  })
})

describe('printableJson()', () => {
  it('sends no control character and parses to the same value', () => {
    const value = { text: 'a\u001b\u009b\u007f\u202e\u2028é', list: [null, 1.5] }
    const text = printableJson(value, 2)
    expect(text).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]/)
    expect(JSON.parse(text)).to.deep.equal(value)
  })

  it('prints what is not there as null', () => {
    expect(printableJson(undefined)).to.equal('null')
  })
})

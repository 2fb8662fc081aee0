import { expect } from 'chai'
import { escapeControl, escapeControlInJson } from '../../../../host/observe/escape-control.ts'

describe('escapeControl()', () => {
  it('escapes ANSI, OSC, C1 and bidi controls, and leaves tabs and letters', () => {
    expect(escapeControl('\x1b[31mred\x1b]0;title\x07')).to.equal('\\x1b[31mred\\x1b]0;title\\x07')
    expect(escapeControl('\u009b2J\u007f\0')).to.equal('\\x9b2J\\x7f\\x00')
    expect(escapeControl('a\r\nb\u2028c\u202ed')).to.equal('a\\r\\nb\\u2028c\\u202ed')
    expect(escapeControl('tab\tÄ 😀 ok')).to.equal('tab\tÄ 😀 ok')
  })

  it('leaves JSON readable as what it was', () => {
    const value = { text: '\x1b\u009b\u202e\u007f' }
    const json = escapeControlInJson(JSON.stringify(value))
    expect(json).to.match(/^[\x20-\x7e]*$/)
    expect(JSON.parse(json)).to.eql(value)
  })
})

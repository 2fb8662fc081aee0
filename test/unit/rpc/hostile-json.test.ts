import { expect } from 'chai'
import { MAX_JSON_DEPTH } from '../../../src/contract/limits.ts'
import { parseHostileJson, toJsonText } from '../../../src/rpc/hostile-json.ts'

function nested(depth: number, open = '[', close = ']'): string {
  return open.repeat(depth) + close.repeat(depth)
}

describe('parseHostileJson()', () => {
  it('takes what is as deep as allowed and refuses one level more, arrays and objects alike', () => {
    expect(() => parseHostileJson(nested(MAX_JSON_DEPTH))).not.to.throw()
    expect(() => parseHostileJson(nested(MAX_JSON_DEPTH + 1))).to.throw('deeper than')
    const objects = '{"a":'.repeat(MAX_JSON_DEPTH + 1) + '1' + '}'.repeat(MAX_JSON_DEPTH + 1)
    expect(() => parseHostileJson(objects)).to.throw('deeper than')
  })

  it('survives a million nested arrays', () => {
    expect(() => parseHostileJson(nested(1_000_000))).to.throw('deeper than')
  })

  for (const text of [
    '{"__proto__":{"polluted":1}}',
    '{"a":[{"__proto__":1}]}',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"\\u005F\\u005fproto\\u005f_":1}',
  ]) {
    it(`refuses the key in ${text}`, () => {
      expect(() => parseHostileJson(text)).to.throw('"__proto__"')
      expect(({} as { polluted?: number }).polluted).to.equal(undefined)
    })
  }

  it('takes __proto__ as a value', () => {
    expect(parseHostileJson('{"a":"__proto__"}')).to.deep.equal({ a: '__proto__' })
  })

  it('says what makes text no JSON', () => {
    expect(() => parseHostileJson('{"a":}')).to.throw(/Cannot read JSON: Unexpected token/)
  })
})

describe('toJsonText()', () => {
  it('writes null for undefined and says what cannot be written', () => {
    expect(toJsonText(undefined)).to.equal('null')
    expect(() => toJsonText(1n)).to.throw('BigInt')
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    expect(() => toJsonText(circular)).to.throw('circular')
  })
})

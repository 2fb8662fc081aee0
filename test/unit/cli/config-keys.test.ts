import { expect } from 'chai'
import { leavesOf, parseChanges, stepsOf, valueAt } from '../../../src/cli/config-keys.ts'
import { isPhantomError, type PhantomError } from '../../../src/contract/phantom-error.ts'

function failureOf(action: () => unknown): PhantomError {
  try {
    action()
  } catch (error) {
    if (isPhantomError(error)) return error
    throw error
  }
  throw new Error('Cannot find the failure: nothing was thrown')
}

describe('parseChanges()', () => {
  it('takes JSON for JSON and anything else for text', () => {
    const assignments = [
      'a=50',
      'b=true',
      'c=["x"]',
      'd={"e":1}',
      'f=hello world',
      'g="7"',
      'h=',
      'i=x=y',
      'j=1.2.3',
    ]
    expect(parseChanges(assignments, [])).to.deep.equal({
      a: 50,
      b: true,
      c: ['x'],
      d: { e: 1 },
      f: 'hello world',
      g: '7',
      h: '',
      i: 'x=y',
      j: '1.2.3',
    })
  })

  it('puts dotted keys into one another, and leaves those alone that stand in quotes', () => {
    expect(parseChanges(['a.b.c=1', 'a.b.d=2', 'a.e=3', '"x.y=z".5=4'], [])).to.deep.equal({
      a: { b: { c: 1, d: 2 }, e: 3 },
      'x.y=z': { '5': 4 },
    })
  })

  it('takes a key away by null', () => {
    expect(parseChanges(['a=1'], ['b', 'c.d'])).to.deep.equal({ a: 1, b: null, c: { d: null } })
  })

  it('refuses what could be meant in two ways', () => {
    for (const [set, unset] of [
      [['a=1', 'a=2'], []],
      [['a=1', 'a.b=2'], []],
      [['a.b=2', 'a=1'], []],
      [['a=1'], ['a']],
      [['a={"b":1}', 'a=2'], []],
    ] as const) {
      expect(failureOf(() => parseChanges(set, unset)).message, set.join(' ')).to.include(
        '"a" is changed already',
      )
    }
  })

  it('says what is wrong with a word that is no assignment, and that nothing was asked', () => {
    expect(failureOf(() => parseChanges(['verbose'], [])).message).to.include('found no "="')
    expect(failureOf(() => parseChanges(['=1'], [])).message).to.include('found no "="')
    expect(failureOf(() => parseChanges(['a..b=1'], [])).message).to.include('Cannot read the key "a..b"')
    expect(failureOf(() => parseChanges(['list[0]=1'], [])).message).to.include('the whole list')
    expect(failureOf(() => parseChanges([], [])).code).to.equal('PARAMS_INVALID')
  })

  it('cannot be led to the prototype of an object', () => {
    expect(failureOf(() => parseChanges(['__proto__.polluted=1'], [])).message).to.include('__proto__')
    expect(parseChanges(['constructor.prototype.x=1'], [])).to.have.own.property('constructor')
    expect(({} as Record<string, unknown>)['x']).to.equal(undefined)
  })
})

describe('stepsOf()', () => {
  it('reads keys as the messages of the daemon name them', () => {
    expect(stepsOf('servers[0].host')).to.deep.equal(['servers', 0, 'host'])
    expect(stepsOf('"a.b".c')).to.deep.equal(['a.b', 'c'])
    expect(stepsOf('a')).to.deep.equal(['a'])
  })

  it('reads no key where there is none', () => {
    expect(['', '.', 'a.', '.a', 'a..b', 'a b', 'a[x]', '"a'].map((key) => stepsOf(key))).to.deep.equal(
      Array.from({ length: 8 }, () => null),
    )
  })
})

describe('valueAt()', () => {
  const config = { batch_size: 50, limits: { rows: 9 }, list: [{ a: 1 }] }

  it('follows dots and indices', () => {
    expect(valueAt(config, 'limits.rows', 'x')).to.equal(9)
    expect(valueAt(config, 'list[0].a', 'x')).to.equal(1)
    expect(valueAt(config, 'limits', 'x')).to.deep.equal({ rows: 9 })
  })

  it('names the key that was meant', () => {
    const { code, details } = failureOf(() => valueAt(config, 'limits.row', 'x'))
    expect({ code, ...details }).to.deep.equal({
      code: 'PARAMS_INVALID',
      missing_key: 'limits.row',
      nearest: 'limits.rows',
    })
  })

  it('finds nothing that an object only inherits', () => {
    expect(failureOf(() => valueAt(config, 'constructor', 'x')).details).to.have.property('missing_key')
    expect(failureOf(() => valueAt(config, 'batch_size.length', 'x')).details).to.have.property('missing_key')
  })
})

describe('leavesOf()', () => {
  it('names each value once, lists and empty objects whole', () => {
    expect(leavesOf({ a: { b: 1, c: {} }, d: [1, { e: 2 }], 'f.g': null })).to.deep.equal({
      'a.b': 1,
      'a.c': {},
      d: [1, { e: 2 }],
      '"f.g"': null,
    })
  })
})

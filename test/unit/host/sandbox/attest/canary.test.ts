import { expect } from 'chai'

import type { AttestationItem } from '../../../../../src/contract/attestation.ts'
import { compareCanary } from '../../../../../host/sandbox/attest/compare-canary.ts'
import type { Expected } from '../../../../../host/sandbox/attest/expected.ts'
import { TriedBefore } from '../../../../../host/sandbox/attest/tried-before.ts'

const expected = { node: [], canary: null, isGated: false, mechanisms: {} } as unknown as Expected
const params = { read: '/state', signal: 4711, connect: 40_000, start: true }
const FINE = { read: 'ENOENT', signal: 'ESRCH', connect: 'ECONNREFUSED', start: 'EPERM', node: [] }

function differing(answer: unknown, reached = false, more: Partial<Expected> = {}): string[] {
  return compareCanary({ ...expected, ...more }, { params, reached }, { kernel: answer, node: answer })
    .filter(({ verdict }) => verdict === 'differs')
    .map(({ name }) => name)
}

describe('compareCanary()', () => {
  it('finds nothing where every attempt failed', () => expect(differing(FINE)).to.deep.equal([]))

  it('names each attempt that succeeded', () => {
    for (const name of ['read', 'signal', 'connect', 'start'])
      expect(differing({ ...FINE, [name]: '' }), name).to.deep.equal([`canary.${name}`])
  })

  it('names what did not fail as it has to', () => {
    expect(differing({ ...FINE, signal: 'EPERM' }), 'a process that is seen').to.deep.equal(['canary.signal'])
    expect(differing({ ...FINE, start: 'ENOENT' }), 'a process that was made').to.deep.equal(['canary.start'])
  })

  it('believes the port more than the runner', () =>
    expect(differing(FINE, true)).to.deep.equal(['canary.connect']))

  it('takes no answer, or an odd one, for a difference', () => {
    const all = ['canary.read', 'canary.signal', 'canary.connect', 'canary.start', 'canary.node']
    for (const odd of [
      null,
      undefined,
      'fine',
      7,
      [],
      { read: 1, signal: {}, connect: [], start: null, node: 'no' },
    ])
      expect(differing(odd), JSON.stringify(odd)).to.deep.equal(all)
  })

  it("names what Node's model grants beyond what was declared", () => {
    expect(differing({ ...FINE, node: ['net'] })).to.deep.equal(['canary.node'])
    expect(differing({ ...FINE, node: ['net'] }, false, { node: ['net', 'child'] })).to.deep.equal([])
  })
})

describe('compareCanary() of what the entry program tried', () => {
  const gate = { read: '/state', signal: 4711, start: true, waits: false }
  const kernel = { read: '002', signal: '003', start: '001', connect: '097' }
  const node = { read: 'ERR_ACCESS_DENIED', signal: null, connect: null, start: null, node: [] }
  const items = (answers: { kernel?: object; node?: object }, isGated = false): AttestationItem[] =>
    compareCanary(
      { ...expected, canary: gate, isGated },
      { params, reached: false },
      { kernel: { ...kernel, ...answers.kernel }, node: isGated ? null : { ...node, ...answers.node } },
    )
  const names = (all: readonly AttestationItem[]): string[] =>
    all.flatMap(({ name, verdict }) => (verdict === 'differs' ? [name] : []))

  it('names the errors whose numbers it said', () =>
    expect(items({}).map(({ name, effective, verdict }) => [name, effective, verdict])).to.deep.equal([
      ['canary.read', 'ENOENT', 'holds'],
      ['canary.signal', 'ESRCH', 'holds'],
      ['canary.connect', 'EAFNOSUPPORT', 'holds'],
      ['canary.start', 'EPERM', 'holds'],
      ['canary.node', 'grants nothing beside files', 'holds'],
    ]))

  it('names each attempt that succeeded, and what is no number', () => {
    for (const name of ['read', 'signal', 'start', 'connect'])
      for (const said of ['000', '', 2, '2', '0x2', null, 'ENOENT'])
        expect(names(items({ kernel: { [name]: said } })), `${name} ${said}`).to.deep.equal([
          `canary.${name}`,
        ])
  })

  it("asks the runner about Node's model alone, and nobody where there is none", () => {
    expect(names(items({ node: { node: ['net'] } }))).to.deep.equal(['canary.node'])
    expect(names(items({ node: { read: '' } })), 'the model lets it read').to.deep.equal(['canary.node'])
    expect(items({}, true).map(({ name }) => name)).not.to.include('canary.node')
  })
})

describe('TriedBefore', () => {
  const itemOf = (name: string, verdict: AttestationItem['verdict'] = 'holds'): AttestationItem => {
    return { name, declared: 'd', effective: 'e', mechanism: null, proof: 'canary: tried', verdict }
  }

  it('adds what the first process tried to what a later one did', () => {
    const tried = new TriedBefore()
    const first = [itemOf('canary.read'), itemOf('canary.connect')]
    tried.add(first)
    expect(tried.complete(first)).to.equal(first)
    const later = tried.complete([itemOf('canary.read')])
    expect(later.map(({ name, proof }) => [name, proof])).to.deep.equal([
      ['canary.read', 'canary: tried'],
      ['canary.connect', "canary: tried, in this generation's first process"],
    ])
  })

  it('keeps nothing of an attempt that succeeded: the next process tries again', () => {
    const tried = new TriedBefore()
    tried.add([itemOf('canary.connect'), itemOf('canary.start', 'differs')])
    expect(tried.items).to.equal(null)
  })
})

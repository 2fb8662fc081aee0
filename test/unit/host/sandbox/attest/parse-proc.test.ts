import { expect } from 'chai'

import {
  parseEnviron,
  parseLimits,
  parseNumbers,
  parseStatus,
} from '../../../../../host/sandbox/attest/parse-proc.ts'

describe('parseStatus()', () => {
  it('takes the first of two lines of one name, and nothing without a colon', () => {
    const fields = parseStatus('Name:\tevil\nUid:\t1\t1\t1\t1\nUid:\t0\t0\t0\t0\nno colon\n:\tnameless\n')
    expect([...fields]).to.deep.equal([
      ['Name', 'evil'],
      ['Uid', '1\t1\t1\t1'],
    ])
  })

  it('does not take a name with an escaped line break for a field', () => {
    expect(parseStatus('Name:\tx\\nSeccomp:\t2\nSeccomp:\t0\n').get('Seccomp')).to.equal('0')
  })

  it('has nothing in an empty text', () => expect(parseStatus('').size).to.equal(0))
})

describe('parseNumbers()', () => {
  it('takes whole numbers only', () => {
    expect(parseNumbers('1\t2  3')).to.deep.equal([1, 2, 3])
    expect(parseNumbers('')).to.deep.equal([])
    for (const odd of ['1 -2', '0x10', '1.5', 'one', '1e3', '99999999999999999999'])
      expect(parseNumbers(odd), odd).to.equal(null)
    expect(parseNumbers(undefined)).to.equal(null)
  })
})

describe('parseLimits()', () => {
  const line = (name: string, soft: string, hard: string): string =>
    `${name.padEnd(26)}${soft.padEnd(21)}${hard.padEnd(21)}bytes     `

  it('reads soft and hard, and unlimited', () => {
    const text = [
      'Limit                     Soft Limit           Hard Limit           Units     ',
      line('Max data size', '694157312', 'unlimited'),
      line('Max open files', '256', '256'),
    ].join('\n')
    const limits = parseLimits(text)
    expect(limits.get('Max data size')).to.deep.equal({ soft: 694157312, hard: Infinity })
    expect(limits.get('Max open files')).to.deep.equal({ soft: 256, hard: 256 })
    expect(limits.size).to.equal(2)
  })

  it('takes no line that is another: absent is not unlimited', () => {
    for (const odd of [
      'Max data size',
      'Max data size   256',
      line('Max data size', '-1', '256'),
      line('Max data size', '2x', '2'),
    ])
      expect(parseLimits(odd).size, odd).to.equal(0)
  })
})

describe('parseEnviron()', () => {
  it('keeps doubles, values with an equals sign or a line break, and names without a value', () => {
    expect(parseEnviron('A=1\0A=2\0B=x=y\nC=3\0D\0=E\0')).to.deep.equal([
      ['A', '1'],
      ['A', '2'],
      ['B', 'x=y\nC=3'],
      ['D', ''],
      ['', 'E'],
    ])
    expect(parseEnviron('')).to.deep.equal([])
  })
})

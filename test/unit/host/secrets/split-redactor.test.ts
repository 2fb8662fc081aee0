import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { Redactor } from '../../../../host/secrets/redactor.ts'
import { SplitRedactor } from '../../../../host/secrets/split-redactor.ts'

const SECRET = 's3cr3t-0123456789abcdef'

describe('SplitRedactor', () => {
  let lines: string[]
  let split: SplitRedactor

  beforeEach(() => {
    const redactor = new Redactor()
    redactor.hold('test', [SECRET])
    lines = []
    split = new SplitRedactor(redactor, (line) => lines.push(line))
  })

  it('passes lines on at once, in order, and takes a whole secret out of each', () => {
    split.push('one')
    split.push(`two ${SECRET} three`)
    split.push('')
    expect(lines).to.eql(['one', 'two [secret] three', ''])
  })

  it('takes a secret out that is broken over two lines, wherever it breaks', () => {
    for (let at = 1; at < SECRET.length; at += 1) {
      lines.length = 0
      split.push(`token: ${SECRET.slice(0, at)}`)
      split.push(`${SECRET.slice(at)} end`)
      split.flush()
      expect(lines, String(at)).to.have.length(2)
      expectNoTrace(lines)
      expect(lines[1], String(at)).to.equal('[secret] end')
    }
  })

  it('takes one out that comes letter by letter, and with empty lines between', () => {
    for (const letter of SECRET) {
      split.push(letter)
      split.push('')
    }
    split.push('after')
    split.flush()
    expect(lines.at(-1)).to.equal('after')
    expectNoTrace(lines)
  })

  it('takes base64 and hex of one out that is broken', () => {
    for (const encoded of [Buffer.from(SECRET).toString('base64'), Buffer.from(SECRET).toString('hex')]) {
      lines.length = 0
      split.push(encoded.slice(0, 20))
      split.push(encoded.slice(20))
      split.flush()
      expect(lines).to.eql(['[secret]', '[secret]'])
    }
  })

  it('passes on what only began like one', async () => {
    split.push('s3cr3t-01')
    expect(lines).to.eql([])
    split.push('and nothing more')
    expect(lines).to.eql(['s3cr3t-01', 'and nothing more'])
    split.push('s3cr3t-01')
    await delay(300)
    expect(lines, 'after a moment without another line').to.have.length(3)
  })

  it('leaves no five letters of a secret, however it is broken', () => {
    const cuts = fc.array(fc.integer({ min: 0, max: SECRET.length }), { maxLength: 8 })
    fc.assert(
      fc.property(
        cuts,
        fc.string({ maxLength: 20 }),
        fc.string({ maxLength: 20 }),
        (places, before, after) => {
          lines.length = 0
          const bounds = [0, ...places.toSorted((a, b) => a - b), SECRET.length]
          const parts = bounds.slice(1).map((end, index) => SECRET.slice(bounds[index], end))
          const printed = [before + parts[0]!, ...parts.slice(1)]
          printed[printed.length - 1] += after
          for (const part of printed) split.push(part)
          split.flush()
          expectNoTrace(lines)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('holds a bounded number of lines', () => {
    for (let count = 0; count < 10_000; count += 1) split.push(count % 7 === 0 ? 's3cr3t' : '')
    expect(lines.length).to.be.above(9000)
  })

  /** Four letters may have been passed on before it was clear what they begin. */
  function expectNoTrace(found: readonly string[]): void {
    const text = found.join('')
    for (let at = 0; at + 5 <= SECRET.length; at += 1)
      expect(text, JSON.stringify(found)).to.not.contain(SECRET.slice(at, at + 5))
  }
})

import { expect } from 'chai'
import { diffText } from '../../../src/cli/line-diff.ts'

const SIGNS = { same: ' ', removed: '-', added: '+', gap: '@' } as const
const shown = (before: string, after: string): string[] =>
  diffText(before, after).map(({ kind, text }) => `${SIGNS[kind]}${text}`)

describe('diffText()', () => {
  it('says nothing of texts that are the same', () => {
    expect(shown('a\nb\n', 'a\nb\n')).to.eql([])
    expect(shown('', '')).to.eql([])
  })

  it('shows what was removed and what was added, with the lines around', () => {
    expect(shown('1\n2\n3\n4\n5\n6\n7\n8\n9\n', '1\n2\n3\n4\nfive\n6\n7\n8\n9\n')).to.eql([
      '@1 line the same',
      ' 2',
      ' 3',
      ' 4',
      '-5',
      '+five',
      ' 6',
      ' 7',
      ' 8',
      '@1 line the same',
    ])
    expect(shown('a\nb\nc\n', 'b\nx\nc\ny\n')).to.eql(['-a', ' b', '+x', ' c', '+y'])
    expect(shown('', 'a\n')).to.eql(['+a'])
    expect(shown('a\n', '')).to.eql(['-a'])
    expect(shown('a', 'a\n')).to.eql(['-a (no line end)', '+a'])
  })

  it('turns any text into any other when it is applied', () => {
    let seed = 7
    const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below
    for (let round = 0; round < 300; round += 1) {
      const text = (): string => Array.from({ length: random(12) }, () => `${random(4)}\n`).join('')
      const [before, after] = [text(), text()]
      const lines = diffText(before, after).filter(({ kind }) => kind !== 'gap')
      const part = (kind: string): string =>
        lines
          .filter((line) => line.kind === 'same' || line.kind === kind)
          .map((line) => `${line.text}\n`)
          .join('')
      if (before !== after && lines.every((line) => line.kind !== 'same') && before + after !== '')
        expect(lines).to.not.be.empty
      // Without gaps in so short a text where something changed near, the parts are the texts.
      if (diffText(before, after).every(({ kind }) => kind !== 'gap') && before !== after) {
        expect(part('removed')).to.equal(before)
        expect(part('added')).to.equal(after)
      }
    }
  })

  it('bears texts of many thousand lines', () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`)
    const startedAt = performance.now()
    expect(diffText(lines.join(''), lines.toReversed().join('')).length).to.be.above(39_000)
    expect(shown(lines.join(''), lines.with(10_000, 'other\n').join(''))).to.have.length(10)
    expect(performance.now() - startedAt).to.be.below(3000)
  })
})

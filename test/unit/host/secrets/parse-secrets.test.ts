import { expect } from 'chai'
import { parseSecrets } from '../../../../host/secrets/parse-secrets.ts'

describe('parseSecrets()', () => {
  it('takes a value as it stands, or as a JSON string', () => {
    const text = '# tokens\n\nA=plain = text # and all\nB="two\\nlines \\"quoted\\" "\nC=\n_d9=ä\r\nE=x'
    const { values, problems } = parseSecrets(text)
    expect(problems).to.eql([])
    expect([...values]).to.eql([
      ['A', 'plain = text # and all'],
      ['B', 'two\nlines "quoted" '],
      ['C', ''],
      ['_d9', 'ä'],
      ['E', 'x'],
    ])
  })

  const WRONG: readonly [string, RegExp][] = [
    ['hunter2secret', /^line 1: it has no "="/],
    [' A=hunter2', /no name of a variable/],
    ['export A=hunter2', /no name of a variable/],
    ['A =hunter2', /no name of a variable/],
    ['hunter2/=x', /no name of a variable/],
    ['=hunter2', /no name of a variable/],
    ['A=hunter2 ', /the value of A begins or ends with a blank/],
    ["A='hunter2'", /single quote/],
    ['A="hunter2', /no whole JSON string/],
    ['A="hunter2" # note', /no whole JSON string/],
    ['A="hunter\\u00002"', /a NUL/],
    ['A=hunter\u00072', /control character/],
    ['LD_PRELOAD=hunter2', /steers how a process is loaded/],
    ['NODE_OPTIONS=hunter2', /steers how a process is loaded/],
  ]
  for (const [line, words] of WRONG) {
    it(`refuses ${JSON.stringify(line)} by its place, and never shows what stands there`, () => {
      const { problems } = parseSecrets(line)
      expect(problems).to.have.length(1)
      expect(problems[0]).to.match(words)
      expect(problems.join()).to.not.contain('hunter')
    })
  }

  it('refuses a name that stands there twice, and names every line that is wrong', () => {
    const { problems } = parseSecrets('A=1\nA=2\nB\n')
    expect(problems).to.eql([
      'line 2: A stands here twice. Remove one',
      'line 3: it has no "=". Write NAME=value',
    ])
  })

  it('is bounded in names, in characters and in what it says', () => {
    expect(parseSecrets(`A=${'x'.repeat(65_537)}`).problems[0]).to.contain('more than 65536 characters')
    const many = Array.from({ length: 1100 }, (_, index) => `N${index}=1`).join('\n')
    expect(parseSecrets(many).problems).to.have.length(20)
    expect(parseSecrets(many).problems[0]).to.equal('line 1001: there are more than 1000 names. Remove some')
  })
})

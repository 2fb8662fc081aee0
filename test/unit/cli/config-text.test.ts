import { expect } from 'chai'
import { parseConfigText, withPlaces } from '../../../src/cli/config-text.ts'
import { formatConfigValidation } from '../../../src/cli/config-validate.ts'
import type { ManifestIssue } from '../../../src/contract/plugin-info.ts'
import { plain } from './plain.ts'

const text = `# sizes
batch_size: many
servers:
  - host: a
  - host: 5
environments:
  production: { rows: 0 }
`

function issueAt(field: string): ManifestIssue {
  return { file: '', line: 1, column: 1, field, severity: 'error', message: `wrong: ${field}` }
}

describe('parseConfigText()', () => {
  it('reads YAML, JSON, and a text without content', () => {
    expect(parseConfigText(text, 'x.yaml').config).to.have.nested.property('environments.production.rows', 0)
    expect(parseConfigText('{"a": [1]}', 'x.json').config).to.deep.equal({ a: [1] })
    expect(parseConfigText('# nothing yet\n', 'x.yaml').config).to.deep.equal({})
  })

  it('names file, line and column of what is no YAML', () => {
    const read = () => parseConfigText('a: 1\nb: [1,\nc: }', '/p/x.yaml')
    expect(read)
      .to.throw(/^\/p\/x\.yaml:3:\d+: Cannot read YAML: /)
      .with.property('code', 'CONFIG_INVALID')
  })

  it('refuses what holds no keys, and aliases that would grow without end', () => {
    expect(() => parseConfigText('- a\n', 'x')).to.throw('found a list')
    expect(() => parseConfigText('hello', 'x')).to.throw('found a string')
    const bomb = Array.from(
      { length: 9 },
      (_, at) => `a${at}: &a${at} [${at === 0 ? '1' : `*a${at - 1}, `.repeat(9)}]`,
    )
    expect(() => parseConfigText(bomb.join('\n'), 'x'))
      .to.throw()
      .with.property('code', 'CONFIG_INVALID')
  })
})

describe('withPlaces()', () => {
  it('finds the line of each issue, or of what it stands in', () => {
    const issues = [
      'batch_size',
      'servers[1].host',
      'environments.production.rows',
      'servers[7].x',
      'gone',
      '',
    ].map(issueAt)
    const validation = withPlaces(
      { valid: false, issues, asked_plugin: false },
      parseConfigText(text, '/p/x.yaml'),
    )
    expect(validation.issues.map(({ field, line, column }) => [field, line, column])).to.deep.equal([
      ['batch_size', 2, 13],
      ['servers[1].host', 5, 11],
      ['environments.production.rows', 7, 23],
      ['servers[7].x', 4, 3],
      ['gone', 1, 1],
      ['', 1, 1],
    ])
  })
})

describe('formatConfigValidation()', () => {
  it('prints the issues as editors link them, then the verdict', () => {
    const found = parseConfigText(text, '/p/x.yaml')
    const broken = withPlaces({ valid: false, issues: [issueAt('batch_size')], asked_plugin: true }, found)
    expect(plain(formatConfigValidation('echo', broken, '/p'))).to.equal(
      'x.yaml:2:13 error wrong: batch_size\n✗ configuration of echo  invalid',
    )
    expect(plain(formatConfigValidation('echo', { valid: true, issues: [], asked_plugin: true }))).to.equal(
      '✓ configuration of echo  valid',
    )
  })
})

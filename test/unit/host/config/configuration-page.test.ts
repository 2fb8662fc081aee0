import { expect } from 'chai'
import fs from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { CONFIG_KEYS } from '../../../../host/config/config-keys.ts'
import type { JsonSchema } from '../../../../src/contract/json-schema.ts'
import { columnsOf, ROOT, wordOf } from '../../../helpers/docs-pages.ts'

const PAGE = 'docs/configuration.md'
const UNITS = { _ms: 'ms', _mb: 'MiB', _days: 'days', _share: 'share', _rate: 'share' }

type Sections = Record<string, Record<string, unknown>>

function packageFile(name: string): Sections {
  return parse(fs.readFileSync(path.join(ROOT, 'config', name), 'utf8')) as Sections
}

function allowedWords({
  type,
  enum: words,
  minimum,
  maximum,
  maxItems,
  minLength,
  maxLength,
  pattern,
}: JsonSchema): string {
  if (Array.isArray(words)) return words.map((word) => `\`${word}\``).join(', ')
  if (type === 'boolean') return '`true`, `false`'
  if (type === 'array') return `at most ${maxItems}`
  if (pattern !== undefined) return 'an absolute path, or empty'
  return type === 'string' ? `${minLength ?? 0} to ${maxLength} characters` : `${minimum} to ${maximum}`
}

describe(PAGE, () => {
  const rows = columnsOf(PAGE, 'config-keys')

  it('has every key in order, with its default, what is allowed, and whether it acts at once', () => {
    const defaults = packageFile('default.yaml')
    expect(
      rows.map(([key, value, , allowed, , reloads]) => [
        wordOf(key),
        parse(wordOf(value)) as unknown,
        allowed,
        reloads,
      ]),
    ).to.eql(
      CONFIG_KEYS.map(({ name, section, key, schema, reloads }) => [
        name,
        defaults[section]?.[key],
        allowedWords(schema),
        reloads ? 'yes' : 'no',
      ]),
    )
  })

  it('has the unit that the name says, and a meaning', () => {
    for (const [key, , unit = '', , meaning] of rows) {
      const ending = Object.entries(UNITS).find(([end]) => wordOf(key).endsWith(end))
      if (ending !== undefined) expect(unit.split(' ')[0], key).to.equal(ending[1])
      expect(meaning, key).to.not.equal('')
    }
  })

  it("has all that the package's environments say differently", () => {
    const wanted = ['development', 'production', 'test'].flatMap((environment) =>
      Object.entries(packageFile(`${environment}.yaml`)).flatMap(([section, values]) =>
        Object.entries(values).map(([key, value]) => [environment, `${section}.${key}`, value]),
      ),
    )
    const documented = columnsOf(PAGE, 'config-environments').map(([environment, key, value]) => [
      wordOf(environment),
      wordOf(key),
      parse(wordOf(value)) as unknown,
    ])
    expect(documented).to.have.deep.members(wanted)
  })
})

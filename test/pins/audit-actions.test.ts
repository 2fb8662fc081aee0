import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { ROOT, tableOf } from '../helpers/docs-pages.ts'

/** Files and keys that look like an action of the audit log. */
const OTHERS = [
  'details.applied',
  'daemon.log',
  'daemon.socket_group',
  'plugin.toml',
  'plugin.id',
  'policy.yaml',
  'audit.jsonl',
]
const BY_METHOD = 'admin.<method>'

describe('docs/operations.md', () => {
  it('has every action of the audit log, and no other', () => {
    const table = JSON.stringify(tableOf('docs/operations.md', 'audit-actions'))
    const documented = Array.from(
      table.matchAll(/`([a-z]+\.[a-z_<>]+)`/g),
      ([, action = '']) => action,
    ).filter((action) => !OTHERS.includes(action))
    const kinds = [...new Set(documented.map((action) => action.split('.')[0]))].join('|')
    const host = path.join(ROOT, 'host')
    const found = fs
      .readdirSync(host, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => fs.readFileSync(path.join(host, file), 'utf8'))
      .flatMap((text) =>
        Array.from(text.matchAll(new RegExp(`'((?:${kinds})\\.[a-z_]+)'`, 'g')), ([, word = '']) => word),
      )
      .filter((word) => !OTHERS.includes(word))
    expect([...new Set(found), BY_METHOD]).to.have.members(documented)
  })
})

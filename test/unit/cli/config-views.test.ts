import { expect } from 'chai'
import { formatConfigReload, formatConfigValues } from '../../../src/cli/config-daemon.ts'
import { formatPluginConfig, formatUpdate } from '../../../src/cli/config-edit.ts'
import { formatDiff, formatRevisions, pickRevisions } from '../../../src/cli/config-revisions.ts'
import { diffText } from '../../../src/cli/line-diff.ts'
import type { PluginConfigInfo, PluginConfigRevision } from '../../../src/contract/plugin-config.ts'
import { plain } from './plain.ts'

const nowMs = Date.parse('2026-01-02T03:05:00.000Z')
const at = '2026-01-02T03:00:00.000Z'
const info: PluginConfigInfo = {
  plugin_id: 'echo',
  environment: 'production',
  effective: { batch_size: 50, limits: { rows: 9 }, motto: 'a\u001b[31m' },
  origins: {
    batch_size: 'default of plugin.toml',
    'limits.rows': '/p/echo.yaml:3:1',
    motto: '/q/echo.yaml:1:1',
  },
  schema: null,
  path: '/p/echo.yaml',
  revision: 4,
}

function revision(number: number, text: string): PluginConfigRevision {
  return { revision: number, at, source: number === 2 ? 'file' : 'update', text }
}

const revisions = [revision(3, 'a: 2\nb: 1\n'), revision(2, 'a: 1\nb: 1\n'), revision(1, 'a: 1\n')]

describe('formatPluginConfig()', () => {
  it('shows each value and its origin, then the file that an update writes', () => {
    expect(plain(formatPluginConfig(info, '/p'))).to.equal(`KEY          VALUE          FROM
batch_size   50             default of plugin.toml
limits.rows  9              echo.yaml:3:1
motto        "a\\u001b[31m"  /q/echo.yaml:1:1

environment production, file echo.yaml, revision 4`)
  })

  it('says that there is no file yet', () => {
    const lines = formatPluginConfig({ ...info, effective: {}, origins: {}, revision: null }, '/p')
    expect(plain(lines)).to.equal(
      'No key has a value\n\nenvironment production, file echo.yaml, not there yet',
    )
  })
})

describe('formatUpdate()', () => {
  it('says what became of the running processes', () => {
    const lines = (['live', 'new_generation', 'none'] as const).map((applied) =>
      formatUpdate({ plugin_id: 'echo', revision: 5, effective: {}, applied }),
    )
    expect(lines).to.deep.equal([
      'echo  revision 5; its running processes were told',
      'echo  revision 5; a new generation serves with it',
      'echo  revision 5; no process of it runs',
    ])
  })
})

describe('formatRevisions()', () => {
  it('shows number, age and who wrote it', () => {
    expect(plain(formatRevisions(revisions.slice(0, 2), nowMs))).to.equal(
      'REVISION  WHEN       BY\n3         5 min ago  update\n2         5 min ago  file',
    )
  })
})

describe('pickRevisions()', () => {
  const numbers = (from?: number, to?: number): number[] => {
    const compared = pickRevisions(revisions.toReversed(), 'echo', { from, to })
    return [compared.from.revision, compared.to.revision]
  }

  it('compares the newest with the one before it, or with the one named, or both named', () => {
    expect([numbers(), numbers(1), numbers(1, 2), numbers(3, 1)]).to.deep.equal([
      [2, 3],
      [1, 3],
      [1, 2],
      [3, 1],
    ])
  })

  it('names the revisions that are kept where one is not, and says that there is nothing to compare', () => {
    expect(() => numbers(9))
      .to.throw('kept are 1, 2, 3')
      .with.property('code', 'REVISION_NOT_FOUND')
    const single = () => pickRevisions(revisions.slice(2), 'echo', { from: undefined, to: undefined })
    expect(single).to.throw('one revision alone')
    expect(() => pickRevisions([], 'echo', { from: 1, to: undefined })).to.throw('none is kept')
  })
})

describe('formatDiff()', () => {
  it('heads the changed lines with both revisions', () => {
    const [to, from] = revisions as [PluginConfigRevision, PluginConfigRevision]
    const lines = formatDiff({ from, to }, diffText(from.text, to.text), nowMs)
    expect(plain(lines)).to.equal(`--- revision 2  5 min ago, file
+++ revision 3  5 min ago, update
- a: 1
+ a: 2
  b: 1`)
    expect(formatDiff({ from, to: { ...from, revision: 7 } }, [], nowMs)).to.deep.equal([
      'Revisions 2 and 7 are the same',
    ])
  })
})

describe('formatConfigValues()', () => {
  it('shows where each value comes from and what needs a restart', () => {
    const lines = formatConfigValues(
      [
        { key: 'log.level', value: 'info', origin: 'PHANTOM_LOG_LEVEL', reloads: true },
        { key: 'workspace.roots', value: ['/w'], origin: '/p/config/default.yaml:3:5', reloads: false },
      ],
      '/p',
    )
    expect(plain(lines)).to.equal(`KEY              VALUE   FROM                     CHANGE
log.level        "info"  PHANTOM_LOG_LEVEL
workspace.roots  ["/w"]  config/default.yaml:3:5  needs a restart`)
  })
})

describe('formatConfigReload()', () => {
  it('says what is in force now, what waits for a restart, and that nothing has changed', () => {
    expect(formatConfigReload({ applied: ['a', 'b'], needs_restart: ['c'] })).to.deep.equal([
      'in force now: a, b',
      'needs a restart: c',
    ])
    expect(formatConfigReload({ applied: [], needs_restart: [] })).to.deep.equal(['Nothing has changed'])
  })
})

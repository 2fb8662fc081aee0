import { expect } from 'chai'
import { formatQuestion, formatResult } from '../../../src/cli/approve.ts'
import { readAnswer } from '../../../src/cli/narrow-rights.ts'
import { formatPermissions } from '../../../src/cli/permissions.ts'
import type { PluginPermissions, RightInfo } from '../../../src/contract/permissions-info.ts'

const right: RightInfo = {
  right: 'fs_read:${workspace}/data',
  declared: 'fs_read:./data',
  sentence: 'reads "data" in the workspace and all below it',
  risk: 'low',
  is_new: false,
  approved: ['fs_read:${workspace}/data'],
  effective: 'read /w/data/',
  mechanism: 'mount namespace + node --permission',
  refused: null,
}
const wide: RightInfo = {
  ...right,
  right: 'process',
  declared: 'process',
  sentence: 'starts programs',
  risk: 'high',
  is_new: true,
  approved: [],
  effective: null,
  mechanism: null,
  refused: 'it is not approved',
}
const asked: PluginPermissions = {
  plugin_id: 'mine',
  version: '1.0.0',
  state: 'enabled',
  waiting: 'it asks for more',
  digest: 'd'.repeat(64),
  rights: [right, wide],
  messages: [],
  dropped: ['env:LANG'],
  approval: {
    source: 'person',
    at: '2026-11-22T17:00:00.000Z',
    actor: null,
    digest: null,
    asked: [],
    granted: [],
  },
}

function plain(lines: readonly string[]): string {
  return lines.join('\n').replace(/\u001b\[\d+m/g, '')
}

describe('formatQuestion()', () => {
  it('says what is new, what was asked before, and what is not asked any more', () => {
    expect(plain(formatQuestion(asked))).to.equal(`mine 1.0.0  enabled
  it asks for more

New since the last approval:
  high risk: it starts programs (new)  process
Asked for at the last approval, too:
  low risk: it reads "data" in the workspace and all below it  fs_read:\${workspace}/data
No longer asked for:
  env:LANG
`)
  })

  it('says of what was asked before how much of it was given, where "yes" gives more now', () => {
    const part = { ...right, approved: ['fs_read:${workspace}/data/deep'] }
    const none = { ...wide, is_new: false }
    const lines = plain(formatQuestion({ ...asked, rights: [part, none] }))
    expect(lines).to.include('given then: fs_read:${workspace}/data/deep alone; "yes" gives all of it now')
    expect(lines).to.include('given then: nothing of it; "yes" gives all of it now')
    expect(plain(formatQuestion(asked)), 'all of it').not.to.include('given then')
  })

  it('says who may have it act by messages: its rights are theirs then', () => {
    const messages = [
      { type: 'refresh', from: ['*'] },
      { type: 'import', from: ['reports', 'mail'] },
      { type: 'reset', from: null },
    ]
    const lines = plain(formatQuestion({ ...asked, messages }))
    expect(lines).to.include('Messages:\n  it acts on "refresh" from every plugin, with its own rights\n')
    expect(lines).to.include('"import" from reports, mail,').and.include('"reset" from applications,')
    expect(plain(formatPermissions({ ...asked, messages }))).to.include(
      'it acts on "refresh" from every plugin',
    )
  })

  it('says so where nothing is asked for', () => {
    const nothing = { ...asked, rights: [], dropped: [], approval: null, waiting: null }
    expect(plain(formatQuestion(nothing))).to.include('It asks for no right: it may run')
  })

  it('prints nothing of a hostile manifest as it stands', () => {
    const hostile = {
      ...right,
      declared: 'fs_read:\u001b[2J',
      right: 'fs_read:\u001b[2J',
      sentence: 'a\u009bb\nc',
    }
    const shown = [
      ...formatQuestion({ ...asked, rights: [hostile], dropped: ['\u001b]0;x'], version: '\u001b[1m' }),
      ...formatPermissions({ ...asked, rights: [hostile], dropped: ['\u001b]0;x'], waiting: 'x\u001b[A' }),
    ]
    expect(plain(shown)).to.match(/^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$/)
  })
})

describe('formatPermissions()', () => {
  it('shows declared, risk, approved, effective and mechanism, with the sentence and the reason below', () => {
    expect(plain(formatPermissions(asked))).to.equal(`mine 1.0.0  enabled
  it asks for more

Rights
  DECLARED        RISK  APPROVED  EFFECTIVE      HELD BY
  fs_read:./data  low   yes       read /w/data/  mount namespace + node --permission
    it reads "data" in the workspace and all below it
  process         high  waits     nothing        -
    it starts programs
    it is not approved

No longer asked for
  env:LANG

Approval
  approved, 2026-11-22T17:00:00.000Z
  digest of what is asked: ${'d'.repeat(64)}
  to decide: phantom approve mine`)
  })
})

describe('formatResult()', () => {
  it('says what was given, and why the plugin does not run with it yet', () => {
    const result = { plugin_id: 'mine', digest: '', granted: [], state: 'blocked', generation: 1 } as const
    expect(plain(formatResult({ ...result, granted: [], problem: 'not enforced\nhere' }))).to.equal(
      'mine  approved: to run, with no right\nmine  blocked\n  not enforced\n  here',
    )
  })
})

describe('readAnswer()', () => {
  it('takes yes, no, and a part with or without its kind', () => {
    expect(readAnswer('fs_read:/srv', 'Y')).to.deep.equal(['fs_read:/srv'])
    expect(readAnswer('fs_read:/srv', 'no')).to.deep.equal([])
    expect(readAnswer('fs_read:/srv', '/srv/data')).to.deep.equal(['fs_read:/srv/data'])
    expect(readAnswer('fs_write:/srv', 'fs_read:/srv')).to.deep.equal(['fs_read:/srv'])
    expect(readAnswer('network:*', 'a.org,b.org:8080')).to.deep.equal(['network:a.org,b.org:8080'])
    expect(readAnswer('network:*.a.org', 'x.a.org')).to.deep.equal(['network:x.a.org'])
  })

  it('says what is wrong with anything else', () => {
    expect(readAnswer('env:LANG', 'maybe')).to.equal('Answer yes or no')
    expect(readAnswer('fs_read:/srv', '')).to.include('name a part of it')
    expect(readAnswer('fs_read:/srv', '../x')).to.include('".." segment')
    expect(readAnswer('process', 'git')).to.equal('Answer yes or no')
  })
})

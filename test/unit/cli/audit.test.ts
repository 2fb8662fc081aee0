import { expect } from 'chai'
import { formatRecord } from '../../../src/cli/audit.ts'
import { formatVerification } from '../../../src/cli/audit-verify.ts'
import { timeOrAge } from '../../../src/cli/time-or-age.ts'
import type { AuditRecord, AuditVerification } from '../../../src/contract/audit.ts'
import { plain } from './plain.ts'

const RECORD: AuditRecord = {
  sequence: 7,
  time: '2026-01-31T12:00:00.000Z',
  action: 'admin.reload_plugin',
  plugin_id: 'sample',
  outcome: 'done',
  actor: { uid: 1000, gid: 1000, pid: 42, command: 'phantom', client: 'raw 1', identity: 'peer credentials' },
  details: {},
  previous: 'a'.repeat(64),
  hash: 'b'.repeat(64),
}

const WHOLE: AuditVerification = {
  ok: true,
  records: 3,
  first_sequence: 1,
  last_sequence: 3,
  last_hash: 'b'.repeat(64),
  files: ['audit.jsonl'],
  checkpoints: 1,
  problems: [],
  notes: [],
}

describe('formatRecord()', () => {
  it('says when, what, about which plugin and by whom', () => {
    expect(plain([formatRecord(RECORD)])).to.equal(
      '2026-01-31T12:00:00.000Z done    admin.reload_plugin  sample  by uid 1000, pid 42, raw 1',
    )
  })

  it('says of one that nobody asked for that it was the daemon, and shows its details', () => {
    const record = { ...RECORD, actor: null, plugin_id: null, details: { folded: 3 } }
    expect(plain([formatRecord(record)])).to.match(/by the daemon {2}\{"folded":3\}$/)
  })

  it('says where the kernel could not tell, and lets no control character through', () => {
    const identity = "unknown (socket file's owner uid 0)"
    const actor = { uid: null, gid: null, pid: null, command: null, client: 'evil\u001b[2J', identity }
    const text = formatRecord({ ...RECORD, actor })
    expect(text).to.include(identity)
    expect(plain([text])).to.not.include('\u001b')
  })
})

describe('formatVerification()', () => {
  it('says how much is whole, and the hash that is worth keeping', () => {
    expect(plain(formatVerification(WHOLE)).split('\n')).to.deep.equal([
      'whole  records 1 to 3 (3) in 1 file, 1 checkpoints',
      `last hash  3:${'b'.repeat(64)}`,
    ])
  })

  it('names file and line of each problem', () => {
    const problem = {
      kind: 'cut',
      file: 'audit.jsonl',
      line: 3,
      message: 'records 4 to 5 are missing',
    } as const
    const lines = plain(
      formatVerification({ ...WHOLE, ok: false, problems: [problem], notes: ['more'] }),
    ).split('\n')
    expect(lines.slice(0, 3)).to.deep.equal([
      'not whole  records 1 to 3 (3) in 1 file, 1 checkpoints',
      '  audit.jsonl:3  cut: records 4 to 5 are missing',
      '  note: more',
    ])
  })
})

describe('timeOrAge()', () => {
  it('takes times and ages, and nothing else', () => {
    expect(timeOrAge('2026-01-31T12:00:00Z')).to.equal('2026-01-31T12:00:00.000Z')
    const beforeMs = Date.now()
    const twoHoursAgoMs = Date.parse(timeOrAge('2h'))
    expect(twoHoursAgoMs + 7_200_000).to.be.within(beforeMs, Date.now())
    expect(() => timeOrAge('yesterday')).to.throw('ISO 8601')
  })
})

import { expect } from 'chai'
import { PINNED_VERSION } from '../../../src/client/runtime/pinned-runtime.ts'
import type { DoctorReport } from '../../../src/contract/doctor-report.ts'
import { formatDoctorReport } from '../../../src/cli/doctor.ts'
import { formatPluginTable } from '../../../src/cli/list.ts'
import { formatLogLine } from '../../../src/cli/logs.ts'
import { formatIssue, shortPath } from '../../../src/cli/manifest-issue.ts'
import { formatProgress } from '../../../src/cli/progress-line.ts'
import { formatValidation } from '../../../src/cli/validate.ts'
import type { ManifestIssue, PluginSummary } from '../../../src/contract/plugin-info.ts'

const plugin: PluginSummary = {
  id: 'data_processor',
  name: 'Data Processor',
  version: '1.0.0',
  type: 'javascript',
  author: null,
  description: '',
  tags: [],
  operations: ['process_pipeline', 'describe'],
  state: 'enabled',
  reason: null,
  waiting: null,
  builtin: false,
  path: '/p/data_processor',
}

const issue: ManifestIssue = {
  file: '/p/x/plugin.toml',
  line: 3,
  column: 4,
  field: 'plugin.id',
  severity: 'error',
  message: 'Cannot read "id"',
}

/** Whatever the terminal of the test run is: words are compared, not colours. */
function plain(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/\u001b\[\d+m/g, ''))
}

describe('formatPluginTable()', () => {
  it('aligns the plugins and says below a broken one what is wrong', () => {
    const reason = '/p/broken/plugin.toml:3:1: Cannot read "id"'
    const broken: PluginSummary = {
      ...plugin,
      id: 'broken',
      type: null,
      state: 'invalid',
      operations: [],
      reason,
    }
    expect(plain(formatPluginTable([plugin, broken]))).to.deep.equal([
      'ID              VERSION  TYPE        STATE    OPERATIONS',
      'data_processor  1.0.0    javascript  enabled  process_pipeline, describe',
      'broken          1.0.0    -           invalid',
      `  ${reason}`,
    ])
  })

  it('says below one that serves what its update waits for', () => {
    const waiting = 'an update (version 1.1.0) waits: it asks for more'
    expect(plain(formatPluginTable([{ ...plugin, waiting }]))[2]).to.equal(`  ${waiting}`)
  })
})

describe('formatIssue()', () => {
  it('begins with file:line:column, relative inside the current folder', () => {
    expect(plain([formatIssue(issue, '/p'), formatIssue(issue, '/elsewhere')])).to.deep.equal([
      'x/plugin.toml:3:4 error Cannot read "id"',
      '/p/x/plugin.toml:3:4 error Cannot read "id"',
    ])
  })

  it('does not take a neighbour whose name begins alike for the current folder', () => {
    expect(shortPath('/p/data-2/plugin.toml', '/p/data')).to.equal('/p/data-2/plugin.toml')
    expect(shortPath('/p/data/..hidden', '/p/data')).to.equal('..hidden')
  })
})

describe('formatValidation()', () => {
  it('prints the issues and then the verdict', () => {
    const lines = formatValidation({ valid: false, plugin_id: 'x', path: '/p/x', issues: [issue] }, '/p')
    expect(plain(lines)).to.deep.equal(['x/plugin.toml:3:4 error Cannot read "id"', '✗ x  x  invalid'])
  })
})

describe('formatDoctorReport()', () => {
  it('shows each check, what enforces it and how to mend it', () => {
    const lines = formatDoctorReport({
      tier: 'process',
      required_tier: 'process',
      not_held: ['system calls: no filter'],
      runtime: { path: '/usr/bin/node', version: '26.10.0', source: 'path' },
      checks: [
        { name: 'memory', ok: true, found: 'works', mechanism: 'RLIMIT_DATA', remedy: null },
        { name: 'processor', ok: true, found: 'not all', mechanism: 'SIGSTOP', remedy: 'See "cgroup v2"' },
        {
          name: 'bubblewrap',
          ok: false,
          found: 'not there',
          mechanism: null,
          remedy: 'apt-get install bubblewrap',
        },
      ],
    })
    expect(plain(lines)).to.deep.equal([
      'isolation process, required at least process',
      'runtime   Node 26.10.0, /usr/bin/node: found on PATH',
      '',
      '   CHECK       HELD BY      FOUND',
      '✓  memory      RLIMIT_DATA  works',
      '!  processor   SIGSTOP      not all',
      '     to mend: See "cgroup v2"',
      '✗  bubblewrap  -            not there',
      '     to mend: apt-get install bubblewrap',
      '',
      'Not held by tier process',
      '  system calls: no filter',
    ])
  })

  it('says which Node this release is tested with, where another one runs, and nothing of an older daemon', () => {
    const lineFor = (runtime: object): string | undefined => {
      const report = { tier: 'process', required_tier: 'process', not_held: [], runtime, checks: [] }
      return plain(formatDoctorReport(report as unknown as DoctorReport))[1]
    }
    expect(lineFor({ path: '/n', version: '27.1.0', source: 'chosen' })).to.equal(
      `runtime   Node 27.1.0, /n: chosen by "phantom setup --runtime"; this release is tested with ${PINNED_VERSION}`,
    )
    expect(lineFor({ path: '/n', version: PINNED_VERSION })).to.equal(`runtime   Node ${PINNED_VERSION}, /n`)
  })
})

describe('formatLogLine()', () => {
  it('names the source of what the plugin did not log itself, and obeys no escape sequence in it', () => {
    const line = formatLogLine({
      time: '2026-01-02T03:04:05.678Z',
      plugin_id: 'echo',
      level: 'warn',
      source: 'stderr',
      execution_id: null,
      message: 'gone\u001b[2J',
    })
    expect(plain([line])).to.deep.equal(['2026-01-02T03:04:05.678Z warn  echo (stderr)  gone\\x1b[2J'])
  })
})

describe('formatProgress()', () => {
  it('shows time, share and message as far as they are known', () => {
    expect(formatProgress('echo echo', null, 1_200)).to.equal('echo echo  1.2 s')
    const progress = { execution_id: 'e', fraction: 0.425, message: 'row\n7' }
    expect(formatProgress('echo echo', progress, 1_200)).to.equal('echo echo  1.2 s  42 %  row\\n7')
    expect(formatProgress('x', { ...progress, fraction: 7, message: null }, 0)).to.equal('x  0 ms  100 %')
  })
})

import { expect } from 'chai'
import { formatPlugin, formatReload } from '../../../src/cli/change-plugin.ts'
import { formatGenerations } from '../../../src/cli/generations.ts'
import { formatHistory } from '../../../src/cli/history.ts'
import { formatWhy } from '../../../src/cli/why.ts'
import type { GenerationInfo, Incident } from '../../../src/contract/generations.ts'
import type { HistoryEntry } from '../../../src/contract/health.ts'
import { plain } from './plain.ts'

const nowMs = Date.parse('2026-01-02T03:05:00.000Z')
const at = '2026-01-02T03:00:00.000Z'

const incident: Incident = {
  at,
  plugin_id: 'echo',
  kind: 'exit',
  generation: 3,
  class: 'oom',
  message: 'the process was over its memory',
  workspace: '/w',
  limits: { max_memory_mb: 256 },
  log: ['error: no \u001b[2Jroom'],
  action: 'started anew after 200 ms',
}

describe('formatWhy()', () => {
  it('says how the plugin stands and tells each incident with limits, action and log', () => {
    const breaker: Incident = {
      ...incident,
      kind: 'breaker_opened',
      class: null,
      message: 'too many failures',
      workspace: null,
      limits: {},
      log: [],
      action: '',
    }
    const why = {
      plugin_id: 'echo',
      state: 'failed' as const,
      reason: 'it ended 6 times',
      incidents: [incident, breaker],
    }
    expect(plain(formatWhy(why, nowMs))).to.equal(`echo  failed
  it ended 6 times

5 min ago  process ended (oom)
  the process was over its memory
  at          2026-01-02T03:00:00.000Z
  generation  3
  workspace   /w
  limits      max_memory_mb 256
  action      started anew after 200 ms
  last log lines
    error: no \\x1b[2Jroom

5 min ago  breaker opened
  too many failures
  at          2026-01-02T03:00:00.000Z
  generation  3`)
  })

  it('says so when nothing went wrong, and when only the past of a plugin is left', () => {
    const well = { plugin_id: 'echo', state: 'enabled' as const, reason: null, incidents: [] }
    expect(plain(formatWhy(well, nowMs))).to.equal(
      'echo  enabled\n\nNothing went wrong with it that is still known',
    )
    const gone = { ...well, state: null, incidents: [incident] }
    expect(plain(formatWhy(gone, nowMs))).to.match(/^echo {2}not loaded\n\n5 min ago/)
  })
})

describe('formatHistory()', () => {
  it('shows each call, and below it why it did not succeed', () => {
    const call: HistoryEntry = {
      execution_id: 'e',
      plugin_id: 'echo',
      operation: 'echo',
      workspace: '/w',
      generation: 1,
      priority: 'normal',
      at,
      outcome: 'succeeded',
      code: null,
      error: null,
      execution_time_ms: 1.5,
      memory_used_bytes: 40 * 1024 ** 2,
      cpu_time_ms: 1,
    }
    const failed: HistoryEntry = { ...call, outcome: 'failed', error: 'no such row\u0007\nat 3' }
    const rejected: HistoryEntry = { ...call, outcome: 'rejected', code: 'CALL_TIMEOUT', error: 'over time' }
    expect(plain(formatHistory([call, failed, rejected], nowMs))).to
      .equal(`WHEN       PLUGIN  OPERATION  OUTCOME    TIME    CPU   MEMORY
5 min ago  echo    echo       succeeded  1.5 ms  1 ms  40.0 MiB
5 min ago  echo    echo       failed     1.5 ms  1 ms  40.0 MiB
  no such row\\x07
  at 3
5 min ago  echo    echo       rejected   1.5 ms  1 ms  40.0 MiB
  CALL_TIMEOUT: over time`)
  })
})

describe('formatGenerations()', () => {
  it('shows where a rejected one failed, and which can be brought back', () => {
    const current: GenerationInfo = {
      generation: 2,
      state: 'current',
      cause: 'files',
      version: '1.1.0',
      digest: '0123456789abcdef',
      at,
      failure: null,
      kept: true,
    }
    const rejected: GenerationInfo = {
      ...current,
      generation: 3,
      state: 'rejected',
      version: null,
      digest: null,
      failure: { gate: 'manifest', message: 'plugin.toml:3:1: Cannot read "id"' },
      kept: false,
    }
    expect(plain(formatGenerations([rejected, current], nowMs))).to
      .equal(`GENERATION  STATE     VERSION  CAUSE  WHEN       DIGEST    FILES
3           rejected  -        files  5 min ago  -         gone
  at manifest: plugin.toml:3:1: Cannot read "id"
2           current   1.1.0    files  5 min ago  01234567  kept`)
  })
})

describe('formatReload()', () => {
  it('says which generation serves, and whether that is news', () => {
    const result = { plugin_id: 'echo', changed: true, generation: 4, duration_ms: 120 }
    expect(formatReload(result)).to.deep.equal(['echo  generation 4 serves, after 120 ms'])
    expect(formatReload({ ...result, changed: false })).to.deep.equal([
      'echo  nothing has changed, generation 4 serves',
    ])
  })
})

describe('formatPlugin()', () => {
  it('shows the state and the reason for it', () => {
    const plugin = {
      id: 'echo',
      name: 'Echo',
      version: '1.0.0',
      type: 'javascript' as const,
      author: null,
      description: '',
      tags: [],
      operations: [],
      state: 'blocked' as const,
      reason: 'it asks for network',
      waiting: null,
      builtin: false,
      path: '/p/echo',
    }
    expect(plain(formatPlugin(plugin))).to.equal('echo 1.0.0  blocked\n  it asks for network')
  })
})

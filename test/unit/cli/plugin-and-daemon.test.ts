import { expect } from 'chai'
import { formatInfo } from '../../../src/cli/info.ts'
import { formatStatus } from '../../../src/cli/status.ts'
import type { InstanceInfo, PluginInfo } from '../../../src/contract/plugin-info.ts'
import type { DaemonStatus } from '../../../src/contract/system-methods.ts'
import { plain } from './plain.ts'
import { pluginHealth } from './sample-figures.ts'

const info: PluginInfo = {
  id: 'echo',
  name: 'Echo',
  version: '1.0.0',
  type: 'javascript',
  author: 'Somebody',
  description: 'Answers \u001b[31mwhat it is given',
  tags: ['demo'],
  operations: ['echo'],
  state: 'enabled',
  reason: null,
  waiting: null,
  builtin: true,
  path: '/p/echo',
  license: 'MIT',
  homepage: null,
  entry_point: 'index.js',
  dependencies: { arquero: '^7' },
  plugin_dependencies: {},
  operation_details: [
    {
      name: 'echo',
      description: 'Answers its input',
      input_schema: null,
      output_schema: null,
      idempotent: true,
      timeout_ms: 2_000,
    },
  ],
  messages: [
    { type: 'build_done', description: 'Notes it', from: ['ci', '*'], input_schema: null },
    { type: 'stop', description: '', from: null, input_schema: { type: 'null' } },
  ],
  permissions: [
    { declared: 'fs_read:./data', effective: '/w/data', mechanism: 'mount namespace', refused: null },
    { declared: 'network:*', effective: null, mechanism: null, refused: 'comes later' },
  ],
  limits: [
    {
      name: 'max_memory_mb',
      declared: 256,
      effective: null,
      mechanism: null,
      not_held: 'prlimit is not installed',
    },
  ],
  configuration_schema: null,
  issues: [
    { file: '/p/echo/plugin.toml', line: 1, column: 2, field: '', severity: 'warning', message: 'odd' },
  ],
  reported: { metadata: { kind: 'demo' }, capabilities: null },
  instances: [
    {
      pid: 12,
      uid: 20_001,
      state: 'ready',
      role: 'active',
      generation: 1,
      workspace: '/w',
      tier: 'namespace',
      calls_in_flight: 0,
      started_at: '2026-01-02T03:04:05.678Z',
      ready_ms: 55,
      memory_bytes: 10 * 1024 ** 2,
      cpu_time_ms: null,
      attestation: null,
      health: null,
    },
  ],
  last_exit: {
    class: 'oom',
    at: '2026-01-02T03:04:05.678Z',
    generation: 1,
    code: null,
    signal: 'SIGKILL',
    message: 'over its limit',
  },
  notices: ['fs_write:./out: not writable for uid 20001'],
}

const health = pluginHealth({
  plugin_id: 'echo',
  generation: 3,
  restarts: 2,
  breakers: [{ operation: 'echo', state: 'open', failure_rate: 0.5, retry_in_ms: 1_500 }],
})

describe('formatInfo()', () => {
  it('says what the plugin is, may do, is held to and does', () => {
    expect(plain(formatInfo(info, health))).to.equal(`echo 1.0.0  Echo
Answers \\x1b[31mwhat it is given

type         javascript, built in
state        enabled
generation   3, 2 restarts
author       Somebody
license      MIT
tags         demo
entry point  index.js
libraries    arquero ^7
folder       /p/echo

Rights
  DECLARED        EFFECTIVE             HELD BY
  fs_read:./data  /w/data               mount namespace
  network:*       refused: comes later

Limits
  LIMIT          DECLARED  HOLDS  HELD BY
  max_memory_mb  256       none   nothing: prlimit is not installed

Operations
  echo  input unchecked, idempotent, at most 2.0 s  Answers its input

Messages
  build_done  from ci, every plugin; payload unchecked  Notes it
  stop        from applications; payload checked

Processes
  process 12, uid 20001, ready, tier namespace, generation 1, 0 calls, 10.0 MiB, ready in 55 ms
    workspace /w
  last exit: oom (SIGKILL) at 2026-01-02T03:04:05.678Z: over its limit

Breakers
  OPERATION  BREAKER  FAILURES  NEXT TRY
  echo       open     50 %      in 1.5 s

Says of itself
  metadata {"kind":"demo"}

Notices
  fs_write:./out: not writable for uid 20001

Issues
  /p/echo/plugin.toml:1:2 warning odd`)
  })

  it('tells a standby from the process that serves', () => {
    const [active] = info.instances as [InstanceInfo]
    const both = { ...info, instances: [active, { ...active, pid: 13, role: 'standby' as const }] }
    const text = plain(formatInfo(both, health))
    expect(text)
      .to.include('process 12, uid 20001, ready,')
      .and.include('process 13, uid 20001, standby (ready),')
  })

  it('leaves out what there is nothing to say about, but not that a plugin has no rights', () => {
    const bare: PluginInfo = {
      ...info,
      permissions: [],
      limits: [],
      operation_details: [],
      messages: [],
      instances: [],
      last_exit: null,
      reported: null,
      notices: [],
      issues: [],
    }
    const text = plain(formatInfo(bare, pluginHealth({})))
    expect(text.match(/^[A-Z][a-z ]+$/gm)).to.deep.equal(['Rights'])
    expect(text).to.include('none: the plugin sees its own folder')
  })
})

describe('formatStatus()', () => {
  it('shows the daemon, its plugins and its calls', () => {
    const status: DaemonStatus = {
      version: '0.1.0',
      pid: 7,
      uid: 1000,
      runtime: 'node 26.10.0',
      runtime_source: 'running',
      uptime_ms: 61_000,
      environment: 'production',
      plugin_directory: '/p',
      state_directory: '/s',
      socket: '/s/phantom.sock',
      admin_socket: '/s/phantom-admin.sock',
      private: true,
      tier: 'process',
      required_tier: 'namespace',
      not_held: [],
      permissions_mode: 'enforce',
      policy_problem: null,
      clients: 2,
      plugins: { total: 3, by_state: { enabled: 2, invalid: 1 } },
      instances: 1,
      calls: { in_flight: 1, queued: 2, total: 9, failed: 3 },
      memory_bytes: 50 * 1024 ** 2,
    }
    expect(plain(formatStatus(status))).to
      .equal(`daemon       0.1.0, process 7, uid 1000, node 26.10.0 (the Node that started it)
up           1 min 1 s, private: ends with its last application
environment  production
plugins      3: 2 enabled, 1 invalid
isolation    process (required at least: namespace)
processes    1 of plugins, 2 connected applications
calls        9: 1 running, 2 queued, 3 failed
memory       50.0 MiB (the daemon alone)
directory    /p
state        /s
socket       /s/phantom.sock`)
  })
})

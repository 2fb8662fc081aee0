import { expect } from 'chai'
import { formatHealth, formatHealthTable } from '../../../src/cli/health.ts'
import { formatMetrics, formatRunning } from '../../../src/cli/metrics.ts'
import { toScreen } from '../../../src/cli/watch.ts'
import { plain } from './plain.ts'
import { emptyQueue, noCalls, pluginHealth, pluginMetrics, someCalls, noDenials } from './sample-figures.ts'

const nowMs = Date.parse('2026-01-02T03:05:00.000Z')
const busyQueue = {
  waiting: 3,
  in_flight: 2,
  by_priority: { low: 0, normal: 2, high: 0, critical: 1 },
  oldest_ms: 20,
  refused: 4,
}

describe('formatHealth()', () => {
  it('says how the plugin is, and why it is not well', () => {
    const health = pluginHealth({
      status: 'degraded',
      reasons: ['the breaker of "describe" is open'],
      generation: 3,
      calls: someCalls,
      operations: [{ operation: 'describe', ...someCalls }],
      queue: busyQueue,
      breakers: [{ operation: 'describe', state: 'open', failure_rate: 0.6, retry_in_ms: 2_000 }],
      memory_bytes: 40 * 1024 ** 2,
      cpu_time_ms: 1_500,
      cpu_share: 0.03,
      restarts: 1,
      uptime_ms: 61_000,
      last_error: {
        at: '2026-01-02T03:00:00.000Z',
        code: 'CALL_TIMEOUT',
        message: 'it took\u001b[31m too long\nby far',
        operation: 'describe',
      },
      reported: [{ workspace: '/w', health: { cache: 'warm' }, problem: null }],
    })
    expect(plain(formatHealth(health, nowMs))).to.equal(`echo
status      degraded
            the breaker of "describe" is open
state       enabled, generation 3
calls       10: 7 succeeded, 1 failed, 1 rejected, 1 cancelled
success     77.8 %, errors 22.2 %
times       mean 1.3 ms, p50 0.5 ms, p95 4 ms, p99 90 ms, at most 1.2 s
queue       2 running, 3 waiting (1 critical, 2 normal; the oldest for 20 ms), 4 refused
memory      40.0 MiB
CPU         1.5 s, 3 % of a core
up          1 min 1 s
restarts    1
last error  5 min ago, CALL_TIMEOUT in describe: it took\\x1b[31m too long …

Operations
  OPERATION  CALLS  SUCCESS  P50     P95   P99
  describe   10     77.8 %   0.5 ms  4 ms  90 ms

Breakers
  OPERATION  BREAKER  FAILURES  NEXT TRY
  describe   open     60 %      in 2.0 s

Says of itself
  /w  {"cache":"warm"}`)
  })

  it('says of an idle plugin what is known and nothing else', () => {
    expect(plain(formatHealth(pluginHealth({}), nowMs))).to.equal(`echo
status      idle
state       enabled, generation 1
calls       none yet
success     -, errors -
times       -
queue       0 running, 0 waiting, 0 refused
memory      -
CPU         0 ms
up          -
restarts    0
last error  none`)
  })
})

describe('formatHealthTable()', () => {
  it('has one row a plugin and the reasons below', () => {
    const unhealthy = pluginHealth({
      plugin_id: 'bad',
      status: 'unhealthy',
      reasons: ['it failed'],
      calls: someCalls,
    })
    expect(plain(formatHealthTable([pluginHealth({}), unhealthy]))).to
      .equal(`PLUGIN  STATUS     CALLS  SUCCESS  P99    WAITING  MEMORY  RESTARTS
echo    idle       0      -        -      0        -       0
bad     unhealthy  10     77.8 %   90 ms  0        -       0
  it failed`)
  })

  it('says in words that there is nothing to show', () => {
    expect(formatHealthTable([])).to.deep.equal(['No plugin is loaded'])
  })
})

describe('formatMetrics()', () => {
  it('shows the whole, then the plugins that do something, the busiest first', () => {
    const metrics = {
      at: '2026-01-02T03:05:00.000Z',
      uptime_ms: 61_000,
      daemon: { memory_bytes: 50 * 1024 ** 2, cpu_time_ms: 2_000, event_loop_delay_p99_ms: 1.5 },
      calls: someCalls,
      queue: emptyQueue,
      instances: 2,
      restarts: 1,
      plugins: [
        pluginMetrics({ plugin_id: 'quiet', instances: 0, calls: noCalls }),
        pluginMetrics({ plugin_id: 'started', calls: noCalls, cpu_share: null }),
        pluginMetrics({
          plugin_id: 'busy',
          queue: busyQueue,
          denials: { ...noDenials, fs_read: 3, process: 1 },
          network: { requests: 12, connections: 3, bytes: 5 * 1024 ** 2 },
        }),
      ],
    }
    expect(plain(formatMetrics(metrics))).to.equal(`up         1 min 1 s
calls      10: 7 succeeded, 1 failed, 1 rejected, 1 cancelled
success    77.8 %, errors 22.2 %
times      mean 1.3 ms, p50 0.5 ms, p95 4 ms, p99 90 ms, at most 1.2 s
queue      0 running, 0 waiting, 0 refused
processes  2 of plugins, 1 restarts
daemon     50.0 MiB, CPU 2.0 s, event loop delay p99 1.5 ms

PLUGIN   CALLS  SUCCESS  P50     P95   P99    RUNNING  WAITING  RESTARTS  MEMORY    CPU
busy     10     77.8 %   0.5 ms  4 ms  90 ms  2        3        0         40.0 MiB  1.5 s, 3 % of a core
started  0      -        -       -     -      0        0        0         40.0 MiB  1.5 s

PLUGIN  REQUESTS  TUNNELS  NETWORK
busy    12        3        5.0 MiB

PLUGIN  DENIED   TIMES
busy    fs_read  3
busy    process  1

1 plugin without a process or a call`)
  })
})

describe('formatRunning()', () => {
  it('shows calls, queue, restarts and memory of each plugin', () => {
    expect(plain(formatRunning([pluginMetrics({ queue: busyQueue, restarts: 3 })]))).to
      .equal(`PLUGIN  GENERATION  PROCESSES  CALLS  RUNNING  WAITING  RESTARTS  MEMORY
echo    2           1          10     2        3        3         40.0 MiB`)
    expect(formatRunning([])).to.deep.equal([])
  })
})

describe('toScreen()', () => {
  it('paints over what stood there and never scrolls', () => {
    expect(toScreen(['a', 'b'], 10)).to.equal('\u001b[Ha\u001b[K\nb\u001b[K\n\u001b[J')
    expect(toScreen(['a', 'b', 'c'], 3)).to.equal('\u001b[Ha\u001b[K\nb\u001b[K\n\u001b[J')
  })
})

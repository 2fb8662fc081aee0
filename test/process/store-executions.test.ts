import { expect } from 'chai'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type ExecutionEntry,
  ExecutionHistory,
  type HistoryOptions,
} from '../../host/metrics/execution-history.ts'
import { ExecutionTable } from '../../host/store/execution-table.ts'
import { openDatabase } from '../../host/store/open-database.ts'
import { openStore, type Store } from '../../host/store/store.ts'
import type { HistoryEntry } from '../../src/contract/health.ts'
import type { PhantomError } from '../../src/contract/phantom-error.ts'

const NOW_MS = Date.UTC(2026, 5, 1, 12)
const DAY_MS = 86_400_000
const MODULES = ['host/store/store.ts', 'host/metrics/execution-history.ts'].map((file) =>
  JSON.stringify(new URL(`../../${file}`, import.meta.url).href),
)
/** Adds without end and says after each batch how many are written for sure. */
const WRITER = `
  const [{ openStore }, { ExecutionHistory }] = await Promise.all([import(${MODULES[0]}), import(${MODULES[1]})])
  const store = openStore(process.argv[1])
  const history = new ExecutionHistory({ table: store.executions, redact: (text) => text, onNotice: console.error,
    epochMs: Date.now, retentionDays: 7, maxEntries: 1e6 })
  for (let count = 0; ; ) {
    for (let n = 0; n < 500; n += 1) history.add({ ...JSON.parse(process.argv[2]), atEpochMs: Date.now() + count++ })
    history.flush()
    console.log(store.executions.count)
    await new Promise(setImmediate)
  }`

function entry(change: Partial<ExecutionEntry> = {}): ExecutionEntry {
  return {
    execution_id: 'e1',
    connection: null,
    plugin_id: 'one',
    operation: 'run',
    workspace: '/w',
    generation: 2,
    priority: 'normal',
    outcome: 'succeeded',
    code: null,
    error: null,
    atEpochMs: NOW_MS,
    execution_time_ms: 1.25,
    memory_used_bytes: 1024,
    cpu_time_ms: 10,
    ...change,
  }
}

describe('ExecutionHistory', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-history-'))
  const children: ChildProcess[] = []
  const open: { close(): void }[] = []
  let count = 0
  let store: Store
  let notices: string[]

  beforeEach(() => {
    notices = []
    store = openStore(newStateDirectory())
    open.push(store)
  })
  afterEach(() => {
    for (const one of open.splice(0).toReversed()) one.close()
  })
  after(() => {
    for (const child of children) child.kill('SIGKILL')
    fs.rmSync(folder, { recursive: true, force: true })
  })

  function newStateDirectory(): string {
    return path.join(folder, `state-${(count += 1)}`)
  }

  function makeHistory(options: Partial<HistoryOptions> = {}): ExecutionHistory {
    const history = new ExecutionHistory({
      table: store.executions,
      redact: (text) => text,
      onNotice: (text) => notices.push(text),
      epochMs: () => NOW_MS,
      retentionDays: 30,
      maxEntries: 1_000_000,
      ...options,
    })
    open.push(history)
    return history
  }

  /** A table on a disk that is full: SQLite itself says so, by its bound on pages. */
  function tableOnSmallDisk() {
    const stateDirectory = newStateDirectory()
    fs.mkdirSync(stateDirectory, { mode: 0o700 })
    const { database } = openDatabase(stateDirectory, new Date())
    open.push(database)
    const setPages = (pages: number) => database.exec(`PRAGMA max_page_count = ${pages}`)
    return { table: new ExecutionTable(database), setPages }
  }

  it('gives entries back as they came, the newest first, those not written yet among them', () => {
    const history = makeHistory()
    const failed = {
      outcome: 'rejected',
      code: 'CALL_TIMEOUT',
      error: 'too late',
      execution_id: null,
    } as const
    history.add(entry())
    history.flush()
    history.add(entry({ ...failed, atEpochMs: NOW_MS + 5, priority: 'critical' }))
    // Whose connection it was is asked for, and not told.
    const { atEpochMs, connection, ...rest } = entry({ ...failed, priority: 'critical' })
    expect([atEpochMs, connection]).to.deep.equal([NOW_MS, null])
    const entries = history.query({ limit: 10 })
    expect(entries[0]).to.eql({ ...rest, at: '2026-06-01T12:00:00.005000Z' })
    expect(entries[1]).to.deep.include({
      at: '2026-06-01T12:00:00.000000Z',
      outcome: 'succeeded',
      error: null,
    })
    expect(entries).to.have.length(2)
  })

  it('filters by plugin, by outcome and by both', () => {
    const history = makeHistory()
    for (let n = 0; n < 60; n += 1) {
      const outcome = (['succeeded', 'failed', 'cancelled'] as const)[n % 3]!
      history.add(entry({ plugin_id: n % 2 === 0 ? 'one' : 'two', outcome, atEpochMs: NOW_MS + n }))
    }
    const found = (query: { pluginId?: string; outcome?: HistoryEntry['outcome'] }) =>
      history.query({ ...query, limit: 100 }).length
    expect([found({}), found({ pluginId: 'one' }), found({ outcome: 'failed' })]).to.eql([60, 30, 20])
    expect(found({ pluginId: 'two', outcome: 'cancelled' })).to.equal(10)
    expect(found({ pluginId: 'none' })).to.equal(0)
  })

  it('pages through a thousand entries of one millisecond, and skips and repeats none', () => {
    const history = makeHistory()
    for (let n = 0; n < 990; n += 1) history.add(entry({ execution_id: `e${n}` }))
    const seen: (string | null)[] = []
    for (let before: string | null = null; ;) {
      const page: HistoryEntry[] = history.query({ limit: 70, before, pluginId: 'one' })
      if (page.length === 0) break
      seen.push(...page.map(({ execution_id: id }) => id))
      before = page.at(-1)!.at
    }
    expect(seen).to.eql(Array.from({ length: 990 }, (_, n) => `e${989 - n}`))
  })

  it('refuses a "before" that is no time, in words', () => {
    const history = makeHistory()
    let error: PhantomError | null = null
    try {
      history.query({ limit: 1, before: 'yesterday' })
    } catch (thrown) {
      error = thrown as PhantomError
    }
    expect(error).to.include({ code: 'PARAMS_INVALID' })
    expect(error?.message).to.contain('"yesterday"').and.to.contain('ISO 8601')
  })

  it('keeps every entry when the clock is set back over times that are taken', () => {
    const history = makeHistory()
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 50; n += 1) history.add(entry({ atEpochMs: NOW_MS + (n % 2) }))
      history.flush()
    }
    expect(store.executions.count).to.equal(150)
    expect(history.query({ limit: 1000 })).to.have.length(150)
  })

  it('takes thousands of one moment, twice, without walking over each other', () => {
    const history = makeHistory()
    for (const round of [1, 2]) {
      // Back by more than a second in between, so that both bursts want the same times.
      history.add(entry({ atEpochMs: NOW_MS + round * 10_000 }))
      for (let n = 0; n < 2400; n += 1) history.add(entry({ atEpochMs: NOW_MS, outcome: 'rejected' }))
    }
    const begin = performance.now()
    history.flush()
    expect(performance.now() - begin).to.be.below(2000)
    expect(store.executions.count).to.equal(4802)
    const [newest] = history.query({ limit: 1, outcome: 'rejected' })
    expect(newest!.at).to.match(/^2026-06-01T12:00:00.00/)
  })

  it('redacts and cuts the words of errors', () => {
    const history = makeHistory({ redact: (text) => text.replaceAll('s3cret', '[redacted]') })
    history.add(entry({ outcome: 'failed', error: `key s3cret ${'é'.repeat(9000)}` }))
    const [found] = history.query({ limit: 1 })
    expect(found!.error)
      .to.match(/^key \[redacted\] é+$/)
      .and.to.have.length(500)
  })

  it('takes figures that are no numbers as 0', () => {
    const history = makeHistory()
    history.add(entry({ execution_time_ms: Number.NaN, memory_used_bytes: Infinity, cpu_time_ms: 0.5 }))
    expect(history.query({ limit: 1 })[0]).to.include({
      execution_time_ms: 0,
      memory_used_bytes: 0,
      cpu_time_ms: 0.5,
    })
  })

  it('writes by itself within a second, and sooner when many wait', async () => {
    const history = makeHistory()
    history.add(entry())
    expect(store.executions.count).to.equal(0)
    while (store.executions.count === 0) await delay(10)
    for (let n = 0; n < 1000; n += 1) history.add(entry({ atEpochMs: NOW_MS + n }))
    const begin = performance.now()
    while (store.executions.count < 1001) await new Promise(setImmediate)
    expect(performance.now() - begin).to.be.below(400)
    expect(history.figures).to.eql({ unwritten: 0, thinned: 0, dropped: 0 })
  })

  it('thins calls that come by the ten thousand, those that went wrong last, and records how many', () => {
    const history = makeHistory()
    for (let n = 0; n < 30_000; n += 1) {
      const outcome = n % 10 === 0 ? 'failed' : 'succeeded'
      history.add(entry({ outcome, atEpochMs: NOW_MS + Math.floor(n / 30) }))
    }
    history.flush()
    expect(history.query({ limit: 10_000, outcome: 'failed' })).to.have.length(3000)
    expect(history.query({ limit: 10_000, outcome: 'succeeded' })).to.have.length(2000)
    expect(history.figures).to.eql({ unwritten: 0, thinned: 25_000, dropped: 0 })
    expect(store.fact('executions_left_out')).to.equal(25_000)
    for (let n = 0; n < 7000; n += 1) history.add(entry({ outcome: 'rejected', atEpochMs: NOW_MS + 5000 }))
    history.flush()
    expect(store.fact('executions_left_out')).to.equal(27_000)
  })

  it('never holds more than its bound of entries, and drops the oldest', () => {
    const history = makeHistory({ maxEntries: 500 })
    for (let n = 0; n < 3000; n += 1) history.add(entry({ execution_id: `e${n}`, atEpochMs: NOW_MS + n }))
    history.flush()
    expect(store.executions.count).to.equal(500)
    const entries = history.query({ limit: 1000 })
    expect([entries[0]!.execution_id, entries.at(-1)!.execution_id]).to.eql(['e2999', 'e2500'])
  })

  it('drops what is too old at its start, in small steps', async () => {
    const history = makeHistory({ retentionDays: 2 })
    for (let n = 0; n < 5500; n += 1) {
      history.add(entry({ atEpochMs: NOW_MS - (n < 5000 ? 3 : 1) * DAY_MS + n, outcome: 'failed' }))
    }
    history.flush()
    expect(store.executions.count).to.equal(5500)
    history.start()
    expect(store.executions.count, 'one step').to.equal(4500)
    while (store.executions.count > 500) await new Promise(setImmediate)
    await new Promise(setImmediate)
    expect(store.executions.count).to.equal(500)
    history.retain({ retentionDays: 2, maxEntries: 100 })
    expect(store.executions.count).to.equal(100)
  })

  it('says once that the disk is full, goes on, keeps the newest in memory, and writes when there is room', async () => {
    const { table, setPages } = tableOnSmallDisk()
    const history = makeHistory({ table })
    setPages(1)
    for (let n = 0; n < 60_000; n += 1) {
      history.add(
        entry({ execution_id: `e${n}`, outcome: 'failed', error: 'x'.repeat(400), atEpochMs: NOW_MS + n }),
      )
    }
    while (notices.length === 0) await delay(10)
    expect(notices[0]).to.contain('Cannot write the execution history').and.to.contain('full')
    expect(history.figures.dropped).to.equal(10_000)
    expect(history.figures.unwritten).to.equal(50_000)
    expect(history.query({ limit: 5, outcome: 'failed' }).map(({ execution_id: id }) => id)).to.eql(
      [59_999, 59_998, 59_997, 59_996, 59_995].map((n) => `e${n}`),
    )
    expect(history.flush()).to.equal(false)
    expect(notices).to.have.length(1)
    expect(table.count).to.equal(0)
    setPages(1_000_000)
    while (table.count < 50_000) await delay(10)
    expect(notices).to.have.length(2)
    expect(notices[1]).to.contain('written again').and.to.contain('10000')
    expect(history.query({ limit: 10_000, pluginId: 'one' })).to.have.length(10_000)
  })

  it('closes with what waits on disk, and takes nothing after it', () => {
    const history = makeHistory()
    for (let n = 0; n < 700; n += 1) history.add(entry({ atEpochMs: NOW_MS + n }))
    history.close()
    history.close()
    history.add(entry())
    expect(store.executions.count).to.equal(700)
    expect(history.figures.unwritten).to.equal(0)
  })

  it('leaves a sound database with all that was written when its process is killed amid a batch', async () => {
    const stateDirectory = newStateDirectory()
    let written = 0
    for (let round = 1; round <= 5; round += 1) {
      const child = spawn(
        process.execPath,
        ['--input-type=module', '-e', WRITER, stateDirectory, JSON.stringify(entry({ outcome: 'failed' }))],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      children.push(child)
      const lines = createInterface({ input: child.stdout })
      lines.on('line', (line) => {
        written = Number(line)
        // Not right behind the line: some way into the next batch.
        if (written >= round * 2000) setTimeout(() => child.kill('SIGKILL'), round % 3)
      })
      await once(lines, 'close')
      using reopened = openStore(stateDirectory)
      expect(reopened.warnings).to.eql([])
      expect(reopened.executions.count)
        .to.be.at.least(written)
        .and.at.least(round * 2000)
      const all = { pluginId: null, outcome: null, connection: null, beforeUs: null, limit: 1_000_000 }
      expect(reopened.executions.query(all)).to.have.length(reopened.executions.count)
    }
  })
})

import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { until } from '../helpers/daemon.ts'
import { buildRunner, errorOf, resultOf, RunnerDriver } from './runner-driver.ts'

const MEBIBYTE = 1_048_576
const THREAD_BYTES = 68 * MEBIBYTE
const ENTRY = path.resolve(import.meta.dirname, '../fixtures/plugins/uses-threads/index.js')

/** By the runner alone: what holds its threads from outside is tried in test/security. */
describe('context.parallel in a runner', function () {
  this.timeout(30_000)
  let driver: RunnerDriver

  before(async () => {
    driver = new RunnerDriver({
      runner: buildRunner(),
      entry: ENTRY,
      initialize: { threads: 2, thread_bytes: THREAD_BYTES },
    })
    resultOf(await driver.start())
  })
  after(() => driver.stop())

  const run = (input: object, more: object = {}) => driver.execute('run', input, more)

  it('gives the results in the order of the items, each with its index', async () => {
    const items = Array.from({ length: 100 }, (_, at) => at)
    expect(resultOf(await run({ items }))).to.deep.equal(
      items.map((item) => ({ index: item, doubled: item * 2 })),
    )
  })

  it('takes no items', async () => {
    expect(resultOf(await run({ items: [] }))).to.deep.equal([])
  })

  it('shares its threads among calls, and starts no more than were declared', async () => {
    const calls = await Promise.all(
      Array.from({ length: 6 }, () => run({ export: 'thread', items: [1, 2, 3, 4] })),
    )
    const threads = new Set(calls.flatMap((answer) => resultOf(answer) as number[]))
    expect(threads.size).to.be.within(1, 2)
  })

  it('waits for tasks that wait, at once on each thread', async () => {
    expect(resultOf(await run({ export: 'wait', items: [30, 20, 10, 1] }))).to.deep.equal([30, 20, 10, 1])
  })

  it('loads the SDK in a thread', async () => {
    expect(resultOf(await run({ export: 'sdk', items: [1] }))).to.deep.equal(['function'])
  })

  it("keeps a task's words, name and code, and says which item it was", async () => {
    const items = ['good', 'good', 'bad', 'good']
    const { name, message, details } = errorOf(await run({ export: 'fails', items }))
    expect({ name, message }).to.deep.equal({ name: 'fault', message: 'Item 2: this one is bad' })
    expect(details).to.deep.include({ name: 'RangeError', code: 'E_BAD' })
    // Its threads serve the next call.
    expect(resultOf(await run({ items: [4] }))).to.deep.equal([{ index: 0, doubled: 8 }])
  })

  it('says what a thread ended of, and goes on with another', async () => {
    expect(errorOf(await run({ export: 'leaves', items: [1] })).message).to.include('exited with code: 3')
    expect(errorOf(await run({ export: 'function_of', items: [1] })).message).to.include(
      'could not be cloned',
    )
    expect(resultOf(await run({ items: [4] }))).to.deep.equal([{ index: 0, doubled: 8 }])
  })

  it('says what it cannot run', async () => {
    expect(errorOf(await run({ task: './tasks/none.js', items: [1] })).message).to.match(
      /^Cannot load ".*\/tasks\/none.js" in a thread: /,
    )
    expect(errorOf(await run({ export: 'none', items: [1] })).message).to.include(
      'exports no function "none"',
    )
    expect(errorOf(await run({ task: 'lodash', items: [1] })).message).to.equal(
      'Cannot run "lodash" on threads: it is no path of a module. Write one from the entry point\'s folder, "./tasks/sum.js", or new URL(\'./sum.js\', import.meta.url)',
    )
    expect(errorOf(await run({ items: 7 })).message).to.include('expected an array')
  })

  it('moves whole bytes, copies parts and what two items have, and shares what is shared', async () => {
    expect(resultOf(await driver.execute('bytes'))).to.deep.equal({
      answers: [
        { sum: 6, kind: 'Float64Array', doubled: [2, 4, 6] },
        { sum: 50, kind: 'Float64Array', doubled: [40, 60] },
        { sum: 300, kind: 'Float64Array', doubled: [200, 400] },
        { sum: 10, kind: 'Uint8Array', doubled: [2, 4, 6, 8] },
        { sum: 14, kind: 'Uint8Array', doubled: [14, 14] },
        { sum: 14, kind: 'Uint8Array', doubled: [14, 14] },
        {
          sum: Buffer.from('a pooled buffer').reduce((total, byte) => total + byte, 0),
          kind: 'Uint8Array',
          doubled: [...Buffer.from('a pooled buffer')].map((byte) => byte * 2),
        },
      ],
      // Moved, a part, shared, moved as a member, in two items.
      left: [0, 4, 2, 0, 2],
      shared: [-1, 200],
    })
  })

  it('passes on all that they print, also where they end at once', async () => {
    let printed = ''
    const hear = (text: Buffer): void => void (printed += text.toString())
    driver.child.stdout!.on('data', hear)
    const items = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(300_000))
    resultOf(await run({ export: 'prints', items }))
    errorOf(await run({ export: 'prints_and_leaves', items: ['e'] }))
    await until(() => printed.length === 4 * 300_001 + 2, 'all that was printed')
    driver.child.stdout!.off('data', hear)
    expect(printed.split('\n').toSorted()).to.deep.equal(['', ...items, 'e'])
  })

  it('tells how far it is where that is asked for', async () => {
    driver.progress.length = 0
    resultOf(await run({ items: [1, 2, 3], progress: true }, { progress: true }))
    expect(driver.progress.at(-1)?.fraction).to.equal(1)
  })

  it('ends threads that spin when the call is cancelled, and then answers', async () => {
    let id = 0
    const answered = new Promise<Parameters<typeof errorOf>[0]>((resolve) => {
      const payload = Buffer.from(JSON.stringify({ export: 'spin', items: [1, 2, 3] }))
      id = driver.connection.request('execute', { operation: 'run', timeout_ms: 10_000 }, payload, resolve)
    })
    await once(driver.child.stdout!, 'data')
    driver.connection.notify('cancel', { id })
    const answer = await answered
    expect(errorOf(answer).name).to.equal('cancelled')
    expect(resultOf(await run({ items: [4] }))).to.deep.equal([{ index: 0, doubled: 8 }])
  })

  it('counts what threads reserve for as long as none runs, and all the same when they have ended', async () => {
    const one = new RunnerDriver({
      runner: buildRunner(),
      entry: ENTRY,
      initialize: { threads: 2, thread_bytes: THREAD_BYTES },
    })
    try {
      resultOf(await one.start())
      const freshBytes = dataBytes(one)
      resultOf(await one.execute('run', { export: 'wait', items: [50, 50] }))
      const runningBytes = dataBytes(one)
      expect(runningBytes - freshBytes, 'they took its place').to.be.within(0, 32 * MEBIBYTE)
      resultOf(await one.execute('ends_by_itself'))
      expect(dataBytes(one)).to.be.within(freshBytes, runningBytes + 4 * MEBIBYTE)
    } finally {
      await one.stop()
    }
  })

  it('ends them by a signal of its own, and the plugin goes on', async () => {
    expect(resultOf(await driver.execute('ends_by_itself'))).to.equal('enough of it')
  })
})

/** What the kernel counts against RLIMIT_DATA. */
function dataBytes({ child }: RunnerDriver): number {
  const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8')
  return Number(/^VmData:\s+(\d+)/m.exec(status)?.[1]) * 1024
}

describe('context.parallel without threads', function () {
  this.timeout(15_000)

  it('says which line of the manifest is missing', async () => {
    const driver = new RunnerDriver({ runner: buildRunner(), entry: ENTRY })
    try {
      resultOf(await driver.start())
      expect(errorOf(await driver.execute('run', { items: [1] })).message).to.equal(
        'Cannot run "./tasks/tasks.js" on threads: the plugin declares none. Add under [runtime] of its plugin.toml: threads = 2',
      )
    } finally {
      await driver.stop()
    }
  })
})

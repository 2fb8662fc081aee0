import fs from 'node:fs'
import { expect } from 'chai'
import { outcomeOf, TestDaemon, until } from '../helpers/daemon.ts'

const MANIFEST = `[plugin]
id = "captures"
name = "Captures"
version = "1.0.0"
type = "javascript"
entry_point = "index.js"
[runtime]
threads = 2
[resource_limits]
max_memory_mb = 64
max_execution_time_ms = 10000
`
/**
 * Whatever Node's own code, or the runner's, calls by a prototype shows itself there: the plugin waits for Node's object
 * of the thread that may start threads, or for a port of it, and has it run code of its own, or ends it.
 */
const ENTRY = `import { EventEmitter } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { executionAsyncResource } from 'node:async_hooks'
import { MessageChannel, MessagePort, Worker } from 'node:worker_threads'

const seen = new Set()
const see = (object) => {
  if (typeof object !== 'object' || object === null || seen.has(object)) return
  seen.add(object)
  for (const key of Reflect.ownKeys(object)) {
    const { value } = Reflect.getOwnPropertyDescriptor(object, key)
    if (value instanceof MessagePort || value instanceof Worker) see(value)
    else if (typeof key === 'symbol') see(value)
  }
}
for (const { prototype } of [EventEmitter, Readable, Writable, MessagePort, Worker]) {
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const { value, ...rest } = Object.getOwnPropertyDescriptor(prototype, name)
    if (typeof value !== 'function' || name === 'constructor' || !rest.configurable) continue
    const seeing = function (...all) {
      for (const one of [this, ...all, executionAsyncResource()]) see(one)
      return Reflect.apply(value, this, all)
    }
    Object.defineProperty(prototype, name, { ...rest, value: Object.assign(seeing, value) })
  }
}
/** What Node's own side of a thread is told to begin with. */
const script = (port) => {
  const { port1: publicPort } = new MessageChannel()
  const { port1: mainThreadPort } = new MessageChannel()
  const source = \`const { workerData, Worker } = require('node:worker_threads')
    let told = 'ran'
    try { new Worker('1', { eval: true, execArgv: [] }); told = 'started' } catch {}
    workerData.postMessage(told)\`
  const message = {
    type: 'loadScript', filename: source, doEval: 'classic', environmentData: new Map(), hasStdin: true,
    cwdCounter: new Uint32Array(new SharedArrayBuffer(4)), workerData: port, publicPort, mainThreadPort,
  }
  return [message, [port, publicPort, mainThreadPort]]
}
export default {
  operations: {
    async captures(_, { parallel }) {
      await parallel('./tasks.js', [1, 2])
      for (const handle of process._getActiveHandles()) see(handle)
      const told = new Set()
      const found = [...seen]
      for (const port of found.filter((one) => one instanceof MessagePort)) {
        const { port1, port2 } = new MessageChannel()
        port1.on('message', (what) => told.add(what))
        try {
          port.postMessage(...script(port2))
        } catch {}
      }
      await new Promise((resolve) => setTimeout(resolve, 300))
      const workers = found.filter((one) => one instanceof Worker)
      for (const worker of workers) await worker.terminate()
      return { told: [...told], ended: workers.length, found: found.length }
    },
    async closes(_, { parallel }) {
      await parallel('./tasks.js', [1, 2])
      const found = [...seen].filter((one) => one instanceof MessagePort)
      for (const port of found) port.close()
      await new Promise((resolve) => setTimeout(resolve, 100))
      return found.length
    },
    stuffs: (_, { parallel }) => parallel('./tasks.js', [1], { export: 'stuffs' }),
    /** Its threads say to Node's side of the thread that started them what no thread says. */
    confuses: (_, { parallel }) => parallel('./tasks.js', [1], { export: 'confuses' }).catch(({ message }) => message),
    works: (_, { parallel }) => parallel('./tasks.js', [1, 2]),
  },
}
`
const TASKS = `import { MessageChannel, MessagePort, parentPort } from 'node:worker_threads'
export default (item) => {
  console.log('printed', item)
  return item
}
/** Some bytes here, and a hundred times as many where they are read. */
export async function stuffs() {
  for (let times = 0; times < 100; times += 1) parentPort.postMessage(Array.from({ length: 200_000 }, () => ({})))
  await new Promise((resolve) => setTimeout(resolve, 1000))
}
export async function confuses() {
  const inner = Object.getOwnPropertySymbols(process.stdout)
    .map((key) => process.stdout[key])
    .find((value) => value instanceof MessagePort)
  for (const type of ['none', 'stdioPayload', 'stdioWantsMoreData', 'errorMessage', 'couldNotSerializeError'])
    inner.postMessage({ type, stream: 'none', chunks: 1, error: new Uint8Array([9]) })
  const { port1 } = new MessageChannel()
  parentPort.postMessage({ port1 }, [port1])
  parentPort.close()
  await new Promise((resolve) => setTimeout(resolve, 200))
  return inner !== undefined
}
`

describe('The thread that starts the others', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      files: {
        'plugins/captures/plugin.toml': MANIFEST,
        'plugins/captures/index.js': ENTRY,
        'plugins/captures/tasks.js': TASKS,
      },
    })
  })
  after(() => daemon.stop())

  it('runs no code of a plugin that looks for a way to it, and is not ended by it', async () => {
    const { result, error } = await daemon.call('captures', 'captures')
    expect(error).to.equal(null)
    expect(result).to.deep.include({ told: [], ended: 0 })
    expect((await daemon.call('captures', 'works')).result).to.deep.equal([1, 2])
  })

  it('outlives what threads say to it that nobody says', async () => {
    await daemon.call('captures', 'confuses')
    expect((await daemon.call('captures', 'works')).result).to.deep.equal([1, 2])
  })

  it('takes the process with it where threads stuff it', async () => {
    const outcome = await outcomeOf(daemon.call('captures', 'stuffs'))
    expect(outcome).to.be.oneOf(['LIMIT_EXCEEDED', 'PLUGIN_CRASHED', 'failed'])
    // A process without it would answer no call that wants threads.
    await until(async () => (await outcomeOf(daemon.call('captures', 'works'))) === 'ok', 'threads again')
  })

  it('keeps what it holds of the memory limit where its ports are closed', async () => {
    await daemon.call('captures', 'works')
    const pid = await daemon.pidOf('captures')
    const before = dataMb(pid)
    expect((await daemon.call<number>('captures', 'closes')).result).to.be.above(0)
    expect(dataMb(pid)).to.be.above(before - 16)
  })
})

function dataMb(pid: number): number {
  return Number(/^VmData:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

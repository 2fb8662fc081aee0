import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { isAlive, TestDaemon, until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const MEBIBYTE = 1_048_576
/** An entry point in TypeScript, and so its tasks. */
const TYPED = {
  'plugins/typed/plugin.toml': `[plugin]
id = "typed"
name = "Typed"
version = "1.0.0"
type = "javascript"
entry_point = "index.ts"
[runtime]
threads = 2
`,
  'plugins/typed/index.ts': `import { definePlugin } from '@phantom-ml/core/plugin'
export default definePlugin({
  operations: {
    twice: async (items: number[], { parallel }) => parallel<number>('./tasks/twice.ts', items),
  },
})
`,
  'plugins/typed/tasks/twice.ts': `import type { ParallelTask } from '@phantom-ml/core/plugin'
const twice: ParallelTask<number, number> = (item) => item * 2
export default twice
`,
}
const ASKS = `export default { operations: { ask: (urls, { parallel }) => parallel('./ask.js', urls) } }
`
const ASK = `export default async (url) => {
  const response = await fetch(url)
  return \`\${response.status} \${await response.text()}\`
}
`
const DECLARED_MB = 64
const SLACK_MB = 16
const ID = 'uses_threads'

/** What each way out of a thread must come to, as it does on the main thread. */
const REFUSED: Readonly<Record<string, string>> = {
  read: 'ERR_ACCESS_DENIED',
  write: 'ERR_ACCESS_DENIED',
  eval: 'ERR_EVAL_DENIED',
  function: 'ERR_EVAL_DENIED',
  vm: 'ERR_EVAL_DENIED',
  spawn: 'ERR_ACCESS_DENIED',
  sqlite: 'TypeError',
  ffi: 'TypeError',
  inspector: 'ERR_ACCESS_DENIED',
  addon: 'ERR_DLOPEN_DISABLED',
  binding: 'ERR_ACCESS_DENIED',
  wasi: 'ERR_ACCESS_DENIED',
  thread: 'ERR_ACCESS_DENIED',
  thread_without_flags: 'ERR_ACCESS_DENIED',
}

function countThreads(pid: number): number {
  return fs.readdirSync(`/proc/${pid}/task`).length
}

for (const environment of [{}, { PHANTOM_BWRAP: '' }]) {
  describe(`A plugin with threads, ${'PHANTOM_BWRAP' in environment ? 'without' : 'with'} bubblewrap`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon
    let tier: string

    before(async () => {
      daemon = await TestDaemon.start({
        plugins: ['echoes', 'uses-threads'],
        files: { 'secret.txt': 'SECRET', 'given/given.txt': 'given', ...TYPED },
        environment: { ...environment, GIVEN_VARIABLE: 'given', OTHER_VARIABLE: 'SECRET' },
      })
      ;({ tier } = await daemon.system.get_status())
    })
    after(() => daemon.stop())

    const run = async (input: object): Promise<unknown> => {
      const { result, error } = await daemon.call(ID, 'run', input)
      expect(error).to.equal(null)
      return result
    }

    it('runs tasks in TypeScript, which is stripped as its entry point is', async () => {
      expect((await daemon.call('typed', 'twice', [1, 2])).result).to.deep.equal([2, 4])
    })

    for (const [way, code] of Object.entries(REFUSED)) {
      it(`is held in a thread as on its main thread (${way})`, async () => {
        const item = { way, secret: '/etc/hostname' }
        expect(await run({ items: [item], export: 'reach' })).to.deep.equal([{ code }])
      })
    }

    it('sees in a thread nothing of its workspace but what it was granted', async () => {
      const item = { way: 'read', secret: daemon.world.path('secret.txt') }
      // Below /tmp, where a sandbox has a folder of its own: there Node's model lets everything pass.
      const code = tier === 'namespace' ? 'ENOENT' : 'ERR_ACCESS_DENIED'
      expect(await run({ items: [item], export: 'reach' })).to.deep.equal([{ code }])
    })

    it('has in a thread what it was granted, and no other variable', async () => {
      const given = daemon.world.path('given/given.txt')
      const [read, environmentOf] = (await run({
        items: [
          { way: 'read_granted', given },
          { way: 'environment', given },
        ],
        export: 'reach',
      })) as { got: string }[]
      expect(read).to.deep.equal({ got: 'given' })
      expect(JSON.parse(environmentOf!.got)).to.include({ GIVEN_VARIABLE: 'given' })
      expect(environmentOf!.got).not.to.include('SECRET')
    })

    it('is told what a thread was denied, as it is of a call', async () => {
      const secret = daemon.world.path('secret.txt')
      const error = await daemon.refusal(ID, 'run', { items: [secret], export: 'denied' })
      expect(error.code).to.equal('PERMISSION_DENIED')
      expect(error.details['missing']).to.deep.equal(['fs_read:./secret.txt'])
      const swallowed = { items: [{ way: 'read', secret: '/etc/hostname' }], export: 'reach' }
      const { warnings } = await daemon.call(ID, 'run', swallowed)
      expect(warnings).to.deep.equal([
        'fs_read:/etc/hostname is not granted; to allow it add permissions = ["fs_read:/etc/hostname"]',
      ])
    })

    it('starts no thread by itself, and no loader', async () => {
      const { result } = await daemon.call<Record<string, string>>(ID, 'starts_its_own')
      expect(new Set(Object.values(result ?? {}))).to.deep.equal(new Set(['ERR_ACCESS_DENIED']))
    })

    it('has no more threads than it declares, however many calls want some', async () => {
      await run({ items: [1], export: 'thread' })
      const pid = await daemon.pidOf(ID)
      const before = countThreads(pid)
      const items = Array.from({ length: 50 }, () => 5)
      const calls = Promise.all(Array.from({ length: 4 }, () => run({ items, export: 'wait' })))
      let most = 0
      const state = { isOpen: true }
      void calls.finally(() => (state.isOpen = false))
      while (state.isOpen) {
        await turn()
        most = Math.max(most, countThreads(pid))
      }
      await calls
      // One of the two may have been there before, and libuv's own four may have come.
      expect(most - before).to.be.at.most(1 + 4)
    })

    it('ends threads that spin at the deadline, and goes on in the same process', async () => {
      await run({ items: [1] })
      const pid = await daemon.pidOf(ID)
      const error = await daemon.refusal(ID, 'run', { items: [1, 2], export: 'spin' }, { timeout_ms: 300 })
      expect(error.code).to.equal('CALL_TIMEOUT')
      expect(await run({ items: [21] })).to.deep.equal([{ index: 0, doubled: 42 }])
      expect(await daemon.pidOf(ID)).to.equal(pid)
    })

    it('loses its process where a thread does not let go, as for a main thread that does not', async () => {
      await run({ items: [1] })
      const pid = await daemon.pidOf(ID)
      const error = await daemon.refusal(ID, 'run', { items: [1], export: 'natively' }, { timeout_ms: 300 })
      expect(error.code).to.equal('CALL_TIMEOUT')
      await until(() => !isAlive(pid), 'the end of its process')
      expect(await run({ items: [21] })).to.deep.equal([{ index: 0, doubled: 42 }])
    })

    for (const [who, operation, input] of [
      ['its threads', 'run', { items: [200, 200], export: 'hoard' }],
      ['its main thread, in what threads may reserve,', 'hoards_itself', null],
    ] as const) {
      it(`is ended at its memory limit where ${who} hold it`, async () => {
        await run({ items: [1] })
        const pid = await daemon.pidOf(ID)
        const idleMb = heldMb(pid, tier)
        const state = { isOpen: true }
        const hoarding = daemon.refusal(ID, operation, input).finally(() => (state.isOpen = false))
        let mostMb = 0
        while (state.isOpen) {
          await turn()
          mostMb = Math.max(mostMb, heldMb(pid, tier) - idleMb)
        }
        const { code, details, message } = await hoarding
        expect(code, message).to.equal('LIMIT_EXCEEDED')
        expect(details).to.deep.include({ limit: 'max_memory_mb', declared: DECLARED_MB })
        await until(() => !isAlive(pid), 'the end of its process')
        expect(details['measured'], 'it did hoard').to.be.within(DECLARED_MB * 0.7, DECLARED_MB + SLACK_MB)
        expect(mostMb).to.be.below(DECLARED_MB + SLACK_MB)
        expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
      })
    }

    it('counts the processor time of all threads', async () => {
      const { cpu_time_ms, execution_time_ms } = await daemon.call(ID, 'run', {
        items: [300, 300],
        export: 'computes',
      })
      expect(cpu_time_ms).to.be.above(300)
      expect(execution_time_ms).to.be.above(0)
    })
  })
}

describe('A plugin with threads and a right to the network', function () {
  this.timeout(60_000)
  const server = http.createServer((_, response) => response.end('hello'))
  let daemon: TestDaemon | null = null

  before(async function () {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    daemon = await TestDaemon.start({
      prepare: (world) => {
        world.addManifest(
          'asks',
          `[runtime]\nthreads = 2\n[permissions]\npermissions = ["network:127.0.0.1:${port}"]\n`,
        )
        world.write('plugins/asks/index.js', ASKS)
        world.write('plugins/asks/ask.js', ASK)
      },
    })
    if ((await daemon.system.get_status()).tier === 'process')
      skipBecause.call(this, 'tier process grants the network to nobody')
    await daemon.approve('asks')
  })
  after(async () => {
    server.close()
    await daemon?.stop()
  })

  it('reaches from a thread the host that was granted, no other one, and has its requests counted', async () => {
    const { port } = server.address() as AddressInfo
    const urls = [`http://127.0.0.1:${port}/`, 'http://example.org/']
    const { result, network_requests } = await daemon!.call<string[]>('asks', 'ask', urls)
    expect(result![0]).to.equal('200 hello')
    expect(result![1]).to.match(/^403 example\.org is not granted/)
    expect(network_requests).to.equal(1)
  })
})

function heldMb(pid: number, tier: string): number {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
    const [anonymous = 0, shared = 0] = [/^RssAnon:\s+(\d+)/m, /^RssShmem:\s+(\d+)/m].map((line) =>
      Number(line.exec(status)?.[1] ?? 0),
    )
    const { blocks, bfree, bsize } = fs.statfsSync(`/proc/${pid}/root/tmp`)
    return (anonymous + shared) / 1024 + (tier === 'namespace' ? ((blocks - bfree) * bsize) / MEBIBYTE : 0)
  } catch {
    // It is gone.
    return 0
  }
}

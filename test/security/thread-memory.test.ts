import fs from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { isAlive, outcomeOf, TestDaemon, until } from '../helpers/daemon.ts'

const DECLARED_MB = 64
const SLACK_MB = 16

const MANIFEST = `[plugin]
id = "fills"
name = "Fills"
version = "1.0.0"
type = "javascript"
entry_point = "index.js"
[runtime]
threads = 2
concurrency = 2
[resource_limits]
max_memory_mb = ${DECLARED_MB}
max_execution_time_ms = 40000
`
/** Files say when to begin and what is done: nobody else need be awake. */
const ENTRY = `import fs from 'node:fs'
import path from 'node:path'

const pause = () => new Promise((resolve) => setTimeout(resolve, 2))
/** A mebibyte after the other, as long as one is to be had. */
function take(kept) {
  try {
    while (kept.length < 600) kept.push(new Uint8Array(1024 * 1024).fill(1))
  } catch {
    return
  }
}
export default {
  operations: {
    thread: (name, { parallel }) => parallel('./tasks.js', [1, 2], { export: name }),
    async fill(manner, { data_dir, parallel }) {
      fs.writeFileSync(path.join(data_dir, 'ready'), '')
      while (!fs.existsSync(path.join(data_dir, 'go'))) await pause()
      let kept = []
      if (manner === 'at once') take(kept)
      for (let round = 0; manner !== 'at once' && round < 20; round += 1) {
        kept = []
        const there = new Int32Array(new SharedArrayBuffer(4))
        const tasks = parallel('./tasks.js', [there, there], { export: 'leaves' }).catch(() => null)
        while (manner === 'as they end' && Atomics.load(there, 0) < 2) await pause()
        for (const until = performance.now() + 60; performance.now() < until; ) take(kept)
        await tasks
      }
      fs.writeFileSync(path.join(data_dir, 'filled'), '')
      while (!fs.existsSync(path.join(data_dir, 'end'))) await pause()
      return kept.length
    },
  },
}
`
const TASKS = `export function leaves(there) {
  Atomics.add(there, 0, 1)
  while (Atomics.load(there, 0) < 2);
  process.exit(3)
}
export function spin() {
  console.log('it spins')
  for (;;);
}
`

for (const environment of [{}, { PHANTOM_BWRAP: '' }]) {
  const isNamespace = !('PHANTOM_BWRAP' in environment)

  describe(`What threads may reserve, ${isNamespace ? 'with' : 'without'} bubblewrap`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    beforeEach(async () => {
      daemon = await TestDaemon.start({
        files: {
          'plugins/fills/plugin.toml': MANIFEST,
          'plugins/fills/index.js': ENTRY,
          'plugins/fills/tasks.js': TASKS,
        },
        environment,
      })
    })
    afterEach(() => daemon.stop())

    const told = (name: string) => daemon.world.path('.phantom/plugins/data/fills', name)

    /** Fills what it can get while the daemon can look at nothing; the most that it held above what it held before. */
    async function expectHeld(manner: string): Promise<void> {
      const call = outcomeOf(daemon.call('fills', 'fill', manner))
      await until(() => fs.existsSync(told('ready')), 'a process that waits')
      const pid = await daemon.pidOf('fills')
      const idleMb = heldMb(pid)
      let fullMb = 0
      let mostMb = 0
      process.kill(daemon.pid, 'SIGSTOP')
      try {
        fs.writeFileSync(told('go'), '')
        while (isAlive(pid) && !fs.existsSync(told('filled'))) {
          await turn()
          mostMb = Math.max(mostMb, heldMb(pid) - idleMb)
        }
        fullMb = heldMb(pid) - idleMb
        fs.writeFileSync(told('end'), '')
      } finally {
        process.kill(daemon.pid, 'SIGCONT')
      }
      // A heap that finds no room ends the process; a buffer that finds none is an error, which it caught.
      const outcome = await call
      expect(outcome).to.be.oneOf(['ok', 'LIMIT_EXCEEDED'])
      expect(Math.max(mostMb, fullMb)).to.be.below(DECLARED_MB + SLACK_MB)
      if (outcome === 'ok' && manner === 'at once')
        expect(fullMb, 'it got its own').to.be.above(DECLARED_MB / 2)
    }

    it('is refused by the kernel where none of them has run', () => expectHeld('at once'))

    it('is refused by the kernel after they were ended', async () => {
      const error = await daemon.refusal('fills', 'thread', 'spin', { timeout_ms: 500 })
      expect(error.code).to.equal('CALL_TIMEOUT')
      await expectHeld('at once')
    })

    for (const manner of ['as they start', 'as they end'])
      it(`is refused by the kernel ${manner}`, () => expectHeld(manner))
  })
}

function heldMb(pid: number): number {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024
  } catch {
    // It is gone.
    return 0
  }
}

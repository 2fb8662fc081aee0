import fs from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import type { PhantomError } from '../../src/contract/phantom-error.ts'
import { TestDaemon } from '../helpers/daemon.ts'
import { wasmPlugin } from '../helpers/wasm-plugin.ts'
import type { WatGuest } from '../helpers/wat-guest.ts'

const MEBIBYTE = 1_048_576
const DECLARED_MB = 64
const SLACK_MB = 16

/** Takes a page after the other and writes into it, until there are no more: then it traps. */
const HOARDS: WatGuest = {
  execute: `(if (i32.eq (local.get $length) (i32.const 1))
      (then (return (call $result (local.get $payload) (local.get $length)))))
    (loop $more
      (local.set $a (memory.grow (i32.const 1)))
      (if (i32.ne (local.get $a) (i32.const -1))
        (then
          (memory.fill (i32.shl (local.get $a) (i32.const 16)) (i32.const 1) (i32.const 65536))
          (br $more))))
    unreachable`,
}

/** Private and shared memory of a process, and what lies in its private /tmp. */
function heldMb(pid: number, hasTmp: boolean): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
  const [anonymous, shared] = [/^RssAnon:\s+(\d+)/m, /^RssShmem:\s+(\d+)/m].map((line) =>
    // One that is dead and not reaped yet has none of these lines.
    Number(line.exec(status)?.[1] ?? 0),
  )
  const { blocks, bfree, bsize } = fs.statfsSync(`/proc/${pid}/root/tmp`)
  return (anonymous! + shared!) / 1024 + (hasTmp ? ((blocks - bfree) * bsize) / MEBIBYTE : 0)
}

/** How much that process held at most until the call was answered. */
async function mostHeldMb(call: Promise<unknown>, pid: number, hasTmp: boolean): Promise<number> {
  const state = { isOpen: true }
  const ended = call.finally(() => (state.isOpen = false))
  let mostMb = 0
  while (state.isOpen) {
    await turn()
    try {
      mostMb = Math.max(mostMb, heldMb(pid, hasTmp))
    } catch {
      // It is gone.
    }
  }
  await ended
  return mostMb
}

for (const environment of [{}, { PHANTOM_BWRAP: '' }]) {
  describe(`A plugin that fills memory and /tmp together, ${'PHANTOM_BWRAP' in environment ? 'without' : 'with'} bubblewrap`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    before(async () => {
      daemon = await TestDaemon.start({
        plugins: ['echoes', 'hoards-memory-and-tmp'],
        files: wasmPlugin('hoards_wasm', HOARDS, `[resource_limits]\nmax_memory_mb = ${DECLARED_MB}\n`),
        environment,
      })
    })
    after(() => daemon.stop())

    it('never holds more than an idle one, its limit and 16 MiB', async () => {
      await daemon.call('hoards_memory_and_tmp', 'fine')
      const pid = await daemon.pidOf('hoards_memory_and_tmp')
      const hasTmp = (await daemon.system.get_status()).tier === 'namespace'
      const idleMb = heldMb(pid, hasTmp)
      // Node itself needs some now and then, and gives up where there is none: both are an end at the limit.
      const hoarding = daemon.call<Record<string, unknown>>('hoards_memory_and_tmp', 'both').then(
        ({ result }) => result?.['memory'],
        (error: unknown) => (error as PhantomError).code,
      )
      const mostMb = await mostHeldMb(hoarding, pid, hasTmp)
      expect(await hoarding).to.be.oneOf(['ERR_MEMORY_ALLOCATION_FAILED', 'LIMIT_EXCEEDED'])
      if ((await hoarding) === 'ERR_MEMORY_ALLOCATION_FAILED')
        expect(mostMb - idleMb, 'it did hoard').to.be.above(DECLARED_MB * 0.7)
      expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
      expect(mostMb - idleMb).to.be.below(DECLARED_MB + SLACK_MB)
    })

    it('holds one in WebAssembly to the same, and tells it by the same name', async () => {
      expect((await daemon.call('hoards_wasm', 'echo', 1)).result).to.equal(1)
      const pid = await daemon.pidOf('hoards_wasm')
      const idleMb = heldMb(pid, false)
      const hoarding = daemon.refusal('hoards_wasm', 'echo', 'hoard')
      const mostMb = await mostHeldMb(hoarding, pid, false)
      expect(await hoarding).to.deep.include({ code: 'LIMIT_EXCEEDED' })
      expect((await hoarding).details).to.deep.include({ limit: 'max_memory_mb', declared: DECLARED_MB })
      expect(mostMb - idleMb, 'it did hoard').to.be.above(DECLARED_MB * 0.6)
      expect(mostMb - idleMb).to.be.below(DECLARED_MB + SLACK_MB)
      expect((await daemon.call('hoards_wasm', 'echo', 2)).result, 'in a new process').to.equal(2)
      expect(await daemon.pidOf('hoards_wasm')).not.to.equal(pid)
    })
  })
}

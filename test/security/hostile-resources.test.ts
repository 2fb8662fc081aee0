import { expect } from 'chai'
import { isAlive, refusalOf, TestDaemon, until } from '../helpers/daemon.ts'

const MAX_GROWTH_MB = 300
/** Another plugin's call while one misbehaves, on a machine that does other things as well. */
const PROMPT_MS = 2_000

describe('A plugin that takes more than its share', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['echoes', 'reports', 'hoards-memory', 'blocks-its-thread', 'prints-a-gigabyte'],
      config: 'execution:\n  cancel_grace_ms: 100\n',
    })
    await daemon.call('echoes', 'echo', 'here')
  })
  after(() => daemon.stop())
  afterEach('every other plugin goes on, in its own process', async () => {
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
  })

  for (const kind of ['buffers', 'result', 'heap', 'strings', 'shared']) {
    it(`of memory (${kind}) is LIMIT_EXCEEDED with declared and measured, and its process is replaced`, async () => {
      await daemon.call('hoards_memory', 'fine')
      const [before, other] = [await daemon.pidOf('hoards_memory'), await daemon.pidOf('echoes')]
      const error = await daemon.refusal('hoards_memory', kind)
      expect(error.code, error.message).to.equal('LIMIT_EXCEEDED')
      expect(error.details).to.deep.include({ limit: 'max_memory_mb', declared: 64 })
      expect(error.details['measured'], error.message).to.be.within(kind === 'result' ? 0 : 20, 400)
      expect((await daemon.call('hoards_memory', 'fine')).result).to.equal('fine')
      expect(isAlive(before)).to.be.false
      expect(await daemon.pidOf('echoes')).to.equal(other)
    })
  }

  it('of memory and swallows every refusal is ended at its deadline', async () => {
    const error = await daemon.refusal('hoards_memory', 'swallowed', null, { timeout_ms: 1500 })
    expect(error.code).to.equal('CALL_TIMEOUT')
    expect((await daemon.call('hoards_memory', 'fine')).result).to.equal('fine')
  })

  for (const kind of ['compute', 'microtasks', 'match', 'sleep']) {
    it(`of time (${kind}) is ended at its deadline while others answer`, async () => {
      const blocked = daemon.refusal('blocks_its_thread', kind)
      const state = { isOpen: true }
      void blocked.then(() => (state.isOpen = false))
      let answered = 0
      for (; state.isOpen; answered += 1) {
        const startedMs = performance.now()
        await daemon.call('echoes', 'echo', answered)
        expect(performance.now() - startedMs).to.be.below(PROMPT_MS)
      }
      const error = await blocked
      expect(error.code).to.equal('LIMIT_EXCEEDED')
      expect(error.details).to.deep.include({ limit: 'max_execution_time_ms', declared: 500 })
      expect(answered).to.be.above(5)
    })
  }

  it('of time leaves a process that waiting calls do not die with', async () => {
    const calls = ['compute', 'fine', 'fine'].map((operation) => daemon.call('blocks_its_thread', operation))
    expect((await refusalOf(calls[0]!)).code).to.equal('LIMIT_EXCEEDED')
    const later = await Promise.all(calls.slice(1))
    expect(later.map(({ result }) => result)).to.deep.equal(['fine', 'fine'])
  })

  it('of time tells get_plugin_info nothing, and keeps nobody from asking', async () => {
    const blocked = daemon.refusal('blocks_its_thread', 'compute')
    await until(async () => (await daemon.system.get_status()).calls.in_flight === 1, 'the call to run')
    const info = await daemon.info('blocks_its_thread')
    expect(info.instances[0]?.health ?? null).to.equal(null)
    await blocked
  })

  for (const kind of ['lines', 'one_line', 'newlines', 'escapes']) {
    it(`of its log (${kind} for 1 GB) costs the daemon bounded memory, and others no answer`, async () => {
      const startedMb = daemon.memoryMb()
      let mostMb = 0
      const state = { isOpen: true }
      const printing = daemon.refusal('prints_a_gigabyte', kind)
      void printing.then(() => (state.isOpen = false))
      while (state.isOpen) {
        const startedMs = performance.now()
        await daemon.call('echoes', 'echo', 'here')
        expect(performance.now() - startedMs).to.be.below(PROMPT_MS)
        mostMb = Math.max(mostMb, daemon.memoryMb())
      }
      expect((await printing).code).to.equal('LIMIT_EXCEEDED')
      expect(mostMb - startedMb).to.be.below(MAX_GROWTH_MB)
      const lines = await daemon.system.get_plugin_logs({ plugin_id: 'prints_a_gigabyte', lines: 50 })
      expect(lines).not.to.be.empty
      for (const { message } of lines) expect(message).to.match(/^[^\u0000-\u0008\u000b-\u001f]{0,60000}$/)
    })
  }

  describe('of the envelopes that carry its words', () => {
    const text = '€'.repeat(8_000)

    it('(100 log lines of 24 KB, warnings besides) still gets its caller a result', async () => {
      const application = await daemon.world.attach()
      try {
        const result = await application.execute_plugin('reports', 'lines', {
          count: 100,
          level: 'warn',
          text,
        })
        expect(result.success).to.be.true
        expect(result.warnings).not.to.be.empty
      } finally {
        await application.shutdown()
      }
    })

    it('(1,000 lines in its log) still lets its log be read', async () => {
      const application = await daemon.world.attach()
      try {
        await Promise.all(
          Array.from({ length: 50 }, () =>
            daemon.call('reports', 'lines', { count: 20, level: 'info', text: 'x'.repeat(8_000) }),
          ),
        )
        const lines = await application.get_plugin_logs({ plugin_id: 'reports', lines: 1000 })
        expect(lines.length).to.be.above(100)
      } finally {
        await application.shutdown()
      }
    })
  })
})

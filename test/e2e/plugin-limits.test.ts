import fs from 'node:fs'
import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'

for (const [tier, environment] of [
  ['namespace', {}],
  ['process', { PHANTOM_BWRAP: '' }],
] as const) {
  describe(`set_plugin_limits (tier ${tier} where it can be)`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    before(async () => {
      daemon = await TestDaemon.start({ plugins: ['spinner', 'echoes', 'hoards-memory'], environment })
      await daemon.call('spinner', 'fine')
    })
    after(() => daemon.stop())

    const set = (limits: Record<string, number>) => daemon.system.set_plugin_limits('spinner', limits)
    const holds = async (name: string): Promise<number | null | undefined> =>
      (await daemon.info('spinner')).limits.find((limit) => limit.name === name)?.effective

    it('holds processor and wall time from the next call on, in the process that runs', async () => {
      const pid = await daemon.pidOf('spinner')
      await set({ max_cpu_time_ms: 100 })
      const slow = await daemon.refusal('spinner', 'spin', -1)
      expect(slow.details).to.deep.include({ limit: 'max_cpu_time_ms', declared: 100 })
      await set({ max_cpu_time_ms: 10_000, max_execution_time_ms: 150 })
      const late = await daemon.refusal('spinner', 'spin', -1)
      expect(late.details).to.deep.include({ limit: 'max_execution_time_ms', declared: 150 })
      expect(await daemon.pidOf('spinner').catch(() => 0)).to.not.equal(pid)
      await set({ max_execution_time_ms: 30_000 })
      expect((await daemon.call('spinner', 'spin', 200)).result).to.equal(200)
    })

    it('sets limits of the kernel in a running process, or says why it keeps its own', async () => {
      await daemon.call('spinner', 'fine')
      const pid = await daemon.pidOf('spinner')
      const { processes } = await set({ max_open_files: 100 })
      expect(processes.map((process) => process.pid)).to.deep.equal([pid])
      const soft = /^Max open files\s+(\d+)\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/limits`, 'utf8'))
      if (processes[0]?.problem === null) expect(soft?.slice(1)).to.deep.equal(['100', '100'])
      else {
        expect(processes[0]?.problem).to.match(/not permitted/)
        expect(soft?.slice(1)).to.deep.equal(['256', '256'])
      }
      expect(await holds('max_open_files')).to.equal(100)
    })

    it('names what held a process in the end, where the kernel did not give it back what it had', async () => {
      await daemon.system.set_plugin_limits('hoards_memory', { max_memory_mb: 32 })
      await daemon.call('hoards_memory', 'fine')
      const { processes } = await daemon.system.set_plugin_limits('hoards_memory', { max_memory_mb: 64 })
      const { code, details } = await daemon.refusal('hoards_memory', 'buffers')
      expect(code).to.equal('LIMIT_EXCEEDED')
      expect(details).to.include({ declared: processes[0]?.problem === null ? 64 : 32 })
      const next = await daemon.refusal('hoards_memory', 'buffers')
      expect(next.details).to.include({ declared: 64 })
    })

    it('refuses what is wider than the manifest, is no limit or is out of range, and changes nothing', async () => {
      const before = await holds('max_memory_mb')
      for (const [limits, words] of [
        [{ max_memory_mb: 257 }, /its manifest allows 256/],
        [{ max_open_files: 257 }, /its manifest allows 256/],
        [{ max_memory: 1 }, /Did you mean "max_memory_mb"/],
        [{ max_open_files: 1 }, /expected an integer between 32/],
        [{ max_memory_mb: 1.5 }, /expected an integer/],
      ] as const) {
        const refused = await set(limits as unknown as Record<string, number>).catch(
          (error: unknown) => error,
        )
        expect(refused).to.include({ code: 'PARAMS_INVALID' })
        expect((refused as Error).message).to.match(words)
      }
      expect(await holds('max_memory_mb')).to.equal(before)
    })

    it('is forgotten by the next generation, which has its manifest', async () => {
      await set({ max_cpu_time_ms: 77 })
      expect(await holds('max_cpu_time_ms')).to.equal(77)
      fs.appendFileSync(daemon.world.path('plugins/spinner/index.mjs'), '\n// changed\n')
      await daemon.system.reload_plugin('spinner')
      expect(await holds('max_cpu_time_ms')).to.equal(null)
    })
  })
}

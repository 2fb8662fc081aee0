import { expect } from 'chai'
import { isAlive, TestDaemon } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

describe('A plugin that may start programs, and starts too many or too hungry ones', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null
  const here = (): TestDaemon => daemon!

  before(async function () {
    daemon = await TestDaemon.start({ plugins: ['echoes', 'starts-without-end'] })
    if ((await daemon.system.get_status()).tier === 'process')
      skipBecause.call(this, 'tier process grants the starting of programs to nobody')
    await daemon.approve('starts_without_end')
    await daemon.call('echoes', 'echo', 'here')
  })
  after(() => daemon?.stop())

  for (const [kind, limit, declared] of [
    ['sleepers', 'max_processes', 40],
    ['computes', 'max_cpu_time_ms', 2_000],
    ['hoards', 'max_memory_mb', 64],
  ] as const) {
    it(`(${kind}) is LIMIT_EXCEEDED by ${limit}, all of it is gone, and its neighbour answers`, async () => {
      await here().call('starts_without_end', 'fine')
      const before = await here().pidOf('starts_without_end')
      const error = await here().refusal('starts_without_end', kind)
      expect(error.code, error.message).to.equal('LIMIT_EXCEEDED')
      expect(error.details).to.deep.include({ limit, declared })
      expect(error.details['measured'], error.message).to.be.above(declared * 0.85)
      expect((await here().call('starts_without_end', 'fine')).result).to.equal('fine')
      expect(isAlive(before)).to.be.false
      expect((await here().call('echoes', 'echo', 'here')).result).to.equal('here')
    })
  }
})

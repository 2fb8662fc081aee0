import { expect } from 'chai'
import { isAlive, outcomeOf, refusalOf, TestDaemon } from '../helpers/daemon.ts'

const DECLARED_MS = 300
/** A tick of the kernel on each core, a turn of the daemon's wheel, and a busy machine. */
const OVERSHOOT_MS = 250

for (const [tier, environment] of [
  ['namespace', {}],
  ['process', { PHANTOM_BWRAP: '' }],
] as const) {
  describe(`A plugin that takes more processor time than max_cpu_time_ms (tier ${tier} where it can be)`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    before(async () => {
      daemon = await TestDaemon.start({ plugins: ['echoes', 'burns-processor'], environment })
      await daemon.call('echoes', 'echo', 'here')
    })
    after(() => daemon.stop())

    for (const kind of ['stretch', 'slices', 'seldom']) {
      it(`(${kind}) is LIMIT_EXCEEDED soon after, its process is replaced, its neighbour answers`, async () => {
        await daemon.call('burns_processor', 'fine')
        const [before, other] = [await daemon.pidOf('burns_processor'), await daemon.pidOf('echoes')]
        const error = await daemon.refusal('burns_processor', kind)
        expect(error.code, error.message).to.equal('LIMIT_EXCEEDED')
        expect(error.details).to.deep.include({ limit: 'max_cpu_time_ms', declared: DECLARED_MS })
        expect(error.details['measured']).to.be.within(DECLARED_MS, DECLARED_MS + OVERSHOOT_MS)
        expect(error.message).to.match(/processor time, its limit max_cpu_time_ms is 300\. .*raise the limit/)
        expect((await daemon.call('burns_processor', 'fine')).result).to.equal('fine')
        expect(isAlive(before)).to.be.false
        expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
        expect(await daemon.pidOf('echoes')).to.equal(other)
        expect((await daemon.info('burns_processor')).last_exit).to.deep.include({ class: 'cpu_limit' })
      })
    }

    it('counts each call anew, and time that is only waited for not at all', async () => {
      const pid = await (async () => {
        await daemon.call('burns_processor', 'fine')
        return await daemon.pidOf('burns_processor')
      })()
      for (let call = 0; call < 4; call += 1) await daemon.call('burns_processor', 'a_little', 150)
      expect((await daemon.call('burns_processor', 'wait', 600)).result).to.equal('waited')
      expect(await daemon.pidOf('burns_processor')).to.equal(pid)
    })

    it('ends the calls beside it as crashed, for the process belongs to all of them', async () => {
      await daemon.call('burns_processor', 'fine')
      const beside = daemon.call('burns_processor', 'wait', 15_000)
      const error = await refusalOf(daemon.call('burns_processor', 'slices'))
      expect(error.code).to.equal('LIMIT_EXCEEDED')
      expect(await outcomeOf(beside)).to.be.oneOf(['PLUGIN_CRASHED', 'LIMIT_EXCEEDED'])
      expect((await daemon.call('burns_processor', 'fine')).result).to.equal('fine')
    })
  })
}

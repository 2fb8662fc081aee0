import { expect } from 'chai'
import { isAlive, TestDaemon } from '../helpers/daemon.ts'

const DECLARED = 10_000
/** Far below the gigabyte that is announced. */
const MAX_GROWTH_MB = 100

for (const [tier, environment] of [
  ['namespace', {}],
  ['process', { PHANTOM_BWRAP: '' }],
] as const) {
  describe(`A result larger than max_output_bytes (tier ${tier} where it can be)`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    before(async () => {
      daemon = await TestDaemon.start({ plugins: ['echoes', 'returns-too-much'], environment })
      await daemon.call('echoes', 'echo', 'here')
    })
    after(() => daemon.stop())

    async function expectLimit(operation: string, bytes: number): Promise<void> {
      await daemon.call('returns_too_much', 'fine')
      const [before, other] = [await daemon.pidOf('returns_too_much'), await daemon.pidOf('echoes')]
      const error = await daemon.refusal('returns_too_much', operation, bytes)
      expect(error.code, error.message).to.equal('LIMIT_EXCEEDED')
      expect(error.details).to.deep.equal({ limit: 'max_output_bytes', declared: DECLARED, measured: bytes })
      expect((await daemon.call('returns_too_much', 'fine')).result).to.equal('fine')
      expect(isAlive(before)).to.be.false
      expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
      expect(await daemon.pidOf('echoes')).to.equal(other)
      expect((await daemon.info('returns_too_much')).last_exit).to.deep.include({ class: 'resource_limit' })
    }

    it('is refused by its own process, which is replaced', () => expectLimit('text', DECLARED + 1))

    it('passes where it is exactly as large as it may be', async () => {
      const { result } = await daemon.call<string>('returns_too_much', 'text', DECLARED)
      expect(result).to.have.length(DECLARED - 2)
    })

    it('is refused when it is announced past the runner, before a byte of it is kept', async () => {
      const startedMb = daemon.memoryMb()
      await expectLimit('announced', 1_000_000_000)
      expect(daemon.memoryMb() - startedMb).to.be.below(MAX_GROWTH_MB)
    })
  })
}

import fs from 'node:fs'
import { expect } from 'chai'
import { isAlive, TestDaemon } from '../helpers/daemon.ts'

const DECLARED_MB = 8

for (const [tier, environment] of [
  ['namespace', {}],
  ['process', { PHANTOM_BWRAP: '' }],
] as const) {
  describe(`A plugin whose data_dir grows past max_disk_mb (tier ${tier} where it can be)`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    before(async () => {
      daemon = await TestDaemon.start({ plugins: ['echoes', 'fills-its-disk'], environment })
      await daemon.call('echoes', 'echo', 'here')
    })
    after(() => daemon.stop())

    for (const kind of ['bytes', 'files', 'deep', 'stubborn']) {
      it(`(${kind}) is ended, does not start while it is too large, and starts when room was made`, async () => {
        await daemon.call('fills_its_disk', 'fine')
        const [before, other] = [await daemon.pidOf('fills_its_disk'), await daemon.pidOf('echoes')]
        const error = await daemon.refusal('fills_its_disk', kind)
        expect(error.code, error.message).to.equal('LIMIT_EXCEEDED')
        expect(error.details).to.deep.include({ limit: 'max_disk_mb', declared: DECLARED_MB })
        if (kind === 'deep') expect(error.details['measured']).to.equal(null)
        else expect(error.details['measured']).to.be.above(DECLARED_MB)
        if (kind === 'files') expect(error.details['files']).to.be.above((DECLARED_MB * 1_048_576) / 4096 - 1)

        const refused = await daemon.refusal('fills_its_disk', 'fine')
        expect(refused.code).to.equal('LIMIT_EXCEEDED')
        expect(refused.message).to.match(
          /^Cannot start "fills_its_disk": its data_dir "\/.*Remove what it does not need/,
        )
        expect(isAlive(before)).to.be.false
        expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
        expect(await daemon.pidOf('echoes')).to.equal(other)
        expect(await daemon.info('fills_its_disk')).to.deep.include({ state: 'enabled', instances: [] })

        const folder = String(refused.details['data_dir'])
        for (const name of fs.readdirSync(folder))
          fs.rmSync(`${folder}/${name}`, { recursive: true, force: true })
        expect((await daemon.call('fills_its_disk', 'fine')).result).to.equal('fine')
      })
    }

    it('lets what fits stay', async () => {
      expect((await daemon.call('fills_its_disk', 'some', DECLARED_MB - 1)).result).to.equal('written')
      expect((await daemon.call('fills_its_disk', 'fine')).result).to.equal('fine')
    })
  })
}

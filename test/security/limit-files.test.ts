import { expect } from 'chai'
import { isAlive, TestDaemon } from '../helpers/daemon.ts'

for (const [tier, environment] of [
  ['namespace', {}],
  ['process', { PHANTOM_BWRAP: '' }],
] as const) {
  describe(`A plugin that meets the kernel's limits on its files (tier ${tier} where it can be)`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon

    before(async () => {
      daemon = await TestDaemon.start({
        plugins: ['echoes', 'opens-files-without-end', 'grows-one-file'],
        environment,
      })
      await daemon.call('echoes', 'echo', 'here')
    })
    after(() => daemon.stop())
    afterEach('every other plugin goes on', async () => {
      expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
    })

    it('max_open_files: keeps them all open and is LIMIT_EXCEEDED, and its process is replaced', async () => {
      await daemon.call('opens_files_without_end', 'fine')
      const before = await daemon.pidOf('opens_files_without_end')
      const error = await daemon.refusal('opens_files_without_end', 'kept')
      expect(error.code, error.message).to.equal('LIMIT_EXCEEDED')
      expect(error.details).to.deep.include({ limit: 'max_open_files', declared: 48 })
      expect(error.details['measured']).to.be.within(44, 48)
      expect((await daemon.call('opens_files_without_end', 'fine')).result).to.equal('fine')
      expect(isAlive(before)).to.be.false
    })

    it('max_open_files: where it closed them, or claims it, the failure is its own and names the limit', async () => {
      await daemon.call('opens_files_without_end', 'fine')
      const before = await daemon.pidOf('opens_files_without_end')
      for (const kind of ['closed', 'claimed']) {
        const { success, error } = await daemon.call('opens_files_without_end', kind)
        expect(success).to.be.false
        expect(error).to.match(/\(its limit max_open_files is 48; the daemon counts \d+: to allow more/)
      }
      expect((await daemon.call('opens_files_without_end', 'counted')).result).to.be.within(10, 47)
      expect(await daemon.pidOf('opens_files_without_end')).to.equal(before)
    })

    it('max_file_size_mb: a file grows no further, the call is LIMIT_EXCEEDED, and its process is replaced', async () => {
      await daemon.call('grows_one_file', 'fine')
      const before = await daemon.pidOf('grows_one_file')
      const { code, message, details } = await daemon.refusal('grows_one_file', 'written')
      expect(code, message).to.equal('LIMIT_EXCEEDED')
      expect(details).to.deep.equal({ limit: 'max_file_size_mb', declared: 2, measured: 2 })
      expect((await daemon.call('grows_one_file', 'size')).result).to.equal(2 * 1_048_576)
      expect(isAlive(before)).to.be.false
    })

    it('max_file_size_mb: where there is no file of that size, the failure is its own and names the limit', async () => {
      const { success, error } = await daemon.call('grows_one_file', 'sparse')
      expect(success).to.be.false
      expect(error).to.match(
        /^EFBIG: .*\(its limit max_file_size_mb is 2; the daemon counts 0: to allow more/,
      )
      expect((await daemon.call('grows_one_file', 'size')).result).to.equal(0)
    })
  })
}

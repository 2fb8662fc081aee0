import fs from 'node:fs'
import { expect } from 'chai'
import { outcomeOf, TestDaemon, until } from '../helpers/daemon.ts'

for (const [machine, environment] of [
  ['as this machine is', {}],
  ['without bubblewrap', { PHANTOM_BWRAP: '/nonexistent' }],
] as const) {
  describe(`a workspace that a link replaces after it was admitted, ${machine}`, function () {
    this.timeout(60_000)
    let daemon: TestDaemon
    before(async () => {
      daemon = await TestDaemon.start({
        plugins: ['uses-its-grants'],
        files: {
          'admitted/data/given.txt': 'what was granted',
          'elsewhere/data/given.txt': 'what was granted to nobody',
          'elsewhere/output/kept.txt': 'kept',
        },
        environment: { ...environment, GIVEN_TO_PLUGIN: 'a granted value' },
      })
      // Ordinary permissions let everybody in: whatever is denied, the host denied.
      for (const name of ['elsewhere', 'elsewhere/output']) fs.chmodSync(daemon.world.path(name), 0o777)
      fs.chmodSync(daemon.world.path('admitted'), 0o777)
    })
    after(() => daemon.stop())

    it('opens nothing of the folder that the link leads to', async () => {
      const workspace = daemon.world.path('admitted')
      const elsewhere = daemon.world.path('elsewhere')
      const read = (path: string) => daemon.call('uses_its_grants', 'read', path, { workspace })
      expect((await read('data/given.txt')).result).to.equal('what was granted')
      const pid = await daemon.pidOf('uses_its_grants')

      fs.renameSync(workspace, daemon.world.path('aside'))
      fs.symlinkSync(elsewhere, workspace)
      process.kill(pid, 'SIGKILL')
      await until(async () => {
        const { instances } = await daemon.info('uses_its_grants')
        return instances.every((one) => one.pid !== pid)
      }, 'the end of the first process, seen by the daemon')

      for (const folder of ['.', workspace, elsewhere]) {
        // Below the host's /tmp what was not granted is not there at all.
        const refusals = folder === elsewhere ? ['PERMISSION_DENIED', 'failed'] : ['PERMISSION_DENIED']
        expect(await outcomeOf(read(`${folder}/data/given.txt`)), folder).to.be.oneOf(refusals)
        const input = { path: `${folder}/output/made.txt`, text: 'made' }
        const written = daemon.call('uses_its_grants', 'write', input, { workspace })
        expect(await outcomeOf(written), folder).to.be.oneOf(refusals)
      }
      const { result } = await daemon.call('uses_its_grants', 'variable', 'GIVEN_TO_PLUGIN', { workspace })
      expect(result, 'it runs, with what is no file').to.equal('a granted value')
      expect(fs.readdirSync(`${elsewhere}/output`)).to.deep.equal(['kept.txt'])
    })
  })
}

import fs from 'node:fs'
import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { needPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'
import { addSections } from '../helpers/supervised.ts'

describe('A native plugin that plants links for its next start', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  before(needPython)
  before(async function () {
    daemon = await TestDaemon.start({
      plugins: ['native-python as planter'],
      files: { 'secret.txt': 'secret' },
      prepare: (world) =>
        addSections(
          world,
          'planter',
          '[permissions]\npermissions = ["fs_write:./out", "fs_write:./out/cache"]',
        ),
    })
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
    await daemon.approve('planter')
  })
  after(() => daemon?.stop())

  const call = async (operation: string, input: unknown): Promise<unknown> =>
    (await daemon!.call('planter', operation, input)).result

  it('can make none', async () => {
    const asked = ['symlink', '..', daemon!.world.path('out/link')]
    expect(await call('os_call', asked)).to.equal('EPERM')
    expect(fs.existsSync(daemon!.world.path('out/link'))).to.equal(false)
  })

  it('gets no more by one that came there by another way', async () => {
    const secret = daemon!.world.path('secret.txt')
    expect(await call('os_call', ['rmdir', daemon!.world.path('out/cache')])).to.equal('done')
    fs.symlinkSync('..', daemon!.world.path('out/cache'))
    await daemon!.system.reload_plugin('planter')
    expect((await daemon!.refusal('planter', 'read', secret)).code).to.equal('PERMISSION_DENIED')
    const { permissions } = await daemon!.system.get_plugin_info('planter')
    const [out, cache] = permissions
    expect(out?.refused).to.equal(null)
    expect(cache?.refused).to.match(
      /leads through ".*\/out\/cache", a link that lies where the plugin may write/,
    )
  })
})

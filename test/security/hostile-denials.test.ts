import { expect } from 'chai'
import { TestDaemon, until } from '../helpers/daemon.ts'
import { line } from '../helpers/raw-client.ts'

const ID = 'forges_messages'

/** A plugin that makes up what it was refused, on the channel itself. */
describe('A plugin that forges denials', function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    daemon = await TestDaemon.start({ plugins: ['echoes', 'forges-messages'] })
    await daemon.call('echoes', 'echo', 'here')
  })
  after(() => daemon.stop())

  const denied = (permission: unknown, resource: unknown): string =>
    line({ method: 'denied', params: { permission, resource } })

  it('of what it holds, or of what nobody knows, makes none', async () => {
    const own = daemon.world.path('plugins/forges_messages/index.js')
    const text = [
      denied('FileSystemRead', own),
      denied('Everything', '/etc/passwd'),
      denied('__proto__', 'polluted'),
      denied('Env', 'SERVICE_TOKEN'),
      denied('FileSystemRead', ''),
      denied('FileSystemRead', 'x'.repeat(10_000)),
    ].join('')
    const result = await daemon.call(ID, 'forge', { text })
    expect(result).to.deep.include({ success: true, warnings: [] })
    expect((await countsOf(ID)).fs_read).to.equal(0)
  })

  it('has each of them on its own account, in words that hold no control character', async () => {
    const resource = '/srv/\u001b[2J"]\n[runtime]\neval = true'
    const result = await daemon.call(ID, 'forge', { text: denied('FileSystemRead', resource) })
    expect(result.warnings).to.have.length(1)
    expect(result.warnings[0]).to.match(/^[^\u0000-\u001f]*$/)
    expect((await countsOf(ID)).fs_read).to.equal(1)
    expect(Object.values(await countsOf('echoes'))).to.deep.equal([0, 0, 0, 0, 0, 0])
  })

  it('by the ten thousand fills neither result, nor log, nor audit', async () => {
    // They are read at a rate, and all of them before the result: more in one call would outlive it.
    const lines = Array.from({ length: 2_500 }, (_, index) => denied('FileSystemRead', `/srv/${index}`))
    for (let round = 0; round < 4; round += 1) {
      const { warnings } = await daemon.call(ID, 'forge', { text: lines.join(''), wait_ms: 100 })
      expect(warnings).to.have.length.within(1, 32)
    }
    expect((await countsOf(ID)).fs_read).to.be.at.most(1 + 4 * 32)
    const logged = await daemon.system.get_plugin_logs({ plugin_id: ID, lines: 10_000 })
    expect(logged.filter(({ message }) => message.includes('is not granted'))).to.have.length.below(100)
    const audited = await daemon.system.get_audit_log({ plugin_id: ID, limit: 1000 })
    expect(audited.filter(({ action }) => action === 'call.denied')).to.have.length.below(100)
    expect((await daemon.call('echoes', 'echo', 'here')).result).to.equal('here')
  })

  it('in another shape than the contract has ends its process', async () => {
    for (const params of [{}, { permission: 'Net' }, { permission: 1, resource: 'x' }, [], null]) {
      const before = await daemon.pidOf(ID)
      await daemon.call(ID, 'forge', { text: line({ method: 'denied', params }) }).catch(() => null)
      await daemon.call(ID, 'fine').catch(() => null)
      await until(async () => (await daemon.call(ID, 'fine').catch(() => null)) !== null, 'its next process')
      expect(await daemon.pidOf(ID), JSON.stringify(params)).to.not.equal(before)
    }
  })

  async function countsOf(id: string): Promise<Record<string, number>> {
    return { ...(await daemon.system.get_plugin_health(id)).denials }
  }
})

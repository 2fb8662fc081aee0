import { expect } from 'chai'
import type { ApprovalResult, PluginPermissions } from '../../src/contract/permissions-info.ts'
import type { PluginSummary } from '../../src/index.ts'
import { addAsking, saveAsking } from '../helpers/asking-plugin.ts'
import { CommandLine, type RunningCommand } from '../helpers/command-line.ts'
import { until, World } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'
import { hasTerminals, PhantomAtTerminal } from '../helpers/terminal.ts'

const SERVE = ['--environment', 'test', '--config', 'config']

describe('phantom permissions and phantom approve', function () {
  this.timeout(60_000)
  let world: World
  let phantom: CommandLine
  let daemon: RunningCommand

  before(async () => {
    world = new World({
      files: { 'config/default.yaml': 'log: { level: error }\n', 'data/given.txt': 'given' },
    })
    for (const id of ['wide', 'scripted', 'asked', 'refused', 'partly'])
      addAsking(world, id, ['fs_read:./data', 'fs_read:/root', 'env:LANG,API_TOKEN'])
    addAsking(world, 'ordinary', ['fs_read:./data', 'env:LANG'])
    phantom = new CommandLine(world.folder)
    daemon = await phantom.serve(...SERVE)
  })
  after(async () => {
    await phantom.stop()
    expect(daemon.child.exitCode).to.equal(0)
    world.remove()
  })

  const digestOf = async (id: string): Promise<string> =>
    (await phantom.json<PluginPermissions>(['permissions', id])).digest

  it('show what is declared, approved and effective, by which mechanism, and with which risk', async () => {
    const ordinary = await phantom.said('permissions', 'ordinary')
    expect(ordinary).to.match(/^ordinary 1\.0\.0 {2}enabled$/m)
    expect(ordinary).to.match(/DECLARED +RISK +APPROVED +EFFECTIVE +HELD BY/)
    expect(ordinary).to.match(/fs_read:\.\/data +low +yes +read \/.*\/data\/ +(mount namespace|node)/)
    expect(ordinary).to.include('it reads "data" in the workspace and all below it')
    expect(ordinary).to.include('by itself at first sight')
    const wide = await phantom.said('permissions', 'wide')
    expect(wide).to.match(/^wide 1\.0\.0 {2}blocked$/m)
    expect(wide).to.match(/fs_read:\/root +high +waits +nothing +-/)
    expect(wide).to.include('"/root" and all below it: a whole home folder')
    expect(wide).to.include('knows the value of API_TOKEN, which looks like a secret')
    expect(wide)
      .to.include('to decide: phantom approve wide')
      .and.include(await digestOf('wide'))
  })

  it('list and info show what is blocked with the difference and the command that decides', async () => {
    for (const words of [await phantom.said('list'), await phantom.said('info', 'wide')]) {
      expect(words).to.include('"fs_read:/root" (high risk)').and.include('phantom approve wide')
    }
  })

  it('approve by digest for scripts, all of it or a part, and take it back', async () => {
    const digest = await digestOf('scripted')
    const only = ['--only', 'fs_read:./data', '--only', 'env:LANG']
    const part = await phantom.json<ApprovalResult>([
      'approve',
      'scripted',
      '--yes',
      '--digest',
      digest,
      ...only,
    ])
    expect(part).to.deep.include({ granted: ['env:LANG', 'fs_read:${workspace}/data'], state: 'enabled' })
    expect(await phantom.said('approve', 'scripted', '--yes', '--digest', digest)).to.match(
      /^scripted {2}approved: env:API_TOKEN, env:LANG, .*fs_read:\/root\nscripted {2}enabled/,
    )
    const outdated = await phantom.refused('approve', 'scripted', '--yes', '--digest', '0'.repeat(64))
    expect(outdated.codes).to.deep.equal([8, 8])
    expect(outdated.error.details).to.include({ digest })
    const revoked = await phantom.json<PluginSummary>(['approve', 'scripted', '--revoke'])
    expect(revoked).to.include({ state: 'blocked' })
    expect(await phantom.said('approve', 'scripted', '--revoke')).to.include('its approval was taken back')
  })

  it('ask nobody where there is no terminal, and read no half of an answer', async () => {
    const alone = await phantom.refused('approve', 'wide')
    expect(alone.codes).to.deep.equal([2, 2])
    expect(alone.error.message)
      .to.include('no terminal to ask at')
      .and.include(`phantom approve wide --yes --digest ${await digestOf('wide')}`)
    for (const half of [
      ['--yes'],
      ['--digest', '0'.repeat(64)],
      ['--only', 'env:LANG'],
      ['--revoke', '--yes'],
    ]) {
      expect((await phantom.refused('approve', 'wide', ...half)).codes, half.join(' ')).to.deep.equal([2, 2])
    }
    const short = await phantom.refused('approve', 'wide', '--yes', '--digest', 'ABC')
    expect(short.codes).to.deep.equal([2, 2])
    expect(short.error.message).to.include('--digest is "ABC", expected 64 hexadecimal digits in lower case')
    expect((await phantom.refused('approve', 'wid')).stderr).to.include('Did you mean "wide"?')
    expect((await phantom.json<PluginPermissions>(['permissions', 'wide'])).approval).to.equal(null)
  })

  it('complete plugins and their own options', async () => {
    expect(await phantom.said('__complete', '--', 'approve', 'wi')).to.match(/^wide\b/)
    expect(await phantom.said('__complete', '--', 'permissions', 'or')).to.match(/^ordinary\b/)
    expect(await phantom.said('__complete', '--', 'approve', 'wide', '--re')).to.match(/^--revoke\b/)
  })

  describe('at a terminal', () => {
    before(function () {
      if (!hasTerminals()) skipBecause.call(this, 'script is not installed')
    })

    it('takes yes for all of it', async () => {
      const terminal = new PhantomAtTerminal(world.folder, ['approve', 'asked'])
      await terminal.answer('Approve this? [y]es, [n]o, [l]ess: ', 'yes')
      expect(await terminal.ended(), terminal.text).to.equal(0)
      expect(terminal.text).to.include('It asks for:')
      expect(terminal.text).to.match(
        /high risk: it reads "\/root" and all below it: a whole home folder.*\(new\) {2}fs_read:\/root/,
      )
      expect(terminal.text).to.match(/asked {2}approved: env:API_TOKEN, env:LANG.*\r?\nasked {2}enabled/)
    })

    it('takes no, and leaves the plugin as it is', async () => {
      const terminal = new PhantomAtTerminal(world.folder, ['approve', 'refused'])
      await terminal.answer('[l]ess: ', 'perhaps')
      await terminal.answer('[l]ess: ', 'n')
      expect(await terminal.ended(), terminal.text).to.equal(4)
      expect(terminal.text).to.include('Nothing was approved: refused stays as it is, blocked')
    })

    it('takes less, right by right, and says no to what is no part of it', async () => {
      const terminal = new PhantomAtTerminal(world.folder, ['approve', 'partly'])
      await terminal.answer('[l]ess: ', 'l')
      await terminal.answer('[y]es, [n]o: ', 'n')
      await terminal.answer('[y]es, [n]o: ', 'y')
      await terminal.answer('or less (${workspace}/data/FOLDER): ', '../x')
      await terminal.answer('or less (${workspace}/data/FOLDER): ', './other')
      await terminal.answer('or less (/root/FOLDER): ', 'no')
      await terminal.answer('[l]ess: ', 'less')
      await terminal.answer('[y]es, [n]o: ', 'n')
      await terminal.answer('[y]es, [n]o: ', 'y')
      await terminal.answer('or less (${workspace}/data/FOLDER): ', './data/deep')
      await terminal.answer('or less (/root/FOLDER): ', 'n')
      expect(await terminal.ended(), terminal.text).to.equal(0)
      expect(terminal.text).to.include('has a ".." segment').and.include('the plugin does not ask for it')
      const { approval } = await phantom.json<PluginPermissions>(['permissions', 'partly'])
      expect(approval).to.deep.include({
        source: 'person',
        granted: ['env:LANG', 'fs_read:${workspace}/data/deep'],
      })
    })

    it('shows what is new since the last approval, and what is not asked for any more', async () => {
      saveAsking(world, 'ordinary', ['fs_read:./data', 'fs_read:./more'])
      await until(
        async () => (await phantom.json<PluginPermissions>(['permissions', 'ordinary'])).waiting !== null,
        'the update to wait',
      )
      expect(await phantom.said('list')).to.match(
        /^ordinary .* enabled.*\n {2}an update \(version 1\.0\.0\) waits: it asks for more than was approved: .*more/m,
      )
      const terminal = new PhantomAtTerminal(world.folder, ['approve', 'ordinary'])
      await terminal.answer('[l]ess: ', 'yes')
      expect(await terminal.ended(), terminal.text).to.equal(0)
      expect(terminal.text).to.match(
        /New since the last approval:\s+low risk: it reads "more" in the workspace/,
      )
      expect(terminal.text).to.match(/No longer asked for:\s+env:LANG/)
    })

    it('takes Ctrl-C for no answer', async () => {
      const terminal = new PhantomAtTerminal(world.folder, ['approve', 'wide'])
      await terminal.answer('[l]ess: ', '\u0003')
      expect(await terminal.ended()).to.not.equal(0)
      expect((await phantom.json<PluginPermissions>(['permissions', 'wide'])).approval).to.equal(null)
    })
  })
})

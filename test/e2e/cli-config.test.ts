import { expect } from 'chai'
import type {
  ConfigValue,
  PluginConfigInfo,
  PluginConfigRevision,
  PluginConfigUpdate,
  PluginConfigValidation,
} from '../../src/index.ts'
import { CommandLine } from '../helpers/command-line.ts'
import { World } from '../helpers/daemon.ts'

describe('phantom config', function () {
  this.timeout(60_000)
  let world: World
  let phantom: CommandLine

  before(async () => {
    world = new World({
      plugins: ['configurable', 'configurable as other'],
      files: { 'config/default.yaml': '# ours\nlog: { level: error }\n' },
    })
    phantom = new CommandLine(world.folder)
    await phantom.serve('--environment', 'test', '--config', 'config')
  })
  after(async () => {
    await phantom.stop()
    world.remove()
  })

  it('set, get, history, diff and rollback change a configuration and show what changed', async () => {
    expect(await phantom.said('config', 'set', 'configurable', 'greeting=Hej', 'log_level=debug')).to.equal(
      'configurable  revision 1; no process of it runs\n',
    )
    await phantom.said('run', 'configurable', 'greet')
    expect(
      await phantom.said('config', 'set', 'configurable', 'greeting=Moin', '--unset', 'log_level'),
    ).to.equal('configurable  revision 2; its running processes were told\n')
    expect(await phantom.said('run', 'configurable', 'greet', '--input', '"Ada"')).to.equal('"Moin Ada"\n')
    expect(await phantom.said('config', 'get', 'configurable', 'greeting')).to.equal('Moin\n')
    const table = await phantom.said('config', 'get', 'configurable')
    expect(table).to.match(/^greeting +"Moin" +config\/plugins\/configurable\.yaml:1:1$/m)
    expect(table).to.match(/^refuses +false +default of plugin\.toml$/m)
    expect(table).to.contain('environment test, file config/plugins/configurable.yaml, revision 2')
    expect(await phantom.said('config', 'history', 'configurable')).to.match(/^2 .* update\n1 .* update\n$/m)
    expect(await phantom.said('config', 'diff', 'configurable')).to.match(
      /^--- revision 1 .*\n\+\+\+ revision 2 .*\n- greeting: Hej\n- log_level: debug\n\+ greeting: Moin\n$/,
    )
    expect(await phantom.said('config', 'rollback', 'configurable', '1')).to.equal(
      'configurable  revision 3; its running processes were told\n',
    )
    expect(await phantom.said('run', 'configurable', 'greet', '--input', '"Ada"')).to.equal('"Hej Ada"\n')
  })

  it('answers the same as JSON', async () => {
    const update = await phantom.json<PluginConfigUpdate>(['config', 'set', 'other', 'greeting=Hej'])
    expect(update).to.deep.include({ plugin_id: 'other', revision: 1, applied: 'none' })
    await phantom.json(['config', 'set', 'other', 'environments.production={"greeting":"Live"}'])
    const info = await phantom.json<PluginConfigInfo>(['config', 'get', 'other'])
    expect(info).to.deep.include({ revision: 2, effective: { greeting: 'Hej', refuses: false } })
    expect(await phantom.json(['config', 'get', 'other', 'greeting'])).to.equal('Hej')
    const history = await phantom.json<PluginConfigRevision[]>(['config', 'history', 'other'])
    expect(history.map(({ revision, source }) => [revision, source])).to.deep.equal([
      [2, 'update'],
      [1, 'update'],
    ])
    const diff = await phantom.json<{ lines: { kind: string; text: string }[] }>([
      'config',
      'diff',
      'other',
      '1',
      '2',
    ])
    expect(diff.lines).to.deep.include({ kind: 'added', text: 'environments:' })
    const back = await phantom.json<PluginConfigUpdate>(['config', 'rollback', 'other', '1'])
    expect(back).to.deep.include({ revision: 3, effective: { greeting: 'Hej', refuses: false } })
    const sample = await phantom.json<object>(['config', 'sample', 'other'])
    expect(sample).to.include({ enabled: true, greeting: 'Hello' })
  })

  it('validate and --dry-run check and write nothing; a sample is valid', async () => {
    const dry = await phantom.said('config', 'set', 'other', 'greeting=Ciao', '--dry-run')
    expect(dry).to.equal('other  valid; nothing was written\n')
    world.write('new.yaml', await phantom.said('config', 'sample', 'other'))
    expect((await phantom.run(['config', 'validate', 'other', 'new.yaml'])).code).to.equal(0)
    world.write('new.yaml', 'greeting: Hej\ngreting: Ciao\n')
    const bad = await phantom.run(['config', 'validate', 'other', 'new.yaml'])
    expect(bad.code).to.equal(8)
    expect(bad.stdout).to.match(/^new\.yaml:2:\d+ error .*"greting".*Did you mean "greeting"\?$/m)
    const piped = await phantom.run(['config', 'validate', 'configurable', '-', '--json'], {
      stdin: 'greeting: Go away\n',
    })
    const validation = JSON.parse(piped.stdout) as PluginConfigValidation
    expect([piped.code, validation.valid, validation.asked_plugin]).to.deep.equal([8, false, true])
    expect(validation.issues[0]?.message).to.contain('greeting must be friendly')
    expect((await phantom.json<PluginConfigInfo>(['config', 'get', 'other'])).revision).to.equal(3)
  })

  it('says why it refuses, in words and as JSON, by exit code', async () => {
    const wrong = await phantom.refused('config', 'set', 'other', 'greeting=5')
    expect([wrong.codes, wrong.error.code]).to.deep.equal([[8, 8], 'CONFIG_INVALID'])
    expect(wrong.stderr).to.contain('config/plugins/other.yaml:1:11').and.to.contain('expected text')
    const key = await phantom.refused('config', 'get', 'other', 'greting')
    expect(key.codes).to.deep.equal([3, 3])
    expect(key.stderr).to.contain('Did you mean "greeting"?')
    const revision = await phantom.refused('config', 'rollback', 'other', '99')
    expect([revision.codes, revision.error.code]).to.deep.equal([[3, 3], 'REVISION_NOT_FOUND'])
    const plugin = await phantom.refused('config', 'set', 'othr', 'greeting=Hej')
    expect([plugin.codes, plugin.error.code]).to.deep.equal([[3, 3], 'PLUGIN_NOT_FOUND'])
    expect(plugin.stderr).to.contain('Did you mean "other"?')
    expect((await phantom.refused('config', 'set', 'other', 'greeting')).codes).to.deep.equal([2, 2])
    await phantom.said('config', 'set', 'other', 'enabled=false')
    const disabled = await phantom.refused('run', 'other', 'greet')
    expect([disabled.codes, disabled.error.code]).to.deep.equal([[4, 4], 'PLUGIN_DISABLED'])
    await phantom.said('config', 'set', 'other', 'enabled=true')
    expect(await phantom.said('run', 'other', 'greet')).to.equal('"Hej null"\n')
  })

  it('explain and reload are about the daemon itself', async () => {
    expect(await phantom.said('config', 'explain')).to.match(
      /^log\.level +"error" +config\/default\.yaml:2:15$/m,
    )
    const values = await phantom.json<ConfigValue[]>(['config', 'explain'])
    expect(values.find(({ key }) => key === 'plugins.builtin')).to.deep.equal({
      key: 'plugins.builtin',
      value: true,
      origin: 'package default',
      reloads: false,
    })
    world.write('config/test.yaml', 'reload: { watch: false }\n')
    await phantom.json(['config', 'reload'])
    world.write(
      'config/test.yaml',
      'reload: { watch: false }\nplugins: { builtin: false }\nbreaker: { open_ms: 9000 }\n',
    )
    expect(await phantom.said('config', 'reload')).to.equal(
      'in force now: breaker.open_ms\nneeds a restart: plugins.builtin\n',
    )
    expect(await phantom.json(['config', 'reload'])).to.deep.equal({
      applied: [],
      needs_restart: ['plugins.builtin'],
    })
    world.write('config/test.yaml', 'breaker: { open_ms: never }\n')
    const broken = await phantom.refused('config', 'reload')
    expect([broken.codes, broken.error.code]).to.deep.equal([[8, 8], 'CONFIG_INVALID'])
    world.write('config/test.yaml', '')
    await phantom.json(['config', 'reload'])
  })
})

import fs from 'node:fs'
import { expect } from 'chai'
import { create_plugin_system, type PluginSystemApi } from '../../src/index.ts'
import { isAlive, outcomeOf, refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { save } from '../helpers/reloads.ts'

interface Described {
  readonly config: Readonly<Record<string, unknown>>
  readonly generation: number
  readonly instance: number
  readonly configured?: number
}

describe('The configuration of a plugin', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let system: PluginSystemApi
  const ids = ['merged', 'told', 'vetoing', 'wrong', 'switched', 'loud', 'shared', 'unsure', 'past']

  before(async () => {
    const plugins = [...ids.map((id) => `configurable as ${id}`), 'not-configurable', 'echoes']
    daemon = await TestDaemon.start({ plugins, config: '' })
    system = daemon.system
  })
  after(async () => await daemon.stop())

  function fileOf(id: string): string {
    return daemon.world.path('config/plugins', `${id}.yaml`)
  }

  async function describePlugin(id: string): Promise<Described> {
    return (await daemon.call<Described>(id, 'describe')).result!
  }

  it('is merged into its file, beside what stands there and its comments', async () => {
    const first = await system.update_plugin_config('merged', { greeting: 'Servus', log_level: 'warn' })
    expect(first).to.deep.include({ revision: 1, applied: 'none' })
    // In one step: the daemon still looks at its own write, and would keep the half of ours as a revision, too.
    save(
      daemon.world,
      'config/plugins/merged.yaml',
      '# of the team\ngreeting: Servus # for now\nlog_level: warn\n',
    )
    const second = await system.update_plugin_config('merged', { greeting: 'Moin', log_level: null })
    expect(second.revision, 'the change by hand is one, too').to.equal(3)
    expect(second.effective).to.deep.equal({ greeting: 'Moin', refuses: false })
    expect(fs.readFileSync(fileOf('merged'), 'utf8')).to.equal('# of the team\ngreeting: Moin # for now\n')
    expect((await daemon.call('merged', 'greet', 'Ada')).result).to.equal('Moin Ada')
    const info = await system.get_plugin_config('merged')
    expect(info).to.deep.include({ environment: 'test', path: fileOf('merged'), revision: 3 })
    expect(info.origins).to.deep.equal({
      greeting: `${fileOf('merged')}:2:1`,
      refuses: 'default of plugin.toml',
    })
  })

  it('reaches a plugin that has configure() while it runs, in the same process', async () => {
    const before = await describePlugin('told')
    const { applied } = await system.update_plugin_config('told', { greeting: 'Hej' })
    expect(applied).to.equal('live')
    const after = await describePlugin('told')
    expect(after).to.deep.equal({ ...before, config: { greeting: 'Hej', refuses: false }, configured: 1 })
    expect((await daemon.call('told', 'greet', 'Ada')).result).to.equal('Hej Ada')
  })

  it('comes by a new generation to a plugin without configure(), and no call is lost', async () => {
    const before = await describePlugin('not_configurable')
    const calls = Array.from({ length: 50 }, () => daemon.call<string>('not_configurable', 'greet', 'Ada'))
    const { applied } = await system.update_plugin_config('not_configurable', { greeting: 'Hej' })
    expect(applied).to.equal('new_generation')
    const answers = (await Promise.all(calls)).map(({ result }) => result)
    expect(answers.every((answer) => answer === 'Hello Ada' || answer === 'Hej Ada')).to.be.true
    const after = await describePlugin('not_configurable')
    expect(after).to.deep.include({ config: { greeting: 'Hej', refuses: false }, generation: 2 })
    expect(after.instance).not.to.equal(before.instance)
    const generations = await system.get_generations('not_configurable')
    expect(generations.map(({ generation, cause, state }) => [generation, cause, state])).to.deep.equal([
      [2, 'configuration', 'current'],
      [1, 'start', 'superseded'],
    ])
  })

  it('needs no new process for a key that acts by itself, also where there is no configure()', async () => {
    const before = await describePlugin('not_configurable')
    const { applied } = await system.update_plugin_config('not_configurable', { verbose: true })
    expect(applied).to.equal('live')
    const after = await describePlugin('not_configurable')
    expect(after).to.deep.equal({ ...before, config: { ...before.config, verbose: true } })
  })

  it("is refused in the plugin's own words, and file and process stay as they are", async () => {
    await system.update_plugin_config('vetoing', { greeting: 'Hola' })
    const before = await describePlugin('vetoing')
    const error = await refusalOf(system.update_plugin_config('vetoing', { greeting: 'Go away' }))
    expect(error).to.deep.include({ code: 'CONFIG_INVALID' })
    expect(error.message).to.contain('greeting must be friendly')
    expect(await describePlugin('vetoing')).to.deep.equal(before)
    expect(fs.readFileSync(fileOf('vetoing'), 'utf8')).to.equal('greeting: Hola\n')
    expect((await system.get_plugin_config('vetoing')).revision).to.equal(1)
    const validation = await system.validate_plugin_config('vetoing', { greeting: 'Go away' })
    expect(validation).to.deep.include({ valid: false, asked_plugin: true })
    expect(validation.issues[0]?.message).to.equal('greeting must be friendly')
  })

  it('is refused with field and place where a key is unknown or a value of another kind', async () => {
    await system.update_plugin_config('wrong', { greeting: 'Hola' })
    const unknown = await refusalOf(system.update_plugin_config('wrong', { greting: 'Hej' }))
    expect(unknown.code).to.equal('CONFIG_INVALID')
    expect(unknown.message)
      .to.contain(`${fileOf('wrong')}:2:1`)
      .and.to.contain('"greting"')
    expect(unknown.message).to.contain('Did you mean "greeting"')
    const updates = { environments: { production: { refuses: 'often' } } }
    const kind = await refusalOf(system.update_plugin_config('wrong', updates))
    expect(kind.message)
      .to.contain(`${fileOf('wrong')}:4:14`)
      .and.to.contain('often')
    expect(kind.message).to.contain('environments.production.refuses')
    expect(kind.details['issues']).to.have.length(1)
    expect(fs.readFileSync(fileOf('wrong'), 'utf8')).to.equal('greeting: Hola\n')
  })

  it('switches a plugin off after its calls, and on again', async () => {
    const running = daemon.call('echoes', 'wait', 1500)
    await until(async () => (await system.get_status()).calls.in_flight > 0, 'the call to run')
    const pid = await daemon.pidOf('echoes')
    await system.update_plugin_config('echoes', { enabled: false })
    expect(await outcomeOf(daemon.call('echoes', 'echo'))).to.equal('PLUGIN_DISABLED')
    expect(isAlive(pid), 'its call still runs').to.be.true
    expect((await running).success).to.be.true
    await until(() => !isAlive(pid), 'its process to end')
    await system.update_plugin_config('echoes', { enabled: null })
    expect((await daemon.call('echoes', 'echo', 'on')).result).to.equal('on')
  })

  it('lets log_level and verbose act at once', async () => {
    const debugLines = async (): Promise<string[]> => {
      const lines = await system.get_plugin_logs({ plugin_id: 'loud' })
      return lines.filter(({ level }) => level === 'debug').map(({ message }) => message)
    }
    await daemon.call('loud', 'log_debug')
    expect(await debugLines()).to.deep.equal([])
    await system.update_plugin_config('loud', { log_level: 'debug', verbose: true })
    const { execution_id: executionId } = await daemon.call('loud', 'log_debug')
    await until(async () => (await debugLines()).length === 2, 'the lines of one call')
    const lines = (await system.get_plugin_logs({ plugin_id: 'loud' })).slice(-2)
    expect(lines[0]).to.include({ source: 'log', message: 'a debug line' })
    expect(lines[1]).to.include({ source: 'host', execution_id: executionId })
    expect(lines[1]?.message).to.match(/^log_debug succeeded after [\d.]+ ms$/)
    await system.update_plugin_config('loud', { log_level: 'info', verbose: false })
    await daemon.call('loud', 'log_debug')
    expect(await debugLines()).to.have.length(2)
  })

  it('keeps both of two updates that come at the same time from two clients', async () => {
    const other = await daemon.world.attach()
    try {
      await daemon.call('shared', 'greet')
      const both = await Promise.all([
        system.update_plugin_config('shared', { greeting: 'Ciao' }),
        other.update_plugin_config('shared', { log_level: 'error' }),
      ])
      expect(both.map(({ revision }) => revision)).to.have.members([1, 2])
      const { effective } = await system.get_plugin_config('shared')
      expect(effective).to.deep.equal({ greeting: 'Ciao', log_level: 'error', refuses: false })
      expect((await describePlugin('shared')).config).to.deep.equal(effective)
    } finally {
      await other.shutdown()
    }
  })

  it('can be checked without being written, and refused where somebody else was faster', async () => {
    const dry = { dry_run: true }
    const update = await system.update_plugin_config('unsure', { greeting: 'Hej' }, dry)
    expect(update).to.deep.include({ revision: 0, applied: 'none' })
    expect(update.effective).to.deep.include({ greeting: 'Hej' })
    expect(fs.existsSync(fileOf('unsure'))).to.be.false
    expect((await refusalOf(system.update_plugin_config('unsure', { greeting: 1 }, dry))).code).to.equal(
      'CONFIG_INVALID',
    )
    await system.update_plugin_config('unsure', { greeting: 'Hej' }, { expected_revision: 0 })
    const late = await refusalOf(
      system.update_plugin_config('unsure', { greeting: 'Ciao' }, { expected_revision: 0 }),
    )
    expect(late).to.deep.include({ code: 'CONFIG_CONFLICT', retryable: true })
    expect(late.details).to.deep.include({ revision: 1, expected_revision: 0 })
    expect((await system.get_plugin_config('unsure')).effective['greeting']).to.equal('Hej')
  })

  it('has a history, and an earlier revision comes back and acts', async () => {
    for (const greeting of ['One', 'Two', 'Three']) await system.update_plugin_config('past', { greeting })
    await daemon.call('past', 'greet')
    const back = await system.rollback_plugin_config('past', 1)
    expect(back).to.deep.include({ revision: 4, applied: 'live' })
    expect((await daemon.call('past', 'greet', 'Ada')).result).to.equal('One Ada')
    const history = await system.get_plugin_config_history('past')
    expect(history.map(({ revision, source, text }) => [revision, source, text])).to.deep.equal([
      [4, 'rollback to 1', 'greeting: One\n'],
      [3, 'update', 'greeting: Three\n'],
      [2, 'update', 'greeting: Two\n'],
      [1, 'update', 'greeting: One\n'],
    ])
    const missing = await refusalOf(system.rollback_plugin_config('past', 9))
    expect(missing.code).to.equal('REVISION_NOT_FOUND')
    expect(missing.details['kept']).to.deep.equal([4, 3, 2, 1])
  })
})

describe('The configuration of a plugin in its environment', function () {
  this.timeout(60_000)
  const world = new World({ plugins: ['configurable'] })
  const file = world.path('.phantom/plugins/config/configurable.yaml')

  after(() => world.remove())

  async function inEnvironment<Value>(
    name: string,
    run: (system: PluginSystemApi) => Promise<Value>,
  ): Promise<Value> {
    const system = await create_plugin_system(world.plugins, name, { workspace: world.folder })
    try {
      return await run(system)
    } finally {
      await system.shutdown()
    }
  }

  it("takes the overlay of the daemon's own, and the state folder where there is no other", async () => {
    const greeting = async (system: PluginSystemApi): Promise<unknown[]> => {
      const { effective, origins, path } = await system.get_plugin_config('configurable')
      return [effective['greeting'], origins['greeting'], path]
    }
    const updates = { greeting: 'Base', environments: { production: { greeting: 'Live' } } }
    await inEnvironment('test', (system) => system.update_plugin_config('configurable', updates))
    expect(await inEnvironment('test', greeting)).to.deep.equal(['Base', `${file}:1:1`, file])
    expect(await inEnvironment('production', greeting)).to.deep.equal(['Live', `${file}:4:5`, file])
    expect(fs.statSync(file).mode & 0o777).to.equal(0o600)
  })
})

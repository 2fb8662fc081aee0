import fs from 'node:fs'
import { expect } from 'chai'
import { parse } from 'yaml'
import type { PluginSystemApi } from '../../src/index.ts'
import { isAlive, outcomeOf, refusalOf, TestDaemon, until, World } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'

const KILLS = 10
const UPDATES_AT_ONCE = 20
const ANY_DEPTH =
  '[configuration]\ntype = "object"\n[configuration.properties.depth]\ntype = "integer"\ndefault = 1\n'

describe("A change of a plugin's configuration by hand", function () {
  this.timeout(60_000)
  let daemon: TestDaemon

  before(async () => {
    const plugins = [
      'configurable',
      'configurable as dormant',
      'not-configurable',
      'not-configurable as frail',
    ]
    const files = {
      'plugins/dies_of_it/plugin.toml': manifestText('dies_of_it', ANY_DEPTH),
      'plugins/dies_of_it/index.js':
        "export default { validate_config: ({ depth }) => { if (depth > 1) process.exit(3) }, operations: { fine: () => 'fine' } }\n",
    }
    daemon = await TestDaemon.start({ plugins, files, config: '' })
  })
  after(async () => await daemon.stop())

  function write(id: string, text: string): void {
    daemon.world.write(`config/plugins/${id}.yaml`, text)
  }

  async function greets(id: string, greeting: string): Promise<void> {
    const answer = async (): Promise<unknown> => (await daemon.call(id, 'greet', 'Ada')).result
    await until(async () => (await answer()) === `${greeting} Ada`, `"${id}" to greet by ${greeting}`)
  }

  async function untilLogged(...words: string[]): Promise<void> {
    const file = daemon.world.path('.phantom/plugins/logs/daemon.log')
    const lines = (): string[] => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : [])
    const isThere = (): boolean => lines().some((line) => words.every((word) => line.includes(word)))
    await until(isThere, `a line with ${words.join(', ')} in the daemon's log`)
  }

  it('is seen and acts, also where the folder was not there before', async () => {
    await daemon.call('configurable', 'greet')
    const pid = await daemon.pidOf('configurable')
    write('configurable', 'greeting: Hej\n')
    await greets('configurable', 'Hej')
    write('configurable', 'greeting: Ciao\n')
    await greets('configurable', 'Ciao')
    expect(await daemon.pidOf('configurable')).to.equal(pid)
    const [newest] = await daemon.system.get_plugin_config_history('configurable')
    expect(newest).to.include({ revision: 2, source: 'file', text: 'greeting: Ciao\n' })
  })

  it('is refused, and says why, where the process ends of being asked', async () => {
    await daemon.call('dies_of_it', 'fine')
    const change = daemon.system.update_plugin_config('dies_of_it', { depth: 2 })
    const { code, message } = await refusalOf(change)
    expect(code).to.equal('CONFIG_INVALID')
    expect(message).to.include('its process ended in validate_config()')
    expect((await daemon.call('dies_of_it', 'fine')).result).to.equal('fine')
  })

  it('goes back to the defaults when the file is removed', async () => {
    fs.rmSync(daemon.world.path('config/plugins/configurable.yaml'))
    await greets('configurable', 'Hello')
    expect((await daemon.system.get_plugin_config('configurable')).revision).to.equal(null)
  })

  it('makes one new generation of a plugin without configure()', async () => {
    await daemon.call('not_configurable', 'greet')
    write('not_configurable', 'greeting: Hej\n')
    await greets('not_configurable', 'Hej')
    expect(await daemon.system.get_generations('not_configurable')).to.have.length(2)
  })

  it('changes nothing when it is invalid, and the daemon log says where', async () => {
    await greets('configurable', 'Hello')
    write('configurable', 'greeting: Hej\ngreting: Ciao\n')
    await untilLogged('configurable.yaml:2:1', 'greting', 'configurable')
    write('configurable', 'greeting: [Hej\n')
    await untilLogged('configurable.yaml:2:1', 'not YAML')
    await greets('configurable', 'Hello')
    write('configurable', 'greeting: Moin\n')
    await greets('configurable', 'Moin')
  })

  it('changes nothing when no new generation starts with it', async () => {
    await greets('frail', 'Hello')
    write('frail', 'refuses: true\nverbose: true\n')
    await untilLogged('frail', 'it refuses to start')
    const { result } = await daemon.call<{ config: object }>('frail', 'describe')
    expect(result?.config).to.deep.equal({ greeting: 'Hello', refuses: false })
    write('frail', 'greeting: Moin\n')
    await greets('frail', 'Moin')
  })

  it('leads a plugin out of "failed" that could not start with what the file said before', async () => {
    write('dormant', 'greeting: 5\n')
    expect((await refusalOf(daemon.call('dormant', 'greet'))).code).to.equal('CONFIG_INVALID')
    expect(await outcomeOf(daemon.call('dormant', 'greet'))).to.equal('PLUGIN_FAILED')
    expect((await daemon.info('dormant')).reason).to.contain('dormant.yaml:1:11')
    write('dormant', 'greeting: Moin\n')
    await until(async () => (await daemon.info('dormant')).state === 'enabled', 'it to be enabled')
    await greets('dormant', 'Moin')
  })
})

describe('An update of a configuration', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  let system: PluginSystemApi

  before(async () => {
    const plugins = [
      'not-configurable as fresh',
      'not-configurable as known',
      'not-configurable as late',
      'echoes',
    ]
    daemon = await TestDaemon.start({ plugins, prepare: startLate })
    system = daemon.system
  })
  after(async () => await daemon.stop())

  function fileOf(id: string): string {
    return daemon.world.path('.phantom/plugins/config', `${id}.yaml`)
  }

  it('is taken back when the new generation does not start with it, and the old one serves', async () => {
    await system.update_plugin_config('known', { greeting: 'Hej' })
    const before = (await daemon.call<{ instance: number }>('known', 'describe')).result
    const update = system.update_plugin_config('known', { refuses: true, log_level: 'debug' })
    const error = await refusalOf(update)
    expect(error).to.deep.include({ code: 'GENERATION_REJECTED' })
    expect(error.details).to.include({ gate: 'initialize' })
    expect(error.message).to.contain('it refuses to start')
    expect(fs.readFileSync(fileOf('known'), 'utf8')).to.equal('greeting: Hej\n')
    expect((await daemon.call('known', 'describe')).result).to.deep.equal(before)
    const [newest] = await system.get_plugin_config_history('known')
    expect(newest).to.include({ revision: 3, source: 'rollback to 1' })
    const [rejected] = await system.get_generations('known')
    expect(rejected).to.include({ state: 'rejected', cause: 'configuration' })
  })

  it('leaves no file where there was none', async () => {
    await daemon.call('fresh', 'greet')
    const error = await refusalOf(system.update_plugin_config('fresh', { refuses: true }))
    expect(error.code).to.equal('GENERATION_REJECTED')
    expect(fs.existsSync(fileOf('fresh'))).to.be.false
    const info = await system.get_plugin_config('fresh')
    expect(info).to.deep.include({ revision: null, effective: { greeting: 'Hello', refuses: false } })
    await system.update_plugin_config('fresh', { greeting: 'Hej' }, { expected_revision: 0 })
    expect((await daemon.call('fresh', 'greet', 'Ada')).result).to.equal('Hej Ada')
  })

  it('takes nothing else back with it when it is taken back', async () => {
    await daemon.call('known', 'greet')
    const outcomes = await Promise.allSettled([
      system.update_plugin_config('known', { refuses: true }),
      system.update_plugin_config('known', { greeting: 'Ciao' }),
    ])
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'fulfilled'])
    expect(fs.readFileSync(fileOf('known'), 'utf8')).to.equal('greeting: Ciao\n')
    expect((await daemon.call('known', 'greet', 'Ada')).result).to.equal('Ciao Ada')
  })

  it('is not lost on a process that is just starting', async () => {
    const call = daemon.call('late', 'greet', 'Ada')
    const isStarting = async () => (await daemon.info('late')).instances[0]?.state === 'starting'
    await until(isStarting, 'its process to start')
    const { applied } = await system.update_plugin_config('late', { greeting: 'Hej' })
    expect(applied).to.equal('new_generation')
    expect((await call).result).to.be.oneOf(['Hello Ada', 'Hej Ada'])
    expect((await daemon.call('late', 'greet', 'Ada')).result).to.equal('Hej Ada')
  })

  it('says so where its folder cannot be written, and the old file stands', async () => {
    await system.update_plugin_config('echoes', { verbose: true })
    await daemon.call('echoes', 'echo')
    const folder = daemon.world.path('.phantom/plugins/config')
    fs.renameSync(folder, `${folder}.away`)
    fs.writeFileSync(folder, 'no folder')
    try {
      const error = await refusalOf(system.update_plugin_config('echoes', { verbose: false }))
      expect(error.message).to.contain(fileOf('echoes'))
      expect((await daemon.call('echoes', 'echo', 1)).result).to.equal(1)
    } finally {
      fs.rmSync(folder)
      fs.renameSync(`${folder}.away`, folder)
    }
    expect((await system.get_plugin_config('echoes')).effective).to.deep.equal({ verbose: true })
  })
})

/** Between what it takes of its configuration and the moment when it is ready, an update comes. */
function startLate(world: World): void {
  const file = world.path('plugins/late/index.mjs')
  const code = fs.readFileSync(file, 'utf8')
  const late = 'greeting = config.greeting\n    return new Promise((ready) => setTimeout(ready, 800))'
  fs.writeFileSync(file, code.replace('greeting = config.greeting', late))
}

describe('A daemon that SIGKILL ends while it writes configurations', function () {
  this.timeout(120_000)

  it(`leaves a whole file, ${KILLS} times, and the next daemon starts with it`, async () => {
    const world = new World({ plugins: ['configurable'] })
    const file = world.path('.phantom/plugins/config/configurable.yaml')
    const sent = new Set(['Hello'])
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        const system = await world.attach()
        const { pid } = await system.get_status()
        const { effective } = await system.get_plugin_config('configurable')
        expect(sent).to.include(effective['greeting'])
        const updates = Array.from(
          { length: UPDATES_AT_ONCE },
          (_, at) => `${kill}.${at} ${'x'.repeat(at * 500)}`,
        )
        for (const greeting of updates) sent.add(greeting)
        const outcomes = updates.map((greeting) => system.update_plugin_config('configurable', { greeting }))
        // Each time at another moment of the work.
        await outcomes[kill]
        process.kill(pid, 'SIGKILL')
        await Promise.allSettled(outcomes)
        await until(() => !isAlive(pid), 'the end of the daemon')
        await system.shutdown()
        expect(sent).to.include((parse(fs.readFileSync(file, 'utf8')) as { greeting: string }).greeting)
      }
      await startsAnew(world, file)
    } finally {
      world.remove()
    }
  })

  async function startsAnew(world: World, file: string): Promise<void> {
    const system = await world.attach()
    try {
      await system.update_plugin_config('configurable', { greeting: 'At last' })
      expect((await system.execute_plugin('configurable', 'greet', 'Ada')).result).to.equal('At last Ada')
      const history = await system.get_plugin_config_history('configurable')
      expect(history).to.have.length(20)
      const numbers = history.map(({ revision }) => revision)
      expect(numbers).to.deep.equal(numbers.toSorted((one, other) => other - one))
      const left = [
        world.path('.phantom/plugins/config'),
        world.path('.phantom/plugins/revisions/configurable'),
      ]
      expect(
        left.flatMap((folder) => fs.readdirSync(folder)).filter((name) => name.endsWith('.tmp')),
      ).to.deep.equal([])
      expect(parse(fs.readFileSync(file, 'utf8'))).to.deep.equal({ greeting: 'At last' })
    } finally {
      await system.shutdown()
    }
  }
})

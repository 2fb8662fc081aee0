import fs from 'node:fs'
import { expect } from 'chai'
import type { Gate } from '../../src/contract/generations.ts'
import { refusalOf, TestDaemon, until, type World } from '../helpers/daemon.ts'
import { manifestText } from '../helpers/plugin-folders.ts'
import {
  addVersioned,
  callDuring,
  expectNoStrays,
  rejectedAfter,
  save,
  saveCode,
  served,
  successorOf,
  versionedCode,
  versionOf,
} from '../helpers/reloads.ts'
import { skipBecause } from '../helpers/skip.ts'

interface BadSave {
  readonly what: string
  readonly gate: Gate
  readonly reason: RegExp
  readonly save: (world: World, id: string) => void
}

const BAD_SAVES: readonly BadSave[] = [
  {
    what: 'half a manifest',
    gate: 'manifest',
    reason: /plugin\.toml:\d+:\d+/,
    save: manifest((text) => text.slice(0, text.indexOf('type') + 8)),
  },
  {
    what: 'a removed manifest',
    gate: 'manifest',
    reason: /plugin\.toml/,
    save: (world, id) => fs.rmSync(world.path('plugins', id, 'plugin.toml')),
  },
  {
    what: 'a folder in place of the manifest',
    gate: 'manifest',
    reason: /plugin\.toml/,
    save: (world, id) => {
      fs.rmSync(world.path('plugins', id, 'plugin.toml'))
      fs.mkdirSync(world.path('plugins', id, 'plugin.toml'))
    },
  },
  {
    what: 'a manifest of another id',
    gate: 'manifest',
    reason: /its id is "another" now/,
    save: manifest(() => manifestText('another')),
  },
  {
    what: 'a removed entry point',
    gate: 'manifest',
    reason: /index\.js/,
    save: (world, id) => fs.rmSync(world.path('plugins', id, 'index.js')),
  },
  {
    what: 'an input schema that is none',
    gate: 'manifest',
    reason: /input_schema|schema/,
    save: manifest(
      (text) => `${text}[[operations]]\nname = "version"\ninput_schema = { type = "nonsense" }\n`,
    ),
  },
  {
    what: 'the need of a plugin that is not there',
    gate: 'dependencies',
    reason: /nobody/,
    save: manifest((text) => `${text}[plugin_dependencies]\nnobody = "^1.0.0"\n`),
  },
  {
    what: 'a configuration that nobody has set',
    gate: 'configuration',
    reason: /key/,
    save: manifest(
      (text) =>
        `${text}[configuration]\ntype = "object"\nrequired = ["key"]\nproperties = { key = { type = "string" } }\n`,
    ),
  },
  {
    what: 'half an entry point',
    gate: 'initialize',
    reason: /Unexpected end of input/,
    save: (world, id) =>
      save(world, `plugins/${id}/index.js`, versionedCode('broken').trimEnd().slice(0, -1)),
  },
  {
    what: 'an operation that the code lacks',
    gate: 'initialize',
    reason: /lost/,
    save: manifest((text) => `${text}[[operations]]\nname = "lost"\n`),
  },
  {
    what: 'an initialize() that throws',
    gate: 'initialize',
    reason: /not today/,
    save: hooks(`initialize: () => { throw new Error('not today') }`),
  },
  {
    what: 'an initialize() that hangs',
    gate: 'initialize',
    reason: /not ready/,
    save: hooks('initialize: () => new Promise(() => setInterval(() => {}, 1000))'),
  },
  {
    what: 'a health() that says that it is not well',
    gate: 'health',
    reason: /"status":"unhealthy"/,
    save: hooks(`health: () => ({ status: 'unhealthy' })`),
  },
  {
    what: 'a health() that throws',
    gate: 'health',
    reason: /no pulse/,
    save: hooks(`health: () => { throw new Error('no pulse') }`),
  },
]

function manifest(change: (text: string) => string): BadSave['save'] {
  return (world, id) => save(world, `plugins/${id}/plugin.toml`, change(manifestText(id)))
}

function hooks(text: string): BadSave['save'] {
  return (world, id) => saveCode(world, id, 'broken', { hooks: text })
}

describe('A broken save', function () {
  this.timeout(60_000)
  let daemon: TestDaemon
  const idOf = (at: number): string => `bad_${at}`

  before(async () => {
    daemon = await TestDaemon.start({
      plugins: ['counter-state', 'exclusive-port'],
      config: 'reload: {debounce_ms: 20}\nexecution: {start_timeout_ms: 3000}\n',
      prepare: (world) => {
        BAD_SAVES.forEach((_case, at) => addVersioned(world, idOf(at)))
        for (const id of ['unreadable', 'early', 'wider', 'often']) addVersioned(world, id)
        addVersioned(world, 'keeps', {
          manifest: '[runtime]\nexclusive = true\n',
          operations: 'add: () => (globalThis.count += 1),',
          hooks:
            'initialize: ({ previous_state }) => void (globalThis.count = previous_state ?? 0), export_state: () => globalThis.count',
        })
      },
    })
  })
  after(() => daemon.stop())

  BAD_SAVES.forEach(({ what, gate, reason, save: saveBadly }, at) => {
    it(`(${what}) fails at "${gate}", the old generation serves, and the mended one is taken`, async () => {
      const id = idOf(at)
      const { world } = daemon
      expect(await versionOf(daemon, id)).to.deep.equal({ version: 'one', generation: 1 })
      saveBadly(world, id)
      const { failure, generation } = await rejectedAfter(daemon, id, 1)
      expect(failure.gate).to.equal(gate)
      expect(failure.message).to.match(reason)
      expect(await versionOf(daemon, id)).to.deep.equal({ version: 'one', generation: 1 })
      const [incident] = await daemon.system.get_incidents(id)
      expect(incident).to.deep.include({ kind: 'reload_rejected', action: 'generation 1 goes on serving' })
      expect(incident!.message).to.match(reason)
      fs.rmSync(world.path('plugins', id, 'plugin.toml'), { recursive: true, force: true })
      saveCode(world, id, 'two')
      save(world, `plugins/${id}/plugin.toml`, manifestText(id))
      const mended = await successorOf(daemon, id, 1)
      expect(mended.generation).to.be.above(generation)
      expect((await versionOf(daemon, id)).version).to.equal('two')
    })
  })

  it('(a manifest that may not be read) fails at "manifest"', async function () {
    if (process.getuid?.() === 0) skipBecause.call(this, 'root may read every file')
    await versionOf(daemon, 'unreadable')
    const file = daemon.world.path('plugins/unreadable/plugin.toml')
    fs.chmodSync(file, 0o000)
    expect((await rejectedAfter(daemon, 'unreadable', 1)).failure.gate).to.equal('manifest')
    expect((await versionOf(daemon, 'unreadable')).generation).to.equal(1)
    fs.chmodSync(file, 0o644)
    await successorOf(daemon, 'unreadable', 1)
  })

  it('of a plugin that does not run is tried again, too, when the file that it lacked has come', async () => {
    const { world } = daemon
    const text = manifestText('early').replace('index.js', 'src/next.js')
    save(world, 'plugins/early/plugin.toml', text)
    expect((await rejectedAfter(daemon, 'early', 1)).failure).to.deep.include({ gate: 'manifest' })
    world.write('plugins/early/src/next.js', versionedCode('two'))
    await successorOf(daemon, 'early', 1)
    expect((await versionOf(daemon, 'early')).version).to.equal('two')
  })

  it('by call rejects with the gate, and pushes out no generation that served', async () => {
    await versionOf(daemon, 'often')
    saveCode(daemon.world, 'often', 'two')
    await successorOf(daemon, 'often', 1)
    saveCode(daemon.world, 'often', 'broken', { hooks: 'health: () => ({ ok: false })' })
    await rejectedAfter(daemon, 'often', 2)
    for (let count = 0; count < 6; count += 1) {
      const error = await refusalOf(daemon.system.reload_plugin('often'))
      expect(error).to.deep.include({ code: 'GENERATION_REJECTED' })
      expect(error.details).to.deep.include({ gate: 'health', plugin_id: 'often' })
      expect(error.message).to.match(/generation \d+ failed at "health": .* Generation 2 goes on serving/)
    }
    await daemon.system.rollback_plugin('often')
    expect((await versionOf(daemon, 'often')).version).to.equal('one')
  })

  it('that asks for wider rights waits until somebody accepts them', async () => {
    await versionOf(daemon, 'wider')
    const more = '[permissions]\npermissions = ["fs_read:./data"]\n'
    save(daemon.world, 'plugins/wider/plugin.toml', manifestText('wider', more))
    const { failure } = await rejectedAfter(daemon, 'wider', 1)
    expect(failure.gate).to.equal('permissions')
    expect(failure.message)
      .to.include('"fs_read:${workspace}/data" (low risk)')
      .and.include('phantom approve wider')
    const error = await refusalOf(daemon.system.reload_plugin('wider'))
    expect(error.details['gate']).to.equal('permissions')
    const [newest] = await daemon.system.get_generations('wider')
    expect(newest).to.deep.include({ state: 'rejected', cause: 'call', kept: false })
    expect((await served(daemon, 'wider')).generation).to.equal(1)
    const { digest } = await daemon.system.get_permissions('wider')
    const result = await daemon.system.approve_plugin('wider', digest)
    expect(result).to.deep.include({ problem: null, state: 'enabled' })
    const { permissions } = await daemon.info('wider')
    expect(permissions.map(({ declared }) => declared)).to.deep.equal(['fs_read:./data'])
  })

  it('lets a plugin that was quiesced resume, and its state stays', async () => {
    await daemon.call('counter_state', 'add', 5)
    const file = 'plugins/counter_state/index.mjs'
    const text = fs.readFileSync(daemon.world.path(file), 'utf8')
    save(daemon.world, file, text.replace('initialize({', 'health: () => ({ ok: false }), initialize({'))
    await rejectedAfter(daemon, 'counter_state', 1)
    const { result } = await daemon.call('counter_state', 'describe')
    expect(result).to.deep.include({ count: 5, generation: 1, quiesced: 1, resumed: 1 })
    save(daemon.world, file, text)
    await successorOf(daemon, 'counter_state', 1)
    expect((await daemon.call('counter_state', 'add', 1)).result).to.equal(6)
  })

  it('of an exclusive plugin starts the old one again, and calls in between are answered', async () => {
    await daemon.call('exclusive_port', 'fine')
    const file = 'plugins/exclusive_port/index.mjs'
    const text = fs.readFileSync(daemon.world.path(file), 'utf8')
    save(daemon.world, file, `${text}\nthis is not JavaScript (`)
    await callDuring(rejectedAfter(daemon, 'exclusive_port', 1), async () => {
      expect((await daemon.call('exclusive_port', 'fine')).result).to.equal('fine 1')
    })
    const { result } = await daemon.call('exclusive_port', 'order')
    expect(result).to.deep.equal(['start 1', 'stop 1', 'start 1'])
  })

  it('of an exclusive plugin gives the old one its state back, also when nobody calls', async () => {
    for (let count = 0; count < 3; count += 1) await daemon.call('keeps', 'add')
    const pid = await daemon.pidOf('keeps')
    hooks(`initialize: () => { throw new Error('not today') }`)(daemon.world, 'keeps')
    await rejectedAfter(daemon, 'keeps', 1)
    await until(
      async () => ![null, pid].includes(await daemon.pidOf('keeps').catch(() => null)),
      'the old one',
    )
    expect((await daemon.call('keeps', 'add')).result).to.equal(4)
  })

  it('leaves no process behind that the daemon does not tell of', async () => {
    await expectNoStrays(daemon)
  })
})

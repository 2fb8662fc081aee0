import fs from 'node:fs'
import { expect } from 'chai'
import { TestDaemon, until, type World } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const IMPORTS = 'import { a } from "./lib/a.js"\nexport default { operations: { fine: () => a } }\n'

const CLOSED: readonly (readonly [string, string, number])[] = [
  ['entry point', 'index.js', 0o600],
  ['own folder', '', 0o700],
  ['file that it imports', 'lib/a.js', 0o640],
  ['folder that it imports from', 'lib', 0o750],
]

describe("A plugin's files that its uid may not read", function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null

  before(function () {
    if (process.getuid?.() !== 0)
      skipBecause.call(this, "plugins run as the daemon's own user, who is not root")
  })
  afterEach(async () => {
    await daemon?.stop()
    daemon = null
  })

  function prepare(world: World, name: string, mode: number): void {
    world.addManifest('shut')
    world.write('plugins/shut/index.js', IMPORTS)
    world.write('plugins/shut/lib/a.js', 'export const a = "read"\n')
    fs.chmodSync(world.path('plugins/shut', name), mode)
  }

  for (const [tier, environment] of [
    ['where there are sandboxes', {}],
    ['without bubblewrap', { PHANTOM_BWRAP: '' }],
  ] as const) {
    for (const [what, name, mode] of CLOSED) {
      it(`are told by name, mode and remedy, which mends it: its ${what}, ${tier}`, async () => {
        const running = await TestDaemon.start({
          environment,
          prepare: (world) => prepare(world, name, mode),
        })
        daemon = running
        const folder = running.world.path('plugins/shut')
        const error = await running.refusal('shut', 'fine')
        expect(error.code).to.equal('PLUGIN_START_FAILED')
        const closed = running.world.path('plugins/shut', name).replace(/\/$/, '')
        expect(error.message).to.match(
          /, and uid \d+, as which the plugin runs, may not (?:read|enter) it\. /,
        )
        expect(error.message).to.include(`Cannot start "shut": "${closed}" has mode 0${mode.toString(8)}`)
        expect(error.message).to.include(`chmod -R o+rX "${folder}"; then run "phantom reload shut"`)
        fs.chmodSync(running.world.path('plugins/shut', name), mode | 0o5)
        await running.system.reload_plugin('shut')
        await until(
          async () => (await running.call('shut', 'fine').catch(() => null))?.result === 'read',
          'the plugin to answer',
        )
      })
    }
  }

  it('are no excuse for what fails of something else', async () => {
    daemon = await TestDaemon.start({
      prepare: (world) => {
        prepare(world, 'lib/a.js', 0o644)
        world.write('plugins/shut/index.js', IMPORTS.replace('lib/a.js', 'lib/none.js'))
        world.write('plugins/shut/secret.txt', '')
        fs.chmodSync(world.path('plugins/shut/secret.txt'), 0o600)
      },
    })
    const error = await daemon.refusal('shut', 'fine')
    expect(error.message).to.match(/Cannot find module '.*\/lib\/none\.js'/)
  })
})

import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { TestDaemon } from '../helpers/daemon.ts'
import { needPython, systemPython } from '../helpers/native-programs.ts'
import { skipBecause } from '../helpers/skip.ts'

/** Deployments lie there, and programs that were installed for all users. */
const BASE = '/opt'

describe('A native plugin whose project lies in a folder of the system', function () {
  this.timeout(60_000)
  let daemon: TestDaemon | null = null
  let base = ''

  before(needPython)
  before(async function () {
    try {
      base = fs.mkdtempSync(path.join(BASE, 'phantom-base-'))
    } catch {
      skipBecause.call(this, `nothing can be put into ${BASE} by this user`)
    }
    fs.chmodSync(base, 0o755)
    const python = fs.realpathSync(systemPython()!)
    const library = path.join(path.dirname(path.dirname(python)), 'lib', path.basename(python))
    daemon = await TestDaemon.start({
      base,
      plugins: [
        'native-python',
        'native-python as climber',
        'native-python as walker',
        'native-python as plain',
      ],
      config: `workspace: {roots: [${base}/other]}\n`,
      files: { 'private/secret.txt': 'secret' },
      prepare: (world) => {
        const put = (home: string, plugin: string): void => {
          fs.mkdirSync(path.join(home, 'bin'), { recursive: true })
          fs.mkdirSync(path.join(home, 'lib'))
          fs.copyFileSync(python, path.join(home, 'bin/python3'))
          fs.chmodSync(path.join(home, 'bin/python3'), 0o755)
          fs.symlinkSync(library, path.join(home, 'lib', path.basename(python)))
          // Of another version, as far as a name can tell: the folder of a library, and a link to what is private.
          fs.symlinkSync(world.path('private'), path.join(home, 'lib/python3.99'))
          const main = world.path('plugins', plugin, 'main.py')
          const script = fs.readFileSync(main, 'utf8')
          fs.writeFileSync(main, script.replace(/^#!.*/, `#!${home}/bin/python3`))
        }
        put(world.path('plugins/beside'), 'native_python')
        put(world.path('tools'), 'climber')
        put(path.join(base, 'other/tools'), 'walker')
      },
    })
    if ((await daemon.system.get_status()).tier !== 'namespace')
      skipBecause.call(this, 'native plugins need namespaces')
  })
  after(async () => {
    await daemon?.stop()
    if (base !== '') fs.rmSync(base, { recursive: true, force: true })
  })

  for (const [plugin, home] of [
    ['native_python', 'plugins/beside'],
    ['climber', 'tools'],
    ['walker', '../other/tools'],
  ] as const) {
    it(`is shown nothing by an interpreter that somebody put into ${home}`, async () => {
      const error = await daemon!.refusal(
        plugin,
        'read',
        daemon!.world.path(home, 'lib/python3.99/secret.txt'),
      )
      expect(error.code).to.equal('PLUGIN_START_FAILED')
      expect(error.message).to.contain(daemon!.world.path(home, 'bin/python3')).and.contain('where plugins')
    })
  }

  it('runs by the interpreter of the system', async () =>
    expect((await daemon!.call('plain', 'count', 'two words')).result).to.include({ words: 2 }))
})

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import { RUNTIME_CAPABILITIES, type RuntimeCapabilities } from '../../src/contract/manifest.ts'
import { skipBecause } from '../helpers/skip.ts'
import { SandboxWorld } from './sandbox-world.ts'

type Said = Record<string, string>

/** What `require` of a module without a line of its own needs, without Node's headers. */
const ADDON = `
int node_api_module_get_api_version_v1(void) { return 8; }
void *napi_register_module_v1(void *env, void *exports) { (void)env; return exports; }
`
const WORKS: Said = { addons: 'got 0', sqlite: 'got 42', ffi: 'got 1', inspector: 'got 42' }

describe('what [runtime] opens of Node', () => {
  const world = new SandboxWorld(process.getuid?.() === 0 ? 'root' : 'ordinary')
  let addon = ''
  before(async function () {
    await world.open()
    const { tier, reasonNoNamespace } = world.machine
    if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
    addon = path.join(world.pluginDir, 'addon.node')
    const built = spawnSync('gcc', ['-shared', '-fPIC', '-x', 'c', '-o', addon, '-'], { input: ADDON })
    if (built.error !== undefined) skipBecause.call(this, 'gcc is not installed')
    fs.chmodSync(addon, 0o755)
  })
  after(() => world.close())

  async function open(runtime: Partial<RuntimeCapabilities>): Promise<Said> {
    const library = world.machine.libraries.find((file) => path.basename(file).startsWith('libm.'))
    const database = path.join(world.dataDir, `${Object.keys(runtime).join('-')}.db`)
    const input = { addon, database, library, outside: world.secret }
    return await world.report<Said>('open-doors.cjs', { runtime, input, maxMemoryMb: 200 })
  }

  it('is nothing unless it is asked for', async () => {
    expect(await open({})).to.deep.equal({
      addons: 'ERR_DLOPEN_DISABLED',
      sqlite: 'ERR_UNKNOWN_BUILTIN_MODULE',
      'sqlite outside': 'ERR_UNKNOWN_BUILTIN_MODULE',
      ffi: 'ERR_UNKNOWN_BUILTIN_MODULE',
      inspector: 'ERR_ACCESS_DENIED',
    })
  })

  for (const capability of RUNTIME_CAPABILITIES) {
    it(`is, with ${capability} = true, that and no other`, async () => {
      const said = await open({ [capability]: true })
      const works = RUNTIME_CAPABILITIES.filter((name) => said[name] === WORKS[name])
      expect(works, JSON.stringify(said)).to.deep.equal([capability])
      // The kernel holds what Node no longer does.
      expect(said['sqlite outside']).to.be.oneOf(['ERR_UNKNOWN_BUILTIN_MODULE', 'ERR_SQLITE_ERROR'])
    })
  }

  it('is refused in tier process, where nothing else holds', () => {
    const machine = { tier: 'process', reasonNoNamespace: 'bubblewrap is not installed' } as const
    for (const capability of RUNTIME_CAPABILITIES) {
      const plan = (): unknown => world.plan('open-doors.cjs', { machine, runtime: { [capability]: true } })
      expect(plan).to.throw(
        `it has [runtime] ${capability} = true, which is allowed in tier "namespace" alone, and this machine gives tier "process" (bubblewrap is not installed)`,
      )
    }
    const programs = (): unknown => world.plan('open-doors.cjs', { machine, opened: { process: true } })
    expect(programs).to.throw('it has the permission "process"').with.property('code', 'PLUGIN_BLOCKED')
  })
})

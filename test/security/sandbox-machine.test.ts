import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'chai'

import { rememberMemoryBase } from '../../host/lifecycle/remember-memory-base.ts'
import { doctorChecks } from '../../host/sandbox/doctor.ts'
import { probeMachine, type Machine } from '../../host/sandbox/machine.ts'
import { measureMemoryBase } from '../../host/sandbox/memory-base.ts'
import { openStore } from '../../host/store/store.ts'
import { skipBecause } from '../helpers/skip.ts'

const MIB = 1024 * 1024

describe('probeMachine()', () => {
  const before = process.env['PHANTOM_BWRAP']
  afterEach(() => {
    if (before === undefined) delete process.env['PHANTOM_BWRAP']
    else process.env['PHANTOM_BWRAP'] = before
  })
  const probe = (bwrap?: string): Promise<Machine> => {
    if (bwrap !== undefined) process.env['PHANTOM_BWRAP'] = bwrap
    return probeMachine({ nodePath: process.execPath })
  }

  it('falls to tier process without bubblewrap, and says how to get it', async () => {
    for (const none of ['', '/nowhere/bwrap', 'bwrap']) {
      const machine = await probe(none)
      expect(machine).to.include({ tier: 'process', bwrapPath: null, hasBindFd: false })
      expect(machine.reasonNoNamespace).to.match(
        /^bubblewrap is not installed\. Install it: apt-get install bubblewrap/,
      )
    }
  })

  it('falls to tier process when bubblewrap is there and does not work, in its own words', async () => {
    const machine = await probe('/bin/false')
    expect(machine).to.include({ tier: 'process', bwrapPath: '/bin/false' })
    expect(machine.reasonNoNamespace).to.match(/^bubblewrap can't start a sandbox here: it ended with code 1/)
  })

  it('never throws, even where Node itself is not', async () => {
    const machine = await probeMachine({ nodePath: '/nowhere/node' })
    expect(machine.tier).to.equal('process')
    expect(machine.reasonNoNamespace).to.be.a('string').and.not.equal('')
  })

  it('knows the libraries and the loader that a sandbox needs', async function () {
    const machine = await probe()
    if (machine.tier === 'process') skipBecause.call(this, `no namespaces here: ${machine.reasonNoNamespace}`)
    expect(machine.reasonNoNamespace).to.equal(null)
    expect(machine.libraries.join(' '))
      .to.match(/libc\./)
      .and.match(/ld-/)
    expect(new Set(machine.libraries).size).to.equal(machine.libraries.length)
  })
})

describe('measureMemoryBase() and doctorChecks()', () => {
  let machine: Machine
  before(async () => {
    machine = await probeMachine({ nodePath: process.execPath })
  })

  it('measures about the same base each time and in both tiers', async () => {
    const bases = [await measureMemoryBase(machine), await measureMemoryBase(machine)]
    bases.push(await measureMemoryBase({ ...machine, tier: 'process' }))
    for (const base of bases) expect(base).to.be.greaterThan(16 * MIB)
    expect(Math.max(...bases) - Math.min(...bases)).to.be.lessThan(8 * MIB)
  })

  it("measures what Node's HTTP client adds where a plugin has a network", async () => {
    const added =
      (await measureMemoryBase(machine, { hasNetwork: true, isWasm: false, threads: 0 })) -
      (await measureMemoryBase(machine))
    expect(added).to.be.within(2 * MIB, 64 * MIB)
  })

  it('says why it can measure nothing where nothing starts', async () => {
    const broken = {
      ...machine,
      bwrapPath: '/bin/false',
      setprivPath: '/bin/false',
      prlimitPath: '/bin/false',
    }
    const failure = await measureMemoryBase(broken).catch((error: unknown) => error)
    expect(failure).to.include({ code: 'SANDBOX_UNAVAILABLE' })
    expect(String(failure)).to.include('Cannot measure the memory of an idle runner: it ended with code 1')
  })

  it('is measured once, and anew after it failed: what the machine lacked it may have by then', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-base-'))
    const store = openStore(folder)
    try {
      const changing = { ...machine, bwrapPath: '/bin/false', prlimitPath: '/bin/false' }
      const baseOf = rememberMemoryBase(changing, store)
      const plain = { hasNetwork: false, isWasm: false, threads: 0 }
      expect(await baseOf(plain).catch((error: unknown) => error)).to.include({ code: 'SANDBOX_UNAVAILABLE' })
      Object.assign(changing, machine)
      const [one, other] = await Promise.all([baseOf(plain), baseOf(plain)])
      expect(one.dataBytes).to.be.greaterThan(16 * MIB)
      expect(one.threadBytes).to.equal(0)
      expect(other).to.deep.equal(one)
      const [two, three] = await Promise.all([2, 3].map((threads) => baseOf({ ...plain, threads })))
      // Most of it is V8's range for code, see sandbox-runner/threads/thread-room.ts.
      expect(two!.threadBytes).to.be.within(62 * MIB, 80 * MIB)
      expect(three!.dataBytes - two!.dataBytes).to.equal(two!.threadBytes)
    } finally {
      store.close()
      fs.rmSync(folder, { recursive: true })
    }
  })

  it('finds every wall of tier namespace standing', async function () {
    if (machine.tier === 'process') skipBecause.call(this, `no namespaces here: ${machine.reasonNoNamespace}`)
    const checks = await doctorChecks(machine)
    expect(checks.map(({ name, ok }) => [name, ok])).to.deep.equal([
      ['runtime', true],
      ['bubblewrap', true],
      ['namespaces', true],
      ['user id', true],
      ['privileges', true],
      ['system calls', true],
      ['memory limit', true],
      ['node permission model', true],
      ['cgroup v2', true],
      ['processor limit', true],
    ])
  })

  it("says where plugins' users can't reach the Node that they are to run", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'phantom-closed-'))
    const nodePath = path.join(folder, 'node')
    fs.symlinkSync(process.execPath, nodePath)
    const root = { ...machine, nodePath, uid: 0, tier: 'process', reasonNoNamespace: 'none. None' } as const
    const runtime = async (one: Machine) => (await doctorChecks(one)).find(({ name }) => name === 'runtime')
    expect(await runtime(root))
      .to.include({ ok: false })
      .and.have.property('found')
      .that.includes(`"${folder}"`)
    fs.chmodSync(folder, 0o711)
    expect(await runtime(root)).to.include({ ok: true, remedy: null })
    fs.rmSync(folder, { recursive: true })
  })

  it('says once why no runner starts', async () => {
    const checks = await doctorChecks({ ...machine, bwrapPath: '/bin/false', prlimitPath: '/bin/false' })
    const [first, ...more] = checks.filter(({ found }) => found.includes('code 1'))
    expect(first).to.include({ name: 'runner', ok: false })
    expect(more).to.deep.equal([])
    const referring = checks.filter(({ remedy }) => remedy === 'See "runner"').map(({ name }) => name)
    expect(referring).to.include.members(['user id', 'privileges', 'memory limit', 'node permission model'])
  })

  it('names a remedy for everything that is missing, and never throws', async () => {
    const reason = 'bubblewrap is not installed. Install it'
    const bare = {
      ...machine,
      tier: 'process',
      bwrapPath: null,
      setprivPath: null,
      prlimitPath: null,
    } as const
    const checks = await doctorChecks({ ...bare, reasonNoNamespace: reason })
    const failed = checks.filter((check) => !check.ok)
    expect(failed.map((check) => check.name)).to.include.members([
      'bubblewrap',
      'namespaces',
      'setpriv',
      'prlimit',
      'memory limit',
    ])
    for (const check of failed) expect(check.remedy, check.name).to.be.a('string').and.not.equal('')
  })
})

describe('closeInheritedDescriptors()', () => {
  it('closes what its starter left open, but for what it was told to keep', () => {
    const program = path.join(import.meta.dirname, '../fixtures/probes/close-inherited.ts')
    // Only these three are ours; a starter of the test may have left others.
    const shell = 'exec 5</dev/null 77</dev/null 9</dev/null; exec "$@"'
    const command = ['-c', shell, 'bash', process.execPath, program]
    const { stdout, stderr } = spawnSync('bash', command, { encoding: 'utf8' })
    expect(stderr).to.equal('')
    const closed = JSON.parse(stdout) as number[]
    expect(closed).to.include(77).and.not.include(5)
  })
})

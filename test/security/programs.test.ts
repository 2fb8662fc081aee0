import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'

import type { Permission } from '../../src/contract/permission.ts'
import { skipBecause } from '../helpers/skip.ts'
import { SandboxWorld, type DaemonKind, type ProbeOptions } from './sandbox-world.ts'

const PROCESS: Permission = { kind: 'process', declared: 'process' }
/** Of each kind of daemon. */
const TRIES = 10
const DEATH_TIMEOUT_MS = 1_000
const POLL_MS = 10
type Said = Record<string, string>

const kinds: DaemonKind[] = process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary']
for (const daemon of kinds) {
  describe(`programs that a plugin with the permission "process" starts under a daemon of kind "${daemon}"`, () => {
    const world = new SandboxWorld(daemon)
    before(async function () {
      await world.open()
      const { tier, reasonNoNamespace } = world.machine
      if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
    })
    after(() => world.close())
    insideWalls(world)
    endsWithSandbox(world)
  })
}

const probe = (world: SandboxWorld, mode: string): ProbeOptions => ({
  permissions: [PROCESS],
  input: { mode, outside: world.secret },
})

function insideWalls(world: SandboxWorld): void {
  it('run, and are held by the same walls as the plugin', async () => {
    const said = await world.report<Said>('start-programs.cjs', probe(world, 'look'))
    expect(said).to.include({ echo: 'hello', path: '/usr/bin:/bin', pipe: '0 a', links: '0 42' })
    expect(said['cat']).to.match(/^1 .*No such file/)
    expect(said['etc']).to.match(/^1 .*No such file/)
    expect(said['usr']).to.match(/Read-only file system|Permission denied/)
    expect(said['id']).to.equal(`0 ${world.daemon === 'root' ? 0x7fff_0000 : 65534}`)
    expect(said['status']).to.match(/CapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\nSeccomp:\t2$/)
    expect(said['namespace']).to.match(/^1 .*Operation not permitted/)
    expect(said['mount']).to.match(/^(?:1|32) /)
    expect(said['files']).to.equal('0 256')
    expect(said['core']).to.equal('0 0')
    expect(said['network'], 'no /sys, and one interface').to.match(/1$/)
    expect(said['set_id']).to.match(/^1 .*Operation not permitted/)
    expect(said['reaper'], 'it has no filter and no limits').to.match(/alive/)
    expect(said['reaper']).not.to.match(/WRITABLE|^comm$/m)
  })

  it('are as many as max_processes says, and no more', async () => {
    const { count } = await world.report<Said>('start-programs.cjs', probe(world, 'bomb'))
    expect(Number(count)).to.be.within(10, 64)
  })

  it('cannot be started by a plugin without it, which sees no /usr', async () => {
    const options = { input: { list: ['/usr', '/bin'] }, kernelOnly: true }
    const said = await world.report<Said>('attempts.cjs', options)
    expect(Object.values(said)).to.deep.equal(['ENOENT', 'ENOENT'])
  })
}

function endsWithSandbox(world: SandboxWorld): void {
  it(`end within a second of a daemon that is killed, whoever their parent is, ${TRIES} times of ${TRIES}`, async function () {
    this.timeout(120_000)
    for (let count = 1; count <= TRIES; count++) await killDaemon(world, count)
  })
}

async function killDaemon(world: SandboxWorld, count: number): Promise<void> {
  const plan = world.plan('start-programs.cjs', probe(world, 'spread'))
  const spawner = path.join(import.meta.dirname, '../fixtures/probes/spawner.mjs')
  const daemon = spawn(process.execPath, [spawner, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const sandboxPid = Number(await new Promise((resolve) => daemon.stdout.once('data', resolve)))
  const all = descendants(sandboxPid)
  const names = all.map((pid) => read(`/proc/${pid}/comm`).trim())
  expect(names.filter((name) => name === 'sleep').length, names.join()).to.be.at.least(3)
  daemon.kill('SIGKILL')
  const deadline = performance.now() + DEATH_TIMEOUT_MS
  while (all.some(isAlive) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  expect(all.filter(isAlive), `try ${count}`).to.deep.equal([])
}

/** A process and all below it. */
function descendants(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(descendants)]
}

function isAlive(pid: number): boolean {
  const status = read(`/proc/${pid}/status`)
  return status !== '' && !/^State:\s+[ZX]/m.test(status)
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { expect } from 'chai'

import { findRunnerPid } from '../../host/sandbox/sandbox-status.ts'
import type { Permission } from '../../src/contract/permission.ts'
import { skipBecause } from '../helpers/skip.ts'
import { runPlan, SandboxWorld, type DaemonKind } from './sandbox-world.ts'

const READ_DATA: Permission = { kind: 'fs_read', declared: 'fs_read:./data', path: './data' }
const KILL_TIMEOUT_MS = 3_000
const POLL_MS = 10

interface Facts {
  env: Record<string, string>
  cwd: string
  uid: number
  noNewPrivs: string
  limits: string[]
}
type Said = Record<string, string>

const kinds: DaemonKind[] = process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary']
for (const daemon of kinds) {
  describe(`the ways out, the limits and the end of a sandbox that a daemon of kind "${daemon}" starts`, () => {
    const world = new SandboxWorld(daemon)
    before(async function () {
      await world.open()
      const { tier, reasonNoNamespace } = world.machine
      if (tier === 'process') skipBecause.call(this, `no namespaces here: ${reasonNoNamespace}`)
    })
    after(() => world.close())
    waysOut(world)
    limits(world)
    life(world)
  })
}

describe('a runner of tier "process"', () => {
  const world = new SandboxWorld(process.getuid?.() === 0 ? 'root' : 'ordinary', 'process')
  before(async function () {
    await world.open()
    const { setprivPath, prlimitPath } = world.machine
    if (setprivPath === null || prlimitPath === null) skipBecause.call(this, 'no setpriv or prlimit here')
    const { code, stderr } = await runPlan(world.plan('facts.cjs', { kernelOnly: true }), null)
    if (code !== 0) skipBecause.call(this, `its uid does not reach Node: ${stderr}`)
  })
  after(() => world.close())

  it('is denied files, programs and the network by Node, and has no privilege', async () => {
    const input = { read: ['/etc/passwd', world.secret, path.join(world.workspace, 'data/given.txt')] }
    const said = await world.report<Said>('attempts.cjs', { input, permissions: [READ_DATA] })
    expect(Object.values(said)).to.deep.equal(['ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'got given'])
    const out = await world.report<Said>('reach-out.cjs', {
      input: { port: 1, outside: world.secret, skip: [] },
    })
    expect(out).to.include({
      spawn: 'ERR_ACCESS_DENIED',
      worker: 'ERR_ACCESS_DENIED',
      loopback: 'ERR_ACCESS_DENIED',
    })
    expect(out).to.include({ sqlite: 'ERR_UNKNOWN_BUILTIN_MODULE' })
    const facts = await world.report<Facts>('facts.cjs', { kernelOnly: true })
    expect(facts).to.include({ noNewPrivs: '1', cwd: world.workspace })
    expect(facts.uid).to.not.equal(0)
    expect(Object.keys(facts.env).toSorted()).to.deep.equal([
      'HOME',
      'LANG',
      'PATH',
      'PROBE',
      'PWD',
      'TMPDIR',
    ])
  })

  it('ends memory at its allowance', async () => {
    const { code, takenMb } = await world.report<{ code: string; takenMb: number }>('hoard-memory.cjs', {
      maxMemoryMb: 98,
    })
    expect(code).to.equal('ERR_MEMORY_ALLOCATION_FAILED')
    expect(takenMb).to.be.within(80, 98)
  })

  life(world)
})

function waysOut(world: SandboxWorld): void {
  async function reach(options: { kernelOnly?: boolean }): Promise<Said> {
    const server = net.createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      // A thread does not fit beside RLIMIT_DATA, and Node aborts.
      const skip = options.kernelOnly === true ? ['worker', 'inspector', 'ffi'] : []
      const { port } = server.address() as net.AddressInfo
      return await world.report<Said>('reach-out.cjs', {
        input: { port, outside: world.secret, skip },
        ...options,
      })
    } finally {
      server.close()
    }
  }

  it('has no programs, threads, network, database or debugger by Node', async () => {
    const said = await reach({})
    for (const name of ['spawn', 'shell', 'worker', 'loopback', 'internet']) {
      expect(said[name], name).to.equal('ERR_ACCESS_DENIED')
    }
    expect(said['sqlite']).to.equal('ERR_UNKNOWN_BUILTIN_MODULE')
    expect(said['ffi']).to.equal('ERR_UNKNOWN_BUILTIN_MODULE')
    expect(said['inspector']).to.be.oneOf(['ERR_ACCESS_DENIED', 'ERR_INSPECTOR_NOT_AVAILABLE'])
    expect(said['dns']).to.be.oneOf(['ERR_ACCESS_DENIED', 'EAI_AGAIN'])
  })

  it('has no network, no shell and no foreign file by the kernel alone', async () => {
    const said = await reach({ kernelOnly: true })
    expect(said['loopback']).to.equal('EAFNOSUPPORT')
    expect(said['internet']).to.equal('EAFNOSUPPORT')
    expect(said['dns']).to.be.oneOf(['EAI_AGAIN', 'ENOTFOUND'])
    expect(said['shell']).to.equal('EPERM')
    expect(said['sqlite'], 'a file that is not there').to.be.oneOf(['ERR_SQLITE_ERROR', 'ENOENT'])
    expect(said['spawn']).to.equal('EPERM')
  })

  it('loads a plugin by import() with resolve hooks, and speaks on fd 3', async () => {
    const outcome = await runPlan(world.plan('load-module.cjs', { input: world.pluginDir }), 'hello')
    expect(outcome).to.deep.equal({ stdout: '', stderr: '', channel: 'hello from the sdk', code: 0 })
  })
}

function limits(world: SandboxWorld): void {
  it('ends memory at its allowance, where the plugin can catch it', async () => {
    const { code, takenMb } = await world.report<{ code: string; takenMb: number }>('hoard-memory.cjs', {
      maxMemoryMb: 98,
    })
    expect(code).to.equal('ERR_MEMORY_ALLOCATION_FAILED')
    expect(takenMb).to.be.within(80, 98)
  })

  it('ends /tmp at an eighth of the memory limit', async () => {
    const { code, writtenMb } = await world.report<{ code: string; writtenMb: number }>('fill-temporary.cjs')
    expect(code).to.equal('ENOSPC')
    expect(writtenMb).to.be.within(11, 12)
  })

  it('sets each limit soft and hard', async () => {
    const { limits: lines } = await world.report<Facts>('facts.cjs', { kernelOnly: true, maxMemoryMb: 100 })
    // /tmp has its 12 MiB of them.
    const bytes = String((562 + 100 - 12) * 1024 * 1024)
    expect(
      lines.map((line) =>
        line
          .split(/\s{2,}/)
          .slice(0, 3)
          .join(' '),
      ),
    ).to.have.members([
      `Max data size ${bytes} ${bytes}`,
      'Max open files 256 256',
      'Max processes 64 64',
      'Max file size 1073741824 1073741824',
      'Max core file size 0 0',
    ])
  })
}

function life(world: SandboxWorld): void {
  it('dies with a daemon that is killed, even while it spins', async () => {
    const plan = world.plan('spin.cjs')
    const daemon = spawn(
      process.execPath,
      [path.join(import.meta.dirname, '../fixtures/probes/spawner.mjs'), JSON.stringify(plan)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const sandboxPid = Number(await new Promise((resolve) => daemon.stdout.once('data', resolve)))
    const runnerPid = findRunnerPid(sandboxPid, plan)
    const command = fs.readFileSync(`/proc/${runnerPid}/cmdline`, 'utf8')
    daemon.kill('SIGKILL')
    expect(command, 'this was the runner').to.include('/node\0--permission\0')
    const deadline = performance.now() + KILL_TIMEOUT_MS
    while (isAlive(runnerPid) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    expect(isAlive(runnerPid), `process ${runnerPid} outlived the daemon`).to.equal(false)
  })
}

function isAlive(pid: number | null): boolean {
  try {
    // A dead process that nobody has asked for yet still has its folder.
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

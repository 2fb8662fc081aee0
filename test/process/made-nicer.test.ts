import { expect } from 'chai'
import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CoreDemand } from '../../host/monitor/core-demand.ts'
import { EagerProcesses, type EagerProcess } from '../../host/monitor/eager-processes.ts'
import { setNice } from '../../host/monitor/set-nice.ts'
import { until } from '../helpers/daemon.ts'
import { skipBecause } from '../helpers/skip.ts'

const NICE = 5
const hasAutogroups = fs.existsSync('/proc/self/autogroup')
const hasSchedstat = fs.existsSync('/proc/self/schedstat')
const isRoot = process.getuid?.() === 0
const hasTaskset = spawnSync('taskset', ['--version']).error === undefined
const SLEEPS = ['-e', 'setInterval(() => {}, 1000)']
const SPINS = ['-e', 'for (;;);']
/** Computes nearly all the time, in small pieces, as one that is called all the time. */
const PAUSES = [
  '-e',
  'const w = new Int32Array(new SharedArrayBuffer(4)); for (;;) { for (let i = 0; i < 7e5; i++); Atomics.wait(w, 0, 0, 0.01) }',
]

const children: ChildProcess[] = []

async function start(command: string, args: string[], options: SpawnOptions = {}): Promise<number> {
  const child = spawn(command, args, { ...options, stdio: 'ignore' })
  children.push(child)
  await once(child, 'spawn')
  return child.pid!
}

async function endAll(): Promise<void> {
  const ended = children.splice(0).filter((child) => child.exitCode === null && child.signalCode === null)
  await Promise.all(ended.map((child) => (child.kill('SIGKILL'), once(child, 'exit'))))
}

function sessionNice(pid: number): number {
  return Number(/nice (-?\d+)/.exec(fs.readFileSync(`/proc/${pid}/autogroup`, 'utf8'))?.[1])
}

describe('setNice()', () => {
  afterEach(endAll)

  it('makes every thread of a process nicer', async () => {
    const pid = await start(process.execPath, SLEEPS)
    await until(() => fs.readdirSync(`/proc/${pid}/task`).length > 1, 'threads')
    expect(setNice(pid, NICE)).to.be.true
    for (const thread of fs.readdirSync(`/proc/${pid}/task`))
      expect(os.getPriority(Number(thread))).to.equal(NICE)
  })

  it('makes a session of its own nicer, by which the kernel schedules it', async function () {
    if (!hasAutogroups) this.skip()
    const pid = await start(process.execPath, SLEEPS, { detached: true })
    setNice(pid, NICE)
    expect(sessionNice(pid)).to.equal(NICE)
  })

  it('leaves the session that a process shares with us as it is', async function () {
    if (!hasAutogroups) this.skip()
    // The text as a whole: a process that never was in a session (CI's, say) has no group and no figure there.
    const before = fs.readFileSync('/proc/self/autogroup', 'utf8')
    setNice(await start(process.execPath, SLEEPS), NICE)
    expect(fs.readFileSync('/proc/self/autogroup', 'utf8')).to.equal(before)
  })

  it('says that it could not for a process that is gone', async () => {
    const pid = await start(process.execPath, SLEEPS)
    await endAll()
    expect(setNice(pid, NICE)).to.be.false
  })
})

describe('EagerProcesses', function () {
  const LIMITS = { cpuShare: 0.9, nice: 19 }
  afterEach(endAll)
  before(function () {
    if (!hasAutogroups) skipBecause.call(this, 'the kernel does not schedule by sessions')
    if (!hasSchedstat) skipBecause.call(this, 'the kernel does not count what processes wait')
  })

  const eagerOf = (pid: number): EagerProcess => ({ pid, state: 'ready', spec: { cgroup: null } })

  async function lookUntil(eager: EagerProcesses, all: readonly EagerProcess[], condition: () => boolean) {
    for (const giveUpMs = performance.now() + 20_000; !condition();) {
      if (performance.now() > giveUpMs) expect.fail('it never came so far')
      eager.look(all, LIMITS, performance.now())
      await sleep(50)
    }
  }

  it('makes who computes nicer, forgives it when it pauses, and leaves alone who pauses all the time', async () => {
    const [spins, works] = [
      await start(process.execPath, SPINS, { detached: true }),
      await start(process.execPath, PAUSES, { detached: true }),
    ]
    const all = [eagerOf(spins), eagerOf(works)]
    const eager = new EagerProcesses()
    await lookUntil(eager, all, () => sessionNice(spins) === 10)
    expect(sessionNice(works)).to.equal(0)
    process.kill(spins, 'SIGSTOP')
    await lookUntil(eager, [], () => sessionNice(spins) === 0)
  })

  it('takes nothing back of one that was made nicer for good', async () => {
    const spins = await start(process.execPath, SPINS, { detached: true })
    const all = [eagerOf(spins)]
    const eager = new EagerProcesses()
    await lookUntil(eager, all, () => sessionNice(spins) === 10)
    // Of who is not root the kernel takes ten changes a second.
    while (!setNice(spins, 19)) await sleep(20)
    eager.drop(all[0]!)
    process.kill(spins, 'SIGSTOP')
    for (let look = 0; look < 5; look += 1) eager.look([], LIMITS, performance.now() + look * 50)
    expect(sessionNice(spins)).to.equal(19)
  })

  it('makes nobody nicer where the configuration says so', async () => {
    const spins = await start(process.execPath, SPINS, { detached: true })
    const [all, eager] = [[eagerOf(spins)], new EagerProcesses()]
    for (let look = 0; look < 8; look += 1) {
      eager.look(all, { ...LIMITS, nice: 0 }, performance.now())
      await sleep(20)
    }
    expect(sessionNice(spins)).to.equal(0)
  })
})

describe('raiseSession()', () => {
  const MODULE = path.resolve(import.meta.dirname, '../../host/monitor/raise-session.ts')
  /** Root alone may, and not even root where it lost CAP_SYS_NICE. */
  const mayRaise = hasAutogroups && spawnSync('nice', ['-n', '-5', 'true']).status === 0 && isRoot

  function raisedIn(options: SpawnOptions): string {
    const source = `
      import fs from 'node:fs'
      import { raiseSession } from ${JSON.stringify(MODULE)}
      const sessionNice = () => /nice .*/.exec(fs.readFileSync('/proc/self/autogroup', 'utf8'))?.[0] ?? 'none'
      const before = sessionNice()
      console.log(raiseSession(-5), sessionNice() === before ? 'as before' : sessionNice())`
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
      ...options,
      encoding: 'utf8',
    })
    return run.stdout.trim()
  }

  it('lets a session of its own come before others, where it may', function () {
    if (!mayRaise) skipBecause.call(this, 'only root with CAP_SYS_NICE may raise a session')
    expect(raisedIn({ detached: true })).to.equal('true nice -5')
  })

  it('changes nothing, and says so, in a session that is led by somebody else', () => {
    expect(raisedIn({})).to.equal('false as before')
  })
})

describe('CoreDemand', function () {
  this.timeout(20_000)
  const opened: CoreDemand[] = []
  afterEach(async () => {
    for (const demand of opened.splice(0)) demand.close()
    await endAll()
  })

  it('tells that each of several that spin on one core wants the whole of it', async function () {
    if (!hasTaskset || !hasSchedstat) this.skip()
    const args = ['-c', '0', process.execPath, ...SPINS]
    const demands = await Promise.all(
      [1, 2, 3].map(async () => new CoreDemand(await start('taskset', args, { detached: true }))),
    )
    opened.push(...demands)
    const wantsAll = (demand: CoreDemand): boolean => (demand.share(performance.now()) ?? 0) > 0.9
    await until(async () => {
      await sleep(200)
      return demands.map(wantsAll).every((all) => all)
    }, 'processes that want a core each')
  })

  it('tells that one that sleeps wants nearly nothing', async function () {
    if (!hasSchedstat) this.skip()
    const demand = new CoreDemand(await start(process.execPath, SLEEPS))
    opened.push(demand)
    await until(async () => {
      await sleep(200)
      return (demand.share(performance.now()) ?? 1) < 0.2
    }, 'a process at rest')
  })

  it('knows nothing at the first look, and of a process that is gone', async () => {
    const pid = await start(process.execPath, SLEEPS)
    const demand = new CoreDemand(pid)
    opened.push(demand)
    expect(demand.share(performance.now())).to.be.null
    await endAll()
    demand.share(performance.now())
    expect(demand.share(performance.now() + 1)).to.be.null
  })
})

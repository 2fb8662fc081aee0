import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { expect } from 'chai'
import { cpuHoldOf } from '../../../../host/monitor/cpu-hold.ts'
import { CpuThrottle } from '../../../../host/monitor/cpu-throttle.ts'
import { ProcessSampler } from '../../../../host/monitor/process-sampler.ts'
import { until } from '../../../helpers/daemon.ts'
import { HEAD, parse } from '../../../helpers/parsed-manifest.ts'
import { skipBecause } from '../../../helpers/skip.ts'

describe('CpuThrottle', function () {
  this.timeout(30_000)
  let child: ChildProcess
  let sampler: ProcessSampler
  let throttle: CpuThrottle | null = null
  let percent: number | null = null
  const lost: string[] = []

  beforeEach(() => {
    lost.length = 0
    child = spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' })
    sampler = new ProcessSampler(child.pid!)
  })
  afterEach(async () => {
    throttle?.close()
    sampler.close()
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })

  function hold(to: number | null, cores = 64): void {
    percent = to
    const onLost = (why: string): void => void lost.push(why)
    throttle = new CpuThrottle({ pid: child.pid!, sampler, percent: () => percent, onLost, cores })
  }
  const usedMs = (): number => sampler.refresh(performance.now()).cpuTimeMs
  const isStopped = (): boolean => {
    const stat = fs.readFileSync(`/proc/${child.pid}/stat`, 'latin1')
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'T'
  }

  it('gives a process that computes for ever no more than its share, and goes on giving it that', async () => {
    hold(20)
    const [startMs, startCpuMs] = [performance.now(), usedMs()]
    await until(() => usedMs() - startCpuMs >= 300, '300 ms of processor time')
    const elapsedMs = performance.now() - startMs
    // 20 ms of it were there at once, a look may come late, and the kernel counts in ticks.
    expect(elapsedMs).to.be.greaterThan((300 - 150) / 0.2)
  })

  it('stops again what somebody else lets go on, and lets it go when it has no limit any more', async () => {
    hold(1)
    for (let round = 0; round < 3; round += 1) {
      await until(isStopped, 'it to be stopped')
      child.kill('SIGCONT')
    }
    await until(isStopped, 'it to be stopped again')
    percent = null
    throttle?.follow()
    await until(() => !isStopped(), 'it to go on')
    const before = usedMs()
    await until(() => usedMs() - before >= 200, 'it to compute')
    expect(isStopped()).to.equal(false)
  })

  it('leaves alone what may have all cores, and holds it from the moment that it may not', async () => {
    hold(200, 2)
    await until(() => usedMs() >= 200, 'it to compute')
    expect(isStopped()).to.equal(false)
    percent = 1
    throttle?.follow()
    await until(isStopped, 'it to be stopped')
  })

  it('signals nobody when the process is gone', async () => {
    hold(1)
    await until(isStopped, 'it to be stopped')
    child.kill('SIGKILL')
    await once(child, 'exit')
    throttle?.follow()
    expect(sampler.isOpen).to.equal(false)
    expect(lost).to.deep.equal([])
  })

  it('says when it may not stop a process', function () {
    if (process.getuid?.() === 0) skipBecause.call(this, 'root may signal every process')
    let cpuTimeMs = 0
    const greedy = {
      isOpen: true,
      refresh: () => ({ ...sampler.last, cpuTimeMs: (cpuTimeMs += 1000) }),
    }
    throttle = new CpuThrottle({
      pid: 1,
      sampler: greedy,
      percent: () => 10,
      onLost: (why) => lost.push(why),
    })
    throttle.follow()
    expect(lost).to.have.length(1)
    expect(lost[0]).to.include('EPERM')
  })
})

describe('cpuHoldOf()', () => {
  const of = (more = '', tier: 'namespace' | 'process' = 'namespace', hasCgroups = false) =>
    cpuHoldOf({ tier, hasCgroups }, parse(HEAD + more).manifest!)
  const NATIVE = { type: 'native', permissions: [], runtime: parse(HEAD).manifest!.runtime } as const

  it('holds every plugin by its control group, where there are some', () => {
    expect(of('', 'process', true)).to.deep.equal({ by: 'cgroup' })
    expect(cpuHoldOf({ tier: 'namespace', hasCgroups: true }, NATIVE)).to.deep.equal({ by: 'cgroup' })
  })

  it('holds by stops what cannot set itself going again, and says of all else that nothing does', () => {
    expect(of()).to.deep.equal({ by: 'stops' })
    expect(of('[runtime]\neval = true\nthreads = 2\n')).to.deep.equal({ by: 'stops' })
    const unheld = [
      [of('', 'process'), 'tier "process"'],
      [of('[permissions]\npermissions = ["process"]\n'), 'the permission "process"'],
      [of('[runtime]\naddons = true\n'), 'runtime.addons'],
      [of('[runtime]\nffi = true\n'), 'runtime.ffi'],
      [cpuHoldOf({ tier: 'namespace', hasCgroups: false }, NATIVE), 'a native plugin'],
    ] as const
    for (const [hold, words] of unheld) {
      if (hold.by !== null) throw new Error(`${words}: held by ${hold.by}`)
      expect(hold.problem)
        .to.match(/^not held on this machine: no delegated cgroup v2/)
        .and.include(words)
      expect(hold.remedy).to.include('max_cpu_percent')
    }
  })
})
